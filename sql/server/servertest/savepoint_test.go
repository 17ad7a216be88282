package servertest_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/server"
	"github.com/basaltdb/basalt/sql/server/servertest"
	"github.com/basaltdb/basalt/txn"
)

// forgetful is a database whose transactions cannot be rolled back to savepoints while
// lost is set, as when a storage node has restarted.
type forgetful struct {
	txn.DB
	lost atomic.Bool
}

func (d *forgetful) Begin(o txn.Options) txn.Txn { return &forgetfulTxn{d.DB.Begin(o).(txn.RowTxn), d} }

type forgetfulTxn struct {
	txn.RowTxn
	d *forgetful
}

func (t *forgetfulTxn) RollbackTo(sp txn.Savepoint) error {
	if t.d.lost.Load() {
		return pgerror.New(txn.BranchLost, "the part of the transaction on a storage node is lost")
	}
	return t.RowTxn.RollbackTo(sp)
}

// TestSavepointIsLost: a block whose transaction could not be rolled back to a savepoint does not
// go on as if only that had been undone which came after it.
func TestSavepointIsLost(t *testing.T) {
	d := &forgetful{}
	n := servertest.StartWith(t, server.Options{InMemory: true, TestingDB: func(db txn.DB) txn.DB {
		d.DB = db
		return d
	}})
	c := n.Connect(t)
	ctx := context.Background()
	exec(t, c, "CREATE TABLE accounts (id int PRIMARY KEY, balance int)")
	exec(t, c, "INSERT INTO accounts VALUES (1, 100), (2, 100)")
	fails := func(sql, want string) {
		t.Helper()
		if _, err := c.Exec(ctx, sql); code(err) != want {
			t.Errorf("%s: %v, want %s", sql, err, want)
		}
	}
	balances := func(want string) {
		t.Helper()
		if got := rowsText(t, c, "SELECT id, balance FROM accounts ORDER BY id"); got != want {
			t.Errorf("balances %q, want %q", got, want)
		}
	}
	before := rowsText(t, c, "SELECT id, balance FROM accounts ORDER BY id")
	for _, statementFails := range []bool{false, true} {
		exec(t, c, "BEGIN")
		exec(t, c, "SAVEPOINT first") // nothing is done yet
		exec(t, c, "UPDATE accounts SET balance = balance - 1 WHERE id = 1")
		exec(t, c, "SAVEPOINT s")
		exec(t, c, "SAVEPOINT deeper")
		exec(t, c, "UPDATE accounts SET balance = balance - 5 WHERE id = 2")
		d.lost.Store(true)
		if statementFails {
			fails("SELECT 1/0", "22012")
		} else {
			fails("ROLLBACK TO s", string(txn.BranchLost))
		}
		d.lost.Store(false)
		fails("UPDATE accounts SET balance = balance + 1 WHERE id = 2", "25P02")
		fails("ROLLBACK TO s", string(txn.BranchLost))
		fails("UPDATE accounts SET balance = balance + 1 WHERE id = 2", "25P02")
		if tag, err := c.Exec(ctx, "COMMIT"); err != nil || tag.String() != "ROLLBACK" {
			t.Errorf("COMMIT: %v, %v", tag, err)
		}
		balances(before)

		exec(t, c, "BEGIN")
		exec(t, c, "SAVEPOINT first")
		exec(t, c, "UPDATE accounts SET balance = balance - 1 WHERE id = 1")
		exec(t, c, "SAVEPOINT s")
		d.lost.Store(true)
		fails("ROLLBACK TO s", string(txn.BranchLost))
		d.lost.Store(false)
		exec(t, c, "ROLLBACK TO first") // nothing was lost of what came before
		exec(t, c, "UPDATE accounts SET balance = balance WHERE id = 2")
		exec(t, c, "COMMIT")
		balances(before)
	}

	// Above READ COMMITTED the snapshot is lost with the rest: the block does not go on with another.
	exec(t, c, "BEGIN ISOLATION LEVEL REPEATABLE READ")
	exec(t, c, "SAVEPOINT first")
	exec(t, c, "UPDATE accounts SET balance = balance - 1 WHERE id = 1")
	d.lost.Store(true)
	fails("ROLLBACK TO first", string(txn.BranchLost))
	d.lost.Store(false)
	fails("ROLLBACK TO first", string(txn.BranchLost))
	fails("SELECT balance FROM accounts", "25P02")
	if tag, err := c.Exec(ctx, "COMMIT"); err != nil || tag.String() != "ROLLBACK" {
		t.Errorf("COMMIT: %v, %v", tag, err)
	}
	balances(before)
}
