package tpcc

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"time"
)

// Progress hears how many of a table's units are generated; done is total at the end.
type Progress func(table string, done, total int64)

// Tables lists the tables in the order in which they are loaded.
func Tables() []string {
	return []string{"item", "warehouse", "stock", "district", "customer", "history", "orders", "new_order", "order_line"}
}

// unit is what is generated at a time: rows of a warehouse, a district or a part of the items, from streams of
// random values of their own. Orders and their lines draw from the same streams.
type unit func(g *generator, n int64)

// units says how many units a table has and how one is made.
func units(name string, s Size) (int64, unit) {
	w := int64(s.Warehouses)
	parts := int64((s.Items + itemsPerUnit - 1) / itemsPerUnit)
	switch name {
	case "item":
		return parts, (*generator).items
	case "warehouse":
		return w, (*generator).warehouse
	case "stock":
		return w * parts, (*generator).stock
	case "district":
		return w * Districts, (*generator).district
	case "customer":
		return w * Districts, (*generator).customers
	case "history":
		return w * Districts, (*generator).history
	case "orders":
		return w * Districts, (*generator).orders
	case "new_order":
		return w * Districts, (*generator).newOrders
	case "order_line":
		return w * Districts, (*generator).orderLines
	}
	return 0, nil
}

const itemsPerUnit = 1000

// Write writes a table in COPY's text format. progress may be nil.
func Write(w io.Writer, name string, s Size, seed uint64, progress Progress) error {
	total, add := units(name, s)
	if add == nil {
		return fmt.Errorf("tpcc: no table %q", name)
	}
	out := bufio.NewWriterSize(w, 1<<18)
	g := &generator{size: s, seed: seed}
	for n := range total {
		g.buf = g.buf[:0]
		add(g, n)
		if _, err := out.Write(g.buf); err != nil {
			return err
		}
		if progress != nil {
			progress(name, n+1, total)
		}
	}
	return out.Flush()
}

// generator appends rows to buf.
type generator struct {
	size Size
	seed uint64
	buf  []byte
}

// loadDate is when the initial population was entered.
var loadDate = time.Date(2024, time.January, 1, 0, 0, 0, 0, time.UTC)

func (g *generator) sep() {
	if n := len(g.buf); n > 0 && g.buf[n-1] != '\n' {
		g.buf = append(g.buf, '\t')
	}
}

func (g *generator) end() { g.buf = append(g.buf, '\n') }

func (g *generator) int(v int) {
	g.sep()
	g.buf = strconv.AppendInt(g.buf, int64(v), 10)
}

func (g *generator) null() {
	g.sep()
	g.buf = append(g.buf, `\N`...)
}

func (g *generator) string(s string) {
	g.sep()
	g.buf = append(g.buf, s...)
}

func (g *generator) text(r Random, lo, hi int) {
	g.sep()
	g.buf = r.text(g.buf, lo, hi)
}

// decimal is v / 10^digits.
func (g *generator) decimal(v, digits int) {
	g.sep()
	g.buf = appendDecimal(g.buf, v, digits)
}

func appendDecimal(buf []byte, v, digits int) []byte {
	if v < 0 {
		buf, v = append(buf, '-'), -v
	}
	unit := 1
	for range digits {
		unit *= 10
	}
	buf = append(strconv.AppendInt(buf, int64(v/unit), 10), '.')
	for unit /= 10; unit > 0; unit /= 10 {
		buf = append(buf, byte('0'+v/unit%10))
	}
	return buf
}

// time is so many minutes after loadDate.
func (g *generator) time(minutes int) {
	g.sep()
	g.buf = loadDate.Add(time.Duration(minutes)*time.Minute).AppendFormat(g.buf, "2006-01-02 15:04:05")
}

// data is I_DATA or S_DATA: one in ten has ORIGINAL somewhere (clause 4.3.3.1).
func (g *generator) data(r Random) {
	g.text(r, 26, 50)
	if r.IntN(10) == 0 {
		const original = "ORIGINAL"
		n := len(g.buf) - 26 + r.IntN(26-len(original)+1)
		copy(g.buf[n:], original)
	}
}

// address is street, street, city, state and zip.
func (g *generator) address(r Random) {
	g.text(r, 10, 20)
	g.text(r, 10, 20)
	g.text(r, 10, 20)
	g.text(r, 2, 2)
	g.sep()
	g.buf = append(r.digits(g.buf, 4), "11111"...)
}

func (g *generator) itemsOf(part int64) (from, to int) {
	return int(part)*itemsPerUnit + 1, min(int(part+1)*itemsPerUnit, g.size.Items)
}

func (g *generator) items(n int64) {
	r := newRandom(g.seed, streamItem, n)
	for id, to := g.itemsOf(n); id <= to; id++ {
		g.int(id)
		g.int(r.between(1, 10_000))
		g.text(r, 14, 24)
		g.decimal(r.between(100, 10_000), 2)
		g.data(r)
		g.end()
	}
}

func (g *generator) warehouse(n int64) {
	r := newRandom(g.seed, streamWarehouse, n)
	g.int(int(n) + 1)
	g.text(r, 6, 10)
	g.address(r)
	g.decimal(r.between(0, 2000), 4)
	g.decimal(initialPayment*g.size.Customers*Districts, 2)
	g.end()
}

// initialPayment is what every customer has paid at the beginning, in cents.
const initialPayment = 1000

func (g *generator) stock(n int64) {
	r := newRandom(g.seed, streamStock, n)
	parts := int64((g.size.Items + itemsPerUnit - 1) / itemsPerUnit)
	for id, to := g.itemsOf(n % parts); id <= to; id++ {
		g.int(int(n/parts) + 1)
		g.int(id)
		g.int(r.between(10, 100))
		for range Districts {
			g.text(r, 24, 24)
		}
		g.int(0)
		g.int(0)
		g.int(0)
		g.data(r)
		g.end()
	}
}

// districtOf is the warehouse and the district of a unit.
func districtOf(n int64) (w, d int) { return int(n/Districts) + 1, int(n%Districts) + 1 }

func (g *generator) district(n int64) {
	w, d := districtOf(n)
	r := newRandom(g.seed, streamDistrict, n)
	g.int(w)
	g.int(d)
	g.text(r, 6, 10)
	g.address(r)
	g.decimal(r.between(0, 2000), 4)
	g.decimal(initialPayment*g.size.Customers, 2)
	g.int(g.size.Customers + 1)
	g.end()
}

func (g *generator) customers(n int64) {
	w, d := districtOf(n)
	r := newRandom(g.seed, streamCustomer, n)
	for c := 1; c <= g.size.Customers; c++ {
		name := c - 1
		if c > 1000 {
			name = r.nonUniform(255, cLastLoad, 0, 999)
		}
		g.int(w)
		g.int(d)
		g.int(c)
		g.text(r, 8, 16)
		g.string("OE")
		g.string(lastName(name))
		g.address(r)
		g.sep()
		g.buf = r.digits(g.buf, 16)
		g.time(c)
		if r.IntN(10) == 0 {
			g.string("BC")
		} else {
			g.string("GC")
		}
		g.string("50000.00")
		g.decimal(r.between(0, 5000), 4)
		g.decimal(-initialPayment, 2)
		g.decimal(initialPayment, 2)
		g.int(1)
		g.int(0)
		g.text(r, 300, 500)
		g.end()
	}
}

func (g *generator) history(n int64) {
	w, d := districtOf(n)
	r := newRandom(g.seed, streamDistrict, -n-1)
	for c := 1; c <= g.size.Customers; c++ {
		for _, v := range [...]int{c, d, w, d, w} {
			g.int(v)
		}
		g.time(c)
		g.decimal(initialPayment, 2)
		g.text(r, 12, 24)
		g.end()
	}
}

// order is the beginning of an order's stream of random values; its lines draw the rest of it.
func (g *generator) order(n int64, o int) (r Random, carrier, lines int) {
	r = newRandom(g.seed, streamOrder, n<<16|int64(o))
	return r, r.between(1, 10), r.between(5, 15)
}

func (g *generator) orders(n int64) {
	w, d := districtOf(n)
	customers := newRandom(g.seed, streamPermutation, n).Perm(g.size.Customers)
	for o := 1; o <= g.size.Customers; o++ {
		_, carrier, lines := g.order(n, o)
		g.int(w)
		g.int(d)
		g.int(o)
		g.int(customers[o-1] + 1)
		g.time(o)
		if o <= g.size.delivered() {
			g.int(carrier)
		} else {
			g.null()
		}
		g.int(lines)
		g.int(1)
		g.end()
	}
}

func (g *generator) newOrders(n int64) {
	w, d := districtOf(n)
	for o := g.size.delivered() + 1; o <= g.size.Customers; o++ {
		g.int(w)
		g.int(d)
		g.int(o)
		g.end()
	}
}

func (g *generator) orderLines(n int64) {
	w, d := districtOf(n)
	for o := 1; o <= g.size.Customers; o++ {
		r, _, lines := g.order(n, o)
		delivered := o <= g.size.delivered()
		for line := 1; line <= lines; line++ {
			g.int(w)
			g.int(d)
			g.int(o)
			g.int(line)
			g.int(r.between(1, g.size.Items))
			g.int(w)
			if delivered {
				g.time(o)
			} else {
				g.null()
			}
			g.int(5)
			if delivered {
				g.decimal(0, 2)
			} else {
				g.decimal(r.between(1, 999_999), 2)
			}
			g.text(r, 24, 24)
			g.end()
		}
	}
}
