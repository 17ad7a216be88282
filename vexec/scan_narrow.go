package vexec

import (
	"slices"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// scanNarrow makes a scan look keys up where the hash joins above it have few rows on
// their build sides: instead of all rows of the key's leading columns, those with the
// joins' values in the next ones. The planner has not chosen a join by lookup then,
// because a hash join reads what it expects in vectors, or because it expected more.
type scanNarrow struct {
	filter *scanFilter
	table  *planpb.Table
	rows   float64 // that the scan is expected to give, before joins
}

// narrowRows is how many rows of a scan a lookup of a key costs.
const narrowRows = 16

// newScanNarrow gives nil where no join's key is a column of the primary key.
func newScanNarrow(p *planpb.Plan, s *planpb.Scan, f *scanFilter) *scanNarrow {
	if s.GetOrdered() || s.GetReverse() || s.GetLimitHint() > 0 {
		return nil
	}
	for _, b := range f.probes {
		if slices.ContainsFunc(s.GetTable().GetPrimaryKey(), func(k *planpb.KeyPart) bool { return int32(k.GetOrdinal()) == s.GetColumns()[b.column] }) {
			return &scanNarrow{filter: f, table: s.GetTable(), rows: p.GetRows()}
		}
	}
	return nil
}

// bounds gives the keys to look up within the scan's own; nil where that would not be less work.
func (n *scanNarrow) bounds(within []KeyBounds) []KeyBounds {
	if n == nil || len(within) > 1 || len(within) == 1 && (within[0].HasLower || within[0].HasUpper) {
		return nil
	}
	var eq []types.Datum
	if len(within) == 1 {
		eq = within[0].Eq
	}
	var by []*keyFilter
	count := 1
	for _, k := range n.table.GetPrimaryKey()[len(eq):] {
		f := n.few(k.GetOrdinal())
		if f == nil || count*len(f.few) > fewKeysMax || float64(count*len(f.few)*narrowRows) > n.rows {
			break
		}
		count *= len(f.few)
		by = append(by, f)
	}
	if len(by) == 0 {
		return nil
	}
	out := []KeyBounds{{Eq: eq}}
	for _, f := range by {
		longer := make([]KeyBounds, 0, len(out)*len(f.few))
		for _, b := range out {
			for _, v := range f.few {
				longer = append(longer, KeyBounds{Eq: append(slices.Clip(b.Eq), f.datum(v))})
			}
		}
		out = longer
	}
	return out
}

// few are the keys of a join on a column of the table, the fewest there are; nil: none, or too many.
func (n *scanNarrow) few(ordinal uint32) (best *keyFilter) {
	t := n.table.GetColumns()[ordinal].GetType().T()
	for _, p := range n.filter.probes {
		if p.keys == nil || len(p.keys.few) == 0 || n.filter.columns[p.column] != int32(ordinal) || p.keys.t.OID != t.OID {
			continue
		}
		if best == nil || len(p.keys.few) < len(best.few) {
			best = p.keys
		}
	}
	return best
}
