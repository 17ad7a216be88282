package plan

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/basaltdb/basalt/vexec"
)

func explain(pl *Planned, o ExplainOptions) []string {
	d := &describer{p: pl.names, opts: o}
	d.countNames(pl)
	d.subPlans = len(pl.InitPlans)
	root := d.describe(pl.Root)
	root.subs = append(d.subplans(pl), root.subs...)
	if o.Format == ExplainJSON {
		return []string{explainJSON(root, o)}
	}
	var lines []string
	root.text(&lines, 0, "", o)
	lines = append(lines, nodeLines(o)...)
	if o.Summary {
		if o.PlanningTime > 0 || o.Analyze || o.Summary {
			lines = append(lines, fmt.Sprintf("Planning Time: %s ms", millis(o.PlanningTime)))
		}
		if o.Analyze {
			lines = append(lines, fmt.Sprintf("Execution Time: %s ms", millis(o.ExecutionTime)))
		}
	}
	return lines
}

func millis(d time.Duration) string { return fmt.Sprintf("%.3f", float64(d)/1e6) }

// description is one node as EXPLAIN shows it.
type description struct {
	// name is the node's type; title what the text format writes for it.
	name, title string
	// relation is the node's JSON-only fields (Relation Name, Alias, Join Type …).
	fields []property
	// props are shown by both formats.
	props []property
	subs  []*description // init plans and CTEs, with label
	label string
	kids  []*description
	// rowPlans are sub-selects run for each row, with label.
	rowPlans []*description
	n        *Node
	stats    *vexec.OpStats
	run      bool // stats are known
}

// property is a labelled value; list values are joined by commas in text.
type property struct {
	label string
	value any // string, []string, float64, int64, bool
	// textOnly and jsonOnly restrict it to a format.
	textOnly, jsonOnly bool
}

func (d *description) text(lines *[]string, indent int, arrow string, o ExplainOptions) {
	var b strings.Builder
	b.WriteString(strings.Repeat(" ", indent))
	b.WriteString(arrow)
	b.WriteString(d.title)
	if o.Costs {
		fmt.Fprintf(&b, "  (cost=%.2f..%.2f rows=%.0f width=%.0f)", d.n.Startup, d.n.Total, math.Max(d.n.Rows, boolTo(d.n.Rows > 0)), d.n.Width)
	}
	if o.Analyze {
		if d.run && d.stats.Loops > 0 {
			l := float64(d.stats.Loops)
			if o.Timing {
				fmt.Fprintf(&b, " (actual time=%.3f..%.3f rows=%.0f loops=%.0f)", float64(d.stats.Startup)/1e6/l, float64(d.stats.Total)/1e6/l, float64(d.stats.Rows)/l, l)
			} else {
				fmt.Fprintf(&b, " (actual rows=%.0f loops=%.0f)", float64(d.stats.Rows)/l, l)
			}
		} else {
			b.WriteString(" (never executed)")
		}
	}
	*lines = append(*lines, b.String())
	pad := strings.Repeat(" ", indent+2)
	if arrow != "" {
		pad = strings.Repeat(" ", indent+6)
	}
	for _, pr := range d.props {
		if pr.jsonOnly {
			continue
		}
		v := pr.value
		if l, ok := v.([]string); ok {
			v = strings.Join(l, ", ")
		}
		if r, ok := v.([]FragmentRun); ok {
			for i := range r {
				*lines = append(*lines, pad+r[i].text(o))
			}
			continue
		}
		if f, ok := v.(float64); ok {
			v = fmt.Sprintf("%.0f", f)
		}
		*lines = append(*lines, fmt.Sprintf("%s%s: %v", pad, pr.label, v))
	}
	next := indent + 2
	if arrow != "" {
		next = indent + 6
	}
	for _, s := range d.subs {
		*lines = append(*lines, pad+s.label)
		s.text(lines, next+2, "->  ", o)
	}
	for _, k := range d.kids {
		k.text(lines, next, "->  ", o)
	}
	for _, s := range d.rowPlans {
		*lines = append(*lines, pad+s.label)
		s.text(lines, next+2, "->  ", o)
	}
}
