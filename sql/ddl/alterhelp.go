package ddl

import (
	"context"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// setNotNull sets or drops NOT NULL of a column, reading the table for NULLs first.
func (c *Context) setNotNull(ctx context.Context, rel *catalog.Relation, n int, on bool) error {
	col := rel.Columns[n-1]
	if on {
		null := &query.NullTest{Base: query.Base{T: types.Of(types.Bool), Loc: -1},
			Arg: &query.Var{Base: query.Base{T: col.Type, Coll: col.Collation, Loc: -1}, RTIndex: 1, AttNum: n}}
		has, err := c.hasRow(ctx, rel, null)
		if err != nil {
			return err
		}
		if has {
			return pgerror.New(pgerror.NotNullViolation, "column %q of relation %q contains null values", col.Name, rel.Name).
				WithTable(rel.Schema, rel.Name).WithColumn(col.Name)
		}
	}
	row, err := c.attribute(ctx, rel.OID, n)
	if err != nil {
		return err
	}
	return c.writer().Update(ctx, row, catalog.Values{"attnotnull": on})
}
