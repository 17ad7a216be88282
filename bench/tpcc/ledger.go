package tpcc

import "sync"

// Order is a New-Order that the server has acknowledged.
type Order struct{ Warehouse, District, ID, Customer, Lines int }

// Ledger keeps what the server has acknowledged: what must be there after a crash, and what a
// reader that begins now must see. It is safe for concurrent use.
type Ledger struct {
	mu         sync.Mutex
	keepOrders bool
	orders     []Order
	marks      Marks
}

// Marks are what was acknowledged by some moment, per district (Ledger.At).
type Marks struct {
	LastOrder []int   // the highest acknowledged number; 0: none
	Paid      []int64 // the sum of the payments since the ledger began, cents
}

// At is the place of a district in Marks.
func At(warehouse, district int) int { return (warehouse-1)*Districts + district - 1 }

// NewLedger begins a ledger. keepOrders has it keep every order rather than the last number only.
func NewLedger(s Size, keepOrders bool) *Ledger {
	n := s.Warehouses * Districts
	return &Ledger{keepOrders: keepOrders, marks: Marks{LastOrder: make([]int, n), Paid: make([]int64, n)}}
}

// Marks is what has been acknowledged so far.
func (l *Ledger) Marks() Marks {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Marks{LastOrder: append([]int(nil), l.marks.LastOrder...), Paid: append([]int64(nil), l.marks.Paid...)}
}

// Orders are the orders acknowledged so far.
func (l *Ledger) Orders() []Order {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.orders[:len(l.orders):len(l.orders)]
}

func (l *Ledger) order(o Order) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.keepOrders {
		l.orders = append(l.orders, o)
	}
	// Numbers are given under the district's lock, but acknowledgements may overtake each other.
	at := At(o.Warehouse, o.District)
	l.marks.LastOrder[at] = max(l.marks.LastOrder[at], o.ID)
}

func (l *Ledger) payment(warehouse, district, cents int) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.marks.Paid[At(warehouse, district)] += int64(cents)
}
