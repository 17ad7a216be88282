package tpcc

import "context"

// Stock-Level (clause 2.8): how many of the items of a district's last twenty orders are running out.

const (
	levelDistrict = "select d_next_o_id from district where d_w_id = $1 and d_id = $2"
	levelCount    = `select count(distinct s_i_id) from order_line, stock
where ol_w_id = $1 and ol_d_id = $2 and ol_o_id < $3 and ol_o_id >= $3 - 20 and s_w_id = $1 and s_i_id = ol_i_id and s_quantity < $4`
)

type stockLevel struct {
	*client
	threshold int
}

func (c *client) drawStockLevel() *stockLevel {
	return &stockLevel{client: c, threshold: c.rng.between(10, 20)}
}

func (t *stockLevel) run(ctx context.Context, _ *outcome) error {
	w, d := num(t.home), num(t.client.district)
	t.add(t.begin)
	t.add(levelDistrict, w, d)
	rs, err := t.send(ctx)
	if err != nil {
		return err
	}
	next, err := rs.one(1)
	if err != nil {
		return err
	}
	t.add(levelCount, w, d, next[0], num(t.threshold))
	if rs, err = t.send(ctx); err != nil {
		return err
	}
	if _, err := rs.one(0); err != nil {
		return err
	}
	return t.commit(ctx)
}
