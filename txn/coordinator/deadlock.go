package coordinator

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/txn"
)

// Detector finds deadlocks that span nodes; a node finds its own at once. It
// collects all wait-for edges every Interval. The graphs of the nodes are not of
// one moment, so a cycle counts when it was there two times in a row with the
// same waits: a transaction gives locks back before its end only by rolling back to a savepoint.
// A session and its transaction wait for each other's blockers: where advisory locks are
// in play, both count as their process.
type Detector struct {
	Interval time.Duration
	Nodes    func() []txn.NodeID
	Node     func(txn.NodeID) (txn.Participant, error)

	last map[string]bool // cycles of the round before
}

// Run looks for deadlocks until ctx ends. One process of a database does.
func (d *Detector) Run(ctx context.Context) {
	t := time.NewTicker(d.Interval)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		d.Round(ctx)
	}
}

type edge struct {
	txn.Wait
	node txn.NodeID
	// waiter is who waits at the node; Waiter may stand for its process.
	waiter txn.ID
}

// byProcess marks a process that stands in the graph for all its transactions.
const byProcess txn.ID = 1 << 63

// joinSessions puts processes in the place of transactions where advisory locks are held
// or waited for.
func joinSessions(edges []edge) map[txn.ID][]edge {
	sessions := map[int32]bool{}
	for _, e := range edges {
		if e.Advisory {
			sessions[e.WaiterPID], sessions[e.BlockerPID] = true, true
		}
	}
	node := func(id txn.ID, pid int32) txn.ID {
		if pid != 0 && sessions[pid] {
			return byProcess | txn.ID(uint32(pid))
		}
		return id
	}
	out := map[txn.ID][]edge{}
	for _, e := range edges {
		e.waiter = e.Waiter
		e.Waiter, e.Blocker = node(e.Waiter, e.WaiterPID), node(e.Blocker, e.BlockerPID)
		if e.Waiter != e.Blocker { // of an ended transaction of the session, at most
			out[e.Waiter] = append(out[e.Waiter], e)
		}
	}
	return out
}

// Round looks once.
func (d *Detector) Round(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, askWait)
	defer cancel()
	var edges []edge
	for _, n := range d.Nodes() {
		p, err := d.Node(n)
		if err != nil {
			continue
		}
		w, err := p.Waits(ctx)
		if err != nil {
			continue // what waits there cannot be ended now either
		}
		for _, x := range w {
			edges = append(edges, edge{Wait: x, node: n})
		}
	}
	out := joinSessions(edges)
	seen := map[string]bool{}
	for len(out) > 0 {
		cycle := findCycle(out)
		if cycle == nil {
			break
		}
		// The youngest wait is the one that closed it.
		young := 0
		var name strings.Builder
		for i, e := range cycle {
			if e.Since.After(cycle[young].Since) {
				young = i
			}
		}
		cycle = append(cycle[young:len(cycle):len(cycle)], cycle[:young]...)
		for _, e := range cycle {
			fmt.Fprintf(&name, "%d>%d@%d ", e.Waiter, e.Blocker, e.Since.UnixNano())
		}
		seen[name.String()] = true
		victim := cycle[0]
		if d.last[name.String()] {
			if p, err := d.Node(victim.node); err == nil {
				_ = p.CancelWait(ctx, victim.waiter, report(cycle)) // or the next round does
			}
		}
		delete(out, victim.Waiter)
	}
	d.last = seen
}

// findCycle is some cycle of the graph, nil when there is none.
func findCycle(out map[txn.ID][]edge) []edge {
	const (
		onPath = 1
		done   = 2
	)
	state := map[txn.ID]int{}
	var path []edge
	var visit func(id txn.ID) []edge
	visit = func(id txn.ID) []edge {
		state[id] = onPath
		for _, e := range out[id] {
			path = append(path, e)
			switch state[e.Blocker] {
			case onPath:
				for i := range path {
					if path[i].Waiter == e.Blocker {
						return append([]edge{}, path[i:]...)
					}
				}
			case 0:
				if c := visit(e.Blocker); c != nil {
					return c
				}
			}
			path = path[:len(path)-1]
		}
		state[id] = done
		return nil
	}
	for id := range out {
		if state[id] == 0 {
			if c := visit(id); c != nil {
				return c
			}
		}
	}
	return nil
}

// report is PostgreSQL's report of a deadlock.
func report(cycle []edge) error {
	var b strings.Builder
	for i, e := range cycle {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "Process %d waits for %s; blocked by process %d.", e.WaiterPID, e.What, e.BlockerPID)
	}
	return pgerror.New(pgerror.DeadlockDetected, "deadlock detected").WithDetail("%s", b.String()).
		WithHint("See server log for query details.")
}
