package ddl

import (
	"context"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/analyze"
	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
)

func createView(ctx context.Context, c *Context, s *pg_query.ViewStmt) (string, error) {
	if s.View.Relpersistence == "u" {
		return "", pgerror.New(pgerror.SyntaxError, "views cannot be unlogged because they do not have storage")
	}
	if sel := s.Query.GetSelectStmt(); sel != nil && sel.IntoClause != nil {
		return "", pgerror.New(pgerror.FeatureNotSupported, "views must not contain SELECT INTO")
	}
	target, name := s.View, s.View.Relname
	q, err := analyze.AnalyzeNode(ctx, c.env(), c.source, s.Query, nil)
	if err != nil {
		return "", err
	}
	if q.HasModifyingCTE {
		return "", pgerror.New(pgerror.FeatureNotSupported, "views must not contain data-modifying statements in WITH")
	}
	if len(q.ParamTypes) > 0 {
		return "", pgerror.New(pgerror.UndefinedParameter, "there is no parameter $1")
	}
	options, err := relOptions(s.Options, viewOptions)
	if err != nil {
		return "", err
	}
	switch s.WithCheckOption {
	case pg_query.ViewCheckOption_LOCAL_CHECK_OPTION:
		options = append(options, "check_option=local")
	case pg_query.ViewCheckOption_CASCADED_CHECK_OPTION:
		options = append(options, "check_option=cascaded")
	}
	for _, o := range options {
		if o == "check_option=local" || o == "check_option=cascaded" {
			if why := catalog.NotUpdatable(q); why != "" {
				return "", pgerror.New(pgerror.FeatureNotSupported, "WITH CHECK OPTION is supported only on automatically updatable views").WithHint("%s", why)
			}
		}
	}
	var cols []column
	i := 0
	q = q.Copy()
	q.TargetList = append([]*query.TargetEntry(nil), q.TargetList...)
	for k, te := range q.TargetList {
		if te.Junk {
			continue
		}
		col := column{name: te.Name, typ: te.Expr.Type(), collation: te.Expr.Collation()}
		if i < len(s.Aliases) {
			col.name = str(s.Aliases[i])
			n := *te
			n.Name = col.name
			q.TargetList[k] = &n
		}
		cols = append(cols, col)
		i++
	}
	if len(s.Aliases) > i {
		return "", pgerror.New(pgerror.SyntaxError, "CREATE VIEW specifies more column names than columns")
	}
	if len(cols) == 0 {
		return "", pgerror.New(pgerror.InvalidTableDefinition, "view must have at least one column")
	}
	if target.Relpersistence != "t" {
		temp, err := c.usesTemp(ctx, q)
		if err != nil {
			return "", err
		}
		if temp {
			c.notice(notice(pgerror.SuccessfulCompletion, "view %q will be a temporary view", name))
			target = &pg_query.RangeVar{Catalogname: target.Catalogname, Schemaname: target.Schemaname, Relname: name, Relpersistence: "t"}
		}
	}
	ns, kept, err := c.relationNamespace(ctx, target)
	if err != nil {
		return "", err
	}
	old, err := c.reader().RelationByName(ctx, ns.OID, name)
	if err != nil {
		return "", err
	}
	if old != nil && s.Replace {
		return "", c.replaceView(ctx, old, q, cols, options)
	}
	oid, err := createRelation(ctx, c, relation{namespace: ns, name: name, kind: catalog.KindView, owner: c.User, persistence: kept, columns: cols, options: options})
	if err != nil {
		return "", err
	}
	return "", c.storeRule(ctx, oid, q)
}

// usesTemp reports whether a query reads a temporary relation.
func (c *Context) usesTemp(ctx context.Context, q *query.Query) (found bool, err error) {
	query.EachQuery(q, func(q *query.Query) {
		for _, rte := range q.RTable {
			if rte.Kind != query.RTERelation || found || err != nil {
				continue
			}
			var rel *catalog.Relation
			rel, err = c.reader().Relation(ctx, rte.Relid)
			found = rel != nil && rel.Persistence == catalog.PersistenceTemp
		}
	})
	return found, err
}

// storeRule writes a view's definition.
func (c *Context) storeRule(ctx context.Context, view types.OID, q *query.Query) error {
	w := c.writer()
	oid, err := c.newOID(ctx)
	if err != nil {
		return err
	}
	if err := w.Insert(ctx, "pg_rewrite", catalog.Values{"oid": oid, "rulename": "_RETURN", "ev_class": view, "ev_type": byte('1'), "ev_enabled": byte('O'),
		"is_instead": true, "ev_qual": "<>", "ev_action": string(query.Marshal(q))}); err != nil {
		return err
	}
	rule := catalog.Object{Class: catalog.ClassRewrite, OID: oid}
	if err := w.Depend(ctx, rule, catalog.Object{Class: catalog.ClassRelation, OID: view}, catalog.DependInternal); err != nil {
		return err
	}
	if err := w.DependOnQuery(ctx, rule, q); err != nil {
		return err
	}
	row, err := c.class(ctx, view)
	if err != nil || row.Bool("relhasrules") {
		return err
	}
	return w.Update(ctx, row, catalog.Values{"relhasrules": true})
}

func (c *Context) replaceView(ctx context.Context, old *catalog.Relation, q *query.Query, cols []column, options []string) error {
	w := c.writer()
	if err := c.lock(ctx, old.OID, txn.AccessExclusive); err != nil {
		return err
	}
	if old.Kind != catalog.KindView {
		return pgerror.New(pgerror.WrongObjectType, "%q is not a view", old.Name)
	}
	if err := c.checkOwner(ctx, old); err != nil {
		return err
	}
	if len(cols) < len(old.Columns) {
		return pgerror.New(pgerror.InvalidTableDefinition, "cannot drop columns from view")
	}
	for i, o := range old.Columns {
		if o.Name != cols[i].name {
			return pgerror.New(pgerror.InvalidTableDefinition, "cannot change name of view column %q to %q", o.Name, cols[i].name).
				WithHint("Use ALTER VIEW ... RENAME COLUMN ... to change name of view column instead.")
		}
		if o.Type != cols[i].typ {
			return pgerror.New(pgerror.InvalidTableDefinition, "cannot change data type of view column %q from %s to %s", o.Name,
				c.reader().FormatType(o.Type.OID, o.Type.Mod), c.reader().FormatType(cols[i].typ.OID, cols[i].typ.Mod))
		}
	}
	if err := checkColumnNames(c, cols, catalog.KindView); err != nil {
		return err
	}
	for i := len(old.Columns); i < len(cols); i++ {
		v, err := attribute(ctx, c, old.OID, i+1, cols[i])
		if err != nil {
			return err
		}
		if err := w.Insert(ctx, "pg_attribute", v); err != nil {
			return err
		}
	}
	row, err := c.class(ctx, old.OID)
	if err != nil {
		return err
	}
	var opt any
	if len(options) > 0 {
		opt = textArray(options)
	}
	if err := w.Update(ctx, row, catalog.Values{"relnatts": int16(len(cols)), "reloptions": opt}); err != nil {
		return err
	}
	rules, err := w.Lookup(ctx, "pg_rewrite", "pg_rewrite_rel_rulename_index", old.OID)
	if err != nil {
		return err
	}
	for _, r := range rules {
		if err := c.deleteOne(ctx, catalog.Object{Class: catalog.ClassRewrite, OID: r.OID("oid")}); err != nil {
			return err
		}
	}
	return c.storeRule(ctx, old.OID, q)
}
