package types

import (
	"bytes"
	"encoding/binary"
	"sort"
	"strings"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// JSONB is a jsonb value in its binary form, version 1:
//
//	byte 1   the version
//	value    tag byte and payload; its length is known from outside
//
//	tag 0  null
//	tag 1  string   UTF-8 bytes
//	tag 2  number   Numeric.AppendBinary
//	tag 3  false
//	tag 4  true
//	tag 5  array    uint32 n; n × uint32 end offsets of the elements; the elements
//	tag 6  object   uint32 n; n × uint32 end offsets of the keys; n × uint32 end
//	                offsets of the values; the keys; the values
//
// Integers are little endian; offsets count from the first byte after the last
// offset table that precedes them (keys and values each from their own start).
// Keys are sorted by length, then bytes, without duplicates: a key is found by
// binary search without reading the values. Every value is in this normal form,
// so that equal documents differ at most in the display scale of numbers.
type JSONB []byte

const (
	jsonbVersion = 1

	jbNull   = 0
	jbString = 1
	jbNumber = 2
	jbFalse  = 3
	jbTrue   = 4
	jbArray  = 5
	jbObject = 6

	jbDatetime = 7 // never stored
)

// JSONBValue is a value inside a JSONB: tag and payload, sharing its memory.
type JSONBValue []byte

// Root is the document's value.
func (j JSONB) Root() JSONBValue { return JSONBValue(j[1:]) }

// JSONB makes a document of a value; it copies.
func (v JSONBValue) JSONB() JSONB { return append(JSONB{jsonbVersion}, v...) }

// Kind is the value's kind.
func (v JSONBValue) Kind() JSONKind {
	switch v[0] {
	case jbString:
		return JSONString
	case jbNumber:
		return JSONNumber
	case jbFalse, jbTrue:
		return JSONBool
	case jbArray:
		return JSONArrayKind
	case jbObject:
		return JSONObjectKind
	case jbDatetime:
		return JSONDatetime
	}
	return JSONNull
}

// DatetimeItem is a point in time among the items of a running jsonpath: what its
// payload says is the evaluator's business. It is no JSON value and not stored.
func DatetimeItem(payload []byte) JSONBValue { return append(JSONBValue{jbDatetime}, payload...) }

// Datetime is a DatetimeItem's payload.
func (v JSONBValue) Datetime() []byte { return v[1:] }

// IsContainer reports arrays and objects.
func (v JSONBValue) IsContainer() bool { return v[0] == jbArray || v[0] == jbObject }

// Str is a string's text.
func (v JSONBValue) Str() string { return string(v[1:]) }

// Bool is a boolean's value.
func (v JSONBValue) Bool() bool { return v[0] == jbTrue }

// Number is a number's value.
func (v JSONBValue) Number() Numeric { return NumericFromBinary(v[1:]) }

// Len is the number of elements of an array or of keys of an object.
func (v JSONBValue) Len() int { return int(binary.LittleEndian.Uint32(v[1:])) }

func (v JSONBValue) offset(table, i int) int {
	if i < 0 {
		return 0
	}
	return int(binary.LittleEndian.Uint32(v[5+4*(table+i):]))
}

// Item is element i of an array or value i of an object.
func (v JSONBValue) Item(i int) JSONBValue {
	n := v.Len()
	if v[0] == jbArray {
		data := v[5+4*n:]
		return data[v.offset(0, i-1):v.offset(0, i)]
	}
	data := v[5+8*n+v.offset(0, n-1):]
	return data[v.offset(n, i-1):v.offset(n, i)]
}

func (v JSONBValue) key(i int) []byte {
	data := v[5+8*v.Len():]
	return data[v.offset(0, i-1):v.offset(0, i)]
}

// Key is key i of an object.
func (v JSONBValue) Key(i int) string { return string(v.key(i)) }

// compareJSONKeys is the order keys are kept in.
func compareJSONKeys(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// Find gives the position of a key in an object, −1 when it has none.
func (v JSONBValue) Find(key string) int {
	lo, hi := 0, v.Len()
	for lo < hi {
		mid := (lo + hi) / 2
		k := v.key(mid)
		c := len(k) - len(key)
		if c == 0 {
			c = strings.Compare(string(k), key)
		}
		switch {
		case c == 0:
			return mid
		case c < 0:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return -1
}

// Lookup finds the value of a key in an object.
func (v JSONBValue) Lookup(key string) (JSONBValue, bool) {
	i := v.Find(key)
	if i < 0 {
		return nil, false
	}
	return v.Item(i), true
}

// Node makes a tree node of a value: one level, its children encoded (Raw).
func (v JSONBValue) Node() *JSONNode {
	n := &JSONNode{Kind: v.Kind()}
	switch n.Kind {
	case JSONString:
		n.Str = v.Str()
	case JSONNumber:
		n.Num = v.Number()
	case JSONBool:
		n.True = v.Bool()
	case JSONArrayKind, JSONObjectKind:
		n.Items = make([]*JSONNode, v.Len())
		for i := range n.Items {
			item := v.Item(i)
			n.Items[i] = &JSONNode{Kind: item.Kind(), Raw: item}
			if n.Kind == JSONObjectKind {
				n.Keys = append(n.Keys, v.Key(i))
			}
		}
	}
	return n
}

// RawNode is a node that stands for an encoded value.
func RawNode(v JSONBValue) *JSONNode { return &JSONNode{Kind: v.Kind(), Raw: v} }

// Expand turns a raw node into a tree node of one level; others stay.
func (n *JSONNode) Expand() *JSONNode {
	if n.Raw != nil {
		return n.Raw.Node()
	}
	return n
}

// EncodeJSONB encodes a tree: keys sorted, of duplicates the last.
func EncodeJSONB(n *JSONNode) JSONB { return appendJSONB(JSONB{jsonbVersion}, n) }

func appendJSONB(buf []byte, n *JSONNode) []byte {
	if n.Raw != nil {
		return append(buf, n.Raw...)
	}
	le := binary.LittleEndian
	switch n.Kind {
	case JSONString:
		return append(append(buf, jbString), n.Str...)
	case JSONNumber:
		return n.Num.AppendBinary(append(buf, jbNumber))
	case JSONBool:
		if n.True {
			return append(buf, jbTrue)
		}
		return append(buf, jbFalse)
	case JSONArrayKind:
		buf = le.AppendUint32(append(buf, jbArray), uint32(len(n.Items)))
		table := len(buf)
		buf = append(buf, make([]byte, 4*len(n.Items))...)
		data := len(buf)
		for i, it := range n.Items {
			buf = appendJSONB(buf, it)
			le.PutUint32(buf[table+4*i:], uint32(len(buf)-data))
		}
		return buf
	case JSONObjectKind:
		order := make([]int, len(n.Keys))
		for i := range order {
			order[i] = i
		}
		sort.SliceStable(order, func(a, b int) bool { return compareJSONKeys(n.Keys[order[a]], n.Keys[order[b]]) < 0 })
		kept := order[:0:len(order)]
		for i, o := range order {
			if i+1 < len(order) && n.Keys[order[i+1]] == n.Keys[o] {
				continue // a later one wins
			}
			kept = append(kept, o)
		}
		buf = le.AppendUint32(append(buf, jbObject), uint32(len(kept)))
		table := len(buf)
		buf = append(buf, make([]byte, 8*len(kept))...)
		data := len(buf)
		for i, o := range kept {
			buf = append(buf, n.Keys[o]...)
			le.PutUint32(buf[table+4*i:], uint32(len(buf)-data))
		}
		table, data = table+4*len(kept), len(buf)
		for i, o := range kept {
			buf = appendJSONB(buf, n.Items[o])
			le.PutUint32(buf[table+4*i:], uint32(len(buf)-data))
		}
		return buf
	}
	return append(buf, jbNull)
}

// AppendText appends the value as PostgreSQL prints jsonb.
func (v JSONBValue) AppendText(buf []byte) []byte {
	switch v.Kind() {
	case JSONString:
		return AppendJSONString(buf, v.Str())
	case JSONNumber:
		return v.Number().AppendText(buf)
	case JSONBool:
		if v.Bool() {
			return append(buf, "true"...)
		}
		return append(buf, "false"...)
	case JSONArrayKind:
		buf = append(buf, '[')
		for i := range v.Len() {
			if i > 0 {
				buf = append(buf, ", "...)
			}
			buf = v.Item(i).AppendText(buf)
		}
		return append(buf, ']')
	case JSONObjectKind:
		buf = append(buf, '{')
		for i := range v.Len() {
			if i > 0 {
				buf = append(buf, ", "...)
			}
			buf = append(AppendJSONString(buf, v.Key(i)), ": "...)
			buf = v.Item(i).AppendText(buf)
		}
		return append(buf, '}')
	}
	return append(buf, "null"...)
}

// ParseJSONB reads jsonb's text form.
func ParseJSONB(s string) (JSONB, error) {
	n, err := ParseJSON(s)
	if err != nil {
		return nil, err
	}
	if len(s) > 256<<20 {
		return nil, pgerror.New(pgerror.ProgramLimitExceeded, "total size of jsonb object elements exceeds the maximum of %d bytes", 268435455)
	}
	return EncodeJSONB(n), nil
}

// compareJSONBScalars orders two values of one scalar kind.
func compareJSONBScalars(a, b JSONBValue) int {
	switch a.Kind() {
	case JSONString:
		return bytes.Compare(a[1:], b[1:])
	case JSONNumber:
		return a.Number().Cmp(b.Number())
	case JSONBool:
		return int(a[0]) - int(b[0])
	}
	return 0
}

func sign(c int) int {
	switch {
	case c < 0:
		return -1
	case c > 0:
		return 1
	}
	return 0
}

// CompareJSONB is jsonb's btree order: kinds in the order of JSONKind, containers
// by size first. At the top a scalar counts as an array of one element.
func CompareJSONB(a, b JSONB) int {
	x, y := a.Root(), b.Root()
	if cx, cy := x.IsContainer(), y.IsContainer(); cx != cy {
		if cy {
			return -compareTopScalar(y)
		}
		return compareTopScalar(x)
	}
	return compareJSONBValues(x, y)
}

// compareTopScalar orders a container against any scalar at the top of a document.
func compareTopScalar(container JSONBValue) int {
	if container.Kind() == JSONArrayKind && container.Len() == 0 {
		return -1
	}
	return 1
}

func compareJSONBValues(a, b JSONBValue) int {
	if ka, kb := a.Kind(), b.Kind(); ka != kb {
		return int(ka) - int(kb)
	}
	if !a.IsContainer() {
		return sign(compareJSONBScalars(a, b))
	}
	n := a.Len()
	if m := b.Len(); n != m {
		return sign(n - m)
	}
	object := a.Kind() == JSONObjectKind
	for i := range n {
		if object {
			if c := bytes.Compare(a.key(i), b.key(i)); c != 0 {
				return c
			}
		}
		if c := compareJSONBValues(a.Item(i), b.Item(i)); c != 0 {
			return c
		}
	}
	return 0
}

func jsonbKey(buf []byte, v JSONBValue) []byte {
	switch v.Kind() {
	case JSONNumber:
		return v.Number().AppendKey(append(buf, jbNumber))
	case JSONArrayKind, JSONObjectKind:
		buf = binary.LittleEndian.AppendUint32(append(buf, v[0]), uint32(v.Len()))
		for i := range v.Len() {
			if v[0] == jbObject {
				k := v.key(i)
				buf = append(binary.LittleEndian.AppendUint32(buf, uint32(len(k))), k...)
			}
			buf = jsonbKey(buf, v.Item(i))
		}
		return buf
	case JSONString:
		return append(binary.LittleEndian.AppendUint32(append(buf, jbString), uint32(len(v)-1)), v[1:]...)
	}
	return append(buf, v[0])
}

// CheckJSONB verifies the binary form of a value that comes from outside, so
// that the accessors cannot run past its end.
func CheckJSONB(j JSONB) error {
	if len(j) < 2 || j[0] != jsonbVersion || !checkJSONB(JSONBValue(j[1:]), 0) {
		return pgerror.New(pgerror.DataCorrupted, "jsonb value is damaged")
	}
	return nil
}

func checkJSONB(v JSONBValue, depth int) bool {
	if len(v) == 0 || depth > jsonDepthMax {
		return false
	}
	switch v[0] {
	case jbNull, jbFalse, jbTrue:
		return len(v) == 1
	case jbString:
		return true
	case jbNumber:
		return len(v) > 1
	case jbArray, jbObject:
	default:
		return false
	}
	tables := 1
	if v[0] == jbObject {
		tables = 2
	}
	if len(v) < 5 || v.Len() > (len(v)-5)/(4*tables) {
		return false
	}
	n, rest := v.Len(), len(v)-5-4*tables*v.Len()
	for t := range tables {
		last := 0
		for i := range n {
			o := v.offset(t*n, i)
			if o < last {
				return false
			}
			last = o
		}
		if rest -= last; rest < 0 {
			return false
		}
	}
	if rest != 0 {
		return false
	}
	for i := range n {
		if v[0] == jbObject && i > 0 && compareJSONKeys(v.Key(i-1), v.Key(i)) >= 0 || !checkJSONB(v.Item(i), depth+1) {
			return false
		}
	}
	return true
}

var jsonbCodec = codec{
	in: func(_ *Env, _ T, s string) (Datum, error) {
		j, err := ParseJSONB(s)
		if err != nil {
			return nil, err
		}
		return j, nil
	},
	out: func(_ *Env, _ T, buf []byte, d Datum) ([]byte, error) { return d.(JSONB).Root().AppendText(buf), nil },
	recv: func(env *Env, _ T, b []byte) (Datum, error) {
		if len(b) == 0 {
			return nil, errInsufficientData
		}
		if b[0] != 1 {
			return nil, pgerror.New(pgerror.InternalError, "unsupported jsonb version number %d", b[0])
		}
		text, err := FromClient(env, b[1:])
		if err != nil {
			return nil, err
		}
		j, err := ParseJSONB(text)
		if err != nil {
			return nil, err
		}
		return j, nil
	},
	send: func(env *Env, _ T, buf []byte, d Datum) ([]byte, error) {
		return ToClient(env, d.(JSONB).Root().AppendText(append(buf, 1)), len(buf)+1)
	},
	compare: func(_ *Env, a, b Datum) int { return sign(CompareJSONB(a.(JSONB), b.(JSONB))) },
	key:     func(_ *Env, buf []byte, d Datum) []byte { return jsonbKey(buf, d.(JSONB).Root()) },
}
