-- timetz and interval arithmetic.
select timetz '12:00+02' < timetz '11:00+01', timetz '12:00+02' = timetz '10:00+00', timetz '12:00+02' at time zone 'UTC', timetz '23:59:60-08';
select timetz '12:00+02' + interval '25 hours', timetz '01:00-05' - interval '2:30', extract(timezone from timetz '1:00+05:30'), date '2020-02-28' + timetz '22:00-03';
select time '10:00' - time '12:30', time '23:00' + interval '2 hours', interval '1 month -1 day 25:00' * 1.5, interval '1 year' / 7;
select justify_hours('49:00'), justify_days('65 days'), justify_interval('1 mon -1 hour'), interval '-1 mon 30 days' = interval '0', age('2020-03-31', '2020-02-29');
select interval '1.5 years 2.25 months', interval 'P1Y2M3DT4H5M6.7S', interval '1-2 3 4:05:06', interval '1' day, interval '12:34' minute to second, interval '1 2:03' day to hour;
select extract(epoch from interval '1 year 1 mon'), extract(century from interval '250 years'), date_part('week', date '2021-01-03'), extract(julian from timestamp '2020-01-01 12:00');
select make_interval(years => 1, secs => 1.5), make_timetz(1, 2, 3.5);
select date_bin('15 min', timestamp '2020-02-11 15:44:17', timestamp '2001-01-01'), date_trunc('quarter', interval '1 year 8 mons'), date_trunc('day', timestamptz '2020-06-01 12:00+00', 'Asia/Tokyo') at time zone 'UTC';
select interval '178000000 years' * 2;
select (timestamp '2020-01-31' + interval '1 month'), (timestamptz '2020-03-08 12:00+00' - interval '1 day') at time zone 'UTC', timestamp '2020-03-01' - timestamp '2019-12-25 12:00';
select overlaps(date '2020-01-01', date '2020-02-01', date '2020-01-31', date '2020-03-01'), (time '10:00', interval '1 hour') overlaps (time '10:59', time '12:00');
