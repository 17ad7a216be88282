package session

import (
	"sort"
	"strings"

	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
)

// privilege bits of a relation, one letter each as in an ACL.
type accessCheck struct {
	relation types.OID
	kind     byte
	name     string
	// privileges by ACL letter: r select, a insert, w update, d delete.
	privileges string
	// columns used per privilege: nil for the whole relation, empty for any one column.
	columns map[byte][]int
}

func relationMode(m uint8) txn.RelationLock { return txn.RelationLock(m) }

// locksOf lists the relation locks a query needs, the strongest per relation, in
// OID order, so that two statements take them in the same order.
func locksOf(db types.OID, q *query.Query) []relationLock {
	modes := map[types.OID]uint8{}
	query.EachQuery(q, func(q *query.Query) {
		for i, r := range q.RTable {
			if r.Kind != query.RTERelation || r.Relid < types.FirstNormalOID {
				continue
			}
			mode := max(r.Lock, uint8(txn.AccessShare))
			if q.ResultRelation == i+1 {
				mode = max(mode, uint8(txn.RowExclusive))
			}
			modes[r.Relid] = max(modes[r.Relid], mode)
		}
		for _, m := range q.RowMarks {
			if r := q.RTable[m.RTIndex-1]; r.Kind == query.RTERelation && r.Relid >= types.FirstNormalOID {
				modes[r.Relid] = max(modes[r.Relid], uint8(txn.RowShare))
			}
		}
	})
	out := make([]relationLock, 0, len(modes))
	for oid, mode := range modes {
		out = append(out, relationLock{relationKey(db, oid), mode})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].id < out[j].id })
	return out
}

// relationKey is the lock id of a relation.
func relationKey(db, oid types.OID) uint64 { return uint64(db)<<32 | uint64(oid) }

// accessOf lists the privileges the user needs, before views are expanded: what
// is behind a view is its owner's affair.
func accessOf(q *query.Query) []accessCheck {
	var out []accessCheck
	query.EachQuery(q, func(q *query.Query) {
		for i, r := range q.RTable {
			if r.Kind != query.RTERelation {
				continue
			}
			need := "r"
			if q.ResultRelation == i+1 {
				switch q.Command {
				case query.CmdInsert:
					need = "a"
					if q.OnConflict != nil && q.OnConflict.Update {
						need = "aw"
					}
				case query.CmdUpdate:
					need = "w"
				case query.CmdDelete:
					need = "d"
				case query.CmdMerge:
					need = ""
					for _, a := range q.MergeActions {
						switch a.Command {
						case query.CmdInsert:
							need += "a"
						case query.CmdUpdate:
							need += "w"
						case query.CmdDelete:
							need += "d"
						}
					}
				}
				if readsTarget(q, i+1) || q.OnConflict != nil && len(q.OnConflict.ReadColumns) > 0 {
					need += "r"
				}
			} else {
				for _, m := range q.RowMarks {
					if m.RTIndex == i+1 {
						need = "rw"
					}
				}
			}
			if need != "" {
				out = append(out, accessCheck{relation: r.Relid, kind: r.RelKind, name: r.ERefName, privileges: need, columns: columnsUsed(q, i+1, need)})
			}
		}
	})
	return out
}

// columnsUsed lists the columns a query reads and assigns of a range table entry.
func columnsUsed(q *query.Query, rt int, need string) map[byte][]int {
	out := map[byte][]int{}
	if strings.Contains(need, "r") {
		whole := false
		cols := []int{}
		query.WalkQuery(q, 0, func(e query.Expr, depth int) bool {
			if v, ok := e.(*query.Var); ok && v.RTIndex == rt && v.LevelsUp == depth {
				if v.AttNum == 0 {
					whole = true
				} else if v.AttNum > 0 {
					cols = append(cols, v.AttNum)
				}
			}
			return true
		})
		if !whole {
			out['r'] = cols
		}
	}
	if q.ResultRelation != rt {
		return out
	}
	if q.OnConflict != nil && strings.Contains(need, "r") && out['r'] != nil {
		out['r'] = append(out['r'], q.OnConflict.ReadColumns...)
	}
	assigned := func(priv byte, targets []*query.TargetEntry) {
		if out[priv] == nil {
			out[priv] = []int{}
		}
		for _, t := range targets {
			if !t.Junk {
				out[priv] = append(out[priv], t.ResNo)
			}
		}
	}
	switch q.Command {
	case query.CmdInsert:
		assigned('a', q.TargetList)
		if q.OnConflict != nil && q.OnConflict.Update {
			assigned('w', q.OnConflict.Set)
		}
	case query.CmdUpdate:
		assigned('w', q.TargetList)
	case query.CmdMerge:
		for _, a := range q.MergeActions {
			switch a.Command {
			case query.CmdInsert:
				assigned('a', a.TargetList)
			case query.CmdUpdate:
				assigned('w', a.TargetList)
			}
		}
	}
	return out
}

// readsTarget reports whether a data-modifying query reads columns of its target.
func readsTarget(q *query.Query, rt int) bool {
	found := false
	query.EachExpr(q, func(e query.Expr) {
		query.Walk(e, func(e query.Expr) bool {
			if v, ok := e.(*query.Var); ok && v.RTIndex == rt && v.LevelsUp == 0 && v.AttNum >= 0 {
				found = true
			}
			return !found
		})
	})
	return found
}

var commandNames = map[query.CommandType]string{query.CmdSelect: "SELECT", query.CmdInsert: "INSERT",
	query.CmdUpdate: "UPDATE", query.CmdDelete: "DELETE", query.CmdMerge: "MERGE"}

var lockNames = [...]string{txn.LockKeyShare: "SELECT FOR KEY SHARE", txn.LockShare: "SELECT FOR SHARE",
	txn.LockNoKeyUpdate: "SELECT FOR NO KEY UPDATE", txn.LockUpdate: "SELECT FOR UPDATE"}

// writesOf names what a query would do that a read-only transaction must not; "" for nothing.
func writesOf(q *query.Query) (name string) {
	if q.Command != query.CmdSelect {
		return commandNames[q.Command]
	}
	query.EachQuery(q, func(in *query.Query) {
		switch {
		case in.Command != query.CmdSelect:
			name = commandNames[in.Command]
		case name == "" && len(in.RowMarks) > 0:
			name = lockNames[in.RowMarks[0].Strength]
		}
	})
	return name
}
