package segment

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"

	"github.com/basaltdb/basalt/sql/types"
)

// The bytes of a file (version 2: timestamps count from 2000, in version 1 from 1970; integers little endian, uv = unsigned varint):
//
//	header     16  magic "BSLTSEG\n", version (4), 0 (4)
//	chunks         for every column its blocks in order, then its dictionary or
//	               symbol table if it has one
//	keys           the key blocks in order (keys.go)
//	filter         Bloom filter of the keys (bloom.go)
//	sketches       for every column: uv length, sketch (sketch.go)
//	footer         see below
//	trailer    32  offset of the footer (8), its length (4), its CRC-32C (4),
//	               version (4), CRC-32C of the 20 bytes before (4), magic (8)
//
// Every block, shared part, key block, the filter and the sketches are followed by
// the CRC-32C of their bytes; there is nothing between them. Lengths in the footer
// include it. The footer:
//
//	rows uv, blocks uv, columns uv
//	per block: rows uv
//	keys: per block: first key (uv length, bytes), length of the key block uv; then the last key
//	length of the filter uv, length of the sketches uv
//	per column:
//	  attribute number uv; type: OID uv, modifier (4), class (1), element uv, element class (1)
//	  per block: length uv
//	  kind of the shared part (1: 0 none, 1 dictionary, 2 symbols), its length uv
//	  NULLs uv, bytes of values uv, distinct values uv
//	  per block a zone: kind (1), NULLs uv, then
//	    integers: Min (8), Max (8); decimals: scale (1), Min (8), Max (8)
//	    bytes: MinBytes, MaxBytes (uv length, bytes), MaxCut (1)
const (
	formatVersion = 2
	headerLen     = 16
	trailerLen    = 32
	checksumLen   = 4

	sharedNone       = 0
	sharedDictionary = 1
	sharedSymbols    = 2
)

var magic = []byte("BSLTSEG\n")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// appendChecksum appends the checksum of b[from:].
func appendChecksum(b []byte, from int) []byte {
	return binary.LittleEndian.AppendUint32(b, checksum(b[from:]))
}

func appendHeader(dst []byte) []byte {
	dst = append(dst, magic...)
	dst = binary.LittleEndian.AppendUint32(dst, formatVersion)
	return binary.LittleEndian.AppendUint32(dst, 0)
}

// part is where something lies in the file, its checksum included.
type part struct {
	off uint64
	len uint32
}

// columnFooter is what the footer knows of a column.
type columnFooter struct {
	column
	blocks     []part
	sharedKind uint8
	shared     part
	nulls      int
	rawBytes   int64
	distinct   int64
	zones      []Zone
}

// footer is a file's directory.
type footer struct {
	rows     int
	starts   []int // first row of every block, and the number of rows
	firsts   [][]byte
	last     []byte
	keys     []part
	filter   part
	sketches part
	columns  []columnFooter
}

func appendBytes(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

func (f *footer) append(dst []byte) []byte {
	uv := binary.AppendUvarint
	dst = uv(dst, uint64(f.rows))
	dst = uv(dst, uint64(len(f.keys)))
	dst = uv(dst, uint64(len(f.columns)))
	for b := range f.keys {
		dst = uv(dst, uint64(f.starts[b+1]-f.starts[b]))
	}
	for b, k := range f.keys {
		dst = appendBytes(dst, f.firsts[b])
		dst = uv(dst, uint64(k.len))
	}
	dst = appendBytes(dst, f.last)
	dst = uv(dst, uint64(f.filter.len))
	dst = uv(dst, uint64(f.sketches.len))
	for i := range f.columns {
		c := &f.columns[i]
		dst = uv(dst, uint64(c.Attnum))
		dst = uv(dst, uint64(c.Type.OID))
		dst = binary.LittleEndian.AppendUint32(dst, uint32(c.Type.Mod))
		dst = append(dst, byte(c.Type.Class))
		dst = uv(dst, uint64(c.Type.Elem))
		dst = append(dst, byte(c.Type.ElemClass))
		for _, p := range c.blocks {
			dst = uv(dst, uint64(p.len))
		}
		dst = append(dst, c.sharedKind)
		dst = uv(dst, uint64(c.shared.len))
		dst = uv(dst, uint64(c.nulls))
		dst = uv(dst, uint64(c.rawBytes))
		dst = uv(dst, uint64(c.distinct))
		for b := range c.zones {
			dst = appendZone(dst, &c.zones[b])
		}
	}
	return dst
}

func appendZone(dst []byte, z *Zone) []byte {
	dst = append(dst, byte(z.Kind))
	dst = binary.AppendUvarint(dst, uint64(z.Nulls))
	switch z.Kind {
	case ZoneDecimals:
		dst = append(dst, z.Scale)
		fallthrough
	case ZoneInts:
		dst = binary.LittleEndian.AppendUint64(dst, uint64(z.Min))
		dst = binary.LittleEndian.AppendUint64(dst, uint64(z.Max))
	case ZoneBytes:
		dst = appendBytes(dst, z.MinBytes)
		dst = appendBytes(dst, z.MaxBytes)
		cut := byte(0)
		if z.MaxCut {
			cut = 1
		}
		dst = append(dst, cut)
	}
	return dst
}

// footerReader takes a footer apart; after a fault it gives zeros.
type footerReader struct {
	b   []byte
	bad bool
}

func (r *footerReader) uv(limit uint64) uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > limit {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *footerReader) take(n int) []byte {
	if n > len(r.b) {
		r.bad, r.b = true, nil
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

func (r *footerReader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *footerReader) u32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *footerReader) u64() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (r *footerReader) bytes() []byte { return r.take(int(r.uv(uint64(len(r.b))))) }

const (
	fileRowsMax    = 1 << 30
	fileColumnsMax = 1 << 16
)

// parseFooter parses a footer of a file whose parts end at offset end.
func parseFooter(b []byte, end uint64) (*footer, error) {
	r := &footerReader{b: b}
	f := &footer{rows: int(r.uv(fileRowsMax))}
	left := uint64(len(b))
	blocks, columns := int(r.uv(left)), int(r.uv(min(left, fileColumnsMax)))
	at := uint64(headerLen)
	next := func() part {
		p := part{at, uint32(r.uv(min(end, 1<<32-1)))}
		at += uint64(p.len)
		return p
	}
	later := func() part { return part{len: uint32(r.uv(min(end, 1<<32-1)))} } // offset known at the end
	f.starts = make([]int, 1, blocks+1)
	for range blocks {
		n := int(r.uv(BlockRowsMax))
		if n == 0 {
			r.bad = true
		}
		f.starts = append(f.starts, f.starts[len(f.starts)-1]+n)
	}
	for range blocks {
		f.firsts = append(f.firsts, r.bytes())
		f.keys = append(f.keys, later())
	}
	f.last = r.bytes()
	f.filter, f.sketches = later(), later()
	for range columns {
		if r.bad {
			break
		}
		var c Column
		c.Attnum = int(r.uv(1 << 16))
		c.Type = types.T{OID: types.OID(r.uv(1<<32 - 1)), Mod: int32(r.u32()), Class: types.Class(r.byte())}
		c.Type.Elem = types.OID(r.uv(1<<32 - 1))
		c.Type.ElemClass = types.Class(r.byte())
		k := columnFooter{column: newColumn(c), blocks: make([]part, 0, blocks)}
		for range blocks {
			k.blocks = append(k.blocks, next())
		}
		k.sharedKind = r.byte()
		k.shared = next()
		k.nulls, k.rawBytes, k.distinct = int(r.uv(fileRowsMax)), int64(r.uv(1<<62)), int64(r.uv(1<<62))
		k.zones = make([]Zone, 0, blocks)
		for b := range blocks {
			k.zones = append(k.zones, r.zone(f.starts[b+1]-f.starts[b]))
		}
		f.columns = append(f.columns, k)
	}
	for i := range f.keys {
		f.keys[i].off = at
		at += uint64(f.keys[i].len)
	}
	f.filter.off = at
	f.sketches.off = at + uint64(f.filter.len)
	at = f.sketches.off + uint64(f.sketches.len)
	if r.bad || len(r.b) != 0 || f.starts[blocks] != f.rows || at != end {
		return nil, malformed("footer")
	}
	return f, nil
}

func (r *footerReader) zone(rows int) Zone {
	z := Zone{Rows: rows, Kind: ZoneKind(r.byte()), Nulls: int(r.uv(uint64(rows)))}
	switch z.Kind {
	case ZoneNone:
	case ZoneDecimals:
		if z.Scale = r.byte(); z.Scale > scaleMax {
			r.bad = true
		}
		fallthrough
	case ZoneInts:
		z.Min, z.Max = int64(r.u64()), int64(r.u64())
	case ZoneBytes:
		z.MinBytes, z.MaxBytes = bytes.Clone(r.bytes()), bytes.Clone(r.bytes())
		z.MaxCut = r.byte() != 0
	default:
		r.bad = true
	}
	return z
}

func appendTrailer(dst []byte, off uint64, footer []byte) []byte {
	from := len(dst)
	dst = binary.LittleEndian.AppendUint64(dst, off)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(footer)))
	dst = binary.LittleEndian.AppendUint32(dst, checksum(footer))
	dst = binary.LittleEndian.AppendUint32(dst, formatVersion)
	dst = appendChecksum(dst, from)
	return append(dst, magic...)
}
