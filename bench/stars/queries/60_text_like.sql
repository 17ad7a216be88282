-- Texts that have a word, and how long they are.
select doc_lang, count(*) as n, avg(length(doc_body)) as length, sum(case when doc_body like '%navy%' then 1 else 0 end) as navy
from documents
where doc_body like '%"red %' or doc_body like '%"khaki%' or doc_body like '%"green%' or doc_body like '%"plum%' or doc_title like 'great%'
group by doc_lang
order by doc_lang
