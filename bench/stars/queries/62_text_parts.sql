-- Beginnings of texts, grouped; and how often what is in them.
select upper(substr(doc_body, 1, 6)) as start, count(*) as n, sum(length(doc_body) - length(replace(doc_body, ' people ', ''))) as people, max(length(doc_note)) as note
from documents
where doc_note is null or length(doc_body) > 2000
group by upper(substr(doc_body, 1, 6))
order by n desc, start
limit 50
