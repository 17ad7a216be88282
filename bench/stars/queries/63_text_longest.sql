-- The longest texts with their notes.
select doc_id, doc_author, doc_title, length(doc_body) as length, substr(doc_body, 100, 60) as part, coalesce(substr(doc_note, 1, 40), 'none') as note
from documents
order by length(doc_body) desc nulls last, doc_id
limit 20
