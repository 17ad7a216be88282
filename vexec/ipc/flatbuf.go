package ipc

import "encoding/binary"

// A reader of the few flatbuffers tables that IPC headers are made of. Every
// access is checked; what does not hold gives ok false. Tables are never followed
// into each other by recursion, so offsets that run in circles do no harm.

// table is a flatbuffers table at position pos of buf.
type table struct {
	buf []byte
	pos int
}

// u32 reads at pos.
func u32(buf []byte, pos int) (int, bool) {
	if pos < 0 || pos > len(buf)-4 {
		return 0, false
	}
	return int(binary.LittleEndian.Uint32(buf[pos:])), true
}

func rootTable(buf []byte) (table, bool) {
	p, ok := u32(buf, 0)
	if !ok || p > len(buf)-4 {
		return table{}, false
	}
	return table{buf, p}, true
}

// field is the position of field number n; 0: absent.
func (t table) field(n int) (int, bool) {
	back, ok := u32(t.buf, t.pos)
	if !ok {
		return 0, false
	}
	vt := t.pos - int(int32(back))
	if vt < 0 || vt > len(t.buf)-4 {
		return 0, false
	}
	size := int(binary.LittleEndian.Uint16(t.buf[vt:]))
	if vt+size > len(t.buf) {
		return 0, false
	}
	at := 4 + 2*n
	if at+2 > size {
		return 0, true
	}
	off := int(binary.LittleEndian.Uint16(t.buf[vt+at:]))
	if off == 0 {
		return 0, true
	}
	if t.pos+off >= len(t.buf) {
		return 0, false
	}
	return t.pos + off, true
}

func (t table) byteAt(n int) (byte, bool) {
	p, ok := t.field(n)
	if !ok || p == 0 {
		return 0, ok
	}
	return t.buf[p], true
}

func (t table) int64At(n int) (int64, bool) {
	p, ok := t.field(n)
	if !ok || p == 0 {
		return 0, ok
	}
	if p > len(t.buf)-8 {
		return 0, false
	}
	return int64(binary.LittleEndian.Uint64(t.buf[p:])), true
}

// sub follows the offset in field n to a table; there says whether it exists.
func (t table) sub(n int) (s table, there, ok bool) {
	p, ok := t.field(n)
	if !ok || p == 0 {
		return table{}, false, ok
	}
	off, ok := u32(t.buf, p)
	if !ok || p+off > len(t.buf)-4 {
		return table{}, false, false
	}
	return table{t.buf, p + off}, true, true
}

// vector is the start and length of the vector in field n, with elements of size bytes.
func (t table) vector(n, size int) (start, length int, ok bool) {
	p, ok := t.field(n)
	if !ok || p == 0 {
		return 0, 0, ok
	}
	off, ok := u32(t.buf, p)
	if !ok {
		return 0, 0, false
	}
	at := p + off
	length, ok = u32(t.buf, at)
	if !ok || length > (len(t.buf)-at-4)/size {
		return 0, 0, false
	}
	return at + 4, length, true
}

// element is table i of a vector of tables that starts at start.
func (t table) element(start, i int) (table, bool) {
	p := start + 4*i
	off, ok := u32(t.buf, p)
	if !ok || p+off > len(t.buf)-4 {
		return table{}, false
	}
	return table{t.buf, p + off}, true
}

func (t table) str(n int) (string, bool) {
	start, length, ok := t.vector(n, 1)
	if !ok {
		return "", false
	}
	return string(t.buf[start : start+length]), true
}

// metadata looks up a key in the vector of KeyValue tables in field n.
func (t table) metadata(n int, key string) (value string, found, ok bool) {
	start, length, ok := t.vector(n, 4)
	if !ok {
		return "", false, false
	}
	for i := range min(length, 64) {
		kv, ok := t.element(start, i)
		if !ok {
			return "", false, false
		}
		k, ok := kv.str(0)
		if !ok {
			return "", false, false
		}
		if k == key {
			v, ok := kv.str(1)
			return v, true, ok
		}
	}
	return "", false, true
}
