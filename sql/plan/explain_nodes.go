package plan

import (
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/deparse"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// describer turns Nodes into descriptions.
type describer struct {
	p    *planner
	opts ExplainOptions
	// subPlans numbers the sub-selects run per row, on from the init plans.
	subPlans int
	prefix   bool // columns are qualified: more than one relation
}

// labelInitPlans numbers the init plans as PostgreSQL does.
func (p *planner) labelInitPlans() {
	for i, ip := range p.inits {
		var ps []string
		for _, s := range ip.slots {
			ps = append(ps, fmt.Sprintf("$%d", s))
		}
		ip.node.Label = fmt.Sprintf("InitPlan %d (returns %s)", i+1, strings.Join(ps, ","))
	}
}

func (d *describer) countNames(pl *Planned) {
	names := map[string]bool{}
	var visit func(n *Node)
	visit = func(n *Node) {
		for _, c := range n.base {
			if r := d.p.cols[c].rel; r != "" {
				names[r] = true
			}
		}
		for _, in := range n.Inputs {
			visit(in)
		}
	}
	visit(pl.Root)
	for _, n := range pl.InitPlans {
		visit(n)
	}
	for _, n := range pl.CTEs {
		visit(n)
	}
	d.prefix = len(names) > 1 || d.opts.Verbose
}

func (d *describer) subplans(pl *Planned) []*description {
	var out []*description
	for _, n := range append(append([]*Node{}, pl.CTEs...), pl.InitPlans...) {
		s := d.describe(n)
		s.label = n.Label
		out = append(out, s)
	}
	return out
}

// expr prints an expression.
func (d *describer) expr(e query.Expr) string {
	p := d.p
	c := deparse.Context{Ctx: p.ctx, Catalog: p.cat, Types: p.opts.Types, SearchPath: []types.OID{catalog.PublicNamespace}}
	c.Var = func(v *query.Var) string { return d.column(Col(v.RTIndex)) }
	c.Param = func(q *query.Param) string {
		if q.Kind == query.ParamExternal || q.Kind == query.ParamExec {
			return fmt.Sprintf("$%d", q.Number)
		}
		return "CASE_TEST_EXPR"
	}
	return deparse.Expr(e, c)
}

func (d *describer) column(c Col) string {
	ci := &d.p.cols[c]
	if ci.expr != nil && ci.rel == "" {
		if v, ok := asCol(ci.expr); ok {
			return d.column(v)
		}
		s := d.expr(ci.expr)
		if strings.HasPrefix(s, "(") {
			return s
		}
		return "(" + s + ")"
	}
	name := quoteName(ci.name)
	if name == "" {
		name = fmt.Sprintf("column%d", c)
	}
	if d.prefix && ci.rel != "" {
		return quoteName(ci.rel) + "." + name
	}
	return name
}

// quoteName quotes an identifier where SQL needs it.
func quoteName(s string) string {
	plain := s != ""
	for i, r := range s {
		if !(r >= 'a' && r <= 'z' || r == '_' || i > 0 && (r >= '0' && r <= '9' || r == '$')) {
			plain = false
		}
	}
	if plain || s == "" {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}

func (d *describer) exprs(es []query.Expr) []string {
	var out []string
	for _, e := range es {
		out = append(out, d.expr(e))
	}
	return out
}

func (d *describer) keys(ks []sortItem) []string {
	var out []string
	for _, k := range ks {
		s := d.expr(k.expr)
		if k.desc {
			s += " DESC"
			if !k.nullsFirst {
				s += " NULLS LAST"
			}
		} else if k.nullsFirst {
			s += " NULLS FIRST"
		}
		out = append(out, s)
	}
	return out
}

func (d *describer) cond(label string, qs []query.Expr, x *description) {
	if len(qs) > 0 {
		x.props = append(x.props, property{label: label, value: d.expr(andAll(qs))})
	}
}

// shownSchema is a schema as EXPLAIN names it. Plans read no temporary tables but the
// session's own.
func shownSchema(schema string) string {
	if catalog.IsTempSchema(schema) {
		return catalog.TempAlias
	}
	return schema
}

// onName is a relation with its alias: " on t" or " on t a".
func (d *describer) onName(schema, name, alias string) string {
	s := " on "
	if d.opts.Verbose && schema != "" {
		s += quoteName(shownSchema(schema)) + "."
	}
	s += quoteName(name)
	if alias != "" && alias != name {
		s += " " + quoteName(alias)
	}
	return s
}

func (d *describer) describe(n *Node) *description {
	n, hidden := d.visible(n)
	x := &description{n: n}
	if d.opts.Analyze && d.opts.Stats != nil {
		st, ok := d.opts.Stats.Op(n.ID)
		if _, gather := n.Op.(*gatherOp); ok && (st.Loops > 0 || !gather) {
			x.stats, x.run = &st, true
		} else if gather {
			// An aggregation on a Gather may run beside the data: what went through the
			// Gather is what its input delivered.
			if st, ok := d.opts.Stats.Op(n.Inputs[0].ID); ok && st.Loops > 0 {
				st.Total, st.Startup, st.Loops = st.Total/time.Duration(st.Loops), st.Startup/time.Duration(st.Loops), 1
				x.stats, x.run = &st, true
			}
		}
	}
	d.fill(n, x)
	if x.title == "" {
		x.title = x.name
	}
	d.cond("Filter", append(n.filters(), hidden...), x)
	if d.opts.Analyze && d.opts.Stats != nil {
		id := n.filterID
		s, isScan := n.Op.(*scanOp)
		if isScan && id == 0 && len(s.filter) > 0 {
			id = n.opID
		}
		if isScan {
			if st, ok := d.opts.Stats.Op(n.opID); ok && st.JoinRemoved > 0 && st.Loops > 0 {
				x.props = append(x.props, property{label: "Rows Removed by Join Keys", value: float64(st.JoinRemoved / st.Loops)})
			}
		}
		if id != 0 {
			if st, ok := d.opts.Stats.Op(id); ok && st.RowsRemoved > 0 && st.Loops > 0 {
				x.props = append(x.props, property{label: "Rows Removed by Filter", value: float64(st.RowsRemoved / st.Loops)})
			}
		}
	}
	if d.opts.Verbose && len(n.Cols) > 0 {
		var out []string
		for _, c := range n.Cols {
			out = append(out, d.column(c))
		}
		x.props = append([]property{{label: "Output", value: out}}, x.props...)
	}
	return x
}

func (d *describer) child(n *Node, x *description) {
	for _, in := range n.Inputs {
		x.kids = append(x.kids, d.describe(in))
	}
}

// fill sets a description's name, properties and children.
func (d *describer) fill(n *Node, x *description) {
	p := d.p
	relation := func(t *catalog.Relation, alias string) {
		x.fields = append(x.fields, property{label: "Relation Name", value: t.Name})
		if d.opts.Verbose {
			x.fields = append(x.fields, property{label: "Schema", value: shownSchema(t.Schema)})
		}
		x.fields = append(x.fields, property{label: "Alias", value: alias})
	}
	switch o := n.Op.(type) {
	case *scanOp:
		t := o.get.table
		if o.name == "" {
			x.name = "Seq Scan"
			x.title = "Seq Scan" + d.onName(t.Schema, t.Name, o.get.alias)
		} else {
			x.name = "Index Scan"
			back := ""
			dir := "Forward"
			if o.reverse {
				back, dir = " Backward", "Backward"
			}
			x.title = "Index Scan" + back + " using " + quoteName(o.name) + d.onName(t.Schema, t.Name, o.get.alias)
			x.fields = append(x.fields, property{label: "Scan Direction", value: dir}, property{label: "Index Name", value: o.name})
			d.cond("Index Cond", o.cond, x)
		}
		relation(t, o.get.alias)
		d.cond("Filter", o.filter, x)
	case *resultOp:
		x.name = "Result"
	case *gateOp:
		x.name = "Result"
		d.cond("One-Time Filter", o.quals, x)
		if v, null, ok := isConstBool(andAll(o.quals)); ok && (null || !v) {
			return
		}
		if in := n.Inputs[0]; !isBareResult(in) {
			d.child(n, x)
		}
	case *passOp:
		x.name = "Subquery Scan"
		x.title = "Subquery Scan" + d.onName("", o.alias, "")
		d.child(n, x)
	case *valuesOp:
		x.name = "Values Scan"
		x.title = "Values Scan" + d.onName("", "*VALUES*", o.rel.alias)
		x.fields = append(x.fields, property{label: "Alias", value: o.rel.alias})
	case *joinOp:
		d.join(n, o, x)
	case *aggOp:
		d.agg(n, o, x)
	case *sortOp:
		x.name = "Sort"
		x.props = append(x.props, property{label: "Sort Key", value: d.keys(o.keys)})
		if x.run && x.stats.SortMethod != "" {
			kb := (x.stats.MemoryPeak + 1023) / 1024
			x.props = append(x.props, property{label: "Sort Method", value: fmt.Sprintf("%s  Memory: %dkB", x.stats.SortMethod, kb), textOnly: true},
				property{label: "Sort Method", value: x.stats.SortMethod, jsonOnly: true},
				property{label: "Sort Space Used", value: fixed{float64(kb), 0}, jsonOnly: true})
		}
		d.child(n, x)
	case *limitOp:
		x.name = "Limit"
		d.child(n, x)
	case *uniqueOp:
		x.name = "Unique"
		d.child(n, x)
	case *setOpOp:
		x.name = "SetOp"
		cmd := [...]string{"Intersect", "Intersect All", "Except", "Except All"}[o.op]
		x.title = "HashSetOp " + cmd
		x.fields = append(x.fields, property{label: "Strategy", value: "Hashed"}, property{label: "Command", value: cmd})
		d.child(n, x)
	case *appendOp:
		x.name = "Append"
		d.child(n, x)
	case *windowOp:
		x.name = "WindowAgg"
		d.child(n, x)
	case *projectSetOp:
		x.name = "ProjectSet"
		d.child(n, x)
	case *functionOp:
		x.name = "Function Scan"
		name := o.rel.alias
		if len(o.rel.funcs) == 1 {
			if f, ok := o.rel.funcs[0].Expr.(*query.FuncExpr); ok {
				if name = f.Name; name == "" {
					if fn := p.cat.Function(f.Func); fn != nil {
						name = fn.Name
					}
				}
			}
		}
		x.title = "Function Scan" + d.onName("", name, o.rel.alias)
		x.fields = append(x.fields, property{label: "Function Name", value: name}, property{label: "Alias", value: o.rel.alias})
	case *recursiveOp:
		x.name = "Recursive Union"
		d.child(n, x)
	case *workTableOp:
		x.name = "WorkTable Scan"
		x.title = "WorkTable Scan" + d.onName("", o.alias, "")
	case *cteOp:
		x.name = "CTE Scan"
		x.title = "CTE Scan" + d.onName("", o.cte.name, o.alias)
		x.fields = append(x.fields, property{label: "CTE Name", value: o.cte.name}, property{label: "Alias", value: o.alias})
	case *modifyOp:
		d.modify(n, o.rel, x)
	case *lockOp:
		x.name = "LockRows"
		d.child(n, x)
	case *gatherOp:
		x.name = "Gather"
		if len(o.merge) > 0 {
			x.name = "Gather Merge"
		}
		x.props = append(x.props, property{label: "Workers Planned", value: float64(o.workers)})
		if x.run && x.stats.Workers > 0 {
			x.props = append(x.props, property{label: "Workers Launched", value: float64(x.stats.Workers)})
		}
		d.child(n, x)
	case *batchOp:
		x.name = "Batch Apply"
		d.child(n, x)
	case *chunkOp:
		x.name = "Batch Scan"
	case *materializeOp:
		x.name = "Materialize"
		d.child(n, x)
	case *exchangeOp:
		d.exchange(n, o, x)
	}
}

func isBareResult(n *Node) bool {
	_, ok := n.Op.(*resultOp)
	return ok
}

func (d *describer) modify(n *Node, m *relModify, x *description) {
	op := [...]string{"Insert", "Update", "Delete", "Merge"}[m.op]
	x.name = "ModifyTable"
	x.title = op + d.onName(m.table.Schema, m.table.Name, m.alias)
	x.fields = append(x.fields, property{label: "Operation", value: op}, property{label: "Relation Name", value: m.table.Name}, property{label: "Alias", value: m.alias})
	if c := m.conflict; c != nil {
		res := "NOTHING"
		if c.update {
			res = "UPDATE"
		}
		x.props = append(x.props, property{label: "Conflict Resolution", value: res})
		if len(c.names) > 0 {
			sort.Strings(c.names)
			x.props = append(x.props, property{label: "Conflict Arbiter Indexes", value: c.names})
		}
		if c.where != nil {
			d.cond("Conflict Filter", conjuncts(c.where), x)
		}
	}
	d.child(n, x)
}

func (d *describer) join(n *Node, o *joinOp, x *description) {
	kinds := map[planpb.JoinType]string{planpb.JoinType_INNER: "Inner", planpb.JoinType_LEFT: "Left", planpb.JoinType_RIGHT: "Right", planpb.JoinType_FULL: "Full",
		planpb.JoinType_SEMI: "Semi", planpb.JoinType_ANTI: "Anti", planpb.JoinType_NULL_AWARE_ANTI: "Null-Aware Anti", planpb.JoinType_RIGHT_SEMI: "Right Semi",
		planpb.JoinType_RIGHT_ANTI: "Right Anti", planpb.JoinType_MARK: "Mark", planpb.JoinType_SINGLE: "Single"}
	kind := kinds[o.typ]
	x.fields = append(x.fields, property{label: "Join Type", value: kind})
	suffix := " " + kind + " Join"
	if o.typ == planpb.JoinType_INNER {
		suffix = " Join"
	}
	l, r := d.describe(n.Inputs[0]), d.describe(n.Inputs[1])
	switch o.method {
	case methodHash:
		x.name = "Hash Join"
		x.title = "Hash" + suffix
		d.cond("Hash Cond", o.keyQuals, x)
		d.cond("Join Filter", o.residual, x)
		h := &description{name: "Hash", title: "Hash", kids: []*description{r}, n: n.Inputs[1], stats: r.stats, run: r.run}
		if x.run && x.stats.HashBuckets > 0 {
			h.props = append(h.props, property{label: "Buckets", value: fmt.Sprintf("%d  Batches: %d  Memory Usage: %dkB", x.stats.HashBuckets,
				max(x.stats.HashBatches, 1), (x.stats.MemoryPeak+1023)/1024), textOnly: true})
		}
		x.kids = []*description{l, h}
		return
	case methodMerge:
		x.name = "Merge Join"
		x.title = "Merge" + suffix
		d.cond("Merge Cond", o.keyQuals, x)
	default:
		x.name = "Nested Loop"
		x.title = "Nested Loop"
		if o.typ != planpb.JoinType_INNER {
			x.title += suffix
		}
	}
	d.cond("Join Filter", o.residual, x)
	if o.method == methodApply && (o.typ == planpb.JoinType_MARK || o.typ == planpb.JoinType_SINGLE) {
		// A sub-select in an expression, run for each row.
		d.subPlans++
		r.label = fmt.Sprintf("SubPlan %d", d.subPlans)
		x.kids, x.rowPlans = []*description{l}, []*description{r}
		return
	}
	x.kids = []*description{l, r}
}

func (d *describer) agg(n *Node, o *aggOp, x *description) {
	x.name = "Aggregate"
	strategy := "Plain"
	keyNames := func(set []int) []string {
		var out []string
		for _, k := range set {
			out = append(out, d.expr(o.keys[k].expr))
		}
		return out
	}
	switch {
	case o.sets != nil:
		strategy = "Mixed"
		x.title = "MixedAggregate"
		hashed := true
		// as PostgreSQL: a Hash Key for each hash table that takes rows, a Group Key for
		// what comes of the groups before it
		var show func(i int)
		show = func(i int) {
			s, p := o.sets[i], property{label: "Hash Key", textOnly: true}
			if len(s) == 0 || o.finer != nil && o.finer[i] >= 0 {
				p.label, hashed = "Group Key", false
			}
			if p.value = keyNames(s); len(s) == 0 {
				p.value = "()"
			}
			x.props = append(x.props, p)
			for k := range o.finer {
				if o.finer[k] == i {
					show(k)
				}
			}
		}
		for i := range o.sets {
			if o.finer == nil || o.finer[i] < 0 {
				show(i)
			}
		}
		if hashed {
			strategy, x.title = "Hashed", "HashAggregate"
		}
	case len(o.keys) == 0:
		x.title = "Aggregate"
	default:
		all := make([]int, len(o.keys))
		for i := range all {
			all[i] = i
		}
		if o.sorted {
			strategy, x.title = "Sorted", "GroupAggregate"
			if len(o.aggs) == 0 {
				x.title = "Group"
			}
		} else {
			strategy, x.title = "Hashed", "HashAggregate"
		}
		x.props = append(x.props, property{label: "Group Key", value: keyNames(all)})
	}
	mode := "Simple"
	if d.opts.Distributed || o.eager {
		switch o.phase {
		case planpb.Agg_PARTIAL:
			mode, x.title = "Partial", "Partial "+x.title
		case planpb.Agg_FINAL:
			mode, x.title = "Finalize", "Finalize "+x.title
		}
	}
	x.fields = append(x.fields, property{label: "Strategy", value: strategy}, property{label: "Partial Mode", value: mode})
	d.child(n, x)
}
