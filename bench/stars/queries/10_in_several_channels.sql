-- Demographics of customers who bought in a store and on the web or from the catalog in a season.
select cd_gender, cd_marital_status, cd_education_status, cd_credit_rating, count(*) as customers, min(cd_dep_count) as least, max(cd_dep_count) as most, avg(cd_dep_count) as average
from customer c, customer_address ca, customer_demographics
where c.c_current_addr_sk = ca.ca_address_sk and ca_county in ('Williamson', 'Walker', 'Daviess', 'Barrow', 'Luce') and cd_demo_sk = c.c_current_cdemo_sk
  and exists (select 1 from store_sales, date_dim where c.c_customer_sk = ss_customer_sk and ss_sold_date_sk = d_date_sk and d_year = 2002 and d_moy between 1 and 4)
  and (exists (select 1 from web_sales, date_dim where c.c_customer_sk = ws_bill_customer_sk and ws_sold_date_sk = d_date_sk and d_year = 2002 and d_moy between 1 and 4)
       or exists (select 1 from catalog_sales, date_dim where c.c_customer_sk = cs_ship_customer_sk and cs_sold_date_sk = d_date_sk and d_year = 2002 and d_moy between 1 and 4))
group by cd_gender, cd_marital_status, cd_education_status, cd_credit_rating
order by cd_gender, cd_marital_status, cd_education_status, cd_credit_rating
limit 100
