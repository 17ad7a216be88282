create table region (
  r_regionkey integer primary key, r_name char(55) not null, r_comment char(152) not null);
create table nation (
  n_nationkey integer primary key, n_name char(25) not null, n_regionkey integer not null, n_comment char(152) not null);
create table supplier (
  su_suppkey integer primary key, su_name char(25) not null, su_address varchar(40) not null, su_nationkey integer not null, su_phone char(15) not null,
  su_acctbal decimal(12,2) not null, su_comment char(101) not null);
