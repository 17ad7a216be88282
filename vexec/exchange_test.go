package vexec_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/basaltdb/basalt/sql/functions"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/ipc"
	"github.com/basaltdb/basalt/vexec/planpb"
	. "github.com/basaltdb/basalt/vexec/vexectest"
)

// wired is a stream as it comes out of the wire.
type wired struct {
	d    *ipc.Decoder
	ms   []ipc.Message
	fail error
}

func (r *wired) Close() {}
func (r *wired) Next(ctx context.Context) (*vexec.Batch, error) {
	if len(r.ms) == 0 {
		return nil, r.fail
	}
	m := r.ms[0]
	r.ms = r.ms[1:]
	return r.d.Decode(m)
}

func rowType(p *planpb.Plan) []types.T {
	var ts []types.T
	for _, t := range p.GetOutput() {
		ts = append(ts, t.T())
	}
	return ts
}

// send runs a plan and splits its rows among partitions, encoded.
func send(t *testing.T, e *vexec.Executor, f *planpb.Fragment, env vexec.Exec) [][]ipc.Message {
	t.Helper()
	ctx := context.Background()
	env.Expr = &expr.Context{Ctx: ctx, Env: types.DefaultEnv()}
	p, err := e.NewPartitioner(f, env)
	if err != nil {
		t.Fatal(err)
	}
	c, err := e.Run(ctx, f.Statement, env)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	out := make([][]ipc.Message, p.Partitions())
	encs := make([]*ipc.Encoder, len(out))
	for i := range encs {
		encs[i] = ipc.NewEncoder(rowType(f.Statement.Root))
	}
	for {
		b, err := c.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if b == nil {
			return out
		}
		parts, err := p.Split(b)
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range parts {
			if x == nil {
				continue
			}
			if out[i], err = encs[i].Encode(out[i], x); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func partialCalls() []*planpb.AggCall {
	// columns: key int4, key text, int4, int8, numeric, float8, text, bool, interval, date
	tNum, tF8, tI8, tIv, tDate := types.Of(types.NumericOID), types.Of(types.Float8), types.Of(types.Int8), types.Of(types.IntervalOID), types.Of(types.DateOID)
	c := func(sig string, r types.T, cols ...*planpb.Expr) *planpb.AggCall {
		return &planpb.AggCall{Func: Proc(sig), Args: cols, Result: planpb.NewType(r)}
	}
	i4, i8, num, f8 := planpb.NewColumn(tInt, 2), planpb.NewColumn(tI8, 3), planpb.NewColumn(tNum, 4), planpb.NewColumn(tF8, 5)
	txt, b, iv, date := planpb.NewColumn(tText, 6), planpb.NewColumn(tBool, 7), planpb.NewColumn(tIv, 8), planpb.NewColumn(tDate, 9)
	star := c("count()", tI8)
	star.Star = true
	filtered := c("sum(int8)", tNum, i8)
	filtered.Filter = Func(tBool, "int4gt(int4,int4)", i4, planpb.NewConst(tInt, int32(0)))
	return []*planpb.AggCall{star, c("count(any)", tI8, txt), c("sum(int4)", tI8, i4), c("sum(int8)", tNum, i8), filtered, c("sum(numeric)", tNum, num),
		c("avg(int4)", tNum, i4), c("avg(int8)", tNum, i8), c("avg(numeric)", tNum, num), c("sum(float8)", tF8, f8), c("avg(float8)", tF8, f8),
		c("min(int4)", tInt, i4), c("max(int8)", tI8, i8), c("min(numeric)", tNum, num), c("max(float8)", tF8, f8), c("min(text)", tText, txt), c("max(text)", tText, txt),
		c("max(date)", tDate, date), c("min(interval)", tIv, iv), c("bool_and(bool)", tBool, b), c("every(bool)", tBool, b), c("bool_or(bool)", tBool, b),
		c("stddev(int4)", tNum, i4), c("var_pop(numeric)", tNum, num), c("variance(float8)", tF8, f8), c("regr_count(float8,float8)", tI8, f8, f8), c("regr_sxx(float8,float8)", tF8, f8, f8),
		c("bit_and(int4)", tInt, i4), c("bit_or(int8)", tI8, i8), c("bit_xor(int4)", tInt, i4), c("sum(interval)", tIv, iv), c("avg(interval)", tIv, iv)}
}

func partialRows(r *rand.Rand, n, groups int) ([]types.T, [][]types.Datum) {
	ts := []types.T{tInt, tText, tInt, types.Of(types.Int8), types.Of(types.NumericOID), types.Of(types.Float8), tText, tBool, types.Of(types.IntervalOID), types.Of(types.DateOID)}
	var rows [][]types.Datum
	for range n {
		row := []types.Datum{int32(r.Intn(groups)), fmt.Sprint("k", r.Intn(3)), int32(r.Intn(2000) - 1000), r.Int63() - r.Int63(),
			types.NumericFromInt64(r.Int63n(1e6)-5e5, int32(r.Intn(4))), float64(r.Intn(64)), strings.Repeat("x", r.Intn(9)), r.Intn(2) == 0,
			types.Interval{Months: int32(r.Intn(5)), Days: int32(r.Intn(40)), Micros: r.Int63n(1e9)}, types.Date(r.Intn(9999))}
		if r.Intn(5) == 0 {
			row[4] = types.NumericFromInt64(r.Int63(), 0)
			row[4], _ = row[4].(types.Numeric).Mul(row[4].(types.Numeric))
		}
		for c := range row {
			if r.Intn(8) == 0 {
				row[c] = nil
			}
		}
		rows = append(rows, row)
	}
	return ts, rows
}

// TestPartialAggregation: PARTIAL in pieces, over the wire, then FINAL, gives what
// COMPLETE gives, with spilling and without, for every call that can be split.
func TestPartialAggregation(t *testing.T) {
	e := vexec.New(vexec.Options{Registry: functions.Builtins()})
	r := rand.New(rand.NewSource(7))
	calls := partialCalls()
	for _, c := range calls {
		if !vexec.CanPartial(c) {
			t.Fatalf("aggregate %d cannot be split", c.Func)
		}
	}
	for round := range 24 {
		n, groups := []int{0, 1, 50, 3000}[round%4], []int{1, 5, 2000}[round%3]
		ts, rows := partialRows(r, n, groups)
		keys := []*planpb.Expr{planpb.NewColumn(tInt, 0), planpb.NewColumn(tText, 1)}
		if round%5 == 4 {
			keys = nil
		}
		workMem := int64(0)
		if round%2 == 1 {
			workMem = 100 << 10
		}
		var outTs, stateTs []types.T
		for _, k := range keys {
			outTs, stateTs = append(outTs, k.GetType().T()), append(stateTs, k.GetType().T())
		}
		for _, c := range calls {
			outTs, stateTs = append(outTs, c.GetResult().T()), append(stateTs, types.Of(types.Bytea))
		}
		var sets []*planpb.GroupingSet
		if keys != nil && round%7 == 3 {
			sets = []*planpb.GroupingSet{{Keys: []uint32{0, 1}}, {Keys: []uint32{1}}, {}}
		}
		rel := newRelation("t", ts, rows)
		env := vexec.Exec{Store: &Store{Tables: map[string]*Table{"t": rel.data}}, WorkMem: workMem}
		want, _, err := Run(e, &planpb.Statement{Root: Node(outTs, &planpb.Agg{Input: rel.scan(), Keys: keys, Calls: calls, Sets: sets})}, env)
		if err != nil {
			t.Fatal(err)
		}

		pieces := 1 + r.Intn(4)
		var readers []vexec.Reader
		for p := range pieces {
			part := newRelation("t", ts, rows[p*n/pieces:(p+1)*n/pieces])
			in := part.scan()
			if round%4 >= 2 {
				in = Node(ts, &planpb.Gather{Input: in, Workers: 3})
			}
			f := &planpb.Fragment{Version: planpb.FragmentVersion, Partitions: 1, Exchange: 1,
				Statement: &planpb.Statement{Root: Node(stateTs, &planpb.Agg{Phase: planpb.Agg_PARTIAL, Input: in, Keys: keys, Calls: calls})}}
			if err := f.Validate(); err != nil {
				t.Fatal(err)
			}
			ms := send(t, e, f, vexec.Exec{Store: &Store{Tables: map[string]*Table{"t": part.data}}, WorkMem: workMem})
			readers = append(readers, &wired{d: ipc.NewDecoder(stateTs), ms: ms[0]})
		}
		final := &planpb.Statement{Root: Node(outTs, &planpb.Agg{Phase: planpb.Agg_FINAL, Input: Node(stateTs, &planpb.ExchangeSource{Exchange: 1}), Keys: keys, Calls: calls, Sets: sets})}
		if err := final.Validate(); err != nil {
			t.Fatal(err)
		}
		got, _, err := Run(e, final, vexec.Exec{WorkMem: workMem, Sources: func(uint32) ([]vexec.Reader, error) { return readers, nil }})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(want)
		slices.Sort(got)
		for i := range want {
			if len(got) != len(want) || !sameRow(got[i], want[i]) {
				t.Fatalf("round %d, %d rows, %d pieces: %d and %d groups\n got %s\nwant %s", round, n, pieces, len(got), len(want), got[min(i, len(got)-1)], want[i])
			}
		}
	}
}

// sameRow allows for the last digits of floats, which depend on the order.
func sameRow(a, b string) bool {
	x, y := strings.Split(a, "|"), strings.Split(b, "|")
	for i := range x {
		if x[i] == y[i] {
			continue
		}
		f, err1 := strconv.ParseFloat(x[i], 64)
		g, err2 := strconv.ParseFloat(y[i], 64)
		if err1 != nil || err2 != nil || math.Abs(f-g) > 1e-12*math.Abs(f) || len(x[i]) > 20 {
			return false
		}
	}
	return true
}

func TestPartialOverflow(t *testing.T) {
	e := vexec.New(vexec.Options{Registry: functions.Builtins()})
	i8 := types.Of(types.Int8)
	call := &planpb.AggCall{Func: Proc("sum(int4)"), Args: []*planpb.Expr{planpb.NewColumn(tInt, 0)}, Result: planpb.NewType(i8)}
	huge := types.NewBuilder(types.Of(types.Bytea), 2) // two states near the limit
	for range 2 {
		huge.Append([]byte{2, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	}
	b := &vexec.Batch{N: 2, Cols: nil}
	b.Cols = append(b.Cols, huge.Finish())
	final := &planpb.Statement{Root: Node([]types.T{i8}, &planpb.Agg{Phase: planpb.Agg_FINAL, Calls: []*planpb.AggCall{call},
		Input: Node([]types.T{types.Of(types.Bytea)}, &planpb.ExchangeSource{Exchange: 1})})}
	run := func(b *vexec.Batch) error {
		_, _, err := Run(e, final, vexec.Exec{Sources: func(uint32) ([]vexec.Reader, error) { return []vexec.Reader{&given{b}}, nil }})
		return err
	}
	var pe *pgerror.Error
	if err := run(b); !errors.As(err, &pe) || pe.Code != pgerror.NumericValueOutOfRange {
		t.Errorf("got %v", err)
	}
	for _, s := range []string{"", "\x02", "\x09abc", "\x02\x01\x01", "\xff"} {
		bad := types.NewBuilder(types.Of(types.Bytea), 1)
		bad.Append([]byte(s))
		if err := run(&vexec.Batch{N: 1, Cols: append(b.Cols[:0:0], bad.Finish())}); !errors.As(err, &pe) || pe.Code != pgerror.ProtocolViolation {
			t.Errorf("state %q: got %v", s, err)
		}
	}
}

// given yields one batch.
type given struct{ b *vexec.Batch }

func (g *given) Close() {}
func (g *given) Next(context.Context) (*vexec.Batch, error) {
	b := g.b
	g.b = nil
	return b, nil
}

// TestPartitions: equal keys meet whatever their types and forms, and the function is frozen.
func TestPartitions(t *testing.T) {
	e := vexec.New(vexec.Options{Registry: functions.Builtins()})
	where := func(kind planpb.Exchange_Kind, tt types.T, d types.Datum) int {
		f := &planpb.Fragment{Output: kind, Partitions: 7, OutputKeys: []*planpb.Expr{planpb.NewColumn(tt, 0)},
			SlotPartitionEnds: []uint32{1000, 1000, 3000, 4096}, SlotPartitions: []uint32{3, 1, 0, 6}}
		p, err := e.NewPartitioner(f, vexec.Exec{Expr: &expr.Context{Env: types.DefaultEnv()}})
		if err != nil {
			t.Fatal(err)
		}
		bl := types.NewBuilder(tt, 1)
		bl.Append(d)
		b := &vexec.Batch{N: 1}
		b.Cols = append(b.Cols, bl.Finish())
		parts, err := p.Split(b)
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range parts {
			if x != nil {
				return i
			}
		}
		return -1
	}
	num := func(s string) types.Datum {
		d, err := types.In(types.DefaultEnv(), types.Of(types.NumericOID), s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	groups := [][]struct {
		t types.T
		d types.Datum
	}{
		{{types.Of(types.Int2), int16(42)}, {tInt, int32(42)}, {types.Of(types.Int8), int64(42)}},
		{{types.Of(types.NumericOID), num("1.5")}, {types.Of(types.NumericOID), num("1.5000")}},
		{{types.Of(types.NumericOID), num("12345678901234567890123")}, {types.Of(types.NumericOID), num("12345678901234567890123.00")}},
		{{types.Of(types.Float8), 0.0}, {types.Of(types.Float8), -1 / 1e308 / 1e308}, {types.Of(types.Float4), float32(0)}},
		{{types.Of(types.BPChar), "a  "}, {types.Of(types.BPChar), "a"}},
		{{types.Of(types.IntervalOID), types.Interval{Months: 1}}, {types.Of(types.IntervalOID), types.Interval{Days: 30}}},
		{{tText, "hello"}},
		{{tText, nil}, {tInt, nil}},
	}
	var hash, slot []int
	for _, g := range groups {
		h, s := where(planpb.Exchange_HASH, g[0].t, g[0].d), where(planpb.Exchange_SLOT, g[0].t, g[0].d)
		hash, slot = append(hash, h), append(slot, s)
		for _, v := range g[1:] {
			if where(planpb.Exchange_HASH, v.t, v.d) != h || where(planpb.Exchange_SLOT, v.t, v.d) != s {
				t.Errorf("%v and %v part", g[0].d, v.d)
			}
		}
	}
	if got, want := fmt.Sprint(hash, slot), frozenPartitions; got != want {
		t.Errorf("the partition function has changed: %s, not %s", got, want)
	}
	for _, f := range []*planpb.Fragment{
		{Output: planpb.Exchange_HASH, Partitions: 2},
		{Output: planpb.Exchange_HASH, Partitions: 1 << 20, OutputKeys: col(tInt, 0)},
		{Output: planpb.Exchange_SLOT, Partitions: 2, OutputKeys: col(tInt, 0), SlotPartitionEnds: []uint32{4096}, SlotPartitions: []uint32{2}},
		{Output: planpb.Exchange_SLOT, Partitions: 2, OutputKeys: col(tInt, 0), SlotPartitionEnds: []uint32{4000}, SlotPartitions: []uint32{1}},
		{Output: planpb.Exchange_HASH, Partitions: 2, OutputKeys: col(types.Of(types.JSON), 0)},
		{Output: 9, Partitions: 2},
	} {
		if _, err := e.NewPartitioner(f, vexec.Exec{Expr: &expr.Context{Env: types.DefaultEnv()}}); err == nil {
			t.Errorf("%v was accepted", f)
		}
	}
}

const frozenPartitions = "[6 2 4 4 5 3 4 0] [6 3 3 3 6 0 3 6]"

// TestExchangeSource: streams merged by keys or as they come; errors; rows that
// several workers read.
func TestExchangeSource(t *testing.T) {
	e := vexec.New(vexec.Options{Registry: functions.Builtins()})
	ts := []types.T{tInt}
	stream := func(from, step, n int) *wired {
		bl := types.NewBuilder(tInt, n)
		for i := range n {
			bl.Append(int32(from + step*i))
		}
		b := &vexec.Batch{N: n}
		b.Cols = append(b.Cols, bl.Finish())
		ms, err := ipc.NewEncoder(ts).Encode(nil, b)
		if err != nil {
			t.Fatal(err)
		}
		return &wired{d: ipc.NewDecoder(ts), ms: ms}
	}
	three := func(uint32) ([]vexec.Reader, error) {
		return []vexec.Reader{stream(0, 3, 50), stream(1, 3, 50), stream(2, 3, 50), stream(0, 1, 0)}, nil
	}
	key := []*planpb.SortKey{{Expr: planpb.NewColumn(tInt, 0)}}
	merged, _, err := Run(e, &planpb.Statement{Root: Node(ts, &planpb.ExchangeSource{Exchange: 1, MergeKeys: key})}, vexec.Exec{Sources: three, BatchSize: 7})
	if err != nil || len(merged) != 150 {
		t.Fatal(len(merged), err)
	}
	for i, r := range merged {
		if r != fmt.Sprint(i) {
			t.Fatalf("row %d is %s", i, r)
		}
	}
	any, _, err := Run(e, &planpb.Statement{Root: Node(ts, &planpb.ExchangeSource{Exchange: 1})}, vexec.Exec{Sources: three})
	if err != nil || len(any) != 150 {
		t.Fatal(len(any), err)
	}
	boom := pgerror.New(pgerror.DivisionByZero, "division by zero")
	failing := func(uint32) ([]vexec.Reader, error) {
		bad := stream(5, 1, 5)
		bad.fail = boom
		return []vexec.Reader{stream(0, 3, 50), bad}, nil
	}
	for _, keys := range [][]*planpb.SortKey{nil, key} {
		if _, _, err := Run(e, &planpb.Statement{Root: Node(ts, &planpb.ExchangeSource{Exchange: 1, MergeKeys: keys})}, vexec.Exec{Sources: failing}); !errors.Is(err, boom) {
			t.Fatalf("got %v", err)
		}
	}
	// a nested loop inside a Gather reads its right side in each worker
	rel := newRelation("t", ts, [][]types.Datum{{int32(3)}, {int32(4)}, {int32(1000)}, {int32(5)}})
	both := []types.T{tInt, tInt}
	loop := Node(both, &planpb.NestLoop{Left: rel.scan(), Right: Node(ts, &planpb.ExchangeSource{Exchange: 1}),
		Condition: Func(tBool, "int4eq(int4,int4)", planpb.NewColumn(tInt, 0), planpb.NewColumn(tInt, 1))})
	got, _, err := Run(e, &planpb.Statement{Root: Node(both, &planpb.Gather{Input: loop, Workers: 3})},
		vexec.Exec{Sources: three, Store: &Store{Tables: map[string]*Table{"t": rel.data}}})
	slices.Sort(got)
	if err != nil || !slices.Equal(got, []string{"3|3", "4|4", "5|5"}) {
		t.Fatal(got, err)
	}
}
