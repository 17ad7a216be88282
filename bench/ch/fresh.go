package ch

import (
	"context"
	"fmt"
	"math/big"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/basaltdb/basalt/bench/tpcc"
)

// What an analyst asks to see that its snapshot is one moment, and which. Each question is one statement over tables
// that every New-Order or every Payment changes together.
const (
	// freshPayments: a Payment adds to district, warehouse and history.
	freshPayments = `select d_w_id, d_id, d_ytd, coalesce(paid, 0), w_ytd, sum(d_ytd) over (partition by d_w_id)
from district join warehouse on w_id = d_w_id
left join (select h_w_id, h_d_id, sum(h_amount) as paid from history group by h_w_id, h_d_id) h on h_w_id = d_w_id and h_d_id = d_id`
	// freshOrders: a New-Order adds to district and orders.
	freshOrders = `select d_w_id, d_id, d_next_o_id - 1, last, n, lines, lines
from district join (select o_w_id, o_d_id, max(o_id) as last, count(*) as n, sum(o_ol_cnt) as lines from orders group by o_w_id, o_d_id) o on o_w_id = d_w_id and o_d_id = d_id`
	// freshLines: and it adds its lines.
	freshLines = `select d_w_id, d_id, d_next_o_id - 1, last, n, lines, there
from district join (select o_w_id, o_d_id, max(o_id) as last, count(*) as n, sum(o_ol_cnt) as lines from orders group by o_w_id, o_d_id) o on o_w_id = d_w_id and o_d_id = d_id
join (select ol_w_id, ol_d_id, count(*) as there from order_line group by ol_w_id, ol_d_id) l on ol_w_id = d_w_id and ol_d_id = d_id`
)

// freshness judges snapshots by what was acknowledged before they were taken.
type freshness struct {
	size   tpcc.Size
	ledger *tpcc.Ledger
	base   []*big.Rat // what the districts had been paid when the ledger began
}

// newFreshness reads where the ledger begins: no Payment may run.
func newFreshness(ctx context.Context, conn *pgconn.PgConn, s tpcc.Size, ledger *tpcc.Ledger) (*freshness, error) {
	f := &freshness{size: s, ledger: ledger, base: make([]*big.Rat, s.Warehouses*tpcc.Districts)}
	err := f.ask(ctx, conn, freshPayments, func(at int, v []*big.Rat) error { f.base[at] = v[1]; return nil })
	return f, err
}

// ask runs a question, which has a row for each district: its keys and numbers.
func (f *freshness) ask(ctx context.Context, conn *pgconn.PgConn, sql string, each func(at int, v []*big.Rat) error) error {
	r := conn.ExecParams(ctx, sql, nil, nil, nil, nil).Read()
	if r.Err != nil {
		return r.Err
	}
	if len(r.Rows) != len(f.base) {
		return fmt.Errorf("ch: %d districts of %d in %s", len(r.Rows), len(f.base), sql)
	}
	for _, row := range r.Rows {
		v := make([]*big.Rat, len(row))
		for i := range v {
			ok := false
			if v[i], ok = new(big.Rat).SetString(string(row[i])); !ok {
				return fmt.Errorf("ch: %q where a number is due", row[i])
			}
		}
		at := tpcc.At(int(v[0].Num().Int64()), int(v[1].Num().Int64()))
		if err := each(at, v[2:]); err != nil {
			return fmt.Errorf("warehouse %s district %s: %w", row[0], row[1], err)
		}
	}
	return nil
}

// check verifies that the transaction's snapshot balances and is not older than the marks. withLines counts the lines
// of the orders too, which reads the largest table.
func (f *freshness) check(ctx context.Context, conn *pgconn.PgConn, marks tpcc.Marks, withLines bool) error {
	err := f.ask(ctx, conn, freshPayments, func(at int, v []*big.Rat) error {
		if v[0].Cmp(v[1]) != 0 || v[2].Cmp(v[3]) != 0 {
			return fmt.Errorf("the snapshot does not balance: D_YTD %s, its history %s; W_YTD %s, its districts %s",
				v[0].FloatString(2), v[1].FloatString(2), v[2].FloatString(2), v[3].FloatString(2))
		}
		if due := new(big.Rat).Add(f.base[at], big.NewRat(marks.Paid[at], 100)); v[1].Cmp(due) < 0 {
			return fmt.Errorf("the snapshot is old: %s was paid and acknowledged, %s is seen", due.FloatString(2), v[1].FloatString(2))
		}
		return nil
	})
	if err != nil {
		return err
	}
	question := freshOrders
	if withLines {
		question = freshLines
	}
	return f.ask(ctx, conn, question, func(at int, v []*big.Rat) error {
		if v[0].Cmp(v[1]) != 0 || v[0].Cmp(v[2]) != 0 || v[3].Cmp(v[4]) != 0 {
			return fmt.Errorf("the snapshot does not balance: the next order follows on %s, the last is %s, there are %s; they have %s lines, there are %s",
				v[0].RatString(), v[1].RatString(), v[2].RatString(), v[3].RatString(), v[4].RatString())
		}
		if v[1].Cmp(big.NewRat(int64(marks.LastOrder[at]), 1)) < 0 {
			return fmt.Errorf("the snapshot is old: order %d is acknowledged, the last seen is %s", marks.LastOrder[at], v[1].RatString())
		}
		return nil
	})
}
