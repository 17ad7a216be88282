package dbgen

import "strconv"

// orderGen generates orders and their lines together: an order's status and
// total follow from its lines.
type orderGen struct {
	parts, suppliers, customers, clerks int64

	date, lines, customer, priority, clerk, comment *stream
	quantity, discount, tax, part, supplier         *stream
	ship, commit, receipt, flag, instruct, mode     *stream
	lineComment                                     *stream
	all                                             []*stream

	priorities, flags, instructs, modes *distribution
}

func newOrderGen(sf float64, from int64) *orderGen {
	g := &orderGen{
		parts: Units(Part, sf), suppliers: Units(Supplier, sf), customers: Units(Customer, sf), clerks: max(scaled(1000, sf), 1000),
		date: newStream(1066728069, 1), lines: newStream(1434868289, 1), customer: newStream(851767375, 1),
		priority: newStream(591449447, 1), clerk: newStream(1171034773, 1), comment: newStream(276090261, 2),
		quantity: newStream(209208115, 7), discount: newStream(554590007, 7), tax: newStream(721958466, 7),
		part: newStream(1808217256, 7), supplier: newStream(2095021727, 7), ship: newStream(1769349045, 7),
		commit: newStream(904914315, 7), receipt: newStream(373135028, 7), flag: newStream(717419739, 7),
		instruct: newStream(1371272478, 7), mode: newStream(675466456, 7), lineComment: newStream(1095462486, 14),
		priorities: dist("o_oprio"), flags: dist("rflag"), instructs: dist("instruct"), modes: dist("smode"),
	}
	g.all = started(from, g.date, g.lines, g.customer, g.priority, g.clerk, g.comment, g.quantity, g.discount, g.tax,
		g.part, g.supplier, g.ship, g.commit, g.receipt, g.flag, g.instruct, g.mode, g.lineComment)
	return g
}

// orderKey spreads keys: eight of every 32 are used.
func orderKey(i int64) int64 { return i>>3<<5 | i&7 }

// line is what an order and its lines have in common.
type line struct {
	quantity, discount, tax, part, ship int64
	price                               int64 // extended, cents
}

func (g *orderGen) line(orderDay int64) line {
	l := line{quantity: int64(g.quantity.uniform(1, 50)), discount: int64(g.discount.uniform(0, 10)), tax: int64(g.tax.uniform(0, 8)),
		part: int64(g.part.uniform(1, int32(g.parts)))}
	l.price = retailPrice(l.part) * l.quantity
	l.ship = orderDay + int64(g.ship.uniform(1, 121))
	return l
}

func (g *orderGen) appendOrder(b []byte, i int64) []byte {
	day := int64(g.date.uniform(0, lastOrderDay))
	customer, delta := int64(g.customer.uniform(1, int32(g.customers))), int64(1)
	for customer%3 == 0 { // a third of the customers have no orders
		customer = min(customer+delta, g.customers)
		delta = -delta
	}
	var total, shipped int64
	n := int64(g.lines.uniform(1, 7))
	for range n {
		l := g.line(day)
		total += l.price * (100 - l.discount) / 100 * (100 + l.tax) / 100
		if l.ship <= currentDay {
			shipped++
		}
	}
	status := byte('P')
	switch shipped {
	case n:
		status = 'F'
	case 0:
		status = 'O'
	}
	b = append(strconv.AppendInt(b, orderKey(i+1), 10), '|')
	b = append(strconv.AppendInt(b, customer, 10), '|', status, '|')
	b = append(appendCents(b, total), '|')
	b = append(append(b, days[day]...), '|')
	b = append(b, g.priorities.pick(g.priority)...)
	b = appendPadded(append(b, "|Clerk#"...), int64(g.clerk.uniform(1, int32(g.clerks))), 9)
	b = append(b, "|0|"...)
	b = append(g.comment.appendText(b, 49), '|', '\n')
	endRow(g.all)
	return b
}

func (g *orderGen) appendLines(b []byte, i int64) []byte {
	day := int64(g.date.uniform(0, lastOrderDay))
	n := int64(g.lines.uniform(1, 7))
	for k := range n {
		l := g.line(day)
		supplier := supplierOf(l.part, int64(g.supplier.uniform(0, 3)), g.suppliers)
		commit := day + int64(g.commit.uniform(30, 90))
		receipt := l.ship + int64(g.receipt.uniform(1, 30))
		flag, status := "N", byte('O')
		if receipt <= currentDay {
			flag = g.flags.pick(g.flag)
		}
		if l.ship <= currentDay {
			status = 'F'
		}
		b = append(strconv.AppendInt(b, orderKey(i+1), 10), '|')
		b = append(strconv.AppendInt(b, l.part, 10), '|')
		b = append(strconv.AppendInt(b, supplier, 10), '|')
		b = append(strconv.AppendInt(b, k+1, 10), '|')
		b = append(strconv.AppendInt(b, l.quantity, 10), '|')
		b = append(appendCents(b, l.price), '|')
		b = append(appendCents(b, l.discount), '|')
		b = append(appendCents(b, l.tax), '|')
		b = append(append(b, flag...), '|', status, '|')
		b = append(append(b, days[l.ship]...), '|')
		b = append(append(b, days[commit]...), '|')
		b = append(append(b, days[receipt]...), '|')
		b = append(append(b, g.instructs.pick(g.instruct)...), '|')
		b = append(append(b, g.modes.pick(g.mode)...), '|')
		b = append(g.lineComment.appendText(b, 27), '|', '\n')
	}
	endRow(g.all)
	return b
}
