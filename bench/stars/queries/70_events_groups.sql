-- Every key with how often it comes: how many, and how often at most.
select count(*) as keys, sum(n) as events, max(n) as most, min(e_key) as first from (select e_key, count(*) as n from events group by e_key) x
