package catalog

import (
	"context"
	"sort"

	"github.com/basaltdb/basalt/sql/catalog/facts"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// factFiles are the catalogs that start with rows from the facts.
var factFiles = []string{
	"pg_aggregate", "pg_am", "pg_amop", "pg_amproc", "pg_attribute", "pg_authid", "pg_cast", "pg_class", "pg_collation", "pg_conversion",
	"pg_description", "pg_index", "pg_language", "pg_namespace", "pg_opclass", "pg_operator", "pg_opfamily", "pg_proc", "pg_range", "pg_tablespace",
	"pg_constraint", "pg_ts_config", "pg_ts_config_map", "pg_ts_dict", "pg_ts_parser", "pg_ts_template", "pg_type",
}

// LoadFacts writes the first rows of the catalogs: with db 0 those of the shared
// and the never-changing ones, else those of one database. The views of
// pg_catalog are not among them; sql/bootstrap makes those.
func (m *Manager) LoadFacts(ctx context.Context, t txn.Txn, store vexec.Store, db types.OID) error {
	a := &access{db: db, txn: t, store: store}
	for _, name := range factFiles {
		st := sysTableByName(name)
		if (st.shared || st.static) != (db == 0) {
			continue
		}
		rows, err := factRows(st)
		if err != nil {
			return err
		}
		const batch = 1024
		for len(rows) > 0 {
			n := min(batch, len(rows))
			if err := a.insertRows(ctx, st, rows[:n]); err != nil {
				return err
			}
			rows = rows[n:]
		}
	}
	return nil
}

// factRows converts the facts of one catalog to rows.
func factRows(st *sysTable) ([][]types.Datum, error) {
	b := Builtins()
	ft := loadFacts(st.name)
	env := types.DefaultEnv()
	views := map[string]bool{}
	if st.name == "pg_class" || st.name == "pg_attribute" {
		for oid, r := range sysCatalogs().class {
			if r.char("relkind") == KindView {
				views[oidText(oid)] = true
			}
		}
	}
	idCol := map[string]string{"pg_class": "oid", "pg_attribute": "attrelid"}[st.name]
	var out [][]types.Datum
	var failed error
	ft.each(func(r factRow) {
		if failed != nil || idCol != "" && views[r.str(idCol)] {
			return
		}
		row := make([]types.Datum, len(st.columns))
		for i, c := range st.columns {
			if _, ok := ft.cols[c.Name]; !ok {
				if c.NotNull {
					row[i] = zeroOf(c.Type)
				}
				continue
			}
			text := r.f[ft.cols[c.Name]]
			if text == facts.Null {
				continue
			}
			d, err := factDatum(b, env, c.Type, text)
			if err != nil {
				failed = pgerror.Internal("facts of %s.%s: %q: %v", st.name, c.Name, text, err)
				return
			}
			row[i] = d
		}
		out = append(out, row)
	})
	if failed != nil {
		return nil, failed
	}
	if st.name == "pg_proc" {
		for _, f := range ownFunctions {
			out = append(out, ownProcRow(st, f))
		}
	}
	return out, nil
}

func oidText(o types.OID) string {
	s, err := types.Out(types.DefaultEnv(), types.Of(types.Oid), o)
	if err != nil {
		return ""
	}
	return s
}

func factDatum(b *BuiltinObjects, env *types.Env, t types.T, text string) (types.Datum, error) {
	switch t.OID {
	case types.RegProc:
		return b.proc(text), nil
	case types.Char:
		if text == "" {
			return byte(0), nil
		}
		return text[0], nil
	case types.Oid:
		if o := SystemRelationOID(text); o != 0 {
			return o, nil
		}
	case types.PgNodeTree:
		return text, nil
	}
	return types.In(env, t, text)
}

func ownProcRow(st *sysTable, f *Function) []types.Datum {
	oids := func(os []types.OID) []types.Datum {
		var out []types.Datum
		for _, o := range os {
			out = append(out, o)
		}
		return out
	}
	v := Values{
		"oid": f.OID, "proname": f.Name, "pronamespace": f.Namespace, "proowner": BootstrapRole, "prolang": types.OID(12), "procost": float32(f.Cost),
		"prorows": float32(f.Rows), "prokind": f.Kind, "proisstrict": f.Strict, "proretset": f.ReturnsSet, "provolatile": f.Volatility, "proparallel": byte('s'),
		"pronargs": int16(len(f.ArgTypes)), "prorettype": f.Returns, "proargtypes": OIDVector(f.ArgTypes), "prosrc": f.Src,
	}
	if f.ArgModes != "" {
		var modes, names []types.Datum
		for _, m := range []byte(f.ArgModes) {
			modes = append(modes, m)
		}
		for _, n := range f.ArgNames {
			names = append(names, n)
		}
		v["proallargtypes"] = types.NewArray(types.Of(types.Oid), oids(f.AllArgTypes))
		v["proargmodes"] = types.NewArray(types.Of(types.Char), modes)
		v["proargnames"] = types.NewArray(types.Of(types.Text), names)
	}
	return makeRow(st, v)
}

// OIDVector and Int2Vector make the zero-based vectors catalogs hold.
func OIDVector(os []types.OID) *types.Array {
	a := &types.Array{Elem: types.Of(types.Oid)}
	for _, o := range os {
		a.Elems = append(a.Elems, o)
	}
	a.Dims = []types.ArrayDim{{Len: int32(len(os)), Lower: 0}}
	return a
}

// Int2Vector is OIDVector for attribute numbers.
func Int2Vector(ns []int) *types.Array {
	a := &types.Array{Elem: types.Of(types.Int2)}
	for _, n := range ns {
		a.Elems = append(a.Elems, int16(n))
	}
	a.Dims = []types.ArrayDim{{Len: int32(len(ns)), Lower: 0}}
	return a
}

// databaseCatalogs lists the catalogs every database has of its own, in name order.
func databaseCatalogs() []*sysTable {
	var out []*sysTable
	for _, t := range sysCatalogs().tables {
		if !t.shared && !t.static {
			out = append(out, t)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].name < out[j].name })
	return out
}

// CopyCatalogs gives a new database the catalog rows of another one.
func (w *Writer) CopyCatalogs(ctx context.Context, from, to types.OID) error {
	return copyCatalogs(ctx, w.txn, w.store, from, to)
}

func copyCatalogs(ctx context.Context, t txn.Txn, store vexec.Store, from, to types.OID) error {
	for _, st := range databaseCatalogs() {
		cols := make([]int32, len(st.columns))
		for i := range cols {
			cols[i] = int32(i)
		}
		rd, _, err := store.Scan(ctx, &planpb.Scan{Table: st.storage(from), Columns: cols}, vexec.ScanRequest{Parts: 1})
		if err != nil {
			return err
		}
		for {
			b, err := rd.Next(ctx)
			if err == nil && b != nil {
				err = store.InsertBatch(ctx, st.storage(to), b)
			}
			if err != nil {
				rd.Close()
				return err
			}
			if b == nil {
				break
			}
		}
		rd.Close()
	}
	t.NextCommand()
	return nil
}
