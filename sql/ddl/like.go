package ddl

import (
	"context"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
)

// Options of LIKE (TableLikeOption bits).
const (
	likeComments    = 1 << 0
	likeCompression = 1 << 1
	likeConstraints = 1 << 2
	likeDefaults    = 1 << 3
	likeGenerated   = 1 << 4
	likeIdentity    = 1 << 5
	likeIndexes     = 1 << 6
	likeStatistics  = 1 << 7
	likeStorage     = 1 << 8
)

// likeIndex is an index copied from another table; attribute numbers are those of the source.
type likeIndex struct {
	source *catalog.Relation
	index  *catalog.Index
	base   int // columns before the copied ones
	attMap []int
}

type likeComment struct {
	attnum int
	text   string
}

// transformLike copies what LIKE asks for into def.
func transformLike(ctx context.Context, c *Context, def *tableDef, l *pg_query.TableLikeClause) error {
	src, err := findRelation(ctx, c, l.Relation, txn.AccessShare, false)
	if err != nil {
		if e := pgerror.From(err); e.Code == pgerror.UndefinedTable {
			e.WithPosition(c.at(l.Relation.Location))
		}
		return err
	}
	switch src.Kind {
	case catalog.KindTable, catalog.KindView, catalog.KindMatView, catalog.KindComposite:
	default:
		return pgerror.New(pgerror.WrongObjectType, "relation %q is invalid in LIKE clause", src.Name).WithDetail("%s", noSupport(src.Kind)).WithPosition(c.at(l.Relation.Location))
	}
	if src.Kind != catalog.KindComposite {
		if err := catalog.CheckPrivilege(ctx, c.reader(), c.User, src, catalog.PrivSelect, nil); err != nil {
			return err
		}
	}
	base := len(def.columns)
	attMap := make([]int, len(src.Columns))
	for i, col := range src.Columns {
		if col.Dropped {
			continue
		}
		d := &columnDef{fromLike: true}
		d.name, d.typ, d.collation, d.notNull, d.nullSaid = col.Name, col.Type, col.Collation, col.NotNull, col.NotNull
		def.columns = append(def.columns, d)
		attMap[i] = len(def.columns)
		if l.Options&likeIdentity != 0 && col.Identity != 0 {
			seq, err := c.reader().Sequence(ctx, col.Sequence)
			if err != nil {
				return err
			}
			d.identity = col.Identity
			if seq != nil {
				d.seqOptions = sequenceDefElems(seq)
			}
		}
		if l.Options&likeComments != 0 {
			text, err := c.comment(ctx, catalog.Object{Class: catalog.ClassRelation, OID: src.OID, Sub: col.AttNum})
			if err != nil {
				return err
			}
			if text != "" {
				def.comment = append(def.comment, likeComment{attMap[i], text})
			}
		}
	}
	for i, col := range src.Columns {
		if col.Dropped || col.Default == nil {
			continue
		}
		if col.Generated && l.Options&likeGenerated != 0 || !col.Generated && l.Options&likeDefaults != 0 {
			d := def.columns[attMap[i]-1]
			d.def, d.generated = remap(col.Default, attMap), col.Generated
		}
	}
	if l.Options&likeConstraints != 0 {
		for _, k := range src.Constraints {
			if k.Type == 'c' {
				def.cons = append(def.cons, &constraintDef{kind: 'c', name: k.Name, checkExpr: remap(k.Check, attMap), noInherit: k.NoInherit, loc: -1})
			}
		}
	}
	if l.Options&likeIndexes != 0 {
		for _, ix := range src.Indexes {
			con := byte(0)
			for _, k := range src.Constraints {
				if k.OID == ix.Constraint {
					con = k.Type
				}
			}
			if con == 'p' || con == 'u' {
				k := &constraintDef{kind: con, nullsNotDistinct: ix.NullsNotDistinct, loc: -1}
				for _, key := range ix.Keys {
					k.columns = append(k.columns, src.Columns[key.AttNum-1].Name)
				}
				for _, a := range ix.Include {
					k.including = append(k.including, src.Columns[a-1].Name)
				}
				def.cons = append(def.cons, k)
				continue
			}
			def.indexes = append(def.indexes, &likeIndex{source: src, index: ix, base: base, attMap: attMap})
		}
	}
	return nil
}

// remap renumbers the columns of RTIndex 1 by attribute number.
func remap(e query.Expr, attMap []int) query.Expr {
	return query.Mutate(e, func(x query.Expr) (query.Expr, bool) {
		v, ok := x.(*query.Var)
		if !ok || v.AttNum <= 0 || v.AttNum > len(attMap) {
			return x, false
		}
		n := *v
		n.AttNum = attMap[v.AttNum-1]
		return &n, true
	})
}

func (c *Context) createLikeIndex(ctx context.Context, relid types.OID, l *likeIndex) error {
	rel, err := c.reader().Relation(ctx, relid)
	if err != nil {
		return err
	}
	x := &indexSpec{unique: l.index.Unique, nullsNotDistinct: l.index.NullsNotDistinct}
	var names []string
	for _, k := range l.index.Keys {
		n := indexKey{typ: k.Type, collation: k.Collation, opclass: k.OpClass, desc: k.Descending, nullsFirst: k.NullsFirst}
		if k.Expr != nil {
			n.expr, n.name = remap(k.Expr, l.attMap), "expr"
			if f, ok := k.Expr.(*query.FuncExpr); ok {
				n.name = f.Name
			}
			names = append(names, n.name)
		} else {
			n.attnum = l.attMap[k.AttNum-1]
			names = append(names, rel.Columns[n.attnum-1].Name)
		}
		x.keys = append(x.keys, n)
	}
	for _, a := range l.index.Include {
		x.include = append(x.include, l.attMap[a-1])
		names = append(names, rel.Columns[l.attMap[a-1]-1].Name)
	}
	if l.index.Predicate != nil {
		x.predicate = remap(l.index.Predicate, l.attMap)
	}
	if x.name, err = chooseRelationName(ctx, c, rel.Name, joinColumns(names), "idx", rel.Namespace, false); err != nil {
		return err
	}
	_, err = c.createIndexRelation(ctx, rel, x)
	return err
}

// sequenceDefElems writes a sequence's parameters as an option list.
func sequenceDefElems(s *catalog.Sequence) []*pg_query.Node {
	num := func(name string, n int64) *pg_query.Node {
		return pg_query.MakeSimpleDefElemNode(name, &pg_query.Node{Node: &pg_query.Node_Float{Float: &pg_query.Float{Fval: itoa64(n)}}}, -1)
	}
	out := []*pg_query.Node{num("start", s.Start), num("increment", s.Increment), num("minvalue", s.Min), num("maxvalue", s.Max), num("cache", s.Cache)}
	if s.Cycle {
		out = append(out, pg_query.MakeSimpleDefElemNode("cycle", &pg_query.Node{Node: &pg_query.Node_Boolean{Boolean: &pg_query.Boolean{Boolval: true}}}, -1))
	}
	return out
}
