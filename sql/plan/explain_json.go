package plan

import (
	"encoding/json"
	"fmt"
	"strings"
)

// explainJSON writes PostgreSQL's EXPLAIN (FORMAT JSON) document.
func explainJSON(root *description, o ExplainOptions) string {
	var b strings.Builder
	b.WriteString("[\n  {\n    \"Plan\": ")
	root.json(&b, 4, "", o)
	if runs := perNode(o); len(runs) > 0 {
		fmt.Fprintf(&b, ",\n    \"Nodes\": %s", jsonValue(runs))
	}
	if o.Summary {
		fmt.Fprintf(&b, ",\n    \"Planning Time\": %s", millis(o.PlanningTime))
		if o.Analyze {
			fmt.Fprintf(&b, ",\n    \"Triggers\": [\n    ],\n    \"Execution Time\": %s", millis(o.ExecutionTime))
		}
	} else if o.Analyze {
		b.WriteString(",\n    \"Triggers\": [\n    ]")
	}
	b.WriteString("\n  }\n]")
	return b.String()
}

func (d *description) json(b *strings.Builder, indent int, relationship string, o ExplainOptions) {
	pad := strings.Repeat(" ", indent+2)
	b.WriteString("{\n")
	first := true
	put := func(label string, v any) {
		if !first {
			b.WriteString(",\n")
		}
		first = false
		fmt.Fprintf(b, "%s%s: %s", pad, quoteJSON(label), jsonValue(v))
	}
	put("Node Type", d.name)
	if relationship != "" {
		put("Parent Relationship", relationship)
	}
	if d.label != "" {
		put("Subplan Name", d.label)
	}
	put("Parallel Aware", false)
	put("Async Capable", false)
	for _, f := range d.fields {
		put(f.label, f.value)
	}
	if o.Costs {
		put("Startup Cost", fixed{d.n.Startup, 2})
		put("Total Cost", fixed{d.n.Total, 2})
		put("Plan Rows", fixed{d.n.Rows, 0})
		put("Plan Width", fixed{d.n.Width, 0})
	}
	if o.Analyze {
		l, startup, total, rows := 0.0, 0.0, 0.0, 0.0
		if d.run && d.stats.Loops > 0 {
			l = float64(d.stats.Loops)
			startup, total, rows = float64(d.stats.Startup)/1e6/l, float64(d.stats.Total)/1e6/l, float64(d.stats.Rows)/l
		}
		if o.Timing {
			put("Actual Startup Time", fixed{startup, 3})
			put("Actual Total Time", fixed{total, 3})
		}
		put("Actual Rows", fixed{rows, 0})
		put("Actual Loops", fixed{l, 0})
	}
	for _, pr := range d.props {
		if !pr.textOnly {
			put(pr.label, pr.value)
		}
	}
	if len(d.subs)+len(d.kids) > 0 {
		fmt.Fprintf(b, ",\n%s\"Plans\": [\n", pad)
		i := 0
		child := func(k *description, rel string) {
			if i > 0 {
				b.WriteString(",\n")
			}
			i++
			b.WriteString(strings.Repeat(" ", indent+4))
			k.json(b, indent+4, rel, o)
		}
		for _, s := range d.subs {
			child(s, "InitPlan")
		}
		for k, c := range d.kids {
			rel := "Outer"
			switch {
			case d.name == "Append":
				rel = "Member"
			case k == 1:
				rel = "Inner"
			}
			child(c, rel)
		}
		for _, s := range d.rowPlans {
			child(s, "SubPlan")
		}
		fmt.Fprintf(b, "\n%s]", pad)
	}
	fmt.Fprintf(b, "\n%s}", strings.Repeat(" ", indent))
}

// fixed is a number shown with a number of decimals.
type fixed struct {
	v        float64
	decimals int
}

func quoteJSON(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return `""`
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func jsonValue(v any) string {
	switch x := v.(type) {
	case string:
		return quoteJSON(x)
	case []string:
		q := make([]string, len(x))
		for i, s := range x {
			q[i] = quoteJSON(s)
		}
		return "[" + strings.Join(q, ", ") + "]"
	case []FragmentRun:
		q := make([]string, len(x))
		for i := range x {
			q[i] = x[i].json()
		}
		return "[" + strings.Join(q, ", ") + "]"
	case bool:
		return fmt.Sprintf("%v", x)
	case fixed:
		return fmt.Sprintf("%.*f", x.decimals, x.v)
	case float64:
		return fmt.Sprintf("%.0f", x)
	}
	return fmt.Sprintf("%v", v)
}
