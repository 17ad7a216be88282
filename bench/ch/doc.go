// Package ch is the CH-benCHmark (Cole et al., DBTest 2011): the analysts of TPC-H ask the tables of TPC-C, while
// TPC-C's transactions run. It adds nation, region and supplier to the nine tables of bench/tpcc; an item's supplier
// follows from warehouse and item, a customer's nation from the first character of the state. The 22 queries have
// the meaning of the published ones; their texts are our own, and their ORDER BY is total, so that answers can be
// compared line by line.
//
// Answers recorded over the data of LoadAnswers are PostgreSQL 15's:
//
//	go test ./bench/ch -record 'host=… user=…'
//
// Freshness (fresh.go): an analyst asks each query in a transaction of REPEATABLE READ together with questions whose
// answers show that its snapshot is one moment in which the transactions' sums balance, and that it includes what
// the transactions' clients had acknowledged before the query was sent.
package ch
