package plan

import (
	"math"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/types"
)

// Statistics tell a table's size as of the last ANALYZE; the store counts rows as
// they are committed. The live count replaces pg_class.reltuples where there is none
// or where the two are far apart (PostgreSQL scales reltuples by the relation's
// current size to the same end). Small tables never analysed count as defaultRows:
// they may be about to grow.

// The factors between a live count and a number of rows planned for
// from which the latter is no longer believed.
const (
	sizeDriftStats = 2
	sizeDriftPlan  = 4
)

// TableSize is the live row count of a table that a plan was made for.
type TableSize struct {
	StorageID uint64
	Rows      float64
}

// Drifted reports whether the table has grown or shrunk so much since that the
// statement is worth planning again; rows is its live count now.
func (t TableSize) Drifted(rows float64) bool {
	then, now := math.Max(t.Rows, defaultRows), math.Max(rows, defaultRows)
	return now >= sizeDriftPlan*then || then >= sizeDriftPlan*now
}

// liveStats corrects a table's statistics by its live row count; st is nil when it
// was never analysed.
func (p *planner) liveStats(oid types.OID, st *catalog.Stats) *catalog.Stats {
	if p.opts.RowEstimate == nil || oid < types.FirstNormalOID {
		return st
	}
	r, err := p.cat.Relation(p.ctx, oid)
	p.check(err)
	if r == nil || r.Storage == nil {
		return st
	}
	live, ok := p.opts.RowEstimate(r.Storage.StorageId)
	if !ok {
		return st
	}
	p.sizes = append(p.sizes, TableSize{StorageID: r.Storage.StorageId, Rows: live})
	if st == nil || st.Rows < 0 {
		return &catalog.Stats{Rows: math.Max(live, defaultRows)}
	}
	// No rows counted is what a table has that was truncated or just filled by a
	// transaction still open: its statistics are the better guess.
	if live == 0 || (live < sizeDriftStats*st.Rows && st.Rows < sizeDriftStats*live) {
		return st
	}
	now := *st
	now.Rows = live
	if st.Rows > 0 {
		now.Bytes *= live / st.Rows
	}
	return &now
}
