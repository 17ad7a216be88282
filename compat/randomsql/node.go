package randomsql

import "strings"

// Node is a piece of SQL text: strings and nodes in sequence.
type Node struct {
	parts []any // string or *Node
	typ   typ   // of an expression; "" for other text
	alts  []string
	// chosen replaces everything below while reducing; nil: as generated.
	chosen *string
	stand  *Node
}

// text makes a node without a type.
func text(parts ...any) *Node { return &Node{parts: parts} }

// expr makes an expression of a type.
func expr(t typ, parts ...any) *Node { return &Node{parts: parts, typ: t} }

// optional makes a clause that can be dropped.
func optional(parts ...any) *Node { return &Node{parts: parts, alts: []string{""}} }

// String is the SQL text.
func (n *Node) String() string {
	var b strings.Builder
	n.write(&b)
	return b.String()
}

func (n *Node) write(b *strings.Builder) {
	switch {
	case n.chosen != nil:
		b.WriteString(*n.chosen)
		return
	case n.stand != nil:
		n.stand.write(b)
		return
	}
	for _, p := range n.parts {
		switch p := p.(type) {
		case string:
			b.WriteString(p)
		case *Node:
			p.write(b)
		}
	}
}

// live visits the nodes that still show, outermost first.
func (n *Node) live(visit func(*Node)) {
	visit(n)
	switch {
	case n.chosen != nil:
	case n.stand != nil:
		n.stand.live(visit)
	default:
		for _, p := range n.parts {
			if c, ok := p.(*Node); ok {
				c.live(visit)
			}
		}
	}
}

// Reduce makes root smaller while differs stays true for its text, trying at most
// budget texts.
func Reduce(root *Node, budget int, differs func(sql string) bool) {
	try := func(undo func()) bool {
		budget--
		if budget >= 0 && differs(root.String()) {
			return true
		}
		undo()
		return false
	}
	for again := true; again && budget > 0; {
		again = false
		var nodes []*Node
		root.live(func(n *Node) { nodes = append(nodes, n) })
		for _, n := range nodes {
			if budget <= 0 {
				return
			}
			if n.chosen != nil || n == root {
				continue
			}
			if n.shrink(try) {
				again = true
				break // what shows has changed: walk anew
			}
		}
	}
}

// shrink tries each smaller form of one node.
func (n *Node) shrink(try func(undo func()) bool) bool {
	old := n.stand
	before := len(n.String())
	alts := n.alts
	if n.typ != "" {
		alts = append(append([]string{}, alts...), literals[n.typ]...)
	}
	for _, a := range alts {
		if len(a) >= before {
			continue
		}
		n.chosen = &a
		if try(func() { n.chosen = nil }) {
			return true
		}
	}
	if n.typ == "" {
		return false
	}
	var below []*Node
	n.live(func(c *Node) {
		if c != n && c != old && c.typ == n.typ {
			below = append(below, c)
		}
	})
	for _, c := range below {
		if len(c.String()) >= before {
			continue
		}
		n.stand = c
		if try(func() { n.stand = old }) {
			return true
		}
	}
	return false
}
