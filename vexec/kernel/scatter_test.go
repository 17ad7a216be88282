package kernel

import (
	"fmt"
	"math/rand"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
)

// TestScatter: every row comes out once, in the partition of its hash, in the order in which
// it came, with all of its values, whatever forms the vectors have.
func TestScatter(t *testing.T) {
	rng := rand.New(rand.NewSource(3))
	ts := []types.T{types.Of(types.Int8), types.Of(types.Text), types.Of(types.NumericOID), types.Of(types.Bool), types.Of(types.Int4), types.Of(types.UUIDOID)}
	for _, bits := range []int{1, 4, 8} {
		s := NewScatter(bits)
		want := make([][]string, s.Parts())
		total := 0
		for batch := range 40 {
			n := rng.Intn(700)
			cols := make([]arrow.Array, len(ts))
			for c, ty := range ts {
				b := types.NewBuilder(ty, n)
				for range n {
					if rng.Intn(5) == 0 && (c != 0 || batch%3 == 0) {
						b.Append(nil)
						continue
					}
					switch c {
					case 0:
						b.Append(int64(rng.Intn(1000)))
					case 1:
						b.Append(fmt.Sprint("t", rng.Intn(50)))
					case 2: // another scale from time to time, or none
						b.Append(types.NumericFromInt64(int64(rng.Intn(100)), int32(batch/10)))
					case 3:
						b.Append(rng.Intn(2) == 0)
					case 4:
						b.Append(int32(rng.Intn(10)))
					default:
						var u types.UUID
						u[3] = byte(rng.Intn(9))
						b.Append(u)
					}
				}
				cols[c] = b.Finish()
			}
			if batch%7 == 6 {
				cols[4] = nil
			}
			var sel []int32
			rows := n
			if batch%2 == 1 {
				sel = []int32{}
				for i := range n {
					if rng.Intn(3) > 0 {
						sel = append(sel, int32(i))
					}
				}
				rows = len(sel)
			}
			hash := make([]uint64, rows)
			for i := range hash {
				hash[i] = rng.Uint64() >> uint(rng.Intn(4))
				at := i
				if sel != nil {
					at = int(sel[i])
				}
				p := hash[i] >> (64 - bits)
				want[p] = append(want[p], rowText(ts, cols, at))
			}
			s.Add(cols, sel, hash)
			total += rows
		}
		if s.Rows() != total {
			t.Errorf("%d rows instead of %d", s.Rows(), total)
		}
		sum := int64(0)
		for p := range want {
			if n := s.PartRows(p); n != len(want[p]) {
				t.Errorf("partition %d has %d rows instead of %d", p, n, len(want[p]))
			}
			pieces, n := s.Take(p)
			sum += n
			var got []string
			for _, b := range pieces {
				for i := range b.N {
					got = append(got, rowText(ts, b.Cols, i))
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(want[p]) {
				t.Fatalf("%d bits: partition %d:\n%v\ninstead of\n%v", bits, p, got, want[p])
			}
		}
		if sum != s.Bytes() {
			t.Errorf("partitions give back %d bytes of %d", sum, s.Bytes())
		}
	}
}

func rowText(ts []types.T, cols []arrow.Array, i int) string {
	out := ""
	for c, a := range cols {
		if a == nil {
			out += "-|"
			continue
		}
		out += fmt.Sprint(types.Get(ts[c], a, i), "|")
	}
	return out
}

// BenchmarkScatter cuts ten million keys.
func BenchmarkScatter(b *testing.B) {
	rng := rand.New(rand.NewSource(1))
	const n = 4096
	hash := make([]uint64, n)
	vals := make([]int64, n)
	for i := range hash {
		vals[i] = rng.Int63()
		hash[i] = HashU64(uint64(vals[i]))
	}
	cols := []arrow.Array{MakeFixed(arrow.PrimitiveTypes.Int64, vals, nil, 0)}
	b.SetBytes(n * 8)
	s := NewScatter(8)
	for i := range b.N {
		if i%2500 == 0 {
			s = NewScatter(8)
		}
		s.Add(cols, nil, hash)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/row")
}
