package plan

import (
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
)

// A grouping set need not be aggregated from rows where there is a finer set, one with all of
// its keys and others: vexec combines that one's states (vexec's group_rollup.go). ROLLUP (a, b, c)
// then puts rows into one hash table instead of three. Where the finer groups turn out to have hardly
// more than a row each, vexec goes back to rows.

// finerSets chooses for each grouping set the finer one with the fewest groups, −1: rows. nil:
// all sets are aggregated from rows.
func (p *planner) finerSets(o *aggOp, in *Node) []int {
	if len(o.sets) < 2 {
		return nil
	}
	_, parallel := in.Op.(*gatherOp)
	for _, a := range o.aggs {
		if !combines(a.agg, parallel || p.opts.Sites > 0) {
			return nil
		}
	}
	groups := make([]float64, len(o.sets))
	for i, s := range o.sets {
		var es []query.Expr
		for _, k := range s {
			if p.isVolatile(o.keys[k].expr) {
				return nil
			}
			es = append(es, o.keys[k].expr)
		}
		groups[i] = p.groups(es, in.Rows)
	}
	out, some := make([]int, len(o.sets)), false
	for i, s := range o.sets {
		out[i] = -1
		for k, f := range o.sets {
			// of equal sets the first one is the finer one
			if !subset(s, f) || len(s) == len(f) && k >= i {
				continue
			}
			if out[i] < 0 || groups[k] < groups[out[i]] {
				out[i], some = k, true
			}
		}
	}
	if some {
		p.trace("grouping_sets", "combine")
	}
	return out
}

// tables is how many hash tables take rows.
func (o *aggOp) tables() float64 {
	n := 0.0
	for i, s := range o.sets {
		if len(s) > 0 && (o.finer == nil || o.finer[i] < 0) {
			n++
		}
	}
	return n
}

// subset: all of s are in of; neither names a key twice.
func subset(s, of []int) bool {
	for _, k := range s {
		if !contains(of, k) {
			return false
		}
	}
	return true
}

// combines: the aggregate of a group follows from its states over parts of the group. anyOrder:
// the order of rows is none that a user could know, so floats may be added in any, too, and
// of equal values that look different any may be the least.
func combines(a *query.Aggref, anyOrder bool) bool {
	if !vexec.CanPartial(partialCall(a)) {
		return false
	}
	if anyOrder {
		return true
	}
	ordinary := a.Name == "min" || a.Name == "max"
	for i := range a.NumArgs {
		switch t := a.Args[i].Expr.Type(); t.OID {
		case types.Float4, types.Float8:
			return a.Name == "count"
		case types.Int2, types.Int4, types.Int8, types.Text, types.VarChar, types.DateOID, types.TimeOID, types.TimestampOID, types.TimestampTZOID,
			types.Bool, types.Oid:
		case types.NumericOID:
			if ordinary && t.Mod < 0 {
				return false
			}
		default:
			if ordinary {
				return false
			}
		}
	}
	return true
}
