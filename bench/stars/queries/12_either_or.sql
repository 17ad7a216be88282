-- Averages under conditions on demographics and places that hang together by OR.
select count(*) as lines, avg(ss_quantity) as quantity, avg(ss_ext_sales_price) as price, avg(ss_ext_wholesale_cost) as cost, sum(ss_ext_wholesale_cost) as costs
from store_sales, store, customer_demographics, household_demographics, customer_address, date_dim
where s_store_sk = ss_store_sk and ss_sold_date_sk = d_date_sk and d_year = 2001 and ss_hdemo_sk = hd_demo_sk and cd_demo_sk = ss_cdemo_sk and ss_addr_sk = ca_address_sk
  and (cd_marital_status = 'M' and cd_education_status = 'Advanced Degree' and ss_sales_price between 50 and 150 and hd_dep_count >= 3
    or cd_marital_status = 'S' and cd_education_status = 'College' and ss_sales_price between 20 and 100 and hd_dep_count <= 1
    or cd_marital_status = 'W' and cd_education_status = '2 yr Degree' and ss_sales_price between 100 and 200 and hd_dep_count = 1)
  and (ca_state in ('AL', 'AK', 'AZ') and ss_net_profit between -1000 and 2000
    or ca_state in ('AR', 'CA', 'CO', 'CT') and ss_net_profit between 150 and 3000
    or ca_state in ('DE', 'FL', 'GA') and ss_net_profit between 50 and 250)
