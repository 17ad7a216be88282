package history

import (
	"container/heap"
	"slices"
)

// edgeKind is why one event comes before another.
type edgeKind uint8

const (
	ww edgeKind = 1 << iota
	wr
	rw
	rt
	own   // of one transaction: its snapshot before its commit
	chain // between moments
)

const anyEdge = ww | wr | rw | rt | own | chain

func (e edgeKind) String() string {
	switch e {
	case ww:
		return "ww"
	case wr:
		return "wr"
	case rw:
		return "rw"
	case rt:
		return "rt"
	}
	return ""
}

// edge leads to a node. from and to are the versions it is about.
type edge struct {
	to         int32
	kind       edgeKind
	key        string
	from, next int64
}

// node is an event of a transaction, at some moment of [start, end]. txn is -1 for
// a moment: the end of somebody else, which all that start later come after. Moments
// are a chain, so that the edges in time are as many as the nodes, not their square.
type node struct {
	txn        int
	what       string // which event, "" where the transaction is one
	start, end int64
	out        []edge
}

type graph struct{ nodes []node }

func (g *graph) add(txn int, what string, start, end int64) int32 {
	g.nodes = append(g.nodes, node{txn: txn, what: what, start: start, end: end})
	return int32(len(g.nodes) - 1)
}

func (g *graph) edge(from int32, e edge) { g.nodes[from].out = append(g.nodes[from].out, e) }

// order adds the rt edges: from each node to those that start after its end.
func (g *graph) order() {
	type ending struct {
		at int64
		n  int32
	}
	var ends []ending
	events := len(g.nodes)
	for i := range g.nodes {
		if e := g.nodes[i].end; e != never {
			ends = append(ends, ending{e, int32(i)})
		}
	}
	slices.SortFunc(ends, func(a, b ending) int {
		switch {
		case a.at < b.at:
			return -1
		case a.at > b.at:
			return 1
		}
		return int(a.n - b.n)
	})
	first := int32(events)
	for i, e := range ends {
		m := g.add(-1, "", e.at, e.at)
		g.edge(e.n, edge{to: m, kind: rt})
		if i > 0 {
			g.edge(m-1, edge{to: m, kind: chain})
		}
	}
	for i := range events {
		before, _ := slices.BinarySearchFunc(ends, g.nodes[i].start, func(e ending, at int64) int {
			if e.at < at {
				return -1
			}
			return 1
		})
		if before > 0 {
			g.edge(first+int32(before)-1, edge{to: int32(i), kind: chain})
		}
	}
}

// components are the strongly connected components of more than one node along
// edges of some kinds: Tarjan's algorithm with a stack of its own.
func (g *graph) components(kinds edgeKind) [][]int32 {
	n := len(g.nodes)
	index, low := make([]int32, n), make([]int32, n) // from 1; 0: not met
	onStack := make([]bool, n)
	type frame struct {
		n    int32
		next int
	}
	var stack []int32
	var calls []frame
	var found [][]int32
	var count int32
	for root := range n {
		if index[root] != 0 {
			continue
		}
		calls = append(calls[:0], frame{n: int32(root)})
		for len(calls) > 0 {
			f := &calls[len(calls)-1]
			v := f.n
			if f.next == 0 {
				count++
				index[v], low[v] = count, count
				stack = append(stack, v)
				onStack[v] = true
			}
			descended := false
			for out := g.nodes[v].out; f.next < len(out); {
				e := &out[f.next]
				f.next++
				if e.kind&kinds == 0 {
					continue
				}
				if index[e.to] == 0 {
					calls = append(calls, frame{n: e.to})
					descended = true
					break
				}
				if onStack[e.to] {
					low[v] = min(low[v], index[e.to])
				}
			}
			if descended {
				continue
			}
			if low[v] == index[v] {
				at := len(stack) - 1
				for stack[at] != v {
					at--
				}
				for _, w := range stack[at:] {
					onStack[w] = false
				}
				if len(stack)-at > 1 {
					found = append(found, slices.Clone(stack[at:]))
				}
				stack = stack[:at]
			}
			calls = calls[:len(calls)-1]
			if len(calls) > 0 {
				p := calls[len(calls)-1].n
				low[p] = min(low[p], low[v])
			}
		}
	}
	return found
}

// step is an edge of a cycle with the node it leaves.
type step struct {
	from int32
	edge
}

// startsMax bounds the nodes of a component from which a short cycle is looked for.
const startsMax = 200

// cycle is a cheap cycle in a component: few rw edges first, then few edges.
func (g *graph) cycle(component []int32, kinds edgeKind) []step {
	inside := make(map[int32]bool, len(component))
	for _, n := range component {
		inside[n] = true
	}
	var best []step
	bestCost := -1
	starts := 0
	for _, s := range component {
		if g.nodes[s].txn < 0 {
			continue
		}
		if starts++; starts > startsMax {
			break
		}
		if c, cost := g.cycleFrom(s, inside, kinds, bestCost); c != nil {
			best, bestCost = c, cost
		}
	}
	return best
}

// cost of an edge: cheap cycles have no edges in time, then no rw edges, then few.
func (e edgeKind) cost() int {
	switch e {
	case own, chain:
		return 0
	case rw:
		return 100
	case rt:
		return 10_000
	}
	return 1
}

// cycleFrom is the cheapest cycle through s that costs less than limit (-1: any).
func (g *graph) cycleFrom(s int32, inside map[int32]bool, kinds edgeKind, limit int) ([]step, int) {
	dist := map[int32]int{}
	by := map[int32]step{}
	q := &queue{{s, 0}}
	done := map[int32]bool{}
	closed := false
	for q.Len() > 0 {
		x := heap.Pop(q).(queued)
		if limit >= 0 && x.cost >= limit {
			return nil, 0
		}
		if x.n == s && closed {
			var c []step
			for n := s; ; {
				st := by[n]
				c = append(c, st)
				if n = st.from; n == s {
					break
				}
			}
			slices.Reverse(c)
			return c, x.cost
		}
		if done[x.n] {
			continue
		}
		if x.n != s { // the start may be met again
			done[x.n] = true
		}
		for _, e := range g.nodes[x.n].out {
			if e.kind&kinds == 0 || !inside[e.to] || done[e.to] {
				continue
			}
			d := x.cost + e.kind.cost()
			if was, ok := dist[e.to]; ok && was <= d {
				continue
			}
			dist[e.to], by[e.to] = d, step{x.n, e}
			if e.to == s {
				closed = true
			}
			heap.Push(q, queued{e.to, d})
		}
	}
	return nil, 0
}

type queued struct {
	n    int32
	cost int
}

type queue []queued

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].cost < q[j].cost }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)        { *q = append(*q, x.(queued)) }
func (q *queue) Pop() any {
	old := *q
	x := old[len(old)-1]
	*q = old[:len(old)-1]
	return x
}
