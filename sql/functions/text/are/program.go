package are

// A program is a list of instructions; execution may be at several at once.
type opcode uint8

const (
	iSet    opcode = iota // a character of set, then next
	iSplit                // next and other
	iJump                 // next
	iAssert               // next if the assertion holds
	iLook                 // next if sub holds here
	iMatch
)

type inst struct {
	op          opcode
	next, other int
	set         *set
	what        assertion
	look        *node
	sub         *program
}

type program struct {
	code []inst
}

// programMax bounds the instructions of one expression.
const programMax = 100_000

// compile makes the program of a tree without back references.
func compile(n *node) (*program, error) {
	p := &program{}
	if err := p.emit(n); err != nil {
		return nil, err
	}
	p.code = append(p.code, inst{op: iMatch})
	return p, nil
}

func (p *program) put(i inst) int {
	i.next = len(p.code) + 1
	p.code = append(p.code, i)
	return len(p.code) - 1
}

func (p *program) emit(n *node) error {
	if len(p.code) > programMax {
		return syntaxError(errTooBig)
	}
	switch n.kind {
	case kSet:
		p.put(inst{op: iSet, set: n.set})
	case kConcat, kGroup:
		for _, k := range n.kids {
			if err := p.emit(k); err != nil {
				return err
			}
		}
	case kAlt:
		var ends []int
		for i, k := range n.kids {
			split := -1
			if i < len(n.kids)-1 {
				split = p.put(inst{op: iSplit})
			}
			if err := p.emit(k); err != nil {
				return err
			}
			if split >= 0 {
				ends = append(ends, p.put(inst{op: iJump}))
				p.code[split].other = len(p.code)
			}
		}
		for _, e := range ends {
			p.code[e].next = len(p.code)
		}
	case kRepeat:
		for range n.min {
			if err := p.emit(n.kids[0]); err != nil {
				return err
			}
		}
		if n.max < 0 {
			split := p.put(inst{op: iSplit})
			if err := p.emit(n.kids[0]); err != nil {
				return err
			}
			p.code[p.put(inst{op: iJump})].next = split
			p.code[split].other = len(p.code)
			return nil
		}
		var splits []int
		for range n.max - n.min {
			splits = append(splits, p.put(inst{op: iSplit}))
			if err := p.emit(n.kids[0]); err != nil {
				return err
			}
		}
		for _, s := range splits {
			p.code[s].other = len(p.code)
		}
	case kAssert:
		p.put(inst{op: iAssert, what: n.what})
	case kLook:
		sub, err := compile(n.kids[0])
		if err != nil {
			return err
		}
		p.put(inst{op: iLook, look: n, sub: sub})
	}
	return nil
}
