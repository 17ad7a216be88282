package tpcc

import (
	"context"
	"fmt"
)

// New-Order (clause 2.4): an order of 5 to 15 items, each from the home warehouse but one in a hundred.

const (
	noCustomer  = "select c_discount, c_last, c_credit from customer where c_w_id = $1 and c_d_id = $2 and c_id = $3"
	noWarehouse = "select w_tax from warehouse where w_id = $1"
	noDistrict  = "update district set d_next_o_id = d_next_o_id + 1 where d_w_id = $1 and d_id = $2 returning d_next_o_id - 1, d_tax"
	noItem      = "select i_price, i_name, i_data from item where i_id = $1"
	noOrder     = "insert into orders (o_w_id, o_d_id, o_id, o_c_id, o_entry_d, o_ol_cnt, o_all_local) values ($1, $2, $3, $4, localtimestamp, $5, $6)"
	noNewOrder  = "insert into new_order (no_w_id, no_d_id, no_o_id) values ($1, $2, $3)"
	noTakeStock = "update stock set s_quantity = $3, s_ytd = s_ytd + $4, s_order_cnt = s_order_cnt + 1, s_remote_cnt = s_remote_cnt + $5 where s_w_id = $1 and s_i_id = $2"
	noOrderLine = "insert into order_line (ol_w_id, ol_d_id, ol_o_id, ol_number, ol_i_id, ol_supply_w_id, ol_quantity, ol_amount, ol_dist_info) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
)

// noStock reads the stock of an item for a district, each of which has a column of its own.
var noStock = func() (sql [Districts + 1]string) {
	for d := 1; d <= Districts; d++ {
		sql[d] = fmt.Sprintf("select s_quantity, s_dist_%02d, s_data from stock where s_w_id = $1 and s_i_id = $2 for update", d)
	}
	return sql
}()

type newOrder struct {
	*client
	district, customer int
	lines              []newOrderLine
}

type newOrderLine struct{ item, supplier, quantity int }

func (c *client) drawNewOrder() *newOrder {
	t := &newOrder{client: c, district: c.rng.between(1, Districts), customer: c.rng.customer(c.size.Customers)}
	t.lines = make([]newOrderLine, c.rng.between(5, 15))
	for i := range t.lines {
		t.lines[i] = newOrderLine{item: c.rng.item(c.size.Items), supplier: c.home, quantity: c.rng.between(1, 10)}
		if c.size.Warehouses > 1 && c.rng.IntN(100) == 0 {
			t.lines[i].supplier = c.otherWarehouse()
		}
	}
	if c.rng.IntN(100) == 0 {
		t.lines[len(t.lines)-1].item = c.size.Items + 1 // there is none: clause 2.4.1.4
	}
	return t
}

// otherWarehouse draws one that is not the home warehouse.
func (c *client) otherWarehouse() int {
	w := c.rng.between(1, c.size.Warehouses-1)
	if w >= c.home {
		w++
	}
	return w
}

func (t *newOrder) run(ctx context.Context, out *outcome) error {
	w, d := num(t.home), num(t.district)
	t.add(t.begin)
	t.add(noCustomer, w, d, num(t.customer))
	t.add(noWarehouse, w)
	t.add(noDistrict, w, d)
	rs, err := t.send(ctx)
	if err != nil {
		return err
	}
	for n := 1; n <= 3; n++ {
		if _, err := rs.one(n); err != nil {
			return err
		}
	}
	order := rs[3].Rows[0][0]
	id, err := atoi(order)
	if err != nil {
		return err
	}

	allLocal := 1
	for _, l := range t.lines {
		if l.supplier != t.home {
			allLocal = 0
		}
	}
	t.add(noOrder, w, d, order, num(t.customer), num(len(t.lines)), num(allLocal))
	t.add(noNewOrder, w, d, order)
	for _, l := range t.lines {
		t.add(noItem, num(l.item))
		t.add(noStock[t.district], num(l.supplier), num(l.item))
	}
	if rs, err = t.send(ctx); err != nil {
		return err
	}
	type stock struct{ supplier, item int }
	quantities := map[stock]int{} // of what this order has taken from
	for i, l := range t.lines {
		if len(rs[2+2*i].Rows) == 0 && l.item > t.size.Items {
			out.rolledBack = true
			return t.abandon(ctx)
		}
		item, err := rs.one(2 + 2*i)
		if err != nil {
			return err
		}
		price, err := cents(item[0])
		if err != nil {
			return err
		}
		row, err := rs.one(3 + 2*i)
		if err != nil {
			return err
		}
		quantity, again := quantities[stock{l.supplier, l.item}]
		if !again {
			if quantity, err = atoi(row[0]); err != nil {
				return err
			}
		}
		if quantity -= l.quantity; quantity < 10 {
			quantity += 91
		}
		quantities[stock{l.supplier, l.item}] = quantity
		remote := 0
		if l.supplier != t.home {
			remote = 1
		}
		t.add(noTakeStock, num(l.supplier), num(l.item), num(quantity), num(l.quantity), num(remote))
		t.add(noOrderLine, w, d, order, num(i+1), num(l.item), num(l.supplier), num(l.quantity), money(l.quantity*price), row[1])
	}
	if rs, err = t.send(ctx); err != nil {
		return err
	}
	for i := range rs {
		if rs.changed(i) != 1 {
			return fmt.Errorf("tpcc: %d rows changed where there is one", rs.changed(i))
		}
	}
	if err := t.commit(ctx); err != nil {
		return err
	}
	t.ledger.order(Order{Warehouse: t.home, District: t.district, ID: id, Customer: t.customer, Lines: len(t.lines)})
	return nil
}
