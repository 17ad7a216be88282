package copy

import (
	"unicode/utf8"

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
	null()
	finish() arrow.Array
}

// newColumn picks the builder of a type.
func newColumn(env *types.Env, t types.T, rows int) column {
	if t.Class == types.ClassBase {
		switch t.OID {
		case types.Int2, types.Int4, types.Int8:
			return &intColumn{base: base{env: env, t: t}}
		case types.Text, types.VarChar, types.BPChar:
			return &textColumn{base: base{env: env, t: t}}
		case types.DateOID:
			return &dateColumn{base: base{env: env, t: t}}
		case types.NumericOID:
			if p, s, ok := fixedNumeric(t.Mod); ok {
				return &decColumn{base: base{env: env, t: t}, precision: p, scale: s}
			}
		}
	}
	return &generalColumn{base: base{env: env, t: t}, b: types.NewBuilder(t, rows)}
}

// base is what the builders share: validity bits, grown with the column.
type base struct {
	env   *types.Env
	t     types.T
	n     int
	valid []byte
	nulls int
}

func (b *base) mark(ok bool) {
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

func (b *base) reset() { b.n, b.valid, b.nulls = 0, nil, 0 }

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

func (c *generalColumn) null()               { c.b.AppendNull() }
func (c *generalColumn) finish() arrow.Array { return c.b.Finish() }

// intColumn holds int2, int4 and int8.
type intColumn struct {
	base
	v []int64
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

func (c *intColumn) text(f []byte) error {
	v, ok := parseInt(f)
	if ok {
		switch c.t.OID {
		case types.Int4:
			ok = v == int64(int32(v))
		case types.Int2:
			ok = v == int64(int16(v))
		}
	}
	if !ok {
		d, err := types.In(c.env, c.t, string(f))
		if err != nil {
			return err
		}
		v = intOf(d)
	}
	c.v = append(c.v, v)
	c.mark(true)
	return nil
}

func intOf(d types.Datum) int64 {
	switch x := d.(type) {
	case int16:
		return int64(x)
	case int32:
		return int64(x)
	}
	return d.(int64)
}

func (c *intColumn) binary(f []byte) error {
	d, err := types.Recv(c.env, c.t, f)
	if err != nil {
		return err
	}
	c.v = append(c.v, intOf(d))
	c.mark(true)
	return nil
}

func (c *intColumn) null() { c.v = append(c.v, 0); c.mark(false) }

func (c *intColumn) finish() arrow.Array {
	n, dt := len(c.v), types.ArrowType(c.t)
	var b []byte
	switch c.t.OID {
	case types.Int8:
		b = arrow.Int64Traits.CastToBytes(c.v)
		c.v = make([]int64, 0, n)
	case types.Int4:
		x := make([]int32, n)
		for i, v := range c.v {
			x[i] = int32(v)
		}
		b = arrow.Int32Traits.CastToBytes(x)
	default:
		x := make([]int16, n)
		for i, v := range c.v {
			x[i] = int16(v)
		}
		b = arrow.Int16Traits.CastToBytes(x)
	}
	a := types.NewFixed(dt, b, n, c.valid, c.nulls)
	c.v = c.v[:0]
	c.reset()
	return a
}

// textColumn holds text, varchar(n) and char(n).
type textColumn struct {
	base
	offsets []int32
	data    []byte
}

func (c *textColumn) text(f []byte) error {
	if c.t.Mod >= 4 && c.t.OID != types.Text {
		limit := int(c.t.Mod) - 4
		if len(f) > limit && utf8.RuneCount(f) > limit {
			d, err := types.In(c.env, c.t, string(f))
			if err != nil {
				return err
			}
			f = []byte(d.(string))
		}
		c.data = append(c.data, f...)
		if c.t.OID == types.BPChar {
			for k := utf8.RuneCount(f); k < limit; k++ {
				c.data = append(c.data, ' ')
			}
		}
	} else {
		c.data = append(c.data, f...)
	}
	c.end(true)
	return nil
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
	c.offsets, c.data = make([]int32, 0, n), make([]byte, 0, size)
	c.reset()
	return a
}

// dateColumn reads ISO dates itself.
type dateColumn struct {
	base
	v []int32
}

func (c *dateColumn) text(f []byte) error {
	days, ok := isoDate(f)
	if !ok {
		d, err := types.In(c.env, c.t, string(f))
		if err != nil {
			return err
		}
		days = int32(d.(types.Date))
	}
	c.v = append(c.v, days)
	c.mark(true)
	return nil
}

func (c *dateColumn) binary(f []byte) error {
	d, err := types.Recv(c.env, c.t, f)
	if err != nil {
		return err
	}
	c.v = append(c.v, int32(d.(types.Date)))
	c.mark(true)
	return nil
}

func (c *dateColumn) null() { c.v = append(c.v, 0); c.mark(false) }

func (c *dateColumn) finish() arrow.Array {
	a := types.NewFixed(types.ArrowType(c.t), arrow.Int32Traits.CastToBytes(c.v), len(c.v), c.valid, c.nulls)
	c.v = make([]int32, 0, len(c.v))
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
			if bitutil.BitIsSet(c.valid, i) {
				c.wide.Append(types.NumericFromInt64(u, int32(c.scale)))
			} else {
				c.wide.AppendNull()
			}
		}
	}
	c.wide.Append(d)
	return nil
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
