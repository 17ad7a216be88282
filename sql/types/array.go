package types

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// The vector form of an array (the bytes of one Binary element):
//
//	byte     number of dimensions, 0 … 6; bit 7 set when a NULL bitmap follows the dimensions
//	per dimension: uvarint length, varint lower bound
//	bitmap   one bit per element, 1 = NULL, low bit first (only with bit 7)
//	elements without the NULLs, each as AppendDatum writes it; those of types
//	         without a fixed width are preceded by a uvarint length
//
// The element type is not written: it is part of the vector's type.

// maxArrayDims is PostgreSQL's MAXDIM.
const maxArrayDims = 6

// maxArrayElems is PostgreSQL's limit on the elements of one array.
const maxArrayElems = math.MaxInt32 / 16

// AppendArray appends the vector form of an array.
func AppendArray(buf []byte, a *Array) []byte {
	nulls := false
	for _, e := range a.Elems {
		if e == nil {
			nulls = true
			break
		}
	}
	head := byte(len(a.Dims))
	if nulls {
		head |= 0x80
	}
	buf = append(buf, head)
	for _, d := range a.Dims {
		buf = binary.AppendUvarint(buf, uint64(d.Len))
		buf = binary.AppendVarint(buf, int64(d.Lower))
	}
	if nulls {
		at := len(buf)
		buf = append(buf, make([]byte, (len(a.Elems)+7)/8)...)
		for i, e := range a.Elems {
			if e == nil {
				buf[at+i/8] |= 1 << (i % 8)
			}
		}
	}
	w := datumWidth(a.Elem)
	for _, e := range a.Elems {
		if e == nil {
			continue
		}
		if w > 0 {
			buf = AppendDatum(a.Elem, buf, e)
			continue
		}
		buf = appendSized(a.Elem, buf, e)
	}
	return buf
}

// appendSized appends a uvarint length and the AppendDatum form of d.
func appendSized(t T, buf []byte, d Datum) []byte {
	if s, ok := d.(string); ok {
		return append(binary.AppendUvarint(buf, uint64(len(s))), s...)
	}
	v := AppendDatum(t, nil, d)
	return append(binary.AppendUvarint(buf, uint64(len(v))), v...)
}

// DecodeArray reads AppendArray's form; t is the array type. The result shares
// no memory with b. Damaged bytes panic with XX001: they are a bug or caught by
// checksums. Bytes of others are for ReadDatum.
func DecodeArray(t T, b []byte) *Array {
	a, err := readArray(t, b, 0)
	if err != nil {
		panic(err)
	}
	return a
}

func readArray(t T, b []byte, depth int) (*Array, error) {
	a := &Array{Elem: t.ElemType()}
	r := formReader{b: b}
	head := r.byte()
	dims := int(head & 0x7f)
	if dims > maxArrayDims {
		return nil, damaged(t)
	}
	n := uint64(1)
	for range dims {
		l, lo := r.uvarint(), r.varint()
		// An element takes a bit at least.
		if n *= l; l > math.MaxInt32 || n > 8*uint64(len(b)) || int64(int32(lo)) != lo {
			return nil, damaged(t)
		}
		a.Dims = append(a.Dims, ArrayDim{Len: int32(l), Lower: int32(lo)})
	}
	if r.bad || dims == 0 && (len(r.b) > 0 || head != 0) {
		return nil, damaged(t)
	}
	if dims == 0 {
		return a, nil
	}
	var bitmap []byte
	if head&0x80 != 0 {
		if bitmap = r.take((n + 7) / 8); bitmap == nil {
			return nil, damaged(t)
		}
	}
	w := uint64(datumWidth(a.Elem))
	if bitmap == nil && n*max(w, 1) > uint64(len(r.b)) {
		return nil, damaged(t)
	}
	a.Elems = make([]Datum, n)
	for i := range a.Elems {
		if bitmap != nil && bitmap[i/8]&(1<<(i%8)) != 0 {
			continue
		}
		size := w
		if w == 0 {
			size = r.uvarint()
		}
		e := r.take(size)
		if r.bad {
			return nil, damaged(t)
		}
		d, err := readDatum(a.Elem, e, depth)
		if err != nil {
			return nil, err
		}
		a.Elems[i] = d
	}
	if len(r.b) > 0 {
		return nil, damaged(t)
	}
	return a, nil
}

// arrayIsSpace is the white space of array and record literals.
func arrayIsSpace(c byte) bool {
	return c == ' ' || c >= '\t' && c <= '\r'
}

// vectorType reports the two types whose text form is a plain list of numbers.
func vectorType(t T) bool { return t.OID == Int2Vector || t.OID == OidVector }

var arrayCodec codec

func init() {
	arrayCodec = codec{in: arrayIn, out: arrayOut, recv: arrayRecv, send: arraySend, compare: arrayCompare, key: arrayKey}
}

func malformedArray(s, format string, args ...any) error {
	return pgerror.New(pgerror.InvalidTextRepresentation, "malformed array literal: \"%s\"", s).WithDetail(format, args...)
}

func tooManyDims(n int) error {
	return pgerror.New(pgerror.ProgramLimitExceeded, "number of array dimensions (%d) exceeds the maximum allowed (%d)", n, maxArrayDims)
}

func arrayIn(env *Env, t T, s string) (Datum, error) {
	if vectorType(t) {
		return vectorIn(env, t, s)
	}
	elem := t.ElemType()
	p := 0
	skip := func() {
		for p < len(s) && arrayIsSpace(s[p]) {
			p++
		}
	}
	number := func() string {
		start := p
		for p < len(s) && (s[p] >= '0' && s[p] <= '9' || s[p] == '-' || s[p] == '+') {
			p++
		}
		return s[start:p]
	}
	var dims []ArrayDim
	for skip(); p < len(s) && s[p] == '['; skip() {
		p++
		if len(dims) >= maxArrayDims {
			return nil, tooManyDims(len(dims) + 1)
		}
		lo, v := 1, number()
		if v == "" {
			return nil, malformedArray(s, "\"[\" must introduce explicitly-specified array dimensions.")
		}
		if p < len(s) && s[p] == ':' {
			p++
			lo = leadingInt(v)
			if v = number(); v == "" {
				return nil, malformedArray(s, "Missing array dimension value.")
			}
		}
		if p >= len(s) || s[p] != ']' {
			return nil, malformedArray(s, "Missing \"]\" after array dimensions.")
		}
		p++
		hi := leadingInt(v)
		if hi < lo {
			return nil, pgerror.New(pgerror.ArraySubscriptError, "upper bound cannot be less than lower bound")
		}
		dims = append(dims, ArrayDim{Len: int32(hi - lo + 1), Lower: int32(lo)})
	}
	explicit := len(dims) > 0
	if explicit {
		if p >= len(s) || s[p] != '=' {
			return nil, malformedArray(s, "Missing \"=\" after array dimensions.")
		}
		p++
		skip()
		if p >= len(s) || s[p] != '{' {
			return nil, malformedArray(s, "Array contents must start with \"{\".")
		}
	} else if p >= len(s) || s[p] != '{' {
		return nil, malformedArray(s, "Array value must start with \"{\" or dimension information.")
	}
	lens, items, err := scanArray(s, p)
	if err != nil {
		return nil, err
	}
	if explicit {
		same := len(lens) == len(dims)
		for i := 0; same && i < len(lens); i++ {
			same = lens[i] == int(dims[i].Len)
		}
		if !same {
			return nil, malformedArray(s, "Specified array dimensions do not match array contents.")
		}
	} else {
		for _, n := range lens {
			dims = append(dims, ArrayDim{Len: int32(n), Lower: 1})
		}
	}
	a := &Array{Elem: elem}
	if len(items) == 0 {
		return a, nil
	}
	if err := CheckArrayDims(dims); err != nil {
		return nil, err
	}
	a.Dims, a.Elems = dims, make([]Datum, len(items))
	for i, it := range items {
		if it.null {
			continue
		}
		if a.Elems[i], err = In(env, elem, it.text); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// leadingInt reads what C's atoi would.
func leadingInt(s string) int {
	end := 0
	if s != "" && (s[0] == '-' || s[0] == '+') {
		end = 1
	}
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	n, _ := strconv.ParseInt(strings.TrimPrefix(s[:end], "+"), 10, 64)
	return int(int32(n))
}

// CheckArrayDims raises PostgreSQL's errors for arrays too large or with bounds past int4.
func CheckArrayDims(dims []ArrayDim) error {
	n := int64(1)
	for _, d := range dims {
		if d.Len < 0 {
			return pgerror.New(pgerror.ProgramLimitExceeded, "array size exceeds the maximum allowed (%d)", maxArrayElems)
		}
		if n *= int64(d.Len); n > maxArrayElems {
			return pgerror.New(pgerror.ProgramLimitExceeded, "array size exceeds the maximum allowed (%d)", maxArrayElems)
		}
	}
	for _, d := range dims {
		if int64(d.Lower)+int64(d.Len) > math.MaxInt32 {
			return pgerror.New(pgerror.ProgramLimitExceeded, "array lower bound is too large: %d", d.Lower)
		}
	}
	return nil
}

type arrayItem struct {
	text string
	null bool
}

// Where a scan of an array literal stands.
type arrayScanState uint8

const (
	arrayNoLevel arrayScanState = iota
	arrayLevelStarted
	arrayElemStarted
	arrayQuotedStarted
	arrayQuotedCompleted
	arrayElemDelimited
	arrayLevelCompleted
	arrayLevelDelimited
)

// scanArray reads the braces part of an array literal from s[p], which is '{'.
// No element is converted before the whole text has been found well-formed.
func scanArray(s string, p int) (lens []int, items []arrayItem, err error) {
	var (
		state    = arrayNoLevel
		depth    int
		ndim     = 1
		count    [maxArrayDims]int // elements seen per level in the open sub-array
		width    [maxArrayDims]int // elements of a completed sub-array of that level, 0 unknown
		cur      []byte
		escaped  bool // cur holds escaped or quoted text: never NULL
		trimFrom int  // trailing white space of cur up to here is protected
	)
	unexpected := func(c byte) error { return malformedArray(s, "Unexpected \"%c\" character.", c) }
	flush := func() {
		text := cur
		for len(text) > trimFrom && arrayIsSpace(text[len(text)-1]) {
			text = text[:len(text)-1]
		}
		it := arrayItem{text: string(text)}
		it.null = !escaped && strings.EqualFold(it.text, "null")
		items = append(items, it)
		cur, escaped, trimFrom = nil, false, 0
		count[depth-1]++
	}
	for {
		if p >= len(s) {
			return nil, nil, malformedArray(s, "Unexpected end of input.")
		}
		c := s[p]
		p++
		if state == arrayQuotedStarted && c != '"' {
			if c == '\\' {
				if p >= len(s) {
					return nil, nil, malformedArray(s, "Unexpected end of input.")
				}
				c = s[p]
				p++
			}
			cur = append(cur, c)
			continue
		}
		switch {
		case c == '\\':
			if state != arrayLevelStarted && state != arrayElemStarted && state != arrayElemDelimited {
				return nil, nil, unexpected(c)
			}
			if p >= len(s) {
				return nil, nil, malformedArray(s, "Unexpected end of input.")
			}
			state = arrayElemStarted
			cur = append(cur, s[p])
			escaped, trimFrom = true, len(cur)
			p++
		case c == '"':
			switch state {
			case arrayQuotedStarted:
				state = arrayQuotedCompleted
			case arrayLevelStarted, arrayElemDelimited:
				state, escaped = arrayQuotedStarted, true
			default:
				return nil, nil, malformedArray(s, "Unexpected array element.")
			}
			if state == arrayQuotedCompleted {
				trimFrom = len(cur)
			}
		case c == '{':
			if state != arrayNoLevel && state != arrayLevelStarted && state != arrayLevelDelimited {
				return nil, nil, unexpected(c)
			}
			if depth >= maxArrayDims {
				return nil, nil, tooManyDims(depth + 1)
			}
			state = arrayLevelStarted
			count[depth] = 0
			depth++
			ndim = max(ndim, depth)
		case c == '}':
			switch state {
			case arrayElemStarted, arrayQuotedCompleted:
				flush()
			case arrayLevelCompleted:
			case arrayLevelStarted:
				if depth != 1 {
					return nil, nil, unexpected(c)
				}
			default:
				return nil, nil, unexpected(c)
			}
			depth--
			if width[depth] != 0 && width[depth] != count[depth] || depth+1 < ndim && state != arrayLevelCompleted {
				return nil, nil, malformedArray(s, "Multidimensional arrays must have sub-arrays with matching dimensions.")
			}
			width[depth] = count[depth]
			state = arrayLevelCompleted
			if depth > 0 {
				count[depth-1]++
				continue
			}
			for ; p < len(s); p++ {
				if !arrayIsSpace(s[p]) {
					return nil, nil, malformedArray(s, "Junk after closing right brace.")
				}
			}
			if len(items) == 0 {
				return nil, nil, nil
			}
			return width[:ndim], items, nil
		case c == ',':
			switch state {
			case arrayElemStarted, arrayQuotedCompleted:
				flush()
				state = arrayElemDelimited
			case arrayLevelCompleted:
				state = arrayLevelDelimited
			default:
				return nil, nil, unexpected(c)
			}
		case arrayIsSpace(c):
			if state == arrayElemStarted {
				cur = append(cur, c)
			}
		default:
			if state != arrayLevelStarted && state != arrayElemStarted && state != arrayElemDelimited {
				return nil, nil, malformedArray(s, "Unexpected array element.")
			}
			state = arrayElemStarted
			cur = append(cur, c)
		}
	}
}

// vectorIn reads int2vector and oidvector: numbers between white space.
func vectorIn(env *Env, t T, s string) (Datum, error) {
	a := &Array{Elem: t.ElemType()}
	for _, f := range strings.FieldsFunc(s, func(r rune) bool { return r < 128 && arrayIsSpace(byte(r)) }) {
		d, err := In(env, a.Elem, f)
		if err != nil {
			return nil, err
		}
		a.Elems = append(a.Elems, d)
	}
	a.Dims = []ArrayDim{{Len: int32(len(a.Elems)), Lower: 0}}
	return a, nil
}

func arrayOut(env *Env, t T, buf []byte, d Datum) ([]byte, error) {
	a := d.(*Array)
	var err error
	if vectorType(t) {
		for i, e := range a.Elems {
			if i > 0 {
				buf = append(buf, ' ')
			}
			if buf, err = AppendOut(env, a.Elem, buf, e); err != nil {
				return buf, err
			}
		}
		return buf, nil
	}
	if len(a.Elems) == 0 {
		return append(buf, "{}"...), nil
	}
	for _, dim := range a.Dims {
		if dim.Lower != 1 {
			buf = appendArrayDims(buf, a.Dims)
			buf = append(buf, '=')
			break
		}
	}
	// left[k]: elements still to come in the open sub-array of level k.
	var left [maxArrayDims]int32
	var tmp []byte
	for i, e := range a.Elems {
		open := 0
		if i > 0 {
			open = len(a.Dims) - 1
			for left[open] == 0 {
				buf = append(buf, '}')
				open--
			}
			buf = append(buf, ',')
			left[open]--
			open++
		}
		for ; open < len(a.Dims); open++ {
			buf = append(buf, '{')
			left[open] = a.Dims[open].Len - 1
		}
		if e == nil {
			buf = append(buf, "NULL"...)
			continue
		}
		if tmp, err = AppendOut(env, a.Elem, tmp[:0], e); err != nil {
			return buf, err
		}
		buf = appendArrayElem(buf, tmp)
	}
	for range a.Dims {
		buf = append(buf, '}')
	}
	return buf, nil
}

// appendArrayDims appends "[1:2][0:3]", what array_dims prints.
func appendArrayDims(buf []byte, dims []ArrayDim) []byte {
	for _, d := range dims {
		buf = fmt.Appendf(buf, "[%d:%d]", d.Lower, d.Lower+d.Len-1)
	}
	return buf
}

// DimsText is array_dims(): "[1:2][0:3]".
func (a *Array) DimsText() string { return string(appendArrayDims(nil, a.Dims)) }

// appendArrayElem appends an element's text, quoted where the literal needs it.
func appendArrayElem(buf, s []byte) []byte {
	quote := len(s) == 0 || len(s) == 4 && strings.EqualFold(string(s), "null")
	for _, c := range s {
		if c == '"' || c == '\\' || c == '{' || c == '}' || c == ',' || arrayIsSpace(c) {
			quote = true
			break
		}
	}
	if !quote {
		return append(buf, s...)
	}
	buf = append(buf, '"')
	for _, c := range s {
		if c == '"' || c == '\\' {
			buf = append(buf, '\\')
		}
		buf = append(buf, c)
	}
	return append(buf, '"')
}

func arraySend(env *Env, t T, buf []byte, d Datum) ([]byte, error) {
	a := d.(*Array)
	nulls := uint32(0)
	for _, e := range a.Elems {
		if e == nil {
			nulls = 1
		}
	}
	dims := a.Dims
	if len(a.Elems) == 0 && !vectorType(t) {
		dims = nil
	}
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(dims)))
	buf = binary.BigEndian.AppendUint32(buf, nulls)
	buf = binary.BigEndian.AppendUint32(buf, uint32(t.Elem))
	for _, dim := range dims {
		buf = binary.BigEndian.AppendUint32(buf, uint32(dim.Len))
		buf = binary.BigEndian.AppendUint32(buf, uint32(dim.Lower))
	}
	for _, e := range a.Elems {
		var err error
		if buf, err = appendSendSized(env, a.Elem, buf, e); err != nil {
			return buf, err
		}
	}
	return buf, nil
}

// appendSendSized appends a length word (−1 for NULL) and the binary form.
func appendSendSized(env *Env, t T, buf []byte, d Datum) ([]byte, error) {
	if d == nil {
		return binary.BigEndian.AppendUint32(buf, math.MaxUint32), nil
	}
	at := len(buf)
	buf, err := AppendSend(env, t, append(buf, 0, 0, 0, 0), d)
	if err != nil {
		return buf, err
	}
	binary.BigEndian.PutUint32(buf[at:], uint32(len(buf)-at-4))
	return buf, nil
}

var errInsufficientData = pgerror.New(pgerror.ProtocolViolation, "insufficient data left in message")

func arrayRecv(env *Env, t T, b []byte) (Datum, error) {
	if len(b) < 12 {
		return nil, errInsufficientData
	}
	ndim := int32(binary.BigEndian.Uint32(b))
	flags := int32(binary.BigEndian.Uint32(b[4:]))
	elem := OID(binary.BigEndian.Uint32(b[8:]))
	b = b[12:]
	if ndim < 0 {
		return nil, pgerror.New(pgerror.InvalidBinaryRepresentation, "invalid number of dimensions: %d", ndim)
	}
	if ndim > maxArrayDims {
		return nil, tooManyDims(int(ndim))
	}
	if flags != 0 && flags != 1 {
		return nil, pgerror.New(pgerror.InvalidBinaryRepresentation, "invalid array flags")
	}
	if elem != t.Elem {
		return nil, pgerror.New(pgerror.DatatypeMismatch, "binary data has array element type %d (%s) instead of expected %d (%s)",
			elem, formatTypeName(env, elem), t.Elem, formatTypeName(env, t.Elem))
	}
	a := &Array{Elem: t.ElemType()}
	n := int64(1)
	for range ndim {
		if len(b) < 8 {
			return nil, errInsufficientData
		}
		a.Dims = append(a.Dims, ArrayDim{Len: int32(binary.BigEndian.Uint32(b)), Lower: int32(binary.BigEndian.Uint32(b[4:]))})
		n *= max(int64(a.Dims[len(a.Dims)-1].Len), 0)
		b = b[8:]
		if err := CheckArrayDims(a.Dims); err != nil {
			return nil, err
		}
	}
	if vectorType(t) && (ndim != 1 || a.Dims[0].Lower != 0) {
		return nil, pgerror.New(pgerror.InvalidBinaryRepresentation, "invalid %s data", TypeName(t.OID))
	}
	if ndim == 0 || n == 0 {
		if len(b) > 0 {
			return nil, trailingData()
		}
		if !vectorType(t) {
			a.Dims = nil
		}
		return a, nil
	}
	if n > int64(len(b)/4) {
		return nil, errInsufficientData
	}
	a.Elems = make([]Datum, n)
	for i := range a.Elems {
		d, rest, err := recvSized(env, a.Elem, b)
		if IsTrailingData(err) {
			err = pgerror.New(pgerror.InvalidBinaryRepresentation, "improper binary format in array element %d", i+1)
		}
		if err != nil {
			return nil, err
		}
		a.Elems[i], b = d, rest
	}
	if len(b) > 0 {
		return nil, trailingData()
	}
	return a, nil
}

// recvSized reads a length word and that many bytes of binary form.
func recvSized(env *Env, t T, b []byte) (Datum, []byte, error) {
	if len(b) < 4 {
		return nil, nil, errInsufficientData
	}
	l := int32(binary.BigEndian.Uint32(b))
	b = b[4:]
	if l == -1 {
		return nil, b, nil
	}
	if l < 0 || int(l) > len(b) {
		return nil, nil, pgerror.New(pgerror.InvalidBinaryRepresentation, "insufficient data left in message")
	}
	d, err := Recv(env, t, b[:l])
	return d, b[l:], err
}

// formatTypeName is format_type() where a catalog is at hand, the OID otherwise.
func formatTypeName(env *Env, oid OID) string {
	if env != nil && env.Resolver != nil {
		return env.Resolver.FormatType(oid, -1)
	}
	return TypeName(oid)
}

// compareNullable orders NULLs after all values.
func compareNullable(env *Env, t T, a, b Datum) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	return Compare(env, t, a, b)
}

func arrayCompare(env *Env, x, y Datum) int {
	a, b := x.(*Array), y.(*Array)
	for i := range min(len(a.Elems), len(b.Elems)) {
		if c := compareNullable(env, a.Elem, a.Elems[i], b.Elems[i]); c != 0 {
			return c
		}
	}
	if c := cmpInt(len(a.Elems), len(b.Elems)); c != 0 {
		return c
	}
	if c := cmpInt(len(a.Dims), len(b.Dims)); c != 0 {
		return c
	}
	for i := range a.Dims {
		if c := cmpInt(a.Dims[i].Len, b.Dims[i].Len); c != 0 {
			return c
		}
	}
	for i := range a.Dims {
		if c := cmpInt(a.Dims[i].Lower, b.Dims[i].Lower); c != 0 {
			return c
		}
	}
	return 0
}

func arrayKey(env *Env, buf []byte, d Datum) []byte {
	a := d.(*Array)
	buf = append(buf, byte(len(a.Dims)))
	for _, dim := range a.Dims {
		buf = binary.LittleEndian.AppendUint32(buf, uint32(dim.Len))
		buf = binary.LittleEndian.AppendUint32(buf, uint32(dim.Lower))
	}
	for _, e := range a.Elems {
		buf = AppendEqualityKey(env, a.Elem, buf, e)
	}
	return buf
}
