package tpcc

import (
	"context"
	"fmt"
)

// Order-Status (clause 2.6): a customer's last order and its lines.

const (
	statusColumns  = "select c_id, c_balance, c_first, c_middle, c_last from customer where c_w_id = $1 and c_d_id = $2 and "
	statusCustomer = statusColumns + "c_id = $3"
	statusByName   = statusColumns + "c_last = $3 order by c_first"
	statusOrder    = "select o_id, o_entry_d, o_carrier_id from orders where o_w_id = $1 and o_d_id = $2 and o_c_id = $3 order by o_id desc limit 1"
	statusLines    = "select ol_i_id, ol_supply_w_id, ol_quantity, ol_amount, ol_delivery_d from order_line where ol_w_id = $1 and ol_d_id = $2 and ol_o_id = $3"
)

type orderStatus struct {
	*client
	district int
	customer who
}

func (c *client) drawOrderStatus() *orderStatus {
	return &orderStatus{client: c, district: c.rng.between(1, Districts), customer: c.drawCustomer()}
}

func (t *orderStatus) run(ctx context.Context, _ *outcome) error {
	w, d := num(t.home), num(t.district)
	t.add(t.begin)
	t.customer.add(t.client, statusCustomer, statusByName, w, d)
	rs, err := t.send(ctx)
	if err != nil {
		return err
	}
	customer, err := rs.row(1)
	if err != nil {
		return err
	}
	t.add(statusOrder, w, d, customer[0])
	if rs, err = t.send(ctx); err != nil {
		return err
	}
	order, err := rs.one(0) // every customer has one
	if err != nil {
		return err
	}
	t.add(statusLines, w, d, order[0])
	if rs, err = t.send(ctx); err != nil {
		return err
	}
	if n := len(rs[0].Rows); n < 5 || n > 15 {
		return fmt.Errorf("tpcc: an order of %d lines", n)
	}
	return t.commit(ctx)
}
