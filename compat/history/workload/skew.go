package workload

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/basaltdb/basalt/compat/history"
)

// skew keeps constraints over several rows by looking before it writes: somebody is
// always on call in each shift (write skew over rows that are there), and no room has
// more than two bookings (over rows that are not, so that ranges count). Only
// SERIALIZABLE keeps them; below, what broke is a note that says the test can find it.
type skew struct {
	room atomic.Int64
	low  int64
}

const (
	shifts      = 4
	doctors     = 3
	bookingsMax = 2
	// roomUses is about how often a room is looked at before the next one is.
	roomUses = 12
)

func (w *skew) tables() []string { return []string{"hist_oncall", "hist_bookings"} }

func (w *skew) create(ctx context.Context, c *client) error {
	for _, sql := range []string{
		"DROP TABLE IF EXISTS hist_oncall, hist_bookings",
		"CREATE TABLE hist_oncall (id int PRIMARY KEY, shift int, h int, oncall boolean)",
		"CREATE INDEX hist_oncall_s ON hist_oncall (shift, oncall)",
		"INSERT INTO hist_oncall SELECT -i, -1, -1, false FROM generate_series(1, 1000) i",
		fmt.Sprintf("INSERT INTO hist_oncall SELECT i, i / %d, i / %d, true FROM generate_series(0, %d) i", doctors, doctors, shifts*doctors-1),
		"CREATE TABLE hist_bookings (room int, id bigint, h int, PRIMARY KEY (room, id))",
		"CREATE INDEX hist_bookings_h ON hist_bookings (id)",
		"INSERT INTO hist_bookings SELECT -i, 0, -1 FROM generate_series(1, 1000) i",
		"VACUUM ANALYZE hist_oncall",
		"VACUUM ANALYZE hist_bookings",
	} {
		if _, err := c.exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

func (w *skew) setUp(ctx context.Context, c *client) error {
	w.low = w.room.Add(roomUses) / roomUses
	if _, err := c.exec(ctx, "UPDATE hist_oncall SET oncall = true WHERE id >= 0 AND NOT oncall"); err != nil {
		return err
	}
	_, err := c.exec(ctx, "DELETE FROM hist_bookings WHERE room >= 0")
	return err
}

func (w *skew) step(ctx context.Context, c *client) error {
	if err := c.begin(ctx, ""); err != nil {
		return err
	}
	var err error
	if c.chance(2) {
		err = w.shift(ctx, c)
	} else {
		err = w.book(ctx, c)
	}
	if err == nil {
		_, err = c.exec(ctx, "COMMIT")
	}
	c.count(outcome(err))
	return err
}

// shift takes a doctor off call if another remains, or calls one.
func (w *skew) shift(ctx context.Context, c *client) error {
	shift := c.rng.IntN(shifts)
	id := shift*doctors + c.rng.IntN(doctors)
	where := [...]string{"shift = $1::int AND oncall", "h = $1::int AND oncall", "id BETWEEN $1::int * 3 AND $1::int * 3 + 2 AND oncall"}[c.rng.IntN(3)]
	n, err := c.number(ctx, "SELECT count(*) FROM hist_oncall WHERE "+where, shift)
	if err != nil {
		return err
	}
	if n == 0 {
		w.broken(c, "shift", fmt.Sprintf("nobody is on call in shift %d", shift))
	}
	c.breathe(ctx)
	_, err = c.exec(ctx, "UPDATE hist_oncall SET oncall = $2::boolean WHERE id = $1::int", id, n < 2)
	return err
}

// book books a room if fewer than two have.
func (w *skew) book(ctx context.Context, c *client) error {
	room := w.room.Add(1) / roomUses
	where := [...]string{"room = $1::int", "h = $1::int", "room BETWEEN $1::int AND $1::int"}[c.rng.IntN(3)]
	n, err := c.number(ctx, "SELECT count(*) FROM hist_bookings WHERE "+where, room)
	if err != nil {
		return err
	}
	if n > bookingsMax {
		w.broken(c, "room", fmt.Sprintf("room %d is booked %d times", room, n))
	}
	c.breathe(ctx)
	if n < bookingsMax {
		_, err = c.exec(ctx, "INSERT INTO hist_bookings VALUES ($1::int, $2::bigint, $1::int)", room, c.next())
	}
	return err
}

// broken is an anomaly under SERIALIZABLE, and else what was to be expected.
func (w *skew) broken(c *client, what, witness string) {
	if c.r.Level != history.Serializable {
		c.rd.note("skew")
		return
	}
	c.rd.found(history.Anomaly{Name: "write skew (" + what + ")", Witness: witness})
}

func (w *skew) check(ctx context.Context, c *client, r *round) error {
	n, err := c.number(ctx, "SELECT count(*) FROM (SELECT room FROM hist_bookings WHERE room >= 0 GROUP BY room HAVING count(*) > $1::int) s", bookingsMax)
	if err != nil {
		return err
	}
	if n > 0 {
		w.broken(c, "room", fmt.Sprintf("%d rooms are booked more than %d times", n, bookingsMax))
	}
	n, err = c.number(ctx, "SELECT count(*) FROM (SELECT shift FROM hist_oncall WHERE id >= 0 GROUP BY shift HAVING NOT bool_or(oncall)) s")
	if err == nil && n > 0 {
		w.broken(c, "shift", fmt.Sprintf("nobody is on call in %d shifts", n))
	}
	return err
}
