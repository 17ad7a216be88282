package stars

// order is one purchase; its lines share customer, date and place.
type order struct {
	date                               int64 // 0: unknown
	time                               int64
	customer, demo, household, address int64
	shipCustomer, shipAddress          int64
	place                              int64 // store, call center or site
	lines                              []orderLine
}

// orderLine is one item of an order, amounts in cents. return* say whether and how it came back.
type orderLine struct {
	item, promotion, shipMode, warehouse, shipDate      int64
	quantity, wholesale, list, sales, discount, coupon  int64
	tax, shipping                                       int64
	returned                                            bool
	returnDate, returnReason, returnQuantity, returnFee int64
}

func (l *orderLine) paid() int64   { return l.quantity*l.sales - l.coupon }
func (l *orderLine) profit() int64 { return l.paid() - l.quantity*l.wholesale }

// monthWeights are the sales of a month against others.
var monthWeights = [12]int64{6, 6, 7, 7, 7, 8, 8, 10, 9, 10, 14, 16}

// saleDate is a day of the sales period, more often before the holidays.
func (r random) saleDate() int64 {
	for {
		day := r.Int64N(salesDays)
		if r.Int64N(16) < monthWeights[epoch.AddDate(0, 0, int(day)).Month()-1] {
			return firstDate + day
		}
	}
}

// newOrder draws an order. Every order draws from the stream of its block after the one
// before it, sales and returns alike.
func newOrder(g *sizes, r random, places, linesMin, linesMax, returnPermille int64) *order {
	o := &order{date: r.saleDate(), time: r.between(28800, 75600), customer: r.popular(g.customers), demo: r.reference(demographics, 40),
		household: r.reference(households, 40), address: r.reference(g.addresses, 40), shipAddress: r.reference(g.addresses, 20)}
	o.shipCustomer = o.customer
	if r.chance(150) { // a gift
		o.shipCustomer = r.between(1, g.customers)
	}
	if r.chance(40) {
		o.customer = 0
	}
	sold := o.date
	if r.chance(40) {
		o.date = 0
	}
	o.place = 0
	if !r.chance(40) {
		o.place = r.skewed(places)
	}
	used := map[int64]bool{}
	for range r.between(linesMin, linesMax) {
		l := orderLine{item: r.popular(g.items), quantity: r.between(1, 100), wholesale: r.between(100, 10000)}
		l.list = l.wholesale + l.wholesale*r.between(0, 200)/100
		l.sales = l.list * r.between(0, 100) / 100
		l.discount = l.quantity * (l.list - l.sales)
		if r.chance(200) {
			l.coupon = l.quantity * l.sales * r.between(0, 100) / 100
		}
		l.tax = l.paid() * r.between(0, 9) / 100
		l.shipping = l.quantity * l.list * r.between(0, 50) / 100
		l.promotion = r.reference(g.promotions, 500)
		l.shipMode = r.reference(shipModes, 5)
		l.warehouse = r.reference(g.warehouses, 5)
		l.shipDate = sold + r.between(2, 120)
		if r.chance(returnPermille) {
			l.returned = true
			l.returnQuantity = r.between(1, l.quantity)
			l.returnDate = min(sold+r.between(3, 180), firstDate+dateCount-1)
			l.returnReason = r.reference(reasons, 40)
			l.returnFee = r.between(50, 10000)
		}
		if used[l.item] {
			continue
		}
		used[l.item] = true
		if r.chance(15) { // bookkeeping was sloppy
			l.quantity = -1
		}
		o.lines = append(o.lines, l)
	}
	return o
}

// known is v, or NULL where the quantity is unknown.
func (o *row) known(l *orderLine, cents int64) {
	if l.quantity < 0 {
		o.null()
		return
	}
	o.cents(cents)
}

func (o *row) quantity(l *orderLine) {
	if l.quantity < 0 {
		o.null()
		return
	}
	o.int(l.quantity)
}

func addStoreSales(g *sizes, r random, unit int64, o *row) {
	s := newOrder(g, r, g.stores, 6, 14, 100)
	for i := range s.lines {
		l := &s.lines[i]
		o.key(s.date)
		o.key(s.time)
		o.int(l.item)
		o.key(s.customer)
		o.key(s.demo)
		o.key(s.household)
		o.key(s.address)
		o.key(s.place)
		o.key(l.promotion)
		o.int(unit + 1)
		o.quantity(l)
		o.cents(l.wholesale)
		o.cents(l.list)
		o.cents(l.sales)
		o.known(l, l.discount)
		o.known(l, l.quantity*l.sales)
		o.known(l, l.quantity*l.wholesale)
		o.known(l, l.quantity*l.list)
		o.known(l, l.tax)
		o.known(l, l.coupon)
		o.known(l, l.paid())
		o.known(l, l.profit())
		o.end()
	}
}

func addStoreReturns(g *sizes, r random, unit int64, o *row) {
	s := newOrder(g, r, g.stores, 6, 14, 100)
	for i := range s.lines {
		l := &s.lines[i]
		if !l.returned {
			continue
		}
		o.key(l.returnDate)
		o.int(l.item)
		o.key(s.customer)
		o.key(s.demo)
		o.key(s.household)
		o.key(s.address)
		o.key(s.place)
		o.key(l.returnReason)
		o.int(unit + 1)
		o.int(l.returnQuantity)
		o.cents(l.returnQuantity * l.sales)
		o.cents(l.returnQuantity * l.sales * 8 / 100)
		o.cents(l.returnFee)
		o.cents(l.returnQuantity * l.sales * 60 / 100)
		o.cents(l.returnFee + l.returnQuantity*l.sales/2)
		o.end()
	}
}

func addCatalogSales(g *sizes, r random, unit int64, o *row) {
	s := newOrder(g, r, callCenters, 4, 14, 100)
	for i := range s.lines {
		l := &s.lines[i]
		o.key(s.date)
		o.key(l.shipDate)
		o.key(s.customer)
		o.key(s.demo)
		o.key(s.household)
		o.key(s.address)
		o.key(s.shipCustomer)
		o.key(s.shipAddress)
		o.key(s.place)
		o.key(l.shipMode)
		o.key(l.warehouse)
		o.int(l.item)
		o.key(l.promotion)
		o.int(unit + 1)
		o.quantity(l)
		o.cents(l.wholesale)
		o.cents(l.list)
		o.cents(l.sales)
		o.known(l, l.discount)
		o.known(l, l.quantity*l.sales)
		o.known(l, l.quantity*l.wholesale)
		o.known(l, l.quantity*l.list)
		o.known(l, l.coupon)
		o.known(l, l.shipping)
		o.known(l, l.paid())
		o.known(l, l.profit())
		o.end()
	}
}

func addCatalogReturns(g *sizes, r random, unit int64, o *row) {
	s := newOrder(g, r, callCenters, 4, 14, 100)
	for i := range s.lines {
		l := &s.lines[i]
		if !l.returned {
			continue
		}
		o.key(l.returnDate)
		o.int(l.item)
		o.key(s.customer)
		o.key(s.shipCustomer)
		o.key(s.shipAddress)
		o.key(s.place)
		o.key(l.warehouse)
		o.key(l.returnReason)
		o.int(unit + 1)
		o.int(l.returnQuantity)
		o.cents(l.returnQuantity * l.sales)
		o.cents(l.returnFee)
		o.cents(l.returnQuantity * l.sales * 60 / 100)
		o.cents(l.returnFee + l.returnQuantity*l.sales/2)
		o.end()
	}
}

func addWebSales(g *sizes, r random, unit int64, o *row) {
	s := newOrder(g, r, webSites, 8, 16, 100)
	for i := range s.lines {
		l := &s.lines[i]
		o.key(s.date)
		o.key(l.shipDate)
		o.int(l.item)
		o.key(s.customer)
		o.key(s.address)
		o.key(s.shipCustomer)
		o.key(s.shipAddress)
		o.key(s.place)
		o.key(l.shipMode)
		o.key(l.warehouse)
		o.key(l.promotion)
		o.int(unit + 1)
		o.quantity(l)
		o.cents(l.wholesale)
		o.cents(l.list)
		o.cents(l.sales)
		o.known(l, l.discount)
		o.known(l, l.quantity*l.sales)
		o.known(l, l.quantity*l.wholesale)
		o.known(l, l.quantity*l.list)
		o.known(l, l.shipping)
		o.known(l, l.paid())
		o.known(l, l.profit())
		o.end()
	}
}

func addWebReturns(g *sizes, r random, unit int64, o *row) {
	s := newOrder(g, r, webSites, 8, 16, 100)
	for i := range s.lines {
		l := &s.lines[i]
		if !l.returned {
			continue
		}
		o.key(l.returnDate)
		o.int(l.item)
		o.key(s.customer)
		o.key(s.address)
		o.key(s.place)
		o.key(l.returnReason)
		o.int(unit + 1)
		o.int(l.returnQuantity)
		o.cents(l.returnQuantity * l.sales)
		o.cents(l.returnFee)
		o.cents(l.returnQuantity * l.sales * 60 / 100)
		o.cents(l.returnFee + l.returnQuantity*l.sales/2)
		o.end()
	}
}

// addInventory counts one item in every warehouse; units go by date.
func addInventory(g *sizes, r random, unit int64, o *row) {
	half := (g.items + 1) / 2
	for w := range min(g.warehouses, 5) {
		o.int(firstDate + 28*(unit/half))
		o.int(1 + 2*(unit%half))
		o.int(w + 1)
		if r.chance(50) {
			o.null()
		} else {
			o.int(r.skewed(1000) - 1)
		}
		o.end()
	}
}
