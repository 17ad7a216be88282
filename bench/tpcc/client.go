package tpcc

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"
)

// client runs transactions on a connection, one after the other.
type client struct {
	conn     *pgconn.PgConn
	size     Size
	begin    string
	home     int // warehouse
	district int // Stock-Level's
	rng      Random
	ledger   *Ledger
	deck     []Kind
	prepared map[string]*pgconn.StatementDescription

	batch   pgconn.Batch
	waiting int
}

func newClient(ctx context.Context, conn *pgconn.PgConn, o Options, n int) (*client, error) {
	c := &client{conn: conn, size: o.Size, begin: "begin", home: n%o.Size.Warehouses + 1, district: n/o.Size.Warehouses%Districts + 1,
		rng: newRandom(o.Seed, streamClient, int64(n)), ledger: o.Ledger, prepared: map[string]*pgconn.StatementDescription{}}
	if o.Isolation != "" {
		c.begin += " isolation level " + o.Isolation
	}
	for _, sql := range append([]string{c.begin, "commit", "rollback"}, statements...) {
		sd, err := conn.Prepare(ctx, "tpcc"+strconv.Itoa(len(c.prepared)), sql, nil)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", sql, err)
		}
		c.prepared[sql] = sd
	}
	return c, nil
}

// add puts a statement into the batch that goes out with send.
func (c *client) add(sql string, args ...[]byte) {
	c.batch.ExecStatement(c.prepared[sql], args, nil, nil)
	c.waiting++
}

// results are the rows of the statements of a batch.
type results []*pgconn.Result

// send sends the batch and reads the answers to its statements; there is one for each.
func (c *client) send(ctx context.Context) (results, error) {
	batch, n := c.batch, c.waiting
	c.batch, c.waiting = pgconn.Batch{}, 0
	rs, err := c.conn.ExecBatch(ctx, &batch).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(rs) != n {
		return nil, fmt.Errorf("tpcc: %d answers to %d statements", len(rs), n)
	}
	return rs, nil
}

// one is the only row of a statement's answer.
func (r results) one(n int) ([][]byte, error) {
	if len(r[n].Rows) != 1 {
		return nil, fmt.Errorf("tpcc: %d rows where there is one", len(r[n].Rows))
	}
	return r[n].Rows[0], nil
}

// changed says how many rows a statement changed.
func (r results) changed(n int) int64 { return r[n].CommandTag.RowsAffected() }

// commit ends a transaction.
func (c *client) commit(ctx context.Context) error {
	c.add("commit")
	rs, err := c.send(ctx)
	if err == nil && rs[0].CommandTag.String() != "COMMIT" {
		return fmt.Errorf("tpcc: COMMIT answered %s", rs[0].CommandTag)
	}
	return err
}

// abandon ends a transaction that must not be.
func (c *client) abandon(ctx context.Context) error {
	c.batch, c.waiting = pgconn.Batch{}, 0
	c.add("rollback")
	_, err := c.send(ctx)
	return err
}

// next draws the kind of the next transaction: a hundred cards are dealt and shuffled again.
func (c *client) next() Kind {
	if len(c.deck) == 0 {
		for k, n := range mix {
			for range n {
				c.deck = append(c.deck, Kind(k))
			}
		}
		c.rng.Shuffle(len(c.deck), func(i, j int) { c.deck[i], c.deck[j] = c.deck[j], c.deck[i] })
	}
	k := c.deck[len(c.deck)-1]
	c.deck = c.deck[:len(c.deck)-1]
	return k
}

// outcome is what became of a transaction.
type outcome struct {
	rolledBack               bool // as the specification wants it
	serialization, deadlocks int  // attempts that ended so
	skipped                  int  // districts without an order to deliver
}

// run draws a transaction's input and runs it until it is through.
func (c *client) run(ctx context.Context, k Kind) (out outcome, err error) {
	var attempt func(context.Context, *outcome) error
	switch k {
	case NewOrder:
		attempt = c.drawNewOrder().run
	case Payment:
		attempt = c.drawPayment().run
	case OrderStatus:
		attempt = c.drawOrderStatus().run
	case Delivery:
		attempt = c.drawDelivery().run
	case StockLevel:
		attempt = c.drawStockLevel().run
	}
	for {
		out.rolledBack, out.skipped = false, 0
		err = attempt(ctx, &out)
		var pe *pgconn.PgError
		switch {
		case err == nil:
			return out, nil
		case errors.As(err, &pe) && pe.Code == "40001":
			out.serialization++
		case errors.As(err, &pe) && pe.Code == "40P01":
			out.deadlocks++
		default:
			return out, fmt.Errorf("%v: %w", k, err)
		}
		if err := c.abandon(ctx); err != nil {
			return out, fmt.Errorf("%v: %w", k, err)
		}
	}
}

func num(v int) []byte { return strconv.AppendInt(nil, int64(v), 10) }

func money(cents int) []byte { return appendDecimal(nil, cents, 2) }

// atoi reads an integer that a server has printed.
func atoi(b []byte) (int, error) {
	v, err := strconv.Atoi(string(b))
	if err != nil {
		return 0, fmt.Errorf("tpcc: %q where a number is due", b)
	}
	return v, nil
}

// cents reads a decimal with two digits.
func cents(b []byte) (int, error) {
	if len(b) < 4 || b[len(b)-3] != '.' {
		return 0, fmt.Errorf("tpcc: %q where an amount is due", b)
	}
	return atoi(append(append([]byte(nil), b[:len(b)-3]...), b[len(b)-2:]...))
}
