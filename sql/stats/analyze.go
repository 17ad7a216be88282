package stats

import (
	"context"
	"math"
	"math/rand/v2"
	"sort"
	"strings"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// Options of one ANALYZE.
type Options struct {
	// Catalog tells which types can be ordered.
	Catalog catalog.Reader
	// Types compares values; nil: the default environment.
	Types *types.Env
	// Target is default_statistics_target: the number of most common values and of
	// histogram buckets; 0: 100. The sample has 300 rows per unit of it.
	Target int
	// Pause, when set, is called before every batch of rows: it may wait.
	Pause func(ctx context.Context) error
	// Seed makes the sample repeatable; 0 is as good as any.
	Seed uint64
}

// Writer keeps statistics; catalog.Writer implements it.
type Writer interface {
	SetStats(ctx context.Context, relid types.OID, st *catalog.Stats) error
}

// sampleRowsPerTarget is PostgreSQL's: enough for a histogram with that many
// buckets to be right within a factor of two with high probability.
const sampleRowsPerTarget = 300

// picker is the sample's side of a scan: of the rows that come by it takes those of the sample, so that a store
// that applies it to rows still encoded decodes no others, and counts all. What it picks from a batch
// is delivered before it sees the next one.
type picker struct {
	*sampler
	pause func(context.Context) error
	rows  int64 // that came by
	sel   []int32
	slots []int // of the sample, that the picked rows go to
}

// Columns implements vexec.ScanFilter.
func (*picker) Columns() []int { return nil }

// Select implements vexec.ScanFilter.
func (p *picker) Select(ctx context.Context, b *vexec.Batch) ([]int32, error) {
	if p.pause != nil {
		if err := p.pause(ctx); err != nil {
			return nil, err
		}
	}
	if p.sel == nil {
		p.sel = make([]int32, 0, 16)
	}
	p.sel = p.sel[:0]
	n := b.Rows()
	for k := p.next(p.rows, n); k >= 0; k = p.next(p.rows, n) {
		at := int32(k)
		if b.Sel != nil {
			at = b.Sel[k]
		}
		p.sel = append(p.sel, at)
		p.slots = append(p.slots, p.claim(p.rows+int64(k)))
	}
	p.rows += int64(n)
	return p.sel, nil
}

// owned is a value that keeps no vector alive.
func owned(d types.Datum) types.Datum {
	if s, ok := d.(string); ok {
		return strings.Clone(s)
	}
	return d
}

// Analyze reads rel once through store and computes statistics of the columns
// with the given attribute numbers (none: all live ones).
func Analyze(ctx context.Context, store vexec.Store, rel *catalog.Relation, atts []int, opts Options) (*catalog.Stats, error) {
	if opts.Types == nil {
		opts.Types = types.DefaultEnv()
	}
	if opts.Target <= 0 {
		opts.Target = 100
	}
	want := map[int]bool{}
	for _, a := range atts {
		want[a] = true
	}
	scan := &planpb.Scan{Table: rel.Storage}
	var cols []*catalog.Column
	for i := range rel.Columns {
		c := &rel.Columns[i]
		if !c.Dropped && (len(atts) == 0 || want[c.AttNum]) {
			cols = append(cols, c)
			scan.Columns = append(scan.Columns, int32(rel.Ordinals[i]))
		}
	}
	s := newSampler(opts.Target*sampleRowsPerTarget, opts.Seed)
	pick := &picker{sampler: s, pause: opts.Pause}
	r, picked, err := store.Scan(ctx, scan, vexec.ScanRequest{Parts: 1, Filter: pick})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for {
		b, err := r.Next(ctx)
		if err != nil {
			return nil, err
		}
		if b == nil {
			break
		}
		if !picked {
			sel, err := pick.Select(ctx, b)
			if err != nil {
				return nil, err
			}
			b = &vexec.Batch{N: b.N, Cols: b.Cols, Sel: sel}
		}
		if b.Rows() != len(pick.slots) {
			return nil, pgerror.Internal("%d rows of a sample, want %d", b.Rows(), len(pick.slots))
		}
		for k := range b.Rows() {
			at := k
			if b.Sel != nil {
				at = int(b.Sel[k])
			}
			vals := make([]types.Datum, len(cols))
			for i, c := range cols {
				if a := b.Cols[i]; !a.IsNull(at) {
					vals[i] = owned(types.Get(c.Type, a, at))
				}
			}
			s.rows[pick.slots[k]].vals = vals
		}
		pick.slots = pick.slots[:0]
	}
	rows := pick.rows
	st := &catalog.Stats{Rows: float64(rows), Columns: map[int]*catalog.ColumnStats{}}
	sample := s.ordered()
	width := 0.0
	for i, c := range cols {
		vals := make([]types.Datum, len(sample))
		for k, row := range sample {
			vals[k] = row.vals[i]
		}
		cs := column(vals, c.Type, float64(rows), opts)
		st.Columns[c.AttNum] = cs
		width += cs.AvgWidth
	}
	st.Bytes = float64(rows) * (width + 24)
	return st, nil
}

// sampler keeps a uniform sample of a stream (Li's algorithm L: the distance to
// the next row taken is drawn, rows between are not looked at).
type sampler struct {
	size int
	rows []sampled
	rng  *rand.Rand
	w    float64
	skip int64 // rows to pass before the next one is taken
	at   int64 // first row not decided yet
}

type sampled struct {
	pos  int64
	vals []types.Datum
}

func newSampler(size int, seed uint64) *sampler {
	s := &sampler{size: size, rng: rand.New(rand.NewPCG(seed, 0x5eed)), w: 1}
	return s
}

// next gives the offset in the batch [first, first+n) of the next row to take, −1 when none is left.
func (s *sampler) next(first int64, n int) int {
	if s.at < first {
		s.at = first
	}
	if len(s.rows) >= s.size {
		if s.at+s.skip >= first+int64(n) {
			s.skip -= first + int64(n) - s.at
			s.at = first + int64(n)
			return -1
		}
		s.at += s.skip
	}
	if s.at >= first+int64(n) {
		return -1
	}
	return int(s.at - first)
}

// claim gives a row a place in the sample, perhaps another's.
func (s *sampler) claim(pos int64) (slot int) {
	if slot = len(s.rows); slot < s.size {
		s.rows = append(s.rows, sampled{pos: pos})
	} else {
		slot = s.rng.IntN(s.size)
		s.rows[slot] = sampled{pos: pos}
	}
	s.at = pos + 1
	if len(s.rows) == s.size {
		s.w *= math.Exp(math.Log(s.rng.Float64()) / float64(s.size))
		s.skip = int64(math.Floor(math.Log(s.rng.Float64()) / math.Log(1-s.w)))
	}
	return slot
}

// ordered is the sample in the order the rows were read.
func (s *sampler) ordered() []sampled {
	sort.Slice(s.rows, func(i, k int) bool { return s.rows[i].pos < s.rows[k].pos })
	return s.rows
}
