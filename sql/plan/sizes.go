package plan

import (
	"math"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/types"
)

// Statistics tell a table's size as of the last ANALYZE; the store counts rows as
// they are committed. The live count replaces pg_class.reltuples where there is none
// or where the two are far apart (PostgreSQL scales reltuples by the relation's
// current size to the same end). A table without rows counts as defaultRows: it may
// be about to be filled. Small ones are taken for what they are, for much hangs on
// it (nation's 25 rows say that customers come from 25 nations); plans for them are
// made again as they grow.

// The factors between a live count and a number of rows planned for
// from which the latter is no longer believed.
const (
	sizeDriftStats = 2
	sizeDriftPlan  = 4
	// up to so many rows all plans are about as good
	sizeDriftFloor = 100
	// and between shares of rows in segments
	shareDriftPlan = 0.4
)

// TableSize is the live row count of a table that a plan was made for, and how many
// rows its column segments hold.
type TableSize struct {
	StorageID     uint64
	Rows, Columns float64
}

// Drifted reports whether the table has grown or shrunk, or moved between rows and
// columns, so much since that the statement is worth planning again; now is its live size.
func (t TableSize) Drifted(now TableSize) bool {
	a, b := t.floor(), now.floor()
	return b >= sizeDriftPlan*a || a >= sizeDriftPlan*b || math.Abs(t.columnShare()-now.columnShare()) >= shareDriftPlan
}

// floor is the rows planned for, tiny tables being all the same.
func (t TableSize) floor() float64 {
	if t.Rows <= 0 {
		return defaultRows
	}
	return math.Max(t.Rows, sizeDriftFloor)
}

// columnShare is the share of the rows that lie in column segments.
func (t TableSize) columnShare() float64 {
	if t.Columns <= 0 {
		return 0
	}
	return t.Columns / math.Max(t.Rows, t.Columns)
}

// columnShare is the share of a table's rows that lie in column segments.
func (p *planner) columnShare(g *relGet) float64 {
	if g.table.Storage != nil {
		for _, s := range p.sizes {
			if s.StorageID == g.table.Storage.StorageId {
				return s.columnShare()
			}
		}
	}
	return 0
}

// liveStats corrects a table's statistics by its live row count; st is nil when it
// was never analysed.
func (p *planner) liveStats(oid types.OID, st *catalog.Stats) *catalog.Stats {
	if p.opts.TableSize == nil || oid < types.FirstNormalOID {
		return st
	}
	r, err := p.cat.Relation(p.ctx, oid)
	p.check(err)
	if r == nil || r.Storage == nil {
		return st
	}
	size := p.opts.TableSize(r.Storage.StorageId)
	live := size.Rows
	p.sizes = append(p.sizes, size)
	if st == nil || st.Rows < 0 {
		if live <= 0 {
			live = defaultRows
		}
		return &catalog.Stats{Rows: live}
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
