package planpb_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/planpb"
)

func sample() *planpb.Fragment {
	t := types.Of(types.Int4)
	table := &planpb.Table{Name: "t", Columns: []*planpb.Column{{Attnum: 1, Name: "a", Type: planpb.NewType(t)}}, PrimaryKey: []*planpb.KeyPart{{}}}
	scan := &planpb.Plan{Id: 1, Output: []*planpb.Type{planpb.NewType(t)}, Op: &planpb.Plan_Scan{Scan: &planpb.Scan{Table: table, Columns: []int32{0},
		Filter: planpb.NewFunc(types.Of(types.Bool), 65, planpb.NewColumn(t, 0), planpb.NewConst(t, int32(1)))}}}
	sort := &planpb.Plan{Id: 2, Output: scan.Output, Op: &planpb.Plan_Sort{Sort: &planpb.Sort{Input: scan, Keys: []*planpb.SortKey{{Expr: planpb.NewColumn(t, 0)}}}}}
	return &planpb.Fragment{Version: planpb.FragmentVersion, Statement: &planpb.Statement{Root: sort, ExecSlots: 1}}
}

func TestValidate(t *testing.T) {
	if err := sample().Validate(); err != nil {
		t.Fatal(err)
	}
	for name, breakIt := range map[string]func(f *planpb.Fragment){
		"version":  func(f *planpb.Fragment) { f.Version = planpb.FragmentVersion + 1 },
		"root":     func(f *planpb.Fragment) { f.Statement.Root = nil },
		"operator": func(f *planpb.Fragment) { f.Statement.Root.Op = nil },
		"width":    func(f *planpb.Fragment) { f.Statement.Root.Output = nil },
		"column": func(f *planpb.Fragment) {
			f.Statement.Root.GetSort().Keys[0].Expr = planpb.NewColumn(types.Of(types.Int4), 7)
		},
		"table":   func(f *planpb.Fragment) { f.Statement.Root.GetSort().Input.GetScan().Table = nil },
		"ordinal": func(f *planpb.Fragment) { f.Statement.Root.GetSort().Input.GetScan().Columns[0] = 3 },
		"constant": func(f *planpb.Fragment) {
			f.Statement.Root.GetSort().Input.GetScan().Filter.GetFunc().Args[1].GetConst().Value = []byte{1}
		},
	} {
		f := sample()
		breakIt(f)
		if err := f.Validate(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// FuzzFragment: bytes from the network are either a valid fragment or an error, never a panic.
func FuzzFragment(f *testing.F) {
	b, err := proto.Marshal(sample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		var fr planpb.Fragment
		if proto.Unmarshal(b, &fr) != nil {
			return
		}
		if err := fr.Validate(); err != nil && pgerror.Is(err, pgerror.InternalError) {
			t.Fatal(err)
		}
	})
}
