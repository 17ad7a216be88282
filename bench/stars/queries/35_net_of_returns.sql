-- Quantities net of returns by brand and manufacturer, where they fell from one year to the next.
with net as (
  select d_year, i_brand_id, i_class_id, i_category_id, i_manufact_id, sum(quantity) as quantity, sum(amount) as amount from (
    select d_year, i_brand_id, i_class_id, i_category_id, i_manufact_id, cs_quantity - coalesce(cr_return_quantity, 0) as quantity, cs_ext_sales_price - coalesce(cr_return_amount, 0) as amount
    from catalog_sales join item on i_item_sk = cs_item_sk join date_dim on d_date_sk = cs_sold_date_sk
    left join catalog_returns on cs_order_number = cr_order_number and cs_item_sk = cr_item_sk where i_category = 'Books'
    union
    select d_year, i_brand_id, i_class_id, i_category_id, i_manufact_id, ss_quantity - coalesce(sr_return_quantity, 0), ss_ext_sales_price - coalesce(sr_return_amt, 0)
    from store_sales join item on i_item_sk = ss_item_sk join date_dim on d_date_sk = ss_sold_date_sk
    left join store_returns on ss_ticket_number = sr_ticket_number and ss_item_sk = sr_item_sk where i_category = 'Books'
    union
    select d_year, i_brand_id, i_class_id, i_category_id, i_manufact_id, ws_quantity - coalesce(wr_return_quantity, 0), ws_ext_sales_price - coalesce(wr_return_amt, 0)
    from web_sales join item on i_item_sk = ws_item_sk join date_dim on d_date_sk = ws_sold_date_sk
    left join web_returns on ws_order_number = wr_order_number and ws_item_sk = wr_item_sk where i_category = 'Books') x
  group by d_year, i_brand_id, i_class_id, i_category_id, i_manufact_id)
select p.i_brand_id, p.i_class_id, p.i_category_id, p.i_manufact_id, p.quantity as before, c.quantity as after, c.quantity - p.quantity as difference, c.amount - p.amount as amount
from net c, net p
where c.i_brand_id = p.i_brand_id and c.i_class_id = p.i_class_id and c.i_category_id = p.i_category_id and c.i_manufact_id = p.i_manufact_id
  and c.d_year = 2002 and p.d_year = 2001 and c.quantity * 10 < p.quantity * 9
order by difference, amount, p.i_brand_id, p.i_manufact_id
limit 100
