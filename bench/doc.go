// Package bench is `basalt bench`: TPC-H, a star schema in the manner of TPC-DS, TPC-C, the CH-benCHmark and the pgbench-like transfer
// workload, run over the wire against one or more targets (Basalt, any PostgreSQL), so
// that peers are measured by the same code in the same run. Results are medians
// of several runs, as a table and as JSON, with ratios to the first target.
//
// DuckDB is measured by the separate module bench/duckdb, so that the main
// build stays light.
package bench
