package expr

import (
	"github.com/apache/arrow/go/v17/arrow"
	"google.golang.org/protobuf/proto"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// Shared finds calls that stand in several expressions over the same rows, so that
// expressions compiled with it compute them once per Input. It belongs to one worker.
type Shared struct {
	count map[string]int
	nodes map[string]*sharedNode
}

// NewShared looks for repeated calls in expressions.
func NewShared(es []*planpb.Expr) *Shared {
	s := &Shared{count: map[string]int{}, nodes: map[string]*sharedNode{}}
	for _, e := range es {
		s.visit(e)
	}
	return s
}

func (s *Shared) visit(e *planpb.Expr) {
	f := e.GetFunc()
	if f == nil {
		return
	}
	if k := sharedKey(e); k != "" {
		if s.count[k]++; s.count[k] > 1 {
			return // its parts are not asked for again
		}
	}
	for _, a := range f.GetArgs() {
		s.visit(a)
	}
}

func sharedKey(e *planpb.Expr) string {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(e)
	if err != nil {
		return ""
	}
	return string(b)
}

// CompileShared is Compile with repeated calls taken from s.
func CompileShared(e *planpb.Expr, reg *Registry, frame *Frame, s *Shared) (*Expr, error) {
	return compileTop(&maker{reg: reg, frame: frame, shared: s}, e)
}

// repeated is the key of a call that other expressions have too, "" for others.
func (m *maker) repeated(e *planpb.Expr) string {
	f := e.GetFunc()
	if m.shared == nil || f == nil || len(m.locals) > 0 || m.coded {
		return ""
	}
	if k := sharedKey(e); m.shared.count[k] > 1 && m.steady(e) {
		return k
	}
	return ""
}

// steady: no call in e is volatile.
func (m *maker) steady(e *planpb.Expr) bool {
	switch k := e.GetKind().(type) {
	case *planpb.Expr_Column, *planpb.Expr_Const, *planpb.Expr_Param:
		return true
	case *planpb.Expr_Func:
		if fn := m.reg.Function(types.OID(k.Func.GetOid())); fn != nil && fn.Volatility == Volatile {
			return false
		}
		for _, a := range k.Func.GetArgs() {
			if !m.steady(a) {
				return false
			}
		}
		return true
	}
	return false
}

// sharedNode remembers its value for the last Input.
type sharedNode struct {
	inner node
	in    *Input
	vec   arrow.Array
	reads []int // columns
}

func (s *sharedNode) eval(f *Frame, in *Input) (arrow.Array, error) {
	if s.in == in {
		return s.vec, nil
	}
	v, err := s.inner.eval(f, in)
	if err != nil {
		return nil, err
	}
	s.in, s.vec = in, v
	return v, nil
}
