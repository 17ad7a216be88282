package servertest_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/basaltdb/basalt/sql/server/servertest"
)

// TestPointStatementsAtOnce runs statements of single rows on many connections in all
// protocols (also under the race detector): they share plans, schemas and encoders, and
// each uses its connection's memory again and again. Money is neither made nor lost, and
// values come back as they were sent.
func TestPointStatementsAtOnce(t *testing.T) {
	n := servertest.Start(t)
	c := n.Connect(t)
	const accounts, workers, rounds = 12, 6, 25
	exec(t, c, "CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL, note text, raw bytea)")
	exec(t, c, "CREATE TABLE history (worker int, round int, note text)")
	exec(t, c, fmt.Sprintf("INSERT INTO accounts SELECT i, 100, 'x', 'x' FROM generate_series(1, %d) i", accounts))
	modes := []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol}
	var wg sync.WaitGroup
	for w := range workers {
		c := n.Connect(t)
		wg.Add(1)
		go func() {
			defer wg.Done()
			r := rand.New(rand.NewPCG(uint64(w), 1))
			if err := pointRounds(c, r, modes[w%len(modes)], w, rounds, accounts); err != nil {
				t.Errorf("worker %d: %v", w, err)
			}
		}()
	}
	wg.Wait()
	if got, want := rowsText(t, c, "SELECT count(*), sum(balance), bool_and(convert_to(note, 'UTF8') = raw) FROM accounts"), fmt.Sprintf("%d|%d|true", accounts, accounts*100); got != want {
		t.Errorf("accounts: %s, want %s", got, want)
	}
	if got, want := rowsText(t, c, "SELECT count(*), count(DISTINCT (worker, round, note)) FROM history"), fmt.Sprintf("%d|%d", workers*rounds*20, workers*rounds*20); got != want {
		t.Errorf("history: %s, want %s", got, want)
	}
}

func pointRounds(c *pgx.Conn, r *rand.Rand, mode pgx.QueryExecMode, w, rounds, accounts int) error {
	ctx := context.Background()
	for round := range rounds {
		// A transfer, in the order of the accounts: no deadlocks. The history makes the
		// transaction too large for a list of its writes.
		a := 1 + r.IntN(accounts-1)
		b := a + 1 + r.IntN(accounts-a)
		tx, err := c.Begin(ctx)
		if err != nil {
			return err
		}
		do := func(sql string, args ...any) {
			if err == nil {
				_, err = tx.Exec(ctx, sql, append([]any{mode}, args...)...)
			}
		}
		// add changes a balance, or reads it under a lock and sets it.
		add := func(amount, id int) {
			if round%2 == 0 {
				do("UPDATE accounts SET balance = balance + $1 WHERE id = $2", amount, id)
				return
			}
			var balance int
			if err == nil {
				err = tx.QueryRow(ctx, "SELECT balance FROM accounts WHERE id = $1 FOR UPDATE", mode, id).Scan(&balance)
			}
			do("UPDATE accounts SET balance = $1 WHERE id = $2", balance+amount, id)
		}
		add(-1, a)
		do("SAVEPOINT s")
		add(7, b)
		for i := range 8 {
			do("INSERT INTO history VALUES ($1, $2, $3)", w, round, fmt.Sprintf("undone %d", i))
		}
		do("ROLLBACK TO s")
		for i := range 20 {
			do("INSERT INTO history VALUES ($1, $2, $3)", w, round, fmt.Sprintf("%d", i))
		}
		add(1, b)
		if err == nil {
			err = tx.Commit(ctx)
		}
		if err != nil {
			return err
		}
		// A value of any size, as text and as bytes.
		text := strings.Repeat(string(rune('a'+w)), 1+r.IntN(1<<r.IntN(17)))
		if _, err := c.Exec(ctx, "UPDATE accounts SET note = $1, raw = $2 WHERE id = $3", mode, text, []byte(text), a); err != nil {
			return err
		}
		// Answers that come at once, each with its own.
		var batch pgx.Batch
		for range 4 {
			id := 1 + r.IntN(accounts)
			batch.Queue("SELECT id, note, raw FROM accounts WHERE id = $1", id).QueryRow(func(row pgx.Row) error {
				var got int
				var note string
				var raw []byte
				if err := row.Scan(&got, &note, &raw); err != nil {
					return err
				}
				if got != id || note != string(raw) || strings.Trim(note, note[:1]) != "" {
					return fmt.Errorf("account %d: row %d of %d and %d bytes", id, got, len(note), len(raw))
				}
				return nil
			})
		}
		if err := c.SendBatch(ctx, &batch).Close(); err != nil {
			return err
		}
	}
	return nil
}
