package text

import (
	"strings"
	"unicode/utf8"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

// numReader collects a number's characters along a format.
type numReader struct {
	*numDesc
	in                string
	at                int
	sign              byte // ' ' until one is read
	digits            []byte
	readPre, readPost int
	readPoint         bool
}

func (r *numReader) end() bool { return r.at >= len(r.in) }

func (r *numReader) isDigitAt(i int) bool { return i < len(r.in) && r.in[i] >= '0' && r.in[i] <= '9' }

// skip passes over up to n characters that are not part of a number.
func (r *numReader) skip(n int) {
	for ; n > 0 && !r.end() && strings.IndexByte("0123456789.,+-", r.in[r.at]) < 0; n-- {
		_, w := utf8.DecodeRuneInString(r.in[r.at:])
		r.at += w
	}
}

func (r *numReader) digit(k numKey) {
	if r.end() {
		return
	}
	if r.in[r.at] == ' ' {
		r.at++
	}
	if r.end() {
		return
	}
	if r.sign == ' ' && (k == nk0 || k == nk9) && r.readPre+r.readPost == 0 {
		switch c := r.in[r.at]; {
		case c == '-' || c == '+':
			if !r.lsign || r.numDesc.sign == signPre {
				r.sign = c
				r.at++
			}
		case c == '<' && r.bracket && !r.lsign:
			r.sign = '-'
			r.at++
		}
	}
	if r.end() {
		return
	}
	read := false
	if r.isDigitAt(r.at) {
		if r.readPoint && r.readPost == r.post {
			return
		}
		r.digits = append(r.digits, r.in[r.at])
		if r.readPoint {
			r.readPost++
		} else {
			r.readPre++
		}
		read = true
	} else if r.decimal && !r.readPoint && r.in[r.at] == '.' {
		r.digits = append(r.digits, '.')
		r.readPoint, read = true, true
	}
	if r.end() || r.sign != ' ' || r.readPre+r.readPost == 0 {
		return
	}
	// a sign behind the number
	if r.lsign && read && r.at+1 < len(r.in) && !r.isDigitAt(r.at+1) {
		if c := r.in[r.at+1]; c == '-' || c == '+' {
			r.sign = c
			r.at++
		}
	} else if !read && !r.lsign && (r.plus || r.minus) {
		if c := r.in[r.at]; c == '-' || c == '+' {
			r.sign = c
		}
	}
}

func toNumber(s, f string) (types.Datum, error) {
	if f == "" {
		return nil, nil
	}
	d, err := parseNumFormat(f)
	if err != nil {
		return nil, err
	}
	if d.roman {
		return nil, pgerror.New(pgerror.FeatureNotSupported, "\"RN\" not supported for input")
	}
	if d.e {
		return nil, pgerror.New(pgerror.FeatureNotSupported, "\"EEEE\" not supported for input")
	}
	r := &numReader{numDesc: d, in: s, sign: ' '}
	for _, n := range d.nodes {
		if r.end() {
			break
		}
		switch n.key {
		case nkLiteral:
			_, w := utf8.DecodeRuneInString(s[r.at:])
			r.at += w
		case nk9, nk0, nkPoint, nkD:
			r.digit(n.key)
			r.at++
		case nkComma, nkG:
			if s[r.at] == ',' {
				r.at++
			}
		case nkL, nkMI, nkPL, nkSG:
			r.skipSign(n.key)
		case nkTH, nkLowerTH:
			r.skip(2)
		}
	}
	text := strings.TrimSuffix(string(r.digits), ".")
	if r.sign != ' ' {
		text = string(r.sign) + text
	} else {
		text = " " + text
	}
	n, err := types.ParseNumeric(text)
	if err != nil {
		return nil, err
	}
	scale := r.readPost
	precision := d.pre + d.multi + scale
	if n, err = n.ApplyTypmod(int32(precision<<16|scale) + 4); err != nil {
		return nil, err
	}
	if d.isMulti {
		p, err := types.NumericFromInt64(10, 0).Pow(types.NumericFromInt64(int64(-d.multi), 0))
		if err == nil {
			n, err = n.Mul(p)
		}
		if err != nil {
			return nil, err
		}
	}
	return n, nil
}

// skipSign passes a sign position; a sign that stands there counts.
func (r *numReader) skipSign(k numKey) {
	if c := r.in[r.at]; k != nkL && (c == '-' || c == '+') && r.sign == ' ' {
		if k == nkMI && c == '-' || k == nkPL && c == '+' || k == nkSG {
			r.sign = c
			r.at++
			return
		}
	}
	r.skip(1)
}
