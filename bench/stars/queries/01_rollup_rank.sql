-- Revenue by category, class and brand with subtotals, and the rank of each among those of its level.
select grouping(i_category) + grouping(i_class) + grouping(i_brand) as level, i_category, i_class, i_brand,
       sum(ss_net_paid) as paid, count(*) as lines,
       rank() over (partition by grouping(i_category) + grouping(i_class) + grouping(i_brand),
                                 case when grouping(i_class) = 0 then i_category end
                    order by sum(ss_net_paid) desc) as place
from store_sales join date_dim on d_date_sk = ss_sold_date_sk join item on i_item_sk = ss_item_sk
where d_year = 2001
group by rollup (i_category, i_class, i_brand)
order by level desc, i_category, place, i_class, i_brand
limit 200
