create table date_dim (
  d_date_sk integer primary key, d_date date not null, d_year integer not null, d_qoy integer not null, d_moy integer not null,
  d_dom integer not null, d_dow integer not null, d_week_seq integer not null, d_month_seq integer not null, d_quarter_seq integer not null,
  d_day_name varchar(9) not null, d_quarter_name char(6) not null, d_holiday char(1) not null, d_weekend char(1) not null);
create table item (
  i_item_sk integer primary key, i_item_id char(16) not null, i_item_desc varchar(200), i_current_price decimal(7,2), i_wholesale_cost decimal(7,2),
  i_brand_id integer, i_brand varchar(50), i_class_id integer, i_class varchar(50), i_category_id integer, i_category varchar(50),
  i_manufact_id integer, i_manufact varchar(50), i_size varchar(20), i_color varchar(20), i_units varchar(10), i_manager_id integer, i_product_name varchar(50));
create table customer_address (
  ca_address_sk integer primary key, ca_street_number varchar(10), ca_street_name varchar(60), ca_street_type varchar(15), ca_city varchar(60),
  ca_county varchar(30), ca_state char(2), ca_zip char(5), ca_country varchar(20), ca_gmt_offset decimal(5,2), ca_location_type varchar(20));
create table customer_demographics (
  cd_demo_sk integer primary key, cd_gender char(1), cd_marital_status char(1), cd_education_status varchar(20), cd_credit_rating varchar(10), cd_dep_count integer);
create table household_demographics (
  hd_demo_sk integer primary key, hd_income_band integer, hd_buy_potential varchar(15), hd_dep_count integer, hd_vehicle_count integer);
create table customer (
  c_customer_sk integer primary key, c_customer_id char(16) not null, c_current_cdemo_sk integer, c_current_hdemo_sk integer, c_current_addr_sk integer,
  c_first_sales_date_sk integer, c_salutation varchar(10), c_first_name varchar(20), c_last_name varchar(30), c_preferred_cust_flag char(1),
  c_birth_day integer, c_birth_month integer, c_birth_year integer, c_birth_country varchar(20), c_email_address varchar(60));
create table store (
  s_store_sk integer primary key, s_store_id char(16) not null, s_store_name varchar(50), s_number_employees integer, s_floor_space integer,
  s_market_id integer, s_city varchar(60), s_county varchar(30), s_state char(2), s_gmt_offset decimal(5,2), s_closed_date_sk integer);
create table call_center (
  cc_call_center_sk integer primary key, cc_call_center_id char(16) not null, cc_name varchar(50), cc_county varchar(30), cc_state char(2));
create table web_site (
  web_site_sk integer primary key, web_site_id char(16) not null, web_name varchar(50), web_company varchar(50));
create table warehouse (
  w_warehouse_sk integer primary key, w_warehouse_name varchar(20), w_square_feet integer, w_city varchar(60), w_county varchar(30), w_state char(2));
create table ship_mode (
  sm_ship_mode_sk integer primary key, sm_type varchar(30), sm_carrier varchar(20));
create table reason (
  r_reason_sk integer primary key, r_reason_desc varchar(100));
create table promotion (
  p_promo_sk integer primary key, p_promo_id char(16) not null, p_start_date_sk integer, p_end_date_sk integer, p_item_sk integer, p_cost decimal(15,2),
  p_channel_dmail char(1), p_channel_email char(1), p_channel_tv char(1), p_channel_event char(1));
create table store_sales (
  ss_sold_date_sk integer, ss_sold_time integer, ss_item_sk integer not null, ss_customer_sk integer, ss_cdemo_sk integer, ss_hdemo_sk integer,
  ss_addr_sk integer, ss_store_sk integer, ss_promo_sk integer, ss_ticket_number bigint not null, ss_quantity integer,
  ss_wholesale_cost decimal(7,2), ss_list_price decimal(7,2), ss_sales_price decimal(7,2), ss_ext_discount_amt decimal(9,2), ss_ext_sales_price decimal(9,2),
  ss_ext_wholesale_cost decimal(9,2), ss_ext_list_price decimal(9,2), ss_ext_tax decimal(9,2), ss_coupon_amt decimal(9,2), ss_net_paid decimal(9,2),
  ss_net_profit decimal(9,2), primary key (ss_item_sk, ss_ticket_number));
create table store_returns (
  sr_returned_date_sk integer, sr_item_sk integer not null, sr_customer_sk integer, sr_cdemo_sk integer, sr_hdemo_sk integer, sr_addr_sk integer,
  sr_store_sk integer, sr_reason_sk integer, sr_ticket_number bigint not null, sr_return_quantity integer, sr_return_amt decimal(9,2), sr_return_tax decimal(9,2),
  sr_fee decimal(7,2), sr_refunded_cash decimal(9,2), sr_net_loss decimal(9,2), primary key (sr_item_sk, sr_ticket_number));
create table catalog_sales (
  cs_sold_date_sk integer, cs_ship_date_sk integer, cs_bill_customer_sk integer, cs_bill_cdemo_sk integer, cs_bill_hdemo_sk integer, cs_bill_addr_sk integer,
  cs_ship_customer_sk integer, cs_ship_addr_sk integer, cs_call_center_sk integer, cs_ship_mode_sk integer, cs_warehouse_sk integer, cs_item_sk integer not null,
  cs_promo_sk integer, cs_order_number bigint not null, cs_quantity integer, cs_wholesale_cost decimal(7,2), cs_list_price decimal(7,2),
  cs_sales_price decimal(7,2), cs_ext_discount_amt decimal(9,2), cs_ext_sales_price decimal(9,2), cs_ext_wholesale_cost decimal(9,2), cs_ext_list_price decimal(9,2),
  cs_coupon_amt decimal(9,2), cs_ext_ship_cost decimal(9,2), cs_net_paid decimal(9,2), cs_net_profit decimal(9,2), primary key (cs_item_sk, cs_order_number));
create table catalog_returns (
  cr_returned_date_sk integer, cr_item_sk integer not null, cr_refunded_customer_sk integer, cr_returning_customer_sk integer, cr_returning_addr_sk integer,
  cr_call_center_sk integer, cr_warehouse_sk integer, cr_reason_sk integer, cr_order_number bigint not null, cr_return_quantity integer,
  cr_return_amount decimal(9,2), cr_fee decimal(7,2), cr_refunded_cash decimal(9,2), cr_net_loss decimal(9,2), primary key (cr_item_sk, cr_order_number));
create table web_sales (
  ws_sold_date_sk integer, ws_ship_date_sk integer, ws_item_sk integer not null, ws_bill_customer_sk integer, ws_bill_addr_sk integer, ws_ship_customer_sk integer,
  ws_ship_addr_sk integer, ws_web_site_sk integer, ws_ship_mode_sk integer, ws_warehouse_sk integer, ws_promo_sk integer, ws_order_number bigint not null,
  ws_quantity integer, ws_wholesale_cost decimal(7,2), ws_list_price decimal(7,2), ws_sales_price decimal(7,2), ws_ext_discount_amt decimal(9,2),
  ws_ext_sales_price decimal(9,2), ws_ext_wholesale_cost decimal(9,2), ws_ext_list_price decimal(9,2), ws_ext_ship_cost decimal(9,2), ws_net_paid decimal(9,2),
  ws_net_profit decimal(9,2), primary key (ws_item_sk, ws_order_number));
create table web_returns (
  wr_returned_date_sk integer, wr_item_sk integer not null, wr_refunded_customer_sk integer, wr_returning_addr_sk integer, wr_web_site_sk integer,
  wr_reason_sk integer, wr_order_number bigint not null, wr_return_quantity integer, wr_return_amt decimal(9,2), wr_fee decimal(7,2),
  wr_refunded_cash decimal(9,2), wr_net_loss decimal(9,2), primary key (wr_item_sk, wr_order_number));
create table inventory (
  inv_date_sk integer not null, inv_item_sk integer not null, inv_warehouse_sk integer not null, inv_quantity_on_hand integer,
  primary key (inv_date_sk, inv_item_sk, inv_warehouse_sk));
create table documents (
  doc_id integer primary key, doc_lang char(2) not null, doc_author varchar(60), doc_title text not null, doc_body text, doc_note text);
create table events (e_key bigint not null);
