package tpcc

import (
	"context"
	"fmt"
)

// Delivery (clause 2.7): the oldest new order of every district of a warehouse, in one transaction.

const (
	deliverOldest = "select no_o_id from new_order where no_w_id = $1 and no_d_id = $2 order by no_o_id limit 1"
	deliverTake   = "delete from new_order where no_w_id = $1 and no_d_id = $2 and no_o_id = $3"
	deliverOrder  = "update orders set o_carrier_id = $4 where o_w_id = $1 and o_d_id = $2 and o_id = $3 returning o_c_id"
	deliverLines  = "update order_line set ol_delivery_d = localtimestamp where ol_w_id = $1 and ol_d_id = $2 and ol_o_id = $3"
	deliverAmount = "select sum(ol_amount) from order_line where ol_w_id = $1 and ol_d_id = $2 and ol_o_id = $3"
	deliverPay    = "update customer set c_balance = c_balance + $4, c_delivery_cnt = c_delivery_cnt + 1 where c_w_id = $1 and c_d_id = $2 and c_id = $3"
)

type delivery struct {
	*client
	carrier int
}

func (c *client) drawDelivery() *delivery { return &delivery{client: c, carrier: c.rng.between(1, 10)} }

func (t *delivery) run(ctx context.Context, out *outcome) error {
	w := num(t.home)
	t.add(t.begin)
	orders, err := t.take(ctx)
	if err != nil {
		return err
	}
	type found struct{ district, order []byte }
	var fs []found
	for d := 1; d <= Districts; d++ {
		if orders[d] == nil {
			out.skipped++
			continue
		}
		fs = append(fs, found{num(d), orders[d]})
	}
	if len(fs) > 0 {
		for _, f := range fs {
			t.add(deliverOrder, w, f.district, f.order, num(t.carrier))
			t.add(deliverLines, w, f.district, f.order)
			t.add(deliverAmount, w, f.district, f.order)
		}
		rs, err := t.send(ctx)
		if err != nil {
			return err
		}
		for i, f := range fs {
			customer, err := rs.one(3 * i)
			if err != nil {
				return err
			}
			amount, err := rs.one(3*i + 2)
			if err != nil {
				return err
			}
			if n := rs.changed(3*i + 1); n < 5 || n > 15 {
				return fmt.Errorf("tpcc: an order of %d lines", n)
			}
			t.add(deliverPay, w, f.district, customer[0], amount[0])
		}
		if rs, err = t.send(ctx); err != nil {
			return err
		}
		for i := range rs {
			if rs.changed(i) != 1 {
				return fmt.Errorf("tpcc: %d customers changed where there is one", rs.changed(i))
			}
		}
	}
	return t.commit(ctx)
}

// take removes the oldest new order of every district and gives their numbers by district. Where another delivery
// has been faster with one, it looks again.
func (t *delivery) take(ctx context.Context) (orders [Districts + 1][]byte, err error) {
	w, first := num(t.home), 0
	if t.waiting > 0 {
		first = 1 // BEGIN
	}
	todo := make([]int, 0, Districts)
	for d := 1; d <= Districts; d++ {
		todo = append(todo, d)
	}
	for len(todo) > 0 {
		for _, d := range todo {
			t.add(deliverOldest, w, num(d))
		}
		rs, err := t.send(ctx)
		if err != nil {
			return orders, err
		}
		var there []int
		for i, d := range todo {
			if rows := rs[first+i].Rows; len(rows) > 0 {
				orders[d] = rows[0][0]
				there = append(there, d)
				t.add(deliverTake, w, num(d), orders[d])
			}
		}
		first, todo = 0, todo[:0]
		if len(there) == 0 {
			break
		}
		if rs, err = t.send(ctx); err != nil {
			return orders, err
		}
		for i, d := range there {
			if rs.changed(i) == 0 {
				orders[d] = nil
				todo = append(todo, d)
			}
		}
	}
	return orders, nil
}
