package vexec

import (
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// Site is where a piece of a plan runs: a node and, for pieces that read tables,
// its share of their tablets. The same node may stand in the sites of many pieces.
type Site struct {
	// Node is a txn.NodeID.
	Node uint32
	// Tablets (txn.TabletID) are the data tablets that scans on this site read, all on
	// Node; nil: scans read what the transaction sees, wherever it lies (the gateway).
	Tablets []uint32
}

// Piece is one fragment of a statement that was cut at its exchanges (planpb.Exchange)
// and where it runs. A statement is cut into
//
//   - pieces, each with an Exchange's input as Fragment.statement.root. What it
//     feeds is in the fragment: output (the exchange's kind), output_keys, exchange
//     (the exchange's id, from 1 on, unique in the statement), partitions (the number of
//     its consumer's sites; 1 for GATHER) and, for SLOT, slot_partition_ends and
//     slot_partitions. BROADCAST gives every partition all rows. Site k of the
//     consuming piece reads partition k.
//   - the rest, which the gateway runs as an ordinary statement with an
//     ExchangeSource in the place of each Exchange (partition 0 of it).
//
// Every ExchangeSource is read at most once per statement and site: what is
// rescanned (the right side of an Apply or NestLoop) stands under a Materialize or
// CTE. A fragment's statement carries the CTEs and init plans it refers to; values the
// gateway has computed for it travel as EXEC parameters instead.
type Piece struct {
	// Fragment is what every site runs. version, params and exec_params are set by
	// who starts it.
	Fragment *planpb.Fragment
	Sites    []Site
	// Sources are the exchanges that the fragment's ExchangeSources read; each is fed
	// by another piece of the statement.
	Sources []uint32
	// Writes: the fragment has a Modify, whose changes all stay on the tablets of its
	// site. A statement has at most one such piece.
	Writes bool
	// Table is the storage id of the table that it changes, and Adds by how many rows each row that it
	// affects changes the table's number of rows: 1, 0 or −1.
	Table uint64
	Adds  int64
}

// Sources gives the streams of an exchange, one per producer, to the
// ExchangeSource that reads it (Exec.Sources). It is called when the operator is
// opened; the operator closes the readers.
type Sources func(exchange uint32) ([]Reader, error)

// SourceTypes gives the row types of the exchanges that a statement reads.
func SourceTypes(stmt *planpb.Statement) map[uint32][]types.T {
	out := map[uint32][]types.T{}
	visit := func(p *planpb.Plan) {
		if x := p.GetExchangeSource(); x != nil {
			out[x.GetExchange()] = outputTypes(p)
		}
	}
	walkPlan(stmt.GetRoot(), visit)
	for _, c := range stmt.GetCtes() {
		walkPlan(c.GetPlan(), visit)
	}
	for _, i := range stmt.GetInitPlans() {
		walkPlan(i.GetPlan(), visit)
	}
	return out
}
