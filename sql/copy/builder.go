package copy

import (
	"math"
	"strconv"
	"unicode/utf8"
	"unsafe"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/bitutil"

	"github.com/basaltdb/basalt/sql/types"
)

// column collects one column of a batch from field bytes.
type column interface {
	// text parses a field in text form; the bytes are valid during the call only.
	text(field []byte) error
	// binary parses a field in binary form.
	binary(field []byte) error
	// fields parses column col of the first n rows of a run. It gives the index of
	// the first bad one with its error.
	fields(r *run, col, n int) (int, error)
	null()
	// finish gives what was collected and starts anew.
	finish() arrow.Array
}

// newColumn picks the builder of a type.
func newColumn(env *types.Env, t types.T) column {
	b := base{env: env, t: t}
	if t.Class == types.ClassBase {
		switch t.OID {
		case types.Int2:
			return &fixedColumn[int16]{base: b, parse: parseSmall[int16], wrap: arrow.Int16Traits.CastToBytes}
		case types.Int4:
			return &fixedColumn[int32]{base: b, parse: parseSmall[int32], wrap: arrow.Int32Traits.CastToBytes}
		case types.Int8:
			return &fixedColumn[int64]{base: b, parse: parseSmall[int64], wrap: arrow.Int64Traits.CastToBytes}
		case types.DateOID:
			return &fixedColumn[int32]{base: b, parse: isoDate, wrap: arrow.Int32Traits.CastToBytes}
		case types.TimestampOID:
			if t.Mod < 0 || t.Mod == 6 {
				return &fixedColumn[int64]{base: b, parse: isoTimestamp, wrap: arrow.Int64Traits.CastToBytes}
			}
		case types.TimestampTZOID:
			if t.Mod < 0 || t.Mod == 6 {
				return &fixedColumn[int64]{base: b, parse: isoTimestampTZ, wrap: arrow.Int64Traits.CastToBytes}
			}
		case types.Float4:
			return &fixedColumn[float32]{base: b, parse: parseFloat4, wrap: arrow.Float32Traits.CastToBytes}
		case types.Float8:
			return &fixedColumn[float64]{base: b, parse: parseFloat8, wrap: arrow.Float64Traits.CastToBytes}
		case types.Text, types.VarChar, types.BPChar:
			c := &textColumn{base: b, limit: -1}
			if t.Mod >= 4 && t.OID != types.Text {
				c.limit = int(t.Mod) - 4
			}
			return c
		case types.NumericOID:
			if p, s, ok := fixedNumeric(t.Mod); ok {
				return &decColumn{base: b, precision: p, scale: s}
			}
		}
	}
	return &generalColumn{base: b, b: types.NewBuilder(t, 0)}
}

// base is what the builders share: the count of values, and validity bits once
// there is a NULL.
type base struct {
	env   *types.Env
	t     types.T
	n     int
	valid []byte
	nulls int
}

// mark counts a value.
func (b *base) mark(ok bool) {
	if ok && b.valid == nil {
		b.n++
		return
	}
	b.markBit(ok)
}

func (b *base) markBit(ok bool) {
	if b.valid == nil {
		b.valid = make([]byte, bitutil.BytesForBits(int64(b.n)), b.n/8+64)
		bitutil.SetBitsTo(b.valid, 0, int64(b.n), true)
	}
	if b.n%8 == 0 {
		b.valid = append(b.valid, 0)
	}
	if ok {
		bitutil.SetBit(b.valid, b.n)
	} else {
		b.nulls++
	}
	b.n++
}

func (b *base) isValid(i int) bool { return b.valid == nil || bitutil.BitIsSet(b.valid, i) }

func (b *base) reset() { b.n, b.valid, b.nulls = 0, nil, 0 }

// slowFields is fields for whatever has no loop of its own.
func slowFields(c column, r *run, col, n int) (int, error) {
	for i, k := 0, col; i < n; i, k = i+1, k+r.cols {
		f := r.data[r.ends[k]+1 : r.ends[k+1]]
		if len(f) == r.nullLen || r.quoted {
			var null bool
			if f, null = r.unwrap(f, col); null {
				c.null()
				continue
			}
		}
		if err := c.text(f); err != nil {
			return i, err
		}
	}
	return n, nil
}

// generalColumn parses by the type's input functions.
type generalColumn struct {
	base
	b *types.Builder
}

func (c *generalColumn) text(f []byte) error {
	d, err := types.In(c.env, c.t, string(f))
	if err == nil {
		c.b.Append(d)
	}
	return err
}

func (c *generalColumn) binary(f []byte) error {
	d, err := types.Recv(c.env, c.t, f)
	if err == nil {
		c.b.Append(d)
	}
	return err
}

func (c *generalColumn) fields(r *run, col, n int) (int, error) { return slowFields(c, r, col, n) }

func (c *generalColumn) null()               { c.b.AppendNull() }
func (c *generalColumn) finish() arrow.Array { return c.b.Finish() }

// fixedColumn holds a type of fixed width. parse reads the usual notation; what
// it does not know goes to the type's input function.
type fixedColumn[V int16 | int32 | int64 | float32 | float64] struct {
	base
	v     []V
	parse func([]byte) (V, bool)
	wrap  func([]V) []byte
}

func (c *fixedColumn[V]) text(f []byte) error {
	v, ok := c.parse(f)
	if !ok {
		d, err := types.In(c.env, c.t, string(f))
		if err != nil {
			return err
		}
		v = fixedOf[V](d)
	}
	c.v = append(c.v, v)
	c.mark(true)
	return nil
}

// fixedOf gives the stored form of a Datum.
func fixedOf[V int16 | int32 | int64 | float32 | float64](d types.Datum) V {
	switch x := d.(type) {
	case int16:
		return V(x)
	case int32:
		return V(x)
	case int64:
		return V(x)
	case float32:
		return V(x)
	case float64:
		return V(x)
	case types.Date:
		return V(x)
	case types.Timestamp:
		return V(x)
	}
	return d.(V)
}

func (c *fixedColumn[V]) binary(f []byte) error {
	d, err := types.Recv(c.env, c.t, f)
	if err != nil {
		return err
	}
	c.v = append(c.v, fixedOf[V](d))
	c.mark(true)
	return nil
}

func (c *fixedColumn[V]) fields(r *run, col, n int) (int, error) {
	data, ends, parse := r.data, r.ends, c.parse
	for i, k := 0, col; i < n; i, k = i+1, k+r.cols {
		f := data[ends[k]+1 : ends[k+1]]
		if len(f) == r.nullLen || r.quoted {
			var null bool
			if f, null = r.unwrap(f, col); null {
				c.null()
				continue
			}
		}
		v, ok := parse(f)
		if !ok {
			if err := c.text(f); err != nil {
				return i, err
			}
			continue
		}
		c.v = append(c.v, v)
		c.mark(true)
	}
	return n, nil
}

func (c *fixedColumn[V]) null() { c.v = append(c.v, 0); c.mark(false) }

func (c *fixedColumn[V]) finish() arrow.Array {
	n := len(c.v)
	a := types.NewFixed(types.ArrowType(c.t), c.wrap(c.v), n, c.valid, c.nulls)
	c.v = make([]V, 0, n+n/8)
	c.reset()
	return a
}

// parseSmall reads an integer that fits its type.
func parseSmall[V int16 | int32 | int64](f []byte) (V, bool) {
	v, ok := parseInt(f)
	return V(v), ok && int64(V(v)) == v
}

// parseFloat8 reads decimal notation; special values, zeros and the smallest numbers
// are left to the type's input function, as are errors.
func parseFloat8(f []byte) (float64, bool) {
	if !plainNumber(f) {
		return 0, false
	}
	v, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(f), len(f)), 64)
	return v, err == nil && math.Abs(v) > 1e-300 && !math.IsInf(v, 0)
}

func parseFloat4(f []byte) (float32, bool) {
	if !plainNumber(f) {
		return 0, false
	}
	v, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(f), len(f)), 32)
	return float32(v), err == nil && math.Abs(v) > 1e-37 && !math.IsInf(v, 0)
}

func plainNumber(f []byte) bool {
	for _, c := range f {
		if (c < '0' || c > '9') && c != '.' && c != '-' && c != 'e' {
			return false
		}
	}
	return len(f) > 0 && f[len(f)-1] != 'e'
}

// parseInt reads plain digits with an optional minus; ok is false for all else.
func parseInt(f []byte) (v int64, ok bool) {
	neg := false
	if len(f) > 0 && f[0] == '-' {
		neg, f = true, f[1:]
	}
	if len(f) == 0 || len(f) > 18 {
		return 0, false
	}
	for _, c := range f {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + int64(c-'0')
	}
	if neg {
		v = -v
	}
	return v, true
}

// textColumn holds text, varchar(n) and char(n).
type textColumn struct {
	base
	limit   int // characters; −1: none
	offsets []int32
	data    []byte
}

func (c *textColumn) text(f []byte) error {
	if c.limit < 0 || len(f) <= c.limit && c.t.OID != types.BPChar {
		c.data = append(c.data, f...)
		c.end(true)
		return nil
	}
	if len(f) > c.limit && utf8.RuneCount(f) > c.limit {
		d, err := types.In(c.env, c.t, string(f))
		if err != nil {
			return err
		}
		f = []byte(d.(string))
	}
	c.data = append(c.data, f...)
	if c.t.OID == types.BPChar {
		c.pad(c.limit - utf8.RuneCount(f))
	}
	c.end(true)
	return nil
}

const spaces = "                                "

func (c *textColumn) pad(n int) {
	for ; n > len(spaces); n -= len(spaces) {
		c.data = append(c.data, spaces...)
	}
	if n > 0 {
		c.data = append(c.data, spaces[:n]...)
	}
}

func (c *textColumn) fields(r *run, col, n int) (int, error) {
	if c.limit >= 0 && !r.ascii {
		return slowFields(c, r, col, n)
	}
	if len(c.offsets) == 0 {
		c.offsets = append(c.offsets, 0)
	}
	pads := c.t.OID == types.BPChar && c.limit >= 0
	for i, k := 0, col; i < n; i, k = i+1, k+r.cols {
		f := r.data[r.ends[k]+1 : r.ends[k+1]]
		if len(f) == r.nullLen || r.quoted {
			var null bool
			if f, null = r.unwrap(f, col); null {
				c.null()
				continue
			}
		}
		if c.limit >= 0 && len(f) > c.limit {
			if err := c.text(f); err != nil {
				return i, err
			}
			continue
		}
		c.data = append(c.data, f...)
		if pads && len(f) < c.limit {
			c.pad(c.limit - len(f))
		}
		c.offsets = append(c.offsets, int32(len(c.data)))
		c.mark(true)
	}
	return n, nil
}

func (c *textColumn) end(ok bool) {
	if len(c.offsets) == 0 {
		c.offsets = append(c.offsets, 0)
	}
	c.offsets = append(c.offsets, int32(len(c.data)))
	c.mark(ok)
}

func (c *textColumn) binary(f []byte) error {
	d, err := types.Recv(c.env, c.t, f)
	if err != nil {
		return err
	}
	return c.text([]byte(d.(string)))
}

func (c *textColumn) null() { c.end(false) }

func (c *textColumn) finish() arrow.Array {
	n, size := len(c.offsets), len(c.data)
	if n == 0 {
		c.offsets = []int32{0}
	}
	a := types.NewVarlen(types.ArrowType(c.t), c.offsets, c.data, c.valid, c.nulls)
	c.offsets, c.data = make([]int32, 0, n+n/8), make([]byte, 0, size+size/8)
	c.reset()
	return a
}

var monthDays = [...]int{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

// isoDate reads YYYY-MM-DD, a date that exists.
func isoDate(f []byte) (int32, bool) {
	if len(f) != 10 || f[4] != '-' || f[7] != '-' {
		return 0, false
	}
	num := func(b []byte) int {
		n := 0
		for _, c := range b {
			if c < '0' || c > '9' {
				return -1
			}
			n = n*10 + int(c-'0')
		}
		return n
	}
	y, m, d := num(f[:4]), num(f[5:7]), num(f[8:])
	if y < 1 || m < 1 || m > 12 || d < 1 {
		return 0, false
	}
	last := monthDays[m-1]
	if m == 2 && (y%4 == 0 && y%100 != 0 || y%400 == 0) {
		last = 29
	}
	if d > last {
		return 0, false
	}
	// Days since 1970-01-01, with years that begin in March.
	if m <= 2 {
		y--
		m += 12
	}
	return int32(365*y + y/4 - y/100 + y/400 + (153*(m-3)+2)/5 + d - 1 - 719468), true
}

// fixedNumeric reads a typmod of numeric(p, s) that fits an int64.
func fixedNumeric(mod int32) (precision, scale int, ok bool) {
	if mod < 4 {
		return 0, 0, false
	}
	precision = int((mod - 4) >> 16 & 0xffff)
	scale = int((mod-4)&0x7ff^1024) - 1024
	return precision, scale, precision <= 18 && scale >= 0 && scale <= precision
}

// decColumn holds numeric(p, s) with p ≤ 18 in Dec64 form.
type decColumn struct {
	base
	precision, scale int
	v                []int64
	wide             *types.Builder // after a value without Dec64 form (NaN)
}

var pow10 = func() (p [19]int64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()

func (c *decColumn) text(f []byte) error {
	v, ok := c.parse(f)
	if !ok {
		d, err := types.In(c.env, c.t, string(f))
		if err != nil {
			return err
		}
		return c.add(d)
	}
	if c.wide != nil {
		c.wide.Append(types.NumericFromInt64(v, int32(c.scale)))
		return nil
	}
	c.v = append(c.v, v)
	c.mark(true)
	return nil
}

// parse reads plain decimal notation with no more digits than the type has.
func (c *decColumn) parse(f []byte) (v int64, ok bool) {
	neg := false
	if len(f) > 0 && f[0] == '-' {
		neg, f = true, f[1:]
	}
	if len(f) == 0 || len(f) > 19 {
		return 0, false
	}
	frac, digits := -1, 0
	for _, ch := range f {
		if ch == '.' && frac < 0 {
			frac = 0
			continue
		}
		if ch < '0' || ch > '9' {
			return 0, false
		}
		v = v*10 + int64(ch-'0')
		digits++
		if frac >= 0 {
			frac++
		}
	}
	frac = max(frac, 0)
	if digits == 0 || digits > 18 || frac > c.scale || digits-frac+c.scale > 18 {
		return 0, false
	}
	v *= pow10[c.scale-frac]
	if v >= pow10[c.precision] {
		return 0, false
	}
	if neg {
		v = -v
	}
	return v, true
}

func (c *decColumn) add(d types.Datum) error {
	if c.wide == nil {
		if u, scale, ok := d.(types.Numeric).Int64(); ok && int(scale) == c.scale {
			c.v = append(c.v, u)
			c.mark(true)
			return nil
		}
		c.wide = types.NewBuilder(c.t, c.n+1)
		for i, u := range c.v {
			if c.isValid(i) {
				c.wide.Append(types.NumericFromInt64(u, int32(c.scale)))
			} else {
				c.wide.AppendNull()
			}
		}
	}
	c.wide.Append(d)
	return nil
}

func (c *decColumn) fields(r *run, col, n int) (int, error) {
	if c.wide != nil {
		return slowFields(c, r, col, n)
	}
	for i, k := 0, col; i < n; i, k = i+1, k+r.cols {
		f := r.data[r.ends[k]+1 : r.ends[k+1]]
		if len(f) == r.nullLen || r.quoted {
			var null bool
			if f, null = r.unwrap(f, col); null {
				c.null()
				continue
			}
		}
		v, ok := c.parse(f)
		if !ok || c.wide != nil {
			if err := c.text(f); err != nil {
				return i, err
			}
			continue
		}
		c.v = append(c.v, v)
		c.mark(true)
	}
	return n, nil
}

func (c *decColumn) binary(f []byte) error {
	d, err := types.Recv(c.env, c.t, f)
	if err != nil {
		return err
	}
	return c.add(d)
}

func (c *decColumn) null() {
	if c.wide != nil {
		c.wide.AppendNull()
		return
	}
	c.v = append(c.v, 0)
	c.mark(false)
}

func (c *decColumn) finish() arrow.Array {
	var a arrow.Array
	if c.wide != nil {
		a = c.wide.Finish()
		c.wide = nil
	} else {
		a = types.NewDec64Array(int32(c.scale), c.v, c.valid, c.nulls)
	}
	c.v = make([]int64, 0, cap(c.v))
	c.reset()
	return a
}
