-- Texts with a number of a certain form.
select doc_lang, count(*) as n, min(doc_id) as first, max(doc_id) as last
from documents
where regexp_like(doc_body, 'order [1-4][0-9]{2}-[0-9]*[37]\. ')
group by doc_lang
order by doc_lang
