package catalog

import (
	"context"

	"github.com/basaltdb/basalt/sql/types"
)

// Kinds of pg_statistic slots.
const (
	statKindMCV         = 1
	statKindHistogram   = 2
	statKindCorrelation = 3
)

// loadStats reads pg_statistic; nil when the relation was never analysed.
func (s *state) loadStats(ctx context.Context, a *access, relid types.OID) (*Stats, error) {
	c, err := a.one(ctx, "pg_class", "pg_class_oid_index", relid)
	if err != nil || c == nil || c.Float("reltuples") < 0 {
		return nil, err
	}
	st := &Stats{Rows: c.Float("reltuples"), Bytes: float64(c.Int("relpages")) * 8192, Columns: map[int]*ColumnStats{}}
	rows, err := a.lookup(ctx, "pg_statistic", "pg_statistic_relid_att_inh_index", relid)
	if err != nil {
		return nil, err
	}
	atts := map[int]types.T{}
	if len(rows) > 0 {
		cols, err := a.lookup(ctx, "pg_attribute", "pg_attribute_relid_attnum_index", relid)
		if err != nil {
			return nil, err
		}
		for _, t := range cols {
			if ty, err := s.Type(ctx, t.OID("atttypid")); err == nil && ty != nil {
				atts[int(t.Int("attnum"))] = ty.T.WithMod(int32(t.Int("atttypmod")))
			}
		}
	}
	env := types.DefaultEnv()
	env.Resolver = s
	for _, r := range rows {
		n := int(r.Int("staattnum"))
		typ, ok := atts[n]
		if !ok {
			continue
		}
		cs := &ColumnStats{NullFrac: r.Float("stanullfrac"), AvgWidth: float64(r.Int("stawidth")), Distinct: r.Float("stadistinct")}
		for _, k := range []string{"1", "2", "3", "4", "5"} {
			values := func() []types.Datum {
				at, ok := s.TypeByOID(s.ArrayTypeOf(typ.OID))
				if !ok {
					return nil
				}
				d, err := types.In(env, at, r.Str("stavalues"+k))
				if err != nil {
					return nil
				}
				return d.(*types.Array).Elems
			}
			switch r.Int("stakind" + k) {
			case statKindMCV:
				cs.MCV = values()
				for _, f := range r.Elems("stanumbers" + k) {
					cs.MCVFreq = append(cs.MCVFreq, float64(f.(float32)))
				}
				if len(cs.MCV) != len(cs.MCVFreq) {
					cs.MCV, cs.MCVFreq = nil, nil
				}
			case statKindHistogram:
				cs.Histogram = values()
			case statKindCorrelation:
				if e := r.Elems("stanumbers" + k); len(e) == 1 {
					cs.Correlation = float64(e[0].(float32))
				}
			}
		}
		st.Columns[n] = cs
	}
	return st, nil
}

// SetStats stores what ANALYZE found about a relation: its size in pg_class, its
// columns in pg_statistic.
func (w *Writer) SetStats(ctx context.Context, relid types.OID, st *Stats) error {
	c, err := w.one(ctx, "pg_class", "pg_class_oid_index", relid)
	if err != nil || c == nil {
		return err
	}
	if err := w.Update(ctx, c, Values{"reltuples": float32(st.Rows), "relpages": int32((st.Bytes + 8191) / 8192)}); err != nil {
		return err
	}
	r := w.t.Reader()
	rel, err := r.Relation(ctx, relid)
	if err != nil || rel == nil {
		return err
	}
	old, err := w.lookup(ctx, "pg_statistic", "pg_statistic_relid_att_inh_index", relid)
	if err != nil {
		return err
	}
	byAtt := map[int]*Row{}
	for _, o := range old {
		byAtt[int(o.Int("staattnum"))] = o
	}
	env := types.DefaultEnv()
	env.Resolver = r
	for n, cs := range st.Columns {
		if n <= 0 || n > len(rel.Columns) {
			continue
		}
		col := rel.Columns[n-1]
		v := Values{"starelid": relid, "staattnum": int16(n), "stainherit": false, "stanullfrac": float32(cs.NullFrac), "stawidth": int32(cs.AvgWidth), "stadistinct": float32(cs.Distinct)}
		for _, k := range []string{"1", "2", "3", "4", "5"} {
			v["stakind"+k], v["staop"+k], v["stacoll"+k], v["stanumbers"+k], v["stavalues"+k] = int16(0), types.OID(0), types.OID(0), nil, nil
		}
		slot := 0
		add := func(kind int16, strategy int, numbers []float64, values []types.Datum) error {
			slot++
			k := string(rune('0' + slot))
			v["stakind"+k], v["stacoll"+k] = kind, col.Collation
			if oc := r.DefaultOpClass("btree", col.Type.OID); oc != nil {
				v["staop"+k] = r.FamilyOperator(oc.Family, oc.InType, oc.InType, strategy)
			}
			if numbers != nil {
				f := make([]types.Datum, len(numbers))
				for i, x := range numbers {
					f[i] = float32(x)
				}
				v["stanumbers"+k] = types.NewArray(types.Of(types.Float4), f)
			}
			if values != nil {
				at, ok := r.TypeByOID(r.ArrayTypeOf(col.Type.OID))
				if !ok {
					return nil
				}
				text, err := types.Out(env, at, types.NewArray(col.Type.NoMod(), values))
				if err != nil {
					return err
				}
				v["stavalues"+k] = text
			}
			return nil
		}
		if len(cs.MCV) > 0 {
			if err := add(statKindMCV, StrategyEqual, cs.MCVFreq, cs.MCV); err != nil {
				return err
			}
		}
		if len(cs.Histogram) > 0 {
			if err := add(statKindHistogram, StrategyLess, nil, cs.Histogram); err != nil {
				return err
			}
		}
		if len(cs.MCV)+len(cs.Histogram) > 0 || cs.Correlation != 0 {
			if err := add(statKindCorrelation, StrategyLess, []float64{cs.Correlation}, nil); err != nil {
				return err
			}
		}
		if o := byAtt[n]; o != nil {
			err = w.Update(ctx, o, v)
		} else {
			err = w.Insert(ctx, "pg_statistic", v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
