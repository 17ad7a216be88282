package engine

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// splitFilesMin is how many files a range must have per part for the files to
// say where its middle is.
const splitFilesMin = 3

// splitMarksPerPart is how many places per part segments are asked for.
const splitMarksPerPart = 16

// splitPartsPerBlock is how many parts per block of segments are too many to cut between blocks only.
const splitPartsPerBlock = 4

// Splits gives up to parts−1 keys, ascending, strictly inside [lower, upper),
// that cut the range into parts of roughly equal size: by the files and segments
// that hold it, or, where there are few, by interpolation between its first and last key.
// Where most of it is in segments that have blocks enough, the cuts are between blocks: one
// that two parts share is decoded twice.
func (e *Engine) Splits(lower, upper []byte, parts int) ([][]byte, error) {
	if err := e.Failed(); err != nil {
		return nil, err
	}
	lo, hi := AppendPrefix(nil, lower), AppendPrefix(nil, upper)
	levels, err := e.db.SSTables(pebble.WithKeyRangeFilter(lo, hi))
	if err != nil {
		return nil, e.wrap(err)
	}
	var marks []SizeMark
	var total uint64
	blocks := false // blocks of segments say it
	for _, l := range levels {
		for i := range l {
			k := l[i].Largest.UserKey
			k = k[:split(k)]
			if compareKeys(k, lo) <= 0 || compareKeys(k, hi) >= 0 || len(k) < TabletLen+1 {
				continue
			}
			marks = append(marks, SizeMark{bytes.Clone(k[:len(k)-1]), l[i].Size})
			total += l[i].Size
		}
	}
	if e.columns != nil {
		if pin := e.columns.Pin(lower, upper); pin != nil {
			cols := pin.Marks(lower, upper, splitMarksPerPart*parts)
			pin.Release()
			files := total
			for _, m := range cols {
				total += m.Bytes
			}
			blocks = len(cols)*splitPartsPerBlock >= parts && total-files > files
			marks = append(marks, cols...)
		}
	}
	if len(marks) < splitFilesMin*parts && !blocks {
		return e.interpolate(lower, upper, parts)
	}
	slices.SortFunc(marks, func(a, b SizeMark) int { return bytes.Compare(a.Key, b.Key) })
	var out [][]byte
	var sum uint64
	for _, m := range marks {
		sum += m.Bytes
		if want := total * uint64(len(out)+1) / uint64(parts); sum >= want && len(out) < parts-1 {
			out = appendSplit(out, m.Key, lower, upper)
		}
	}
	return out, nil
}

func appendSplit(out [][]byte, k, lower, upper []byte) [][]byte {
	if bytes.Compare(k, lower) <= 0 || bytes.Compare(k, upper) >= 0 || len(out) > 0 && bytes.Compare(k, out[len(out)-1]) <= 0 {
		return out
	}
	return append(out, k)
}

// interpolate cuts between the first and the last key as if keys were evenly
// spread over the eight bytes after what they have in common.
func (e *Engine) interpolate(lower, upper []byte, parts int) ([][]byte, error) {
	ends := [2][]byte{}
	for i := range ends {
		it, err := e.NewIter(IterOptions{Lower: lower, Upper: upper, At: MaxTimestamp, Reverse: i == 1, Tombstones: true})
		if err != nil {
			return nil, err
		}
		if it.Next() {
			ends[i] = bytes.Clone(it.Key())
		}
		if err := it.Recycle(); err != nil {
			return nil, err
		}
	}
	first, last := ends[0], ends[1]
	n := 0
	for n < len(first) && n < len(last) && first[n] == last[n] {
		n++
	}
	word := func(k []byte) uint64 {
		var b [8]byte
		copy(b[:], k[min(n, len(k)):])
		return binary.BigEndian.Uint64(b[:])
	}
	a, b := word(first), word(last)
	if a >= b {
		return nil, nil
	}
	var out [][]byte
	for p := 1; p < parts; p++ {
		k := binary.BigEndian.AppendUint64(bytes.Clone(first[:n]), a+(b-a)/uint64(parts)*uint64(p))
		out = appendSplit(out, k, lower, upper)
	}
	return out, nil
}

// Size is the disk space of a key range, an estimate that leaves out what was
// written last.
func (e *Engine) Size(lower, upper []byte) (int64, error) {
	if err := e.Failed(); err != nil {
		return 0, err
	}
	n, err := e.db.EstimateDiskUsage(AppendPrefix(nil, lower), AppendPrefix(nil, upper))
	if err == nil && e.columns != nil {
		n += uint64(e.columns.Size(lower, upper))
	}
	return int64(n), e.wrap(err)
}
