package columns

import (
	"iter"
	"math"

	"github.com/basaltdb/basalt/storage/rowcodec"
	"github.com/basaltdb/basalt/storage/segment"
)

// writerOptions of the store's files.
func (s *Store) writerOptions() segment.WriterOptions {
	return segment.WriterOptions{BlockRows: s.opts.BlockRows}
}

// boundBytesMax is the size of a minimum or maximum that the directory keeps.
const boundBytesMax = 64

// statsOf is what the directory keeps of a file's columns.
func statsOf(m *segment.Meta) []ColumnStats {
	out := make([]ColumnStats, len(m.Columns))
	for i := range m.Columns {
		c := &m.Columns[i]
		o := &out[i]
		o.Attnum, o.Nulls, o.Distinct = c.Attnum, uint64(c.Nulls), uint64(max(c.Distinct, 0))
		o.Width = uint64(math.Round(c.Width * float64(m.Rows-c.Nulls)))
		if c.Min != nil && c.Max != nil {
			o.Min, o.Max = rowcodec.AppendValue([]byte{}, c.Min), rowcodec.AppendValue([]byte{}, c.Max)
			if len(o.Min) > boundBytesMax || len(o.Max) > boundBytesMax {
				o.Min, o.Max = nil, nil
			}
		}
	}
	return out
}

// ColumnStats walks what the segments of a space know of a column, with how many rows each has, those
// hidden by newer versions included. Segments from before the column was added say nothing.
func (s *Store) ColumnStats(space Space, attnum int) iter.Seq2[uint64, ColumnStats] {
	return func(yield func(uint64, ColumnStats) bool) {
		p := s.PinSpace(space)
		if p == nil {
			return
		}
		defer p.Release()
		more := true
		p.st.eachSegment(func(g *Segment) {
			for i := range g.cols {
				if more && g.cols[i].Attnum == attnum {
					more = yield(g.rows, g.cols[i])
				}
			}
		})
	}
}
