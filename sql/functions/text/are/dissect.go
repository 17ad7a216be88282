package are

// dissector divides a match among its parts. Each part takes the longest or
// shortest piece (its preference) that lets the rest of the expression match what
// remains; parts further left choose first.
type dissector struct {
	s    string
	caps []int
	err  error
}

func (d *dissector) program(n *node) *program {
	p, err := compile(n)
	if err != nil {
		d.err = err
		return &program{code: []inst{{op: iMatch}}}
	}
	return p
}

// ends lists where n, started at i, can end at or before j, preferred ends first.
func (d *dissector) ends(n *node, i, j int) []int {
	var out []int
	newMachine(d.program(n), d.s).ends(i, j, func(e int) bool { out = append(out, e); return true })
	if n.pref != shortest {
		for a, b := 0, len(out)-1; a < b; a, b = a+1, b-1 {
			out[a], out[b] = out[b], out[a]
		}
	}
	return out
}

// spans reports whether n matches exactly s[i:j].
func (d *dissector) spans(n *node, i, j int) bool {
	found := false
	newMachine(d.program(n), d.s).ends(i, j, func(e int) bool { found = e == j; return !found })
	return found
}

// node divides s[i:j], which n matches.
func (d *dissector) node(n *node, i, j int) {
	if !n.caps || d.err != nil {
		return
	}
	switch n.kind {
	case kGroup:
		d.caps[2*n.n], d.caps[2*n.n+1] = i, j
		d.node(n.kids[0], i, j)
	case kConcat:
		d.concat(n.kids, i, j)
	case kAlt:
		for _, k := range n.kids {
			if d.spans(k, i, j) {
				d.node(k, i, j)
				return
			}
		}
	case kRepeat:
		d.repeat(n, i, j)
	}
}

func (d *dissector) concat(kids []*node, i, j int) {
	for len(kids) > 1 {
		rest := &node{kind: kConcat, kids: kids[1:]}
		mid := -1
		for _, e := range d.ends(kids[0], i, j) {
			if d.spans(rest, e, j) {
				mid = e
				break
			}
		}
		if mid < 0 {
			return
		}
		d.node(kids[0], i, mid)
		i, kids = mid, kids[1:]
	}
	d.node(kids[0], i, j)
}

// repeat finds what the last iteration matched; only that is captured. With a
// minimum the iterations before the last choose first, as one part.
func (d *dissector) repeat(n *node, i, j int) {
	kid := n.kids[0]
	if n.min > 0 {
		before := &node{kind: kRepeat, kids: n.kids, min: n.min - 1, max: max(n.max-1, -1), pref: n.pref}
		for _, e := range d.ends(before, i, j) {
			if d.spans(kid, e, j) {
				d.node(kid, e, j)
				return
			}
		}
		return
	}
	if i == j { // one empty iteration where the part can match nothing, unless it would rather be short
		if n.max != 0 && kid.pref != shortest && d.spans(kid, i, j) {
			d.node(kid, i, j)
		}
		return
	}
	for left := n.max; d.err == nil && left != 0; left-- {
		rest := &node{kind: kRepeat, kids: n.kids, max: max(left-1, -1)}
		mid := -1
		for _, e := range d.ends(kid, i, j) {
			if e == i { // an empty iteration gets nowhere
				continue
			}
			if e == j || d.spans(rest, e, j) {
				mid = e
				break
			}
		}
		if mid < 0 {
			return
		}
		d.clear(kid)
		d.node(kid, i, mid)
		if mid == j {
			return
		}
		i = mid
	}
}

// clear forgets the captures of an earlier iteration.
func (d *dissector) clear(n *node) {
	if n.kind == kGroup {
		d.caps[2*n.n], d.caps[2*n.n+1] = -1, -1
	}
	for _, k := range n.kids {
		d.clear(k)
	}
}
