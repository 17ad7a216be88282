-- Distinct keys.
select count(distinct e_key) as keys from events
