-- A few of the three hundred columns under a filter.
select c008, count(*) as n, count(c100) as known, sum(c018) as total, avg(c026) as average, min(c035) as first, max(c131) as last, count(distinct c044) as names
from wide
where c016 <= 20 and c031 > 20000 and (c110 or c126 is null)
group by c008
order by c008
