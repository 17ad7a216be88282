package text

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// Number formatting: to_char(number, format) and to_number(text, format). A
// format is read once into nodes and a description (numDesc); a writer or reader
// then walks the nodes beside the number's digits.

type numKey uint8

const (
	nkLiteral numKey = iota
	nkComma
	nkPoint
	nk0
	nk9
	nkB
	nkC
	nkD
	nkEEEE
	nkFM
	nkG
	nkL
	nkMI
	nkPL
	nkPR
	nkRN
	nkLowerRN
	nkSG
	nkSP
	nkS
	nkTH
	nkLowerTH
	nkV
)

// numKeys in the order they are tried.
var numKeys = []struct {
	text string
	key  numKey
}{
	{",", nkComma}, {".", nkPoint}, {"0", nk0}, {"9", nk9}, {"B", nkB}, {"C", nkC}, {"D", nkD}, {"EEEE", nkEEEE}, {"FM", nkFM}, {"G", nkG},
	{"L", nkL}, {"MI", nkMI}, {"PL", nkPL}, {"PR", nkPR}, {"RN", nkRN}, {"SG", nkSG}, {"SP", nkSP}, {"S", nkS}, {"TH", nkTH}, {"V", nkV},
	{"b", nkB}, {"c", nkC}, {"d", nkD}, {"eeee", nkEEEE}, {"fm", nkFM}, {"g", nkG}, {"l", nkL}, {"mi", nkMI}, {"pl", nkPL}, {"pr", nkPR},
	{"rn", nkLowerRN}, {"sg", nkSG}, {"sp", nkSP}, {"s", nkS}, {"th", nkLowerTH}, {"v", nkV},
}

type numNode struct {
	key  numKey
	text string // of a literal
}

type signPlace uint8

const (
	signNone signPlace = iota
	signPre
	signPost
)

// numDesc is what a format says as a whole.
type numDesc struct {
	nodes                                                      []numNode
	pre, post, multi                                           int // digits before and after the point, after V
	zeroStart, zeroEnd, preSign                                int
	sign                                                       signPlace
	decimal, fill, lsign, bracket, minus, plus, zero, roman, e bool
	isMulti, blank                                             bool
}

func numError(format string, args ...any) *pgerror.Error {
	return pgerror.New(pgerror.SyntaxError, format, args...)
}

func parseNumFormat(f string) (*numDesc, error) {
	d := &numDesc{}
	for i := 0; i < len(f); {
		found := false
		for _, k := range numKeys {
			if strings.HasPrefix(f[i:], k.text) {
				if err := d.add(k.key); err != nil {
					return nil, err
				}
				d.nodes = append(d.nodes, numNode{key: k.key})
				i += len(k.text)
				found = true
				break
			}
		}
		if found {
			continue
		}
		literal := func() {
			_, w := utf8.DecodeRuneInString(f[i:])
			d.nodes = append(d.nodes, numNode{text: f[i : i+w]})
			i += w
		}
		if f[i] == '"' {
			for i++; i < len(f) && f[i] != '"'; literal() {
				if f[i] == '\\' && i+1 < len(f) {
					i++
				}
			}
			i++
			continue
		}
		if f[i] == '\\' && i+1 < len(f) && f[i+1] == '"' {
			i++
		}
		literal()
	}
	return d, nil
}

// add takes one key into the description.
func (d *numDesc) add(k numKey) error {
	if d.e && k != nkEEEE {
		return numError("\"EEEE\" must be the last pattern used")
	}
	switch k {
	case nk9:
		switch {
		case d.bracket:
			return numError("\"9\" must be ahead of \"PR\"")
		case d.isMulti:
			d.multi++
		case d.decimal:
			d.post++
		default:
			d.pre++
		}
	case nk0:
		if d.bracket {
			return numError("\"0\" must be ahead of \"PR\"")
		}
		if !d.zero && !d.decimal {
			d.zero, d.zeroStart = true, d.pre
		}
		if d.decimal {
			d.post++
		} else {
			d.pre++
		}
		d.zeroEnd = d.pre + d.post
	case nkD, nkPoint:
		if d.decimal {
			return numError("multiple decimal points")
		}
		if d.isMulti {
			return numError("cannot use \"V\" and decimal point together")
		}
		d.decimal = true
	case nkB:
		d.blank = d.blank || d.pre == 0 && d.post == 0 && !d.zero
	case nkFM:
		d.fill = true
	case nkS:
		if d.lsign {
			return numError("cannot use \"S\" twice")
		}
		if d.plus || d.minus || d.bracket {
			return numError("cannot use \"S\" and \"PL\"/\"MI\"/\"SG\"/\"PR\" together")
		}
		d.lsign = true
		if !d.decimal {
			d.sign, d.preSign = signPre, d.pre
		} else if d.sign == signNone {
			d.sign = signPost
		}
	case nkMI, nkPL, nkSG:
		if d.lsign {
			return numError("cannot use \"S\" and \"%s\" together", map[numKey]string{nkMI: "MI", nkPL: "PL", nkSG: "SG"}[k])
		}
		d.minus = d.minus || k != nkPL
		d.plus = d.plus || k != nkMI
	case nkPR:
		if d.lsign || d.plus || d.minus {
			return numError("cannot use \"PR\" and \"S\"/\"PL\"/\"MI\"/\"SG\" together")
		}
		d.bracket = true
	case nkRN, nkLowerRN:
		d.roman = true
	case nkV:
		if d.decimal {
			return numError("cannot use \"V\" and decimal point together")
		}
		d.isMulti = true
	case nkEEEE:
		if d.e {
			return numError("cannot use \"EEEE\" twice")
		}
		if d.blank || d.fill || d.lsign || d.bracket || d.minus || d.plus || d.roman || d.isMulti {
			return numError("\"EEEE\" is incompatible with other formats").
				WithDetail("\"EEEE\" may only be used together with digit and decimal point patterns.")
		}
		d.e = true
	}
	return nil
}

// numWriter lays digits out along a format.
type numWriter struct {
	*numDesc
	out      strings.Builder
	number   string // digits with a point, no sign; fixed point
	at       int    // next character of number
	neg      bool
	spaces   int // format digits to the left of the number
	curr     int // format digits passed
	count    int
	last     int  // offset of the last character FM keeps, −1: all are kept
	wrote    bool // the sign is written, or not to be
	in       bool // the last digit position wrote a digit
	brackets bool
	err      error
	cut      int // where the text ends early, −1: nowhere
	sign     signPlace
}

func writeNumber(d *numDesc, number string, spaces int, neg bool) (string, error) {
	w := &numWriter{numDesc: d, number: number, neg: neg, spaces: spaces, last: -1, cut: -1, brackets: d.bracket, sign: d.sign}
	if d.plus || d.minus {
		w.wrote = d.minus
	} else {
		if !neg && d.fill {
			w.brackets = false
		}
		w.wrote = !neg && d.fill && !d.lsign
		if w.sign == signPre && d.pre == d.preSign {
			w.sign = signPost
		}
	}
	w.count = d.post + d.pre - 1
	if d.fill && d.decimal {
		if p := strings.IndexByte(number, '.'); p >= 0 {
			w.last = p
			for i := p + 1; i < len(number); i++ {
				if number[i] != '0' {
					w.last = i
				}
			}
			if d.zeroEnd > spaces {
				w.last = max(w.last, min(len(number)-1, d.zeroEnd-spaces))
			}
		}
	}
	if !w.wrote && spaces == 0 {
		w.count++
	}
	for _, n := range d.nodes {
		w.node(n)
	}
	if w.cut >= 0 {
		return w.out.String()[:w.cut], w.err
	}
	return w.out.String(), w.err
}

func (w *numWriter) space() {
	if !w.fill {
		w.out.WriteByte(' ')
	}
}

func (w *numWriter) node(n numNode) {
	switch n.key {
	case nkLiteral:
		w.out.WriteString(n.text)
	case nk9, nk0, nkPoint, nkD:
		w.digit(n.key)
	case nkComma, nkG:
		if w.in {
			w.out.WriteByte(',')
		} else {
			w.space()
		}
	case nkL:
		w.out.WriteByte(' ') // the currency symbol of locale C
	case nkRN, nkLowerRN:
		s := w.number
		if n.key == nkLowerRN {
			s = lowerASCII(s)
		}
		if !w.fill {
			s = strings.Repeat(" ", max(15-len(s), 0)) + s
		}
		w.out.WriteString(s)
	case nkTH, nkLowerTH:
		if w.roman || strings.HasPrefix(w.number, "#") || w.neg || w.decimal {
			return
		}
		if c := w.number[len(w.number)-1:]; !isDigits(c) {
			w.err = pgerror.New(pgerror.InvalidTextRepresentation, "\"%s\" is not a number", w.number)
			return
		}
		th := ordinal(w.number)
		if n.key == nkTH {
			th = upperASCII(th)
		}
		w.out.WriteString(th)
	case nkMI:
		if w.neg {
			w.out.WriteByte('-')
		} else {
			w.space()
		}
	case nkPL:
		if !w.neg {
			w.out.WriteByte('+')
		} else {
			w.space()
		}
	case nkSG:
		w.out.WriteByte(w.signChar())
	}
}

func (w *numWriter) signChar() byte {
	if w.neg {
		return '-'
	}
	return '+'
}

func isDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// ordinal is the English ending of a number.
func ordinal(s string) string {
	if s == "" {
		return "th"
	}
	if n := len(s); n > 1 && s[n-2] == '1' {
		return "th"
	}
	switch s[len(s)-1] {
	case '1':
		return "st"
	case '2':
		return "nd"
	case '3':
		return "rd"
	}
	return "th"
}

// leadingZero: the number is 0.… and the format shows no zero there.
func (w *numWriter) leadingZero() bool {
	return !w.zero && w.at == 0 && strings.HasPrefix(w.number, "0") && w.post != 0
}

func (w *numWriter) lastIsPoint() bool { return w.last >= 0 && w.number[w.last] == '.' }

// digit handles one digit position or the decimal point.
func (w *numWriter) digit(k numKey) {
	if w.roman {
		return
	}
	w.in = false
	if !w.wrote && (w.curr >= w.spaces || w.zero && w.zeroStart == w.curr) && (!w.leadingZero() || w.lastIsPoint()) {
		switch {
		case w.lsign:
			if w.sign == signPre {
				w.out.WriteByte(w.signChar())
				w.wrote = true
			}
		case w.brackets:
			if w.neg {
				w.out.WriteByte('<')
			} else {
				w.out.WriteByte(' ')
			}
			w.wrote = true
		case w.neg:
			w.out.WriteByte('-')
			w.wrote = true
		default:
			w.space()
			w.wrote = true
		}
	}
	switch {
	case w.curr < w.spaces && (w.zeroStart > w.curr || !w.zero):
		w.space()
	case w.zero && w.curr < w.spaces && w.zeroStart <= w.curr:
		w.out.WriteByte('0')
		w.in = true
	default:
		c := byte(0)
		if w.at < len(w.number) {
			c = w.number[w.at]
		}
		switch {
		case c == '.':
			if !w.lastIsPoint() || w.fill {
				w.out.WriteByte('.')
			}
		case w.last >= 0 && w.at > w.last && k != nk0:
		case w.leadingZero():
			if !w.fill {
				w.out.WriteByte(' ')
			} else if w.lastIsPoint() {
				w.out.WriteByte('0')
			}
		case c != 0:
			w.out.WriteByte(c)
			w.in = true
		case w.cut < 0: // past the number's end PostgreSQL's text ends too
			w.cut = w.out.Len()
		}
		if c != 0 {
			w.at++
		}
	}
	end := w.count
	if w.spaces > 0 {
		end++
	}
	if w.decimal {
		end++
	}
	if w.last >= 0 && w.last == w.at {
		end = w.curr
	}
	if w.curr+1 == end {
		switch {
		case w.wrote && w.brackets:
			if w.neg {
				w.out.WriteByte('>')
			} else {
				w.out.WriteByte(' ')
			}
		case w.lsign && w.sign == signPost:
			w.out.WriteByte(w.signChar())
		}
	}
	w.curr++
}

var romanDigits = []struct {
	v int64
	s string
}{{1000, "M"}, {900, "CM"}, {500, "D"}, {400, "CD"}, {100, "C"}, {90, "XC"}, {50, "L"}, {40, "XL"}, {10, "X"}, {9, "IX"}, {5, "V"}, {4, "IV"}, {1, "I"}}

func roman(v int64) string {
	if v < 1 || v > 3999 {
		return strings.Repeat("#", 15)
	}
	var b strings.Builder
	for _, r := range romanDigits {
		for v >= r.v {
			b.WriteString(r.s)
			v -= r.v
		}
	}
	return b.String()
}

// layout fits a signed fixed-point number into the format, or fills it with #.
func (d *numDesc) layout(s string) (string, error) {
	neg := strings.HasPrefix(s, "-")
	s = strings.TrimPrefix(s, "-")
	n := strings.IndexByte(s, '.')
	if n < 0 {
		n = len(s)
	}
	switch {
	case n < d.pre:
		return writeNumber(d, s, d.pre-n, neg)
	case n > d.pre:
		s = strings.Repeat("#", d.pre) + "." + strings.Repeat("#", d.post)
	}
	return writeNumber(d, s, 0, neg)
}

// scientific lays out d.ddde±xx with the sign's place.
func scientific(s string) string {
	if strings.HasPrefix(s, "-") {
		return s
	}
	return " " + s
}

// overflowE fills the place of a number EEEE cannot show.
func (d *numDesc) overflowE() string {
	b := []byte(strings.Repeat("#", d.pre+d.post+6))
	b[0] = ' '
	if d.pre+1 < len(b) {
		b[d.pre+1] = '.'
	}
	return string(b)
}

func formatNumeric(d *numDesc, n types.Numeric) (string, error) {
	switch {
	case d.roman:
		r, err := n.Round(0)
		if err != nil {
			return "", err
		}
		v, ok := r.ToInt64()
		if r.IsNaN() {
			return "", pgerror.New(pgerror.FeatureNotSupported, "cannot convert NaN to integer")
		}
		if r.IsInf() {
			return "", pgerror.New(pgerror.FeatureNotSupported, "cannot convert infinity to integer")
		}
		if !ok || v > math.MaxInt32 || v < math.MinInt32 {
			return "", pgerror.New(pgerror.NumericValueOutOfRange, "integer out of range")
		}
		return writeNumber(d, roman(v), 0, false)
	case d.e:
		if !n.IsFinite() {
			return d.overflowE(), nil
		}
		return scientific(n.Scientific(d.post)), nil
	}
	v := n
	pre := d.pre
	if d.isMulti {
		p, err := types.NumericFromInt64(10, 0).Pow(types.NumericFromInt64(int64(d.multi), 0))
		if err == nil {
			v, err = v.Mul(p)
		}
		if err != nil {
			return "", err
		}
		c := *d
		c.pre = pre + d.multi
		d = &c
	}
	r, err := v.Round(int32(d.post))
	if err != nil {
		return "", err
	}
	return d.layout(r.String())
}

func formatInt8(d *numDesc, v int64) (string, error) {
	switch {
	case d.roman && int64(int32(v)) != v:
		return "", pgerror.New(pgerror.NumericValueOutOfRange, "integer out of range")
	case d.roman:
		return writeNumber(d, roman(v), 0, false)
	case d.e:
		return scientific(types.NumericFromInt64(v, 0).Scientific(d.post)), nil
	case d.isMulti:
		if p := math.Abs(float64(v)) * math.Pow(10, float64(d.multi)); p >= 1<<63 {
			return "", pgerror.New(pgerror.NumericValueOutOfRange, "bigint out of range")
		}
	}
	return formatNumeric(d, types.NumericFromInt64(v, 0))
}

func formatInt4(d *numDesc, v int32) (string, error) {
	switch {
	case d.e:
		return scientific(strconv.FormatFloat(float64(v), 'e', d.post, 64)), nil
	case d.isMulti: // in 32 bits, and what does not fit is lost
		c := *d
		c.pre, c.isMulti = d.pre+d.multi, false
		for range min(d.multi, 32) {
			v *= 10
		}
		return formatNumeric(&c, types.NumericFromInt64(int64(v), 0))
	}
	return formatInt8(d, int64(v))
}

// formatFloat shows no more digits than the type holds (15 or 6).
func formatFloat(d *numDesc, f float64, digits int) (string, error) {
	special := math.IsNaN(f) || math.IsInf(f, 0)
	switch {
	case d.roman:
		r := math.RoundToEven(f)
		if !(r >= 0 && r <= math.MaxInt32) { // not a Roman number anyway
			r = 0
		}
		return writeNumber(d, roman(int64(r)), 0, false)
	case d.e:
		if special {
			return d.overflowE(), nil
		}
		return scientific(strconv.FormatFloat(f, 'e', d.post, 64)), nil
	}
	c := *d
	if d.isMulti {
		f *= math.Pow(10, float64(d.multi))
		c.pre += d.multi
	}
	if special {
		s := map[bool]string{true: "NaN", false: "Infinity"}[math.IsNaN(f)]
		if f < 0 {
			s = "-" + s
		}
		return c.layout(s)
	}
	n := len(strconv.FormatFloat(math.Abs(f), 'f', 0, 64))
	if n >= digits {
		c.post = 0
	} else if n+c.post > digits {
		c.post = digits - n
	}
	return c.layout(strconv.FormatFloat(f, 'f', c.post, 64))
}

// numFormatOf reads the format of a call, prepared when it is constant.
func numFormatOf(call *expr.Call, f string) (*numDesc, error) {
	if d, ok := call.State.(*numDesc); ok {
		return d, nil
	}
	return parseNumFormat(f)
}

func registerNumFormat(r *expr.Registry) {
	prep := adapt.Prepare(func(_ *expr.Context, call *expr.Call) (any, error) {
		if len(call.IsConst) < 2 || !call.IsConst[1] || call.Const[1] == nil {
			return nil, nil
		}
		d, err := parseNumFormat(call.Const[1].(string))
		if err != nil {
			return nil, nil // reported for the first row
		}
		return d, nil
	})
	adapt.Add(r, "to_char(numeric,text)", toChar(formatNumeric), prep)
	adapt.Add(r, "to_char(int4,text)", toChar(formatInt4), prep)
	adapt.Add(r, "to_char(int8,text)", toChar(formatInt8), prep)
	adapt.Add(r, "to_char(float4,text)", toChar(func(d *numDesc, f float32) (string, error) { return formatFloat(d, float64(f), 6) }), prep)
	adapt.Add(r, "to_char(float8,text)", toChar(func(d *numDesc, f float64) (string, error) { return formatFloat(d, f, 15) }), prep)
	adapt.Add(r, "to_number(text,text)", adapt.E2(toNumber))
}

func toChar[A any](f func(*numDesc, A) (string, error)) expr.Kernel {
	return adapt.C2(func(_ *expr.Context, call *expr.Call, v A, format string) (string, error) {
		if format == "" {
			return "", nil
		}
		d, err := numFormatOf(call, format)
		if err != nil {
			return "", err
		}
		return f(d, v)
	})
}
