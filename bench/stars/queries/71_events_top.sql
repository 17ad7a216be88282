-- The keys that come most often.
select e_key, count(*) as n from events group by e_key order by n desc, e_key limit 10
