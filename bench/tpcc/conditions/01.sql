-- W_YTD = sum(D_YTD)
select w_id, w_ytd, sum(d_ytd)
from warehouse left join district on d_w_id = w_id
group by w_id, w_ytd
having w_ytd is distinct from sum(d_ytd)
