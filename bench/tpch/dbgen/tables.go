package dbgen

import (
	"math"
	"strconv"
	"time"
)

// Table names a TPC-H table.
type Table string

const (
	Region   Table = "region"
	Nation   Table = "nation"
	Part     Table = "part"
	Supplier Table = "supplier"
	PartSupp Table = "partsupp"
	Customer Table = "customer"
	Orders   Table = "orders"
	Lineitem Table = "lineitem"
)

// Tables lists all eight, parents before children.
var Tables = []Table{Region, Nation, Part, Supplier, PartSupp, Customer, Orders, Lineitem}

// scaled is a table's base cardinality at a scale factor.
func scaled(base int64, sf float64) int64 {
	return max(int64(math.Round(float64(base)*sf)), 1)
}

// Units is how many generation units a table has at a scale factor: rows, but
// parts for partsupp (four rows each) and orders for lineitem (one to seven).
func Units(t Table, sf float64) int64 {
	switch t {
	case Region:
		return 5
	case Nation:
		return 25
	case Part, PartSupp:
		return scaled(200_000, sf)
	case Supplier:
		return scaled(10_000, sf)
	case Customer:
		return scaled(150_000, sf)
	}
	return scaled(1_500_000, sf)
}

// Generator yields the lines of one table, in dbgen's .tbl form. Not safe for
// concurrent use; several may work on different unit ranges of one table.
type Generator struct {
	sf     float64
	next   int64 // unit to come, from 0
	end    int64
	append func(buf []byte, unit int64) []byte
}

// NewGenerator generates units [from, to) of a table.
func NewGenerator(t Table, sf float64, from, to int64) *Generator {
	g := &Generator{sf: sf, next: from, end: to}
	switch t {
	case Region:
		g.append = regions(from)
	case Nation:
		g.append = nations(from)
	case Part:
		g.append = parts(from)
	case Supplier:
		g.append = suppliers(from)
	case PartSupp:
		g.append = partSupps(sf, from)
	case Customer:
		g.append = customers(from)
	case Orders:
		g.append = newOrderGen(sf, from).appendOrder
	case Lineitem:
		g.append = newOrderGen(sf, from).appendLines
	default:
		panic("dbgen: no table " + string(t))
	}
	return g
}

// Append appends the lines of the next unit; ok is false after the last.
func (g *Generator) Append(buf []byte) (out []byte, ok bool) {
	if g.next >= g.end {
		return buf, false
	}
	buf = g.append(buf, g.next)
	g.next++
	return buf, true
}

// started gives streams that stand at row from.
func started(from int64, streams ...*stream) []*stream {
	for _, s := range streams {
		s.skipRows(from)
	}
	return streams
}

func endRow(streams []*stream) {
	for _, s := range streams {
		s.endRow()
	}
}

func regions(from int64) func([]byte, int64) []byte {
	names, comment := dist("regions"), newStream(1500869201, 2)
	all := started(from, comment)
	return func(b []byte, i int64) []byte {
		b = append(strconv.AppendInt(b, i, 10), '|')
		b = append(append(b, names.words[i]...), '|')
		b = append(comment.appendText(b, 72), '|', '\n')
		endRow(all)
		return b
	}
}

func nations(from int64) func([]byte, int64) []byte {
	names, comment := dist("nations"), newStream(606179079, 2)
	all := started(from, comment)
	return func(b []byte, i int64) []byte {
		b = append(strconv.AppendInt(b, i, 10), '|')
		b = append(append(b, names.words[i]...), '|')
		b = append(strconv.AppendInt(b, int64(names.cumulative[i]), 10), '|')
		b = append(comment.appendText(b, 72), '|', '\n')
		endRow(all)
		return b
	}
}

func parts(from int64) func([]byte, int64) []byte {
	colors, types, containers := dist("colors"), dist("p_types"), dist("p_cntr")
	name, mfgr, brand := newStream(709314158, int64(len(colors.words))), newStream(1, 1), newStream(46831694, 1)
	typ, size, cntr, comment := newStream(1841581359, 1), newStream(1193163244, 1), newStream(727633698, 1), newStream(804159733, 2)
	all := started(from, name, mfgr, brand, typ, size, cntr, comment)
	order := make([]int32, len(colors.words))
	return func(b []byte, i int64) []byte {
		key := i + 1
		b = append(strconv.AppendInt(b, key, 10), '|')
		for k := range order {
			order[k] = int32(k)
		}
		for k := range 5 { // the first five of a random permutation
			j := name.uniform(int32(k), int32(len(order)-1))
			order[k], order[j] = order[j], order[k]
			if k > 0 {
				b = append(b, ' ')
			}
			b = append(b, colors.words[order[k]]...)
		}
		m := int64(mfgr.uniform(1, 5))
		b = strconv.AppendInt(append(b, "|Manufacturer#"...), m, 10)
		b = strconv.AppendInt(append(b, "|Brand#"...), m*10+int64(brand.uniform(1, 5)), 10)
		b = append(append(b, '|'), types.pick(typ)...)
		b = strconv.AppendInt(append(b, '|'), int64(size.uniform(1, 50)), 10)
		b = append(append(b, '|'), containers.pick(cntr)...)
		b = appendCents(append(b, '|'), retailPrice(key))
		b = append(comment.appendText(append(b, '|'), 14), '|', '\n')
		endRow(all)
		return b
	}
}

// retailPrice is clause 4.2.3's P_RETAILPRICE in cents.
func retailPrice(part int64) int64 {
	return 90000 + part/10%20001 + part%1000*100
}

func suppliers(from int64) func([]byte, int64) []byte {
	addr, nation, phone, bal := newStream(706178559, 9), newStream(110356601, 1), newStream(884434366, 3), newStream(962338209, 1)
	comment := newStream(1341315363, 2)
	// "Better Business Bureau" comments: which supplier, how much text between the words, where, which kind
	bbb, junk, offset, kind := newStream(202794285, 1), newStream(263032577, 1), newStream(715851524, 1), newStream(753643799, 1)
	all := started(from, addr, nation, phone, bal, comment, bbb, junk, offset, kind)
	var text []byte
	return func(b []byte, i int64) []byte {
		key := i + 1
		b = append(strconv.AppendInt(b, key, 10), '|')
		b = appendPadded(append(b, "Supplier#"...), key, 9)
		b = addr.appendAlphanumeric(append(b, '|'), 25)
		n := int64(nation.uniform(0, 24))
		b = strconv.AppendInt(append(b, '|'), n, 10)
		b = phone.appendPhone(append(b, '|'), n)
		b = appendCents(append(b, '|'), int64(bal.uniform(-99999, 999999)))
		text = comment.appendText(text[:0], 63)
		if bbb.uniform(1, 10000) <= 10 {
			const first, second = "Customer ", "Complaints"
			gap := int(junk.uniform(0, int32(len(text)-len(first)-len(second))))
			at := int(offset.uniform(0, int32(len(text)-len(first)-len(second)-gap)))
			word := second
			if kind.uniform(0, 100) >= 50 {
				word = "Recommends"
			}
			copy(text[at:], first)
			copy(text[at+len(first)+gap:], word)
		}
		b = append(append(append(b, '|'), text...), '|', '\n')
		endRow(all)
		return b
	}
}

// supplierOf is the k-th (0 … 3) supplier of a part.
func supplierOf(part, k, suppliers int64) int64 {
	return (part+k*(suppliers/4+(part-1)/suppliers))%suppliers + 1
}

func partSupps(sf float64, from int64) func([]byte, int64) []byte {
	qty, cost, comment := newStream(1671059989, 4), newStream(1051288424, 4), newStream(1961692154, 8)
	all := started(from, qty, cost, comment)
	suppliers := Units(Supplier, sf)
	return func(b []byte, i int64) []byte {
		for k := range int64(4) {
			b = append(strconv.AppendInt(b, i+1, 10), '|')
			b = strconv.AppendInt(b, supplierOf(i+1, k, suppliers), 10)
			b = strconv.AppendInt(append(b, '|'), int64(qty.uniform(1, 9999)), 10)
			b = appendCents(append(b, '|'), int64(cost.uniform(100, 100000)))
			b = append(comment.appendText(append(b, '|'), 124), '|', '\n')
		}
		endRow(all)
		return b
	}
}

func customers(from int64) func([]byte, int64) []byte {
	segments := dist("msegmnt")
	addr, nation, phone, bal := newStream(881155353, 9), newStream(1489529863, 1), newStream(1521138112, 3), newStream(298370230, 1)
	segment, comment := newStream(1140279430, 1), newStream(1335826707, 2)
	all := started(from, addr, nation, phone, bal, segment, comment)
	return func(b []byte, i int64) []byte {
		b = append(strconv.AppendInt(b, i+1, 10), '|')
		b = appendPadded(append(b, "Customer#"...), i+1, 9)
		b = addr.appendAlphanumeric(append(b, '|'), 25)
		n := int64(nation.uniform(0, 24))
		b = strconv.AppendInt(append(b, '|'), n, 10)
		b = phone.appendPhone(append(b, '|'), n)
		b = appendCents(append(b, '|'), int64(bal.uniform(-99999, 999999)))
		b = append(append(b, '|'), segments.pick(segment)...)
		b = append(comment.appendText(append(b, '|'), 73), '|', '\n')
		endRow(all)
		return b
	}
}

// appendPadded appends n with leading zeros to at least width digits.
func appendPadded(b []byte, n int64, width int) []byte {
	s := strconv.FormatInt(n, 10)
	for i := len(s); i < width; i++ {
		b = append(b, '0')
	}
	return append(b, s...)
}

// appendCents appends cents as an amount with two decimals.
func appendCents(b []byte, cents int64) []byte {
	if cents < 0 {
		b, cents = append(b, '-'), -cents
	}
	b = append(strconv.AppendInt(b, cents/100, 10), '.')
	return appendPadded(b, cents%100, 2)
}

// firstDay is the first order date; dates are days since.
var firstDay = time.Date(1992, 1, 1, 0, 0, 0, 0, time.UTC)

const (
	lastOrderDay = 2557 - 121 - 30 - 1 // so that every line is received by 1998-12-31
	currentDay   = 1263                // 1995-06-17, the specification's CURRENTDATE
)

// days holds the text of every date that can occur.
var days = func() [][]byte {
	d := make([][]byte, 2558)
	for i := range d {
		d[i] = []byte(firstDay.AddDate(0, 0, i).Format(time.DateOnly))
	}
	return d
}()
