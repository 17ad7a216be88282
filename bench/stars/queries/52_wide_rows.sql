-- Whole rows, some of them.
select * from wide where c001 < 1000000000 and c023 is null or w_id = 17 order by w_id limit 20
