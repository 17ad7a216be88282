package workload

import (
	"context"
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/basaltdb/basalt/compat/history"
)

// bank moves money between accounts of two tables beside sums over all of them. Under
// READ COMMITTED a sum is one statement; above it, several too.
type bank struct {
	mu   sync.Mutex
	sums []history.Sum
}

const (
	bankAccounts = 24 // half of them in each table
	bankTotal    = bankAccounts * 100
)

func (w *bank) tables() []string { return []string{"hist_bank_a", "hist_bank_b"} }

func (w *bank) create(ctx context.Context, c *client) error {
	for i, t := range w.tables() {
		for _, sql := range []string{
			"DROP TABLE IF EXISTS " + t,
			"CREATE TABLE " + t + " (id int PRIMARY KEY, live int, balance int, pad text)",
			"CREATE INDEX " + t + "_i ON " + t + " (live, balance)",
			"INSERT INTO " + t + " SELECT -i, 0, 0, repeat('x', 30) FROM generate_series(1, 2000) i",
			fmt.Sprintf("INSERT INTO %s SELECT i, 1, 100, '' FROM generate_series(0, %d) i WHERE i %% 2 = %d", t, bankAccounts-1, i),
			"VACUUM ANALYZE " + t,
		} {
			if _, err := c.exec(ctx, sql); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *bank) setUp(context.Context, *client) error {
	w.sums = nil
	return nil
}

// table of an account.
func (w *bank) table(id int) string { return w.tables()[id%2] }

func (w *bank) step(ctx context.Context, c *client) error {
	if c.chance(2) {
		return w.sum(ctx, c)
	}
	err := w.transfer(ctx, c)
	c.count(outcome(err))
	return err
}

func (w *bank) transfer(ctx context.Context, c *client) error {
	from := c.rng.IntN(bankAccounts)
	to := (from + 1 + c.rng.IntN(bankAccounts-1)) % bankAccounts
	amount := 1 + c.rng.IntN(20)
	if err := c.begin(ctx, ""); err != nil {
		return err
	}
	if c.chance(6) { // one statement that changes two rows
		to = (from + 2) % bankAccounts
		err := c.changes(ctx, 2, "UPDATE "+w.table(from)+" SET balance = balance + CASE id WHEN $1::int THEN -$3::int ELSE $3::int END WHERE id = $1::int OR id = $2::int", from, to, amount)
		if err == nil {
			_, err = c.exec(ctx, "COMMIT")
		}
		return err
	}
	how := c.rng.IntN(4)
	for _, m := range []struct{ id, by int }{{from, -amount}, {to, amount}} {
		if err := w.move(ctx, c, how, w.table(m.id), m.id, m.by); err != nil {
			return err
		}
		c.breathe(ctx)
	}
	_, err := c.exec(ctx, "COMMIT")
	return err
}

// move changes one account, by what is there, or by what was read under a lock.
func (w *bank) move(ctx context.Context, c *client, how int, t string, id, by int) error {
	if how <= 1 {
		return c.changes(ctx, 1, "UPDATE "+t+" SET balance = balance + $2::int WHERE id = $1::int", id, by)
	}
	var was int64
	there := false
	err := c.query(ctx, func(rows pgx.Rows) error { there = true; return rows.Scan(&was) }, "SELECT balance FROM "+t+" WHERE id = $1::int FOR UPDATE", id)
	if err == nil && !there {
		return errGone
	}
	if err != nil {
		return err
	}
	c.breathe(ctx)
	if how == 2 {
		return c.changes(ctx, 1, "UPDATE "+t+" SET balance = $2::int WHERE id = $1::int", id, was+int64(by))
	}
	// away and back
	if err := c.changes(ctx, 1, "DELETE FROM "+t+" WHERE id = $1::int", id); err != nil {
		return err
	}
	return c.changes(ctx, 1, "INSERT INTO "+t+" VALUES ($1::int, 1, $2::int, '')", id, was+int64(by))
}

func (w *bank) sum(ctx context.Context, c *client) error {
	const a, b = "hist_bank_a", "hist_bank_b"
	both := func(where string) string {
		return "SELECT sum(balance) FROM (SELECT balance FROM " + a + where + " UNION ALL SELECT balance FROM " + b + where + ") s"
	}
	queries := []struct{ what, sql string }{
		{"scans", both("")},
		{"index", both(" WHERE live = 1 AND balance > -100000")},
		{"key range", both(" WHERE id >= 0")},
		{"subqueries", "SELECT (SELECT sum(balance) FROM " + a + " WHERE id >= 0) + (SELECT sum(balance) FROM " + b + ")"},
		{"join", "SELECT sum(a.balance + b.balance) FROM " + a + " a JOIN " + b + " b ON b.id = a.id + 1 WHERE a.id >= 0"},
	}
	s := history.Sum{Session: c.id, Start: c.now()}
	var err error
	if c.r.Level != history.ReadCommitted && c.chance(2) {
		s.What = "several statements"
		if err = c.begin(ctx, ""); err == nil {
			var x, y int64
			if x, err = c.number(ctx, "SELECT sum(balance) FROM "+a); err == nil {
				c.breathe(ctx)
				y, err = c.number(ctx, "SELECT sum(balance) FROM "+b+" WHERE id >= 0")
			}
			if s.Total = x + y; err == nil {
				_, err = c.exec(ctx, "COMMIT")
			}
		}
	} else {
		q := queries[c.rng.IntN(len(queries))]
		s.What = q.what
		s.Total, err = c.number(ctx, q.sql)
	}
	if s.End = c.now(); err == nil {
		w.mu.Lock()
		w.sums = append(w.sums, s)
		w.mu.Unlock()
	}
	c.count(outcome(err))
	return err
}

func (w *bank) check(ctx context.Context, c *client, r *round) error {
	for range 5 {
		if err := w.sum(ctx, c); err != nil {
			return err
		}
	}
	r.found(history.CheckSums(w.sums, bankTotal)...)
	return nil
}
