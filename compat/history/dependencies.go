package history

import (
	"fmt"
	"slices"
	"strings"
)

// events names the nodes that stand for a transaction in a level's graph.
type events struct {
	graph
	// commit is where a transaction's writes happen.
	commit []int32
	// replaces is where a transaction comes after those whose versions it replaces.
	replaces []int32
	// read is where an operation's read happens, by transaction and operation.
	read func(txn, op int) int32
}

// connect adds ww, wr and rw edges.
func (k *checker) connect(g *events) {
	for from, next := range k.next {
		for _, to := range next {
			if a, ok := k.writer(from); ok {
				if b, ok := k.writer(to); ok && a != b {
					g.edge(g.commit[a], edge{to: g.replaces[b], kind: ww, key: to.key, from: from.value, next: to.value})
				}
			}
		}
	}
	for _, o := range k.observed {
		n := g.read(o.txn, o.op)
		if n < 0 {
			continue
		}
		if w, ok := k.writer(o.version); ok && w != o.txn {
			g.edge(g.commit[w], edge{to: n, kind: wr, key: o.version.key, from: o.version.value})
		}
		for _, next := range k.next[o.version] {
			if w, ok := k.writer(next); ok && w != o.txn {
				g.edge(n, edge{to: g.commit[w], kind: rw, key: next.key, from: o.version.value, next: next.value})
			}
		}
	}
}

// dependencies looks for the cycles that every level forbids: commits alone, by what
// they replaced and what they read.
func (k *checker) dependencies() {
	g := k.whole(func(t int) bool { return k.counts[t] })
	k.cycles(&g.graph, ww, "G0")
	k.cycles(&g.graph, ww|wr, "G1c")
}

// statements judges READ COMMITTED by a node per statement and one per commit.
func (k *checker) statements() {
	g := &events{commit: make([]int32, len(k.txns))}
	type at struct{ txn, op int }
	reads := map[at]int32{}
	for i := range k.txns {
		t := &k.txns[i]
		g.commit[i] = -1
		if k.counts[i] {
			g.commit[i] = g.add(i, "commit", t.Commit, k.end(i))
		}
		stmt, stmtStart := int32(-1), int64(-1)
		for j := range t.Ops {
			o := &t.Ops[j]
			if o.Kind != ReadList && o.Kind != ReadValue {
				continue
			}
			n := stmt
			if o.Locked || stmt < 0 || stmtStart != o.Start {
				n = g.add(i, "statement", o.Start, o.End)
				if g.commit[i] >= 0 {
					g.edge(n, edge{to: g.commit[i], kind: own})
				}
			}
			if !o.Locked {
				stmt, stmtStart = n, o.Start
			}
			reads[at{i, j}] = n
		}
	}
	g.replaces = g.commit
	g.read = func(txn, op int) int32 { return reads[at{txn, op}] }
	k.connect(g)
	g.order()
	k.cycles(&g.graph, anyEdge, "")
}

// snapshots judges snapshot isolation by a node per snapshot and one per commit.
func (k *checker) snapshots() {
	g := &events{commit: make([]int32, len(k.txns)), replaces: make([]int32, len(k.txns))}
	for i := range k.txns {
		t := &k.txns[i]
		g.commit[i], g.replaces[i] = -1, -1
		if len(t.Ops) == 0 {
			continue
		}
		start, end := t.first()
		g.replaces[i] = g.add(i, "snapshot", start, end)
		if k.counts[i] {
			g.commit[i] = g.add(i, "commit", t.Commit, k.end(i))
			g.edge(g.replaces[i], edge{to: g.commit[i], kind: own})
		}
	}
	g.read = func(txn, _ int) int32 { return g.replaces[txn] }
	k.connect(g)
	g.order()
	k.cycles(&g.graph, anyEdge, "")
}

// serial judges SERIALIZABLE by a node per transaction that committed.
func (k *checker) serial() {
	g := k.whole(func(t int) bool { return k.counts[t] || k.txns[t].Outcome == Committed })
	g.order()
	k.cycles(&g.graph, anyEdge, "")
}

// whole makes the graph with a node for each transaction that takes part.
func (k *checker) whole(part func(t int) bool) *events {
	g := &events{commit: make([]int32, len(k.txns))}
	for i := range k.txns {
		g.commit[i] = -1
		if part(i) {
			g.commit[i] = g.add(i, "", k.txns[i].start(), k.end(i))
		}
	}
	g.replaces = g.commit
	g.read = func(txn, _ int) int32 { return g.commit[txn] }
	k.connect(g)
	return g
}

// cycles reports a witness of each component that is one; name "" names it by its edges.
func (k *checker) cycles(g *graph, kinds edgeKind, name string) {
	for _, c := range g.components(kinds) {
		steps := g.cycle(c, kinds)
		if steps == nil {
			continue
		}
		called := name
		if called == "" {
			called = phenomenon(g, steps)
		}
		lines, txns := k.describe(g, steps)
		sorted := slices.Clone(txns)
		slices.Sort(sorted)
		id := fmt.Sprint(slices.Compact(sorted))
		if k.blamed[id] { // by another graph
			continue
		}
		k.blamed[id] = true
		k.report(called, "%s", txns, lines)
	}
}

// phenomenon names a cycle by its edges between transactions.
func phenomenon(g *graph, steps []step) string {
	var seq []edgeKind
	var all edgeKind
	rws := 0
	for _, s := range steps {
		if s.kind == own || s.kind == chain {
			continue
		}
		if s.kind == rw {
			rws++
		}
		all |= s.kind
		seq = append(seq, s.kind)
	}
	adjacent := false
	for i := range seq {
		if len(seq) > 1 && seq[i] == rw && seq[(i+1)%len(seq)] == rw {
			adjacent = true
		}
	}
	name := "G0"
	switch {
	case adjacent:
		name = "G2"
	case rws > 1:
		name = "G-nonadjacent"
	case rws == 1:
		name = "G-single"
	case all&wr != 0:
		name = "G1c"
	}
	if all&rt != 0 {
		name += "-realtime"
	}
	return name
}

// describe writes a cycle down, one edge a line, and lists its transactions.
func (k *checker) describe(g *graph, steps []step) (string, []int) {
	var lines []string
	var txns []int
	name := func(n int32) string {
		e := &g.nodes[n]
		if e.what == "" {
			return fmt.Sprintf("T%d", k.txns[e.txn].ID)
		}
		return fmt.Sprintf("T%d (%s)", k.txns[e.txn].ID, e.what)
	}
	last := int32(-1) // the event before a walk through moments
	turned := rotate(g, steps)
	for i, s := range turned {
		from, to := s.from, turned[(i+1)%len(turned)].from
		if t := g.nodes[from].txn; t >= 0 {
			last = from
			txns = append(txns, t)
		}
		switch {
		case s.kind == ww:
			lines = append(lines, fmt.Sprintf("%s -ww-> %s: %d of %s came after %d", name(from), name(to), s.next, s.key, s.edge.from))
		case s.kind == wr:
			lines = append(lines, fmt.Sprintf("%s -wr-> %s: read %d of %s", name(from), name(to), s.edge.from, s.key))
		case s.kind == rw:
			lines = append(lines, fmt.Sprintf("%s -rw-> %s: read %d of %s, which %d came after", name(from), name(to), s.edge.from, s.key, s.next))
		case s.kind == chain && g.nodes[to].txn >= 0:
			lines = append(lines, fmt.Sprintf("%s -rt-> %s: answered before the other was sent", name(last), name(to)))
		}
	}
	return "\n    " + strings.Join(lines, "\n    "), txns
}

// rotate lets a cycle begin at an event of a transaction.
func rotate(g *graph, steps []step) []step {
	for i, s := range steps {
		if g.nodes[s.from].txn >= 0 {
			return append(append([]step(nil), steps[i:]...), steps[:i]...)
		}
	}
	return steps
}
