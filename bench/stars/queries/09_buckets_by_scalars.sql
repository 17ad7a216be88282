-- Averages of buckets of quantities, each by sub-selects of its own.
select case when (select count(*) from store_sales where ss_quantity between 1 and 20) > 5000
            then (select avg(ss_ext_discount_amt) from store_sales where ss_quantity between 1 and 20)
            else (select avg(ss_net_paid) from store_sales where ss_quantity between 1 and 20) end as b1,
       case when (select count(*) from store_sales where ss_quantity between 21 and 40) > 5000
            then (select avg(ss_ext_discount_amt) from store_sales where ss_quantity between 21 and 40)
            else (select avg(ss_net_paid) from store_sales where ss_quantity between 21 and 40) end as b2,
       case when (select count(*) from store_sales where ss_quantity between 41 and 60) > 5000000
            then (select avg(ss_ext_discount_amt) from store_sales where ss_quantity between 41 and 60)
            else (select avg(ss_net_paid) from store_sales where ss_quantity between 41 and 60) end as b3,
       case when (select count(*) from store_sales where ss_quantity between 61 and 80) > 5000
            then (select avg(ss_ext_discount_amt) from store_sales where ss_quantity between 61 and 80)
            else (select avg(ss_net_paid) from store_sales where ss_quantity between 61 and 80) end as b4
from reason where r_reason_sk = 1
