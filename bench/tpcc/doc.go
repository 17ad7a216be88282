// Package tpcc is TPC-C over the wire: the nine tables of its specification (revision 5.11), their initial
// population, the five transactions in their mix, and the consistency conditions of clause 3.3.2. It runs against
// Basalt or any PostgreSQL, so that peers are measured by the same code.
//
// As most kits do, clients neither key in nor think: each begins its next transaction when the last one has ended,
// so that the throughput (tpmC: New-Orders a minute) is the server's limit and not a number the TPC would publish.
// Each client has a home warehouse of its own. Statements are prepared once; those that do not need each
// other's answers travel together, as a driver's batches do, with BEGIN in front of the first of them and COMMIT
// for itself. A transaction that ends with a serialization failure or a deadlock is run again, and counted.
//
// What is drawn and stored:
//   - data depend on the Size and the seed and on nothing else (generate.go);
//   - the constants of NURand are fixed, and C_LAST's of load and run differ as clause 2.1.6.1 wants (random.go);
//   - one New-Order in a hundred names an item that does not exist and is rolled back (new_order.go);
//   - a Ledger keeps what the server has acknowledged, for tests that kill it and for readers who must see it.
package tpcc
