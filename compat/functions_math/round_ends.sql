-- round and trunc at the ends of numeric's range
select round(4.4e131071, -131071) = 4e131071;
select round(4.5e131071, -131071) = 5e131071;
select round(4.5e131071, -131072);
select round(5.5e131071, -131072);
select round(5.5e131071, -131073);
select round(5.5e131071, -1000000);
select round(5e-16383, 1000000) = 5e-16383, round(5e-16383, 16383) = 5e-16383, round(5e-16383, 16382) = 1e-16382;
select trunc(9.9e131071, -131071) = 9e131071;
select trunc(9.9e131071, -131072), trunc(9.9e131071, -131073), trunc(9.9e131071, -1000000);
select trunc(5e-16383, 1000000) = 5e-16383, trunc(5e-16383, 16383) = 5e-16383;
select scale(round(1.5, 16383)), scale(round(1.5, 16384)), scale(trunc(1.5, 2147483647)), scale(round('0'::numeric, 5000));
select round(1.5, -2147483648), trunc(15, -1), round(15, -1), round(-15, -1), round(15, -2), round(55, -2);
select length(round(4.5e131071, -131071)::text), length(round(123.456, 2500)::text);
