package tpcc

import "fmt"

// Districts is how many districts a warehouse has.
const Districts = 10

// Size is how much data there is. The specification fixes everything but the warehouses;
// smaller sizes are for tests.
type Size struct {
	Warehouses int
	Items      int // and stocks of a warehouse
	Customers  int // of a district; orders are as many
}

// Spec is the specification's size of so many warehouses.
func Spec(warehouses int) Size { return Size{Warehouses: warehouses, Items: 100_000, Customers: 3000} }

// Valid says what is wrong with a size.
func (s Size) Valid() error {
	if s.Warehouses < 1 || s.Warehouses > 10_000 || s.Items < 100 || s.Items > 100_000 || s.Customers < 10 || s.Customers > 3000 {
		return fmt.Errorf("tpcc: no size of %d warehouses, %d items and %d customers", s.Warehouses, s.Items, s.Customers)
	}
	return nil
}

// delivered is how many orders of a district are delivered at the beginning: 2100 of 3000.
func (s Size) delivered() int { return s.Customers * 7 / 10 }

// names is how many last names there are.
func (s Size) names() int { return min(s.Customers, 1000) }
