package fragment

import (
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/basaltdb/basalt/vexec/planpb"
)

// externalTypes finds the types of the statement's parameters $1 … $n that a
// fragment refers to; nil for those it does not.
func externalTypes(f *planpb.Fragment, n int) []*planpb.Type {
	out := make([]*planpb.Type, n)
	var visit func(m protoreflect.Message)
	visit = func(m protoreflect.Message) {
		if e, ok := m.Interface().(*planpb.Expr); ok {
			if p := e.GetParam(); p != nil {
				if i := int(p.GetIndex()) - 1; p.GetKind() == planpb.Param_EXTERNAL && i >= 0 && i < n {
					out[i] = e.GetType()
				}
				return
			}
		}
		m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			if fd.Message() == nil || fd.IsMap() {
				return true
			}
			if !fd.IsList() {
				visit(v.Message())
				return true
			}
			l := v.List()
			for i := range l.Len() {
				visit(l.Get(i).Message())
			}
			return true
		})
	}
	visit(f.ProtoReflect())
	return out
}
