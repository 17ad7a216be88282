package ri

import (
	"context"
	"fmt"
	"strings"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

// batchKeys is how many single-column keys are looked for by one statement.
const batchKeys = 1000

// Settle checks and acts on what the statement has changed. Actions come first:
// what they change is checked with the rest.
func (q *Queue) Settle(ctx context.Context) error {
	if len(q.checks) == 0 && len(q.acts) == 0 {
		return nil
	}
	for len(q.checks) > 0 || len(q.acts) > 0 {
		// A new one for each round: the last has waited for locks on the rows whose
		// referrers this one looks for.
		if err := q.r.NewSnapshot(ctx); err != nil {
			return err
		}
		if err := q.actAll(ctx); err != nil {
			return err
		}
		if len(q.acts) > 0 {
			continue
		}
		checks := q.checks
		q.checks = nil
		for _, c := range checks {
			keys := c.keys
			c.keys, c.seen = nil, map[string]bool{}
			if err := q.check(ctx, c, keys); err != nil {
				return err
			}
		}
	}
	return nil
}

// actAll does the actions that wait. Referring rows are looked for in the newest
// committed state whatever the isolation level: the lock on the referenced row
// has kept out those that would come later.
func (q *Queue) actAll(ctx context.Context) error {
	acts := q.acts
	q.acts = nil
	if len(acts) == 0 {
		return nil
	}
	defer q.r.ReadNewest()()
	// NO ACTION looks last: a cascade may have removed the rows it would find.
	for _, last := range []bool{false, true} {
		for _, a := range acts {
			if (actionOf(a) == 'a') != last {
				continue
			}
			if err := q.act(ctx, a); err != nil {
				return err
			}
		}
	}
	return nil
}

func actionOf(a action) byte {
	if a.new != nil {
		return a.ref.con.OnUpdate
	}
	return a.ref.con.OnDelete
}

func quote(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

func tableName(r *catalog.Relation) string { return quote(r.Schema) + "." + quote(r.Name) }

func columnName(r *catalog.Relation, attnum int) string { return quote(r.Columns[attnum-1].Name) }

// where compares columns of a relation with $from, $from+1 …
func where(r *catalog.Relation, attnums []int, from int) string {
	parts := make([]string, len(attnums))
	for i, a := range attnums {
		parts[i] = fmt.Sprintf("x.%s = $%d", columnName(r, a), from+i)
	}
	return strings.Join(parts, " AND ")
}

func oids(ts []types.T) []types.OID {
	out := make([]types.OID, len(ts))
	for i, t := range ts {
		out[i] = t.OID
	}
	return out
}

// check looks for keys in the referenced table and locks what it finds.
func (q *Queue) check(ctx context.Context, c *checkSet, keys [][]types.Datum) error {
	ref, err := q.r.Catalog().Relation(ctx, c.con.RefRelation)
	if err != nil || ref == nil {
		return err
	}
	if len(c.types) == 1 && len(keys) > 1 {
		if arr := q.r.Catalog().ArrayTypeOf(c.types[0].OID); arr != 0 {
			if t, ok := q.r.Catalog().TypeByOID(arr); ok {
				return q.checkMany(ctx, c, ref, keys, t)
			}
		}
	}
	text := fmt.Sprintf("SELECT 1 FROM ONLY %s x WHERE %s FOR KEY SHARE OF x", tableName(ref), where(ref, c.con.RefColumns, 1))
	for _, key := range keys {
		for _, k := range key {
			if k == nil {
				return q.mixed(c)
			}
		}
		rows, _, err := q.r.Run(ctx, text, key, oids(c.types))
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			if err := q.missing(ctx, c, ref, key); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkMany looks for many keys of one column at a time.
func (q *Queue) checkMany(ctx context.Context, c *checkSet, ref *catalog.Relation, keys [][]types.Datum, array types.T) error {
	col := columnName(ref, c.con.RefColumns[0])
	pk := ref.Columns[c.con.RefColumns[0]-1].Type
	text := fmt.Sprintf("SELECT x.%s FROM ONLY %s x WHERE x.%s = ANY ($1) FOR KEY SHARE OF x", col, tableName(ref), col)
	for len(keys) > 0 {
		n := min(batchKeys, len(keys))
		elems := make([]types.Datum, n)
		for i, k := range keys[:n] {
			elems[i] = k[0]
		}
		rows, _, err := q.r.Run(ctx, text, []types.Datum{types.NewArray(c.types[0].NoMod(), elems)}, []types.OID{array.OID})
		if err != nil {
			return err
		}
		if len(rows) < n {
			if pk.OID != c.types[0].OID {
				// Keys of two types have no common form: ask one by one.
				for _, k := range keys[:n] {
					one := *c
					if err := q.check(ctx, &one, [][]types.Datum{k}); err != nil {
						return err
					}
				}
			} else {
				found := make(map[string]bool, len(rows))
				for _, r := range rows {
					found[q.keyBytes(c.types, r)] = true
				}
				for _, k := range keys[:n] {
					if !found[q.keyBytes(c.types, k)] {
						if err := q.missing(ctx, c, ref, k); err != nil {
							return err
						}
					}
				}
			}
		}
		keys = keys[n:]
	}
	return nil
}

func (q *Queue) violation(c *checkSet) *pgerror.Error {
	return pgerror.New(pgerror.ForeignKeyViolation, `insert or update on table "%s" violates foreign key constraint "%s"`, c.rel.Name, c.con.Name).
		WithTable(c.rel.Schema, c.rel.Name).WithConstraint(c.con.Name)
}

func (q *Queue) mixed(c *checkSet) error {
	return q.violation(c).WithDetail("MATCH FULL does not allow mixing of null and nonnull key values.")
}

// missing reports a key that is not there, if a row still has it.
func (q *Queue) missing(ctx context.Context, c *checkSet, ref *catalog.Relation, key []types.Datum) error {
	rows, _, err := q.r.Run(ctx, fmt.Sprintf("SELECT 1 FROM ONLY %s x WHERE %s LIMIT 1", tableName(c.rel), where(c.rel, c.con.Columns, 1)), key, oids(c.types))
	if err != nil || len(rows) == 0 {
		return err
	}
	return q.violation(c).WithDetail(`Key %s is not present in table "%s".`, q.showKey(c.rel, c.con.Columns, c.types, key), ref.Name)
}

// showKey prints (a, b)=(1, 2).
func (q *Queue) showKey(rel *catalog.Relation, attnums []int, ts []types.T, key []types.Datum) string {
	names, values := make([]string, len(key)), make([]string, len(key))
	for i, k := range key {
		names[i] = rel.Columns[attnums[i]-1].Name
		values[i] = "null"
		if k != nil {
			values[i], _ = types.Out(q.r.Env(), ts[i], k)
		}
	}
	return "(" + strings.Join(names, ", ") + ")=(" + strings.Join(values, ", ") + ")"
}

// act deals with the rows that refer to a key that has gone.
func (q *Queue) act(ctx context.Context, a action) error {
	con := a.ref.con
	child, err := q.r.Catalog().Relation(ctx, con.Relation)
	if err != nil || child == nil {
		return err
	}
	ts := oids(a.ref.types)
	how := actionOf(a)
	switch how {
	case 'a', 'r':
		return q.stillReferenced(ctx, a, child, how == 'r')
	case 'c':
		if a.new == nil {
			_, _, err = q.r.Run(ctx, fmt.Sprintf("DELETE FROM ONLY %s x WHERE %s", tableName(child), where(child, con.Columns, 1)), a.old, ts)
			return err
		}
		sets := make([]string, len(con.Columns))
		for i, col := range con.Columns {
			sets[i] = fmt.Sprintf("%s = $%d", columnName(child, col), i+1)
		}
		text := fmt.Sprintf("UPDATE ONLY %s x SET %s WHERE %s", tableName(child), strings.Join(sets, ", "), where(child, con.Columns, len(sets)+1))
		_, _, err = q.r.Run(ctx, text, append(append([]types.Datum{}, a.new...), a.old...), append(append([]types.OID{}, ts...), ts...))
		return err
	}
	value := "NULL"
	if how == 'd' {
		value = "DEFAULT"
	}
	cols := con.Columns
	if a.new == nil && len(con.DeleteSetColumns) > 0 {
		cols = con.DeleteSetColumns
	}
	sets := make([]string, len(cols))
	for i, col := range cols {
		sets[i] = columnName(child, col) + " = " + value
	}
	if _, _, err = q.r.Run(ctx, fmt.Sprintf("UPDATE ONLY %s x SET %s WHERE %s", tableName(child), strings.Join(sets, ", "), where(child, con.Columns, 1)), a.old, ts); err != nil {
		return err
	}
	if how == 'd' { // the default may be the very key that has gone
		return q.stillReferenced(ctx, a, child, false)
	}
	return nil
}

// stillReferenced fails when rows refer to a's old key. NO ACTION is content when
// another row has the key by now.
func (q *Queue) stillReferenced(ctx context.Context, a action, child *catalog.Relation, restrict bool) error {
	con := a.ref.con
	ts := oids(a.ref.types)
	if !restrict {
		rows, _, err := q.r.Run(ctx, fmt.Sprintf("SELECT 1 FROM ONLY %s x WHERE %s FOR KEY SHARE OF x", tableName(a.rel), where(a.rel, con.RefColumns, 1)), a.old, ts)
		if err != nil || len(rows) > 0 {
			return err
		}
	}
	rows, _, err := q.r.Run(ctx, fmt.Sprintf("SELECT 1 FROM ONLY %s x WHERE %s FOR KEY SHARE OF x", tableName(child), where(child, con.Columns, 1)), a.old, ts)
	if err != nil || len(rows) == 0 {
		return err
	}
	return pgerror.New(pgerror.ForeignKeyViolation, `update or delete on table "%s" violates foreign key constraint "%s" on table "%s"`, a.rel.Name, con.Name, child.Name).
		WithDetail(`Key %s is still referenced from table "%s".`, q.showKey(a.rel, con.RefColumns, a.ref.types, a.old), child.Name).
		WithTable(child.Schema, child.Name).WithConstraint(con.Name)
}
