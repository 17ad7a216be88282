package composite

import (
	"bytes"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// Register adds this package's functions to r.
func Register(r *expr.Registry) {
	registerRecords(r)
	registerEnums(r)
}

var verdicts = map[string]func(int) bool{
	"eq": func(c int) bool { return c == 0 }, "ne": func(c int) bool { return c != 0 },
	"lt": func(c int) bool { return c < 0 }, "le": func(c int) bool { return c <= 0 },
	"gt": func(c int) bool { return c > 0 }, "ge": func(c int) bool { return c >= 0 },
}

func registerRecords(r *expr.Registry) {
	for op, verdict := range verdicts {
		equality := op == "eq" || op == "ne"
		adapt.Add(r, "record_"+op+"(record,record)", adapt.C2(func(ctx *expr.Context, _ *expr.Call, a, b *types.Record) (bool, error) {
			if equality {
				// Equality needs an operator of its own on every column.
				for i, t := range a.Types {
					if i < len(b.Types) && t.OID == b.Types[i].OID && !types.Comparable(t) {
						return false, pgerror.New(pgerror.UndefinedFunction, "could not identify an equality operator for type %s", types.TypeName(t.OID))
					}
				}
			}
			c, err := types.CompareRecords(ctx.Env, a, b)
			return verdict(c), err
		}))
		adapt.Add(r, "record_image_"+op+"(record,record)", adapt.F2(func(a, b *types.Record) bool { return verdict(imageCompare(a, b)) }))
	}
	adapt.Add(r, "btrecordcmp(record,record)", adapt.C2(func(ctx *expr.Context, _ *expr.Call, a, b *types.Record) (int32, error) {
		c, err := types.CompareRecords(ctx.Env, a, b)
		return int32(c), err
	}))
	adapt.Add(r, "btrecordimagecmp(record,record)", adapt.F2(func(a, b *types.Record) int32 { return int32(imageCompare(a, b)) }))
}

// imageCompare orders rows by the bytes of their columns, NULLs last.
func imageCompare(a, b *types.Record) int {
	for i := range min(len(a.Fields), len(b.Fields)) {
		x, y := a.Fields[i], b.Fields[i]
		switch {
		case x == nil && y == nil:
			continue
		case x == nil:
			return 1
		case y == nil:
			return -1
		}
		if c := bytes.Compare(types.AppendDatum(a.Types[i], nil, x), types.AppendDatum(b.Types[i], nil, y)); c != 0 {
			return c
		}
	}
	return len(a.Fields) - len(b.Fields)
}
