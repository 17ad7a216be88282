// Package stars is a retail warehouse in the manner of TPC-DS, for measuring what TPC-H
// does not show: several fact tables over shared dimensions, skewed values, many NULLs, and
// queries with grouping sets, windows, CTEs used several times, set operations and full joins;
// beside it a table of 300 columns (wide), one of long texts (documents) and one with a single
// column of high cardinality (events). Schema, generator and queries are our own.
//
// A scale factor of 1 is 2.9 million rows of store_sales, 1.4 of catalog_sales, 0.7 of
// web_sales, 2.3 of inventory and 10 million events. The data depend on the scale factor and
// on nothing else: every block of units draws from a random stream of its own, seeded by table
// and block. Sales and their returns draw from the same streams, so that a return has its sale.
//
// Tables are written as CSV as PostgreSQL reads it: NULL is nothing, text with quotes or commas
// is quoted.
//
// The texts of the queries are understood by PostgreSQL and by DuckDB alike; their ORDER BY is
// total, so that answers can be compared line by line. Answers recorded at scale factor 0.01 are
// PostgreSQL 15's:
//
//	go test ./bench/stars -record 'host=… user=…'
package stars
