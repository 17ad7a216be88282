-- The three items of each class with the most customers.
select i_class, i_item_id, customers, place from (
  select i_class, i_item_id, count(distinct ss_customer_sk) as customers,
         row_number() over (partition by i_class order by count(distinct ss_customer_sk) desc, i_item_id) as place
  from store_sales join item on i_item_sk = ss_item_sk
  group by i_class, i_item_id) x
where place <= 3
order by i_class, place
