package tpch_test

import (
	"bufio"
	"encoding/gob"
	"os"
	"path/filepath"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// savedColumn is a column of one segment: fixed-width bytes, or offsets and data,
// or codes and a dictionary.
type savedColumn struct {
	Fixed []byte
	Scale int32 // of a decimal, −1 otherwise
	Off   []int32
	Data  []byte
	Codes []int32
}

type savedSegment struct {
	N    int
	Cols []savedColumn
}

func columnsFile(dir string, t *planpb.Table) string {
	return filepath.Join(dir, "columns-"+t.GetName()+".gob")
}

func saveColumns(dir string, t *planpb.Table, ct *columnTable) {
	if dir == "" {
		return
	}
	f, err := os.Create(columnsFile(dir, t))
	if err != nil {
		panic(err)
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	defer w.Flush()
	enc := gob.NewEncoder(w)
	const per = segmentRows / blockRows
	for lo := 0; lo < len(ct.batches); lo += per {
		bs := ct.batches[lo:min(lo+per, len(ct.batches))]
		s := savedSegment{}
		for _, b := range bs {
			s.N += b.N
		}
		for c := range bs[0].Cols {
			s.Cols = append(s.Cols, saveColumn(t.GetColumns()[c].GetType().T(), bs, c))
		}
		if err := enc.Encode(&s); err != nil {
			panic(err)
		}
	}
}

func saveColumn(t types.T, bs []*vexec.Batch, c int) savedColumn {
	var parts []arrow.Array
	for _, b := range bs {
		if b.Cols[c].NullN() > 0 {
			panic("NULL")
		}
		parts = append(parts, b.Cols[c])
	}
	if d, ok := parts[0].(*array.Dictionary); ok {
		var s savedColumn
		for _, p := range parts {
			s.Codes = append(s.Codes, kernel.Values[int32](p.(*array.Dictionary).Indices())...)
		}
		v := kernel.Strings(d.Dictionary())
		s.Off = []int32{0}
		for i := range d.Dictionary().Len() {
			s.Data = append(s.Data, v.At(i)...)
			s.Off = append(s.Off, int32(len(s.Data)))
		}
		return s
	}
	a := kernel.Concat(t, parts)
	s := savedColumn{Scale: -1}
	if d, ok := a.(*types.Dec64Array); ok {
		s.Scale = d.Scale()
	}
	if w := kernel.Width(a.DataType()); w > 0 {
		switch w {
		case 4:
			for _, x := range kernel.Values[[4]byte](a) {
				s.Fixed = append(s.Fixed, x[:]...)
			}
		case 8:
			for _, x := range kernel.Values[[8]byte](a) {
				s.Fixed = append(s.Fixed, x[:]...)
			}
		default:
			panic(w)
		}
		return s
	}
	v := kernel.Strings(a)
	s.Off = []int32{0}
	for i := range a.Len() {
		s.Data = append(s.Data, v.At(i)...)
		s.Off = append(s.Off, int32(len(s.Data)))
	}
	return s
}

func loadColumns(dir string, t *planpb.Table) *columnTable {
	if dir == "" {
		return nil
	}
	f, err := os.Open(columnsFile(dir, t))
	if err != nil {
		return nil
	}
	defer f.Close()
	dec := gob.NewDecoder(bufio.NewReaderSize(f, 1<<20))
	ct := &columnTable{}
	for {
		var s savedSegment
		if dec.Decode(&s) != nil {
			return ct
		}
		cols := make([]arrow.Array, len(s.Cols))
		for i, c := range s.Cols {
			dt := types.ArrowType(t.GetColumns()[i].GetType().T())
			switch {
			case c.Codes != nil:
				cols[i] = dictionaryOf(c.Codes, types.NewVarlen(dt, c.Off, c.Data, nil, 0))
			case c.Off != nil:
				cols[i] = types.NewVarlen(dt, c.Off, c.Data, nil, 0)
			case c.Scale >= 0:
				b := make([]int64, s.N)
				copy(kernel.Values[[8]byte](types.NewDec64Array(c.Scale, b, nil, 0)), bytes8(c.Fixed))
				cols[i] = types.NewDec64Array(c.Scale, b, nil, 0)
			default:
				cols[i] = types.NewFixed(dt, c.Fixed, s.N, nil, 0)
			}
		}
		for lo := 0; lo < s.N; lo += blockRows {
			b := &vexec.Batch{N: min(blockRows, s.N-lo)}
			for _, c := range cols {
				b.Cols = append(b.Cols, array.NewSlice(c, int64(lo), int64(lo+b.N)))
			}
			ct.batches = append(ct.batches, b)
		}
	}
}

func bytes8(b []byte) [][8]byte {
	out := make([][8]byte, len(b)/8)
	for i := range out {
		copy(out[i][:], b[8*i:])
	}
	return out
}
