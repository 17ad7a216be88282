-- Items with the highest ratios of returns in each channel.
select channel, item, quantity_rank, amount_rank from (
  select 'web' as channel, item, rank() over (order by returned * 1.0 / sold, item) as quantity_rank, rank() over (order by amount / paid, item) as amount_rank
  from (select ws_item_sk as item, cast(sum(coalesce(wr_return_quantity, 0)) as double precision) as returned, cast(sum(coalesce(ws_quantity, 0)) as double precision) as sold,
               cast(sum(coalesce(wr_return_amt, 0)) as double precision) as amount, cast(sum(coalesce(ws_net_paid, 0)) as double precision) as paid
        from web_sales left join web_returns on ws_order_number = wr_order_number and ws_item_sk = wr_item_sk, date_dim
        where ws_net_profit > 1 and ws_net_paid > 0 and ws_quantity > 0 and ws_sold_date_sk = d_date_sk and d_year = 2001 group by ws_item_sk) a
  union all
  select 'catalog', item, rank() over (order by returned * 1.0 / sold, item), rank() over (order by amount / paid, item)
  from (select cs_item_sk as item, cast(sum(coalesce(cr_return_quantity, 0)) as double precision) as returned, cast(sum(coalesce(cs_quantity, 0)) as double precision) as sold,
               cast(sum(coalesce(cr_return_amount, 0)) as double precision) as amount, cast(sum(coalesce(cs_net_paid, 0)) as double precision) as paid
        from catalog_sales left join catalog_returns on cs_order_number = cr_order_number and cs_item_sk = cr_item_sk, date_dim
        where cs_net_profit > 1 and cs_net_paid > 0 and cs_quantity > 0 and cs_sold_date_sk = d_date_sk and d_year = 2001 group by cs_item_sk) b
  union all
  select 'store', item, rank() over (order by returned * 1.0 / sold, item), rank() over (order by amount / paid, item)
  from (select ss_item_sk as item, cast(sum(coalesce(sr_return_quantity, 0)) as double precision) as returned, cast(sum(coalesce(ss_quantity, 0)) as double precision) as sold,
               cast(sum(coalesce(sr_return_amt, 0)) as double precision) as amount, cast(sum(coalesce(ss_net_paid, 0)) as double precision) as paid
        from store_sales left join store_returns on ss_ticket_number = sr_ticket_number and ss_item_sk = sr_item_sk, date_dim
        where ss_net_profit > 1 and ss_net_paid > 0 and ss_quantity > 0 and ss_sold_date_sk = d_date_sk and d_year = 2001 group by ss_item_sk) c) x
where quantity_rank <= 10 or amount_rank <= 10
order by channel, quantity_rank, amount_rank, item
