package workload

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/basaltdb/basalt/compat/history"
)

// columns that reads of a kind select, in the order scanRows wants.
var selects = [...]string{
	arrays:    "SELECT k, n, v, s FROM hist_arrays",
	lists:     "SELECT k, pos, v FROM hist_lists",
	registers: "SELECT k, v, prev FROM hist_registers",
}

// rowSet collects the rows of a read by key.
type rowSet struct {
	kind   kind
	lists  map[int64][]int64
	values map[int64][2]int64
	// at is the position up to which a list of rows has been read.
	at map[int64]int64
}

func newRowSet(k kind) *rowSet {
	return &rowSet{kind: k, lists: map[int64][]int64{}, values: map[int64][2]int64{}, at: map[int64]int64{}}
}

// scan takes a row of selects. The rows of a list come in order of their positions.
func (s *rowSet) scan(rows pgx.Rows) error {
	var k int64
	switch s.kind {
	case arrays:
		var n int
		var v []int64
		var text string
		if err := rows.Scan(&k, &n, &v, &text); err != nil {
			return err
		}
		if n != len(v) || text != join(v) {
			return fmt.Errorf("row %d is of two versions: n %d, v %v, s %q", k, n, v, text)
		}
		if _, ok := s.lists[k]; ok {
			return fmt.Errorf("row %d comes twice", k)
		}
		s.lists[k] = v
	case lists:
		var pos, v int64
		if err := rows.Scan(&k, &pos, &v); err != nil {
			return err
		}
		if pos != s.at[k]+1 && k >= 0 {
			return fmt.Errorf("position %d of list %d comes after %d", pos, k, s.at[k])
		}
		s.at[k] = pos
		s.lists[k] = append(s.lists[k], v)
	case registers:
		var v [2]int64
		if err := rows.Scan(&k, &v[0], &v[1]); err != nil {
			return err
		}
		if _, ok := s.values[k]; ok {
			return fmt.Errorf("row %d comes twice", k)
		}
		s.values[k] = v
	}
	return nil
}

func join(v []int64) string {
	var b strings.Builder
	for i, x := range v {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatInt(x, 10))
	}
	return b.String()
}

// ops are the reads of the keys that were asked for; those without a row read nothing.
func (s *rowSet) ops(keys []int64, locked bool) []history.Op {
	var out []history.Op
	for _, k := range keys {
		o := history.Op{Kind: history.ReadList, Key: s.kind.key(k), List: s.lists[k]}
		there := o.List != nil
		if s.kind == registers {
			var v [2]int64
			v, there = s.values[k]
			o = history.Op{Kind: history.ReadValue, Key: o.Key, Value: v[0], Replaced: v[1], Reported: there}
		}
		if locked && !there { // what is not there cannot be locked, nor was it the newest
			continue
		}
		o.Locked = locked
		out = append(out, o)
	}
	return out
}

// group is the keys that have g in common with key.
func group(key int64) []int64 {
	out := make([]int64, groupLen)
	for i := range out {
		out[i] = key/groupLen*groupLen + int64(i)
	}
	return out
}

// read makes a statement that reads some keys of one kind, on one of many ways.
func (w *txns) read(c *client, locks bool) statement {
	k := kind(c.rng.IntN(3))
	key := w.pick(c.rng, k, false)
	keys := []int64{key}
	order := " ORDER BY k"
	if k == lists {
		order = " ORDER BY k, pos"
	}
	where, args, locked := "", []any{key}, false
	switch c.rng.IntN(8) {
	case 0, 1:
		where, order = "k = $1::int", strings.Replace(order, " ORDER BY k, ", " ORDER BY ", 1)
		if k != lists {
			order = ""
		}
	case 2:
		for range 1 + c.rng.IntN(2) {
			if other := w.pick(c.rng, k, false); !slices.Contains(keys, other) {
				keys = append(keys, other)
			}
		}
		where, args = "k = ANY($1::int[])", []any{keys}
	case 3, 4:
		keys = group(key)
		where, args = "g = $1::int", []any{key / groupLen}
		switch k { // by the index, whose entries move with every write
		case arrays:
			where += " AND n >= 1"
		case registers:
			where += " AND v >= 1"
		}
	case 5:
		keys = []int64{key, key + 1, key + 2}
		where, args = "k BETWEEN $1::int AND $2::int", []any{key, key + 2}
		if k != lists && c.chance(2) {
			order = " ORDER BY k DESC"
		}
	case 6:
		keys = []int64{key, key + 1, key + 2, key + 3}
		where, args = "h BETWEEN $1::int AND $2::int", []any{key, key + 3}
	case 7:
		where, locked = "k = $1::int", locks && k != lists
		if locked && c.chance(3) {
			keys = group(key)
			where, args = "g = $1::int", []any{key / groupLen}
		}
	}
	sql := selects[k] + " WHERE " + where + order
	if k == lists && c.chance(4) {
		return statement{run: func(ctx context.Context, c *client) ([]history.Op, error) {
			s := newRowSet(lists)
			err := c.query(ctx, func(rows pgx.Rows) error {
				var k, n, last int64
				var v []int64
				if err := rows.Scan(&k, &v, &n, &last); err != nil {
					return err
				}
				if s.lists[k] = v; n != last || n != int64(len(v)) {
					return fmt.Errorf("list %d: %v, %d rows, last position %d", k, v, n, last)
				}
				return nil
			}, "SELECT k, array_agg(v ORDER BY pos), count(*), max(pos) FROM hist_lists WHERE "+where+" GROUP BY k", args...)
			return s.ops(keys, false), err
		}}
	}
	if locked {
		strengths := []string{" FOR UPDATE", " FOR NO KEY UPDATE", " FOR SHARE", " FOR KEY SHARE"}
		if k == registers {
			strengths = strengths[:3] // KEY SHARE lets others write between the read and a write
		}
		sql += strengths[c.rng.IntN(len(strengths))]
	}
	return statement{run: func(ctx context.Context, c *client) ([]history.Op, error) {
		s := newRowSet(k)
		err := c.query(ctx, s.scan, sql, args...)
		return s.ops(keys, locked), err
	}}
}

// readRange reads all keys of [low, high] on one of three ways.
func (w *txns) readRange(ctx context.Context, c *client, k kind, low, high int64, path int) ([]history.Op, error) {
	var keys []int64
	for i := low; i <= high; i++ {
		keys = append(keys, i)
	}
	order := " ORDER BY k"
	if k == lists {
		order = " ORDER BY k, pos"
	}
	s := newRowSet(k)
	var err error
	switch path {
	case 0:
		err = c.query(ctx, s.scan, selects[k]+" WHERE k BETWEEN $1::int AND $2::int"+order, low, high)
	case 1:
		err = c.query(ctx, s.scan, selects[k]+" WHERE h BETWEEN $1::int AND $2::int"+order, low, high)
	case 2:
		err = c.query(ctx, s.scan, selects[k]+" WHERE g BETWEEN $1::int AND $2::int AND k BETWEEN $3::int AND $4::int"+order, low/groupLen, high/groupLen, low, high)
	}
	return s.ops(keys, false), err
}
