package tpcc

import (
	"context"
	"fmt"
)

// Payment (clause 2.5): a customer pays, named by number or by last name, 15 in 100 of them in another warehouse.

const (
	payWarehouse = "update warehouse set w_ytd = w_ytd + $2 where w_id = $1 returning w_name, w_street_1, w_street_2, w_city, w_state, w_zip"
	payDistrict  = "update district set d_ytd = d_ytd + $3 where d_w_id = $1 and d_id = $2 returning d_name, d_street_1, d_street_2, d_city, d_state, d_zip"
	payColumns   = "select c_id, c_first, c_middle, c_last, c_street_1, c_street_2, c_city, c_state, c_zip, c_phone, c_since, c_credit, c_credit_lim, c_discount from customer where c_w_id = $1 and c_d_id = $2 and "
	payCustomer  = payColumns + "c_id = $3"
	payByName    = payColumns + "c_last = $3 order by c_first"
	payGood      = "update customer set c_balance = c_balance - $4, c_ytd_payment = c_ytd_payment + $4, c_payment_cnt = c_payment_cnt + 1 where c_w_id = $1 and c_d_id = $2 and c_id = $3 returning c_balance"
	// A customer of bad credit has the payment noted at the left of c_data, which keeps its first 500 characters.
	payBad     = "update customer set c_balance = c_balance - $4, c_ytd_payment = c_ytd_payment + $4, c_payment_cnt = c_payment_cnt + 1, c_data = substr($5 || c_data, 1, 500) where c_w_id = $1 and c_d_id = $2 and c_id = $3 returning c_balance, substr(c_data, 1, 200)"
	payHistory = "insert into history (h_c_id, h_c_d_id, h_c_w_id, h_d_id, h_w_id, h_date, h_amount, h_data) values ($1, $2, $3, $4, $5, localtimestamp, $6, $7)"
)

// who is the customer of a transaction: by name when there is one.
type who struct {
	id   int
	name string
}

// drawCustomer names 60 of 100 customers by last name.
func (c *client) drawCustomer() who {
	if c.rng.IntN(100) < 60 {
		return who{name: c.rng.lastName(c.size.names())}
	}
	return who{id: c.rng.customer(c.size.Customers)}
}

// add asks for a customer by one of two statements.
func (w who) add(c *client, byID, byName string, warehouse, district []byte) {
	if w.name == "" {
		c.add(byID, warehouse, district, num(w.id))
	} else {
		c.add(byName, warehouse, district, []byte(w.name))
	}
}

// row is the customer's row in an answer in the order of first names: the one in the middle, rounded up.
func (r results) row(n int) ([][]byte, error) {
	rows := r[n].Rows
	if len(rows) == 0 {
		return nil, fmt.Errorf("tpcc: no such customer")
	}
	return rows[(len(rows)-1)/2], nil
}

type payment struct {
	*client
	district                            int
	customer                            who
	customerWarehouse, customerDistrict int
	amount                              int // cents
}

func (c *client) drawPayment() *payment {
	t := &payment{client: c, district: c.rng.between(1, Districts), customer: c.drawCustomer(), amount: c.rng.between(100, 500_000)}
	t.customerWarehouse, t.customerDistrict = c.home, t.district
	if c.size.Warehouses > 1 && c.rng.IntN(100) < 15 {
		t.customerWarehouse, t.customerDistrict = c.otherWarehouse(), c.rng.between(1, Districts)
	}
	return t
}

func (t *payment) run(ctx context.Context, _ *outcome) error {
	w, d, amount := num(t.home), num(t.district), money(t.amount)
	cw, cd := num(t.customerWarehouse), num(t.customerDistrict)
	t.add(t.begin)
	t.add(payWarehouse, w, amount)
	t.add(payDistrict, w, d, amount)
	t.customer.add(t.client, payCustomer, payByName, cw, cd)
	rs, err := t.send(ctx)
	if err != nil {
		return err
	}
	warehouse, err := rs.one(1)
	if err != nil {
		return err
	}
	district, err := rs.one(2)
	if err != nil {
		return err
	}
	customer, err := rs.row(3)
	if err != nil {
		return err
	}
	if string(customer[11]) == "BC" {
		note := fmt.Appendf(nil, "%s %s %s %s %s %s|", customer[0], cd, cw, d, w, amount)
		t.add(payBad, cw, cd, customer[0], amount, note)
	} else {
		t.add(payGood, cw, cd, customer[0], amount)
	}
	t.add(payHistory, customer[0], cd, cw, d, w, amount, fmt.Appendf(nil, "%s    %s", warehouse[0], district[0]))
	if rs, err = t.send(ctx); err != nil {
		return err
	}
	if _, err := rs.one(0); err != nil {
		return err
	}
	if err := t.commit(ctx); err != nil {
		return err
	}
	t.ledger.payment(t.home, t.district, t.amount)
	return nil
}
