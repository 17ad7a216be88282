package txn

import (
	"encoding/binary"
	"sort"
)

// Slot is a position in the hash space of distribution keys, below Slots.
type Slot uint16

// Slots is the number of slots (frozen: it is part of where rows lie).
const Slots = 4096

// TabletID names a tablet. Every key begins with it, two bytes, big endian.
type TabletID uint16

// TabletOf is the tablet of a key.
func TabletOf(key []byte) TabletID { return TabletID(binary.BigEndian.Uint16(key)) }

const (
	// LocalTablet holds a node's own records.
	LocalTablet TabletID = 0
	// SystemTablet holds the catalog; on a lone node, everything.
	SystemTablet TabletID = 1
)

// NodeID names a process of the database; 1 is the first. Never reused.
type NodeID uint32

// Tablet is a range of slots on a node.
type Tablet struct {
	ID   TabletID
	Node NodeID
	// First and End bound its slots, End exclusive.
	First, End Slot
}

// Placement says which tablet has a slot and which node has a tablet. It is
// immutable; Version grows with every change.
type Placement struct {
	Version uint64
	// System is the node of the system tablet.
	System NodeID
	// Tablets are the data tablets, ascending; they cover all slots. A lone node has
	// one: the system tablet itself.
	Tablets []Tablet
}

// LonePlacement puts everything in the system tablet of node.
func LonePlacement(node NodeID) *Placement {
	return &Placement{System: node, Tablets: []Tablet{{ID: SystemTablet, Node: node, First: 0, End: Slots}}}
}

// EvenPlacement cuts the slots into n data tablets, from tablet 2 on, spread
// round robin over nodes; system has the system tablet. REQUIRES: 1 ≤ n ≤ Slots, nodes not empty.
func EvenPlacement(system NodeID, nodes []NodeID, n int) *Placement {
	p := &Placement{Version: 1, System: system}
	for i := range n {
		p.Tablets = append(p.Tablets, Tablet{ID: SystemTablet + 1 + TabletID(i), Node: nodes[i%len(nodes)],
			First: Slot(i * Slots / n), End: Slot((i + 1) * Slots / n)})
	}
	return p
}

// Lone reports that there is one tablet, so that nothing need be hashed.
func (p *Placement) Lone() bool { return len(p.Tablets) == 1 }

// Of is the tablet of a slot.
func (p *Placement) Of(s Slot) TabletID {
	if len(p.Tablets) == 1 {
		return p.Tablets[0].ID
	}
	return p.Tablets[sort.Search(len(p.Tablets), func(i int) bool { return s < p.Tablets[i].End })].ID
}

// NodeOf is the node of a tablet, 0 when there is none of that name.
func (p *Placement) NodeOf(t TabletID) NodeID {
	if t == SystemTablet {
		return p.System
	}
	for i := range p.Tablets {
		if p.Tablets[i].ID == t {
			return p.Tablets[i].Node
		}
	}
	return 0
}

// On lists the data tablets of a node.
func (p *Placement) On(n NodeID) []TabletID {
	var out []TabletID
	for i := range p.Tablets {
		if p.Tablets[i].Node == n {
			out = append(out, p.Tablets[i].ID)
		}
	}
	return out
}

// Nodes lists the nodes that have data tablets, each once, in order of first appearance.
func (p *Placement) Nodes() []NodeID {
	var out []NodeID
	seen := map[NodeID]bool{}
	for i := range p.Tablets {
		if n := p.Tablets[i].Node; !seen[n] {
			seen[n] = true
			out = append(out, n)
		}
	}
	return out
}
