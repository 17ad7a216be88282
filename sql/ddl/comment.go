package ddl

import (
	"context"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/types"
)

// comment reads an object's comment, "" for none.
func (c *Context) comment(ctx context.Context, o catalog.Object) (string, error) {
	row, err := c.writer().One(ctx, "pg_description", "pg_description_o_c_o_index", o.OID, o.Class, int32(o.Sub))
	if err != nil || row == nil {
		return "", err
	}
	return row.Str("description"), nil
}

// setComment sets or (with "") removes an object's comment.
func (c *Context) setComment(ctx context.Context, o catalog.Object, text string) error {
	table, index := "pg_description", "pg_description_o_c_o_index"
	key := []types.Datum{o.OID, o.Class, int32(o.Sub)}
	v := catalog.Values{"objoid": o.OID, "classoid": o.Class, "objsubid": int32(o.Sub), "description": text}
	if o.Class == catalog.ClassDatabase || o.Class == catalog.ClassAuthID || o.Class == classTablespace {
		table, index, key = "pg_shdescription", "pg_shdescription_o_c_index", key[:2]
		delete(v, "objsubid")
	}
	w := c.writer()
	row, err := w.One(ctx, table, index, key...)
	if err != nil {
		return err
	}
	switch {
	case text == "" && row == nil:
		return nil
	case text == "":
		return w.Delete(ctx, row)
	case row != nil:
		return w.Update(ctx, row, catalog.Values{"description": text})
	}
	return w.Insert(ctx, table, v)
}

const classTablespace types.OID = 1213
