package workload

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/basaltdb/basalt/compat/history"
)

// client is one session after the other of one goroutine.
type client struct {
	r    *run
	rd   *round
	id   int
	rng  *rand.Rand
	mode pgx.QueryExecMode
	conn *pgx.Conn
}

func (c *client) now() int64 { return c.r.now() }

// next is a value nobody has written yet.
func (c *client) next() int64 { return c.r.value.Add(1) }

// chance is true once in n times.
func (c *client) chance(n int) bool { return c.rng.IntN(n) == 0 }

func (c *client) close() {
	if c.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	c.conn.Close(ctx) // it may be broken
	c.conn = nil
}

// connected opens a connection when there is none.
func (c *client) connected(ctx context.Context) error {
	if c.conn != nil && !c.conn.IsClosed() {
		return nil
	}
	c.conn = nil
	dsns := c.r.Targets()
	cfg, err := pgx.ParseConfig(dsns[max(c.id, 0)%len(dsns)])
	if err != nil {
		return err
	}
	// For statements outside a block, too.
	cfg.RuntimeParams["default_transaction_isolation"] = strings.ToLower(c.r.Level.String())
	// Deadlocks are frequent: they should not take up the time.
	cfg.RuntimeParams["deadlock_timeout"] = "20ms"
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if c.conn, err = pgx.ConnectConfig(ctx, cfg); err != nil {
		return &lostError{err}
	}
	return nil
}

// lostError: the connection is gone.
type lostError struct{ err error }

func (e *lostError) Error() string { return "connection lost: " + e.err.Error() }
func (e *lostError) Unwrap() error { return e.err }

// classify makes lostErrors of what broke the connection.
func (c *client) classify(ctx context.Context, err error) error {
	var pe *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case errors.Is(context.Cause(ctx), errStuck):
		c.close()
		return errStuck
	case !errors.As(err, &pe) || c.conn.IsClosed() || pe.Severity == "FATAL":
		if errors.Is(err, errScan) {
			return err
		}
		c.close()
		return &lostError{err}
	}
	return err
}

// errGone: a row was not there any more. A transaction of READ COMMITTED that waited for
// a row which its holder deleted, and put back as another, passes it over.
var errGone = errors.New("the row is gone")

// errScan: a result did not look as it must.
var errScan = errors.New("unexpected result")

// state is an error's SQLSTATE, "lost" for a lost connection.
func state(err error) string {
	var pe *pgconn.PgError
	var lost *lostError
	switch {
	case errors.As(err, &lost):
		return "lost"
	case errors.As(err, &pe):
		return pe.Code
	}
	return ""
}

// expect runs f with a connection and takes the errors that may happen for granted: the
// transaction is rolled back, and the client goes on.
func (c *client) expect(ctx context.Context, f func() error) error {
	err := c.connected(ctx)
	if err == nil {
		err = f()
	}
	if err == nil || ctx.Err() != nil {
		return nil
	}
	s := state(err)
	if c.rd != nil && s != "" {
		c.rd.mu.Lock()
		c.rd.errors[s]++
		c.rd.mu.Unlock()
	}
	switch {
	case errors.Is(err, errGone):
	case (errors.Is(err, errScan) || strings.HasPrefix(s, "XX")) && c.rd != nil:
		c.rd.found(history.Anomaly{Name: "result", Witness: err.Error()})
	case s == "40001" || s == "40P01" || s == "23505" || s == "55P03":
	case c.r.Faults && (s == "lost" || faultStates[s] || strings.HasPrefix(s, "08")):
		pause(ctx, time.Duration(10+c.rng.IntN(40))*time.Millisecond)
	default:
		return err
	}
	if c.conn != nil && c.conn.PgConn().TxStatus() != 'I' {
		if _, err := c.exec(ctx, "ROLLBACK"); err != nil {
			c.close()
		}
	}
	return nil
}

// faultStates are what servers say that go down, come up, or miss others.
var faultStates = map[string]bool{"57P01": true, "57P02": true, "57P03": true, "53300": true, "25P02": true, "58000": true, "57014": true}

// retryTime bounds retry.
const retryTime = 3 * time.Minute

// retry runs f until it comes through: for what is not part of a history.
func (c *client) retry(ctx context.Context, f func() error) error {
	var err error
	for end := time.Now().Add(retryTime); ; pause(ctx, 20*time.Millisecond) {
		if err = c.connected(ctx); err == nil {
			if err = f(); err == nil {
				return nil
			}
		}
		s := state(err)
		if c.conn != nil && c.conn.PgConn().TxStatus() != 'I' {
			c.close()
		}
		if time.Now().After(end) || ctx.Err() != nil || s != "40001" && s != "40P01" && s != "55P03" && !c.r.Faults {
			return err
		}
	}
}

// exec runs a statement without rows.
func (c *client) exec(ctx context.Context, sql string, args ...any) (int64, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, statementTime, errStuck)
	defer cancel()
	tag, err := c.conn.Exec(ctx, sql, append([]any{c.mode}, args...)...)
	if err != nil {
		return 0, c.classify(ctx, fmt.Errorf("%s: %w", sql, err))
	}
	if strings.HasPrefix(sql, "COMMIT") && tag.String() == "ROLLBACK" {
		return 0, &pgconn.PgError{Code: "25P02", Message: "COMMIT of a failed transaction", Severity: "ERROR"}
	}
	return tag.RowsAffected(), nil
}

// query runs a statement and scans its rows.
func (c *client) query(ctx context.Context, scan func(rows pgx.Rows) error, sql string, args ...any) error {
	ctx, cancel := context.WithTimeoutCause(ctx, statementTime, errStuck)
	defer cancel()
	rows, err := c.conn.Query(ctx, sql, append([]any{c.mode}, args...)...)
	if err != nil {
		return c.classify(ctx, fmt.Errorf("%s: %w", sql, err))
	}
	for rows.Next() {
		if err := scan(rows); err != nil {
			rows.Close()
			return fmt.Errorf("%s: %w: %w", sql, errScan, err)
		}
	}
	if err := rows.Err(); err != nil {
		return c.classify(ctx, fmt.Errorf("%s: %w", sql, err))
	}
	return nil
}

// number is the single number of a query.
func (c *client) number(ctx context.Context, sql string, args ...any) (int64, error) {
	var n int64
	seen := false
	err := c.query(ctx, func(rows pgx.Rows) error { seen = true; return rows.Scan(&n) }, sql, args...)
	if err == nil && !seen {
		err = fmt.Errorf("%s: %w: no rows", sql, errScan)
	}
	return n, err
}

// changes runs a statement that changes so many rows; errGone if it finds fewer.
func (c *client) changes(ctx context.Context, want int64, sql string, args ...any) error {
	n, err := c.exec(ctx, sql, args...)
	switch {
	case err == nil && n > want:
		return fmt.Errorf("%s: %w: %d rows", sql, errScan, n)
	case err == nil && n < want && c.r.Level == history.ReadCommitted:
		return errGone
	case err == nil && n < want:
		return fmt.Errorf("%s: %w: %d rows", sql, errScan, n)
	}
	return err
}

// begin starts a block at the run's level.
func (c *client) begin(ctx context.Context, options string) error {
	_, err := c.exec(ctx, "BEGIN ISOLATION LEVEL "+c.r.Level.String()+options)
	return err
}

// outcome of a COMMIT, or a statement outside a block, by its error.
func outcome(err error) history.Outcome {
	switch s := state(err); {
	case err == nil:
		return history.Committed
	case s == "lost" || s == "08007" || s == "40003" || errors.Is(err, errStuck):
		return history.Unknown
	}
	return history.Aborted
}

// count adds an outcome to the round's.
func (c *client) count(o history.Outcome) {
	switch o {
	case history.Committed:
		c.rd.committed.Add(1)
	case history.Aborted:
		c.rd.aborted.Add(1)
	case history.Unknown:
		c.rd.unknown.Add(1)
	}
}

// breathe gives others a chance to run between two statements, sometimes.
func (c *client) breathe(ctx context.Context) {
	if c.chance(4) {
		pause(ctx, time.Duration(c.rng.IntN(3000))*time.Microsecond)
	}
}
