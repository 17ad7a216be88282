-- Averages of catalog sales by where the buyer lives, with subtotals.
select i_category, ca_state, ca_county, avg(cs_quantity) as quantity, avg(cs_list_price) as list, avg(cs_coupon_amt) as coupon, avg(c_birth_year) as born, count(*) as lines
from catalog_sales, customer_demographics, customer, customer_address, date_dim, item
where cs_sold_date_sk = d_date_sk and cs_item_sk = i_item_sk and cs_bill_cdemo_sk = cd_demo_sk and cs_bill_customer_sk = c_customer_sk
  and cd_gender = 'F' and cd_education_status in ('Unknown', 'College') and c_current_addr_sk = ca_address_sk and c_birth_month in (1, 6, 8, 9, 12, 2)
  and d_year = 1998 and ca_state in ('AL', 'AK', 'AZ', 'CO', 'GA', 'HI', 'TX')
group by rollup (i_category, ca_state, ca_county)
order by i_category, ca_state, ca_county, lines
limit 200
