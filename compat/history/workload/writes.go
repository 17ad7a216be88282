package workload

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/basaltdb/basalt/compat/history"
)

const upsertArray = `INSERT INTO hist_arrays AS t (k, g, h, n, v, s) VALUES ($1::int, $1::int / 4, $1::int, 1, ARRAY[$2::bigint], $3::text)
ON CONFLICT (k) DO UPDATE SET n = t.n + 1, v = t.v || excluded.v, s = t.s || ',' || excluded.s`

const upsertRegister = `INSERT INTO hist_registers AS t (k, g, h, v, prev) VALUES ($1::int, $1::int / 4, $1::int, $2::bigint, 0)
ON CONFLICT (k) DO UPDATE SET prev = t.v, v = excluded.v`

// single makes a statement that writes one key, good outside a block too.
func (w *txns) single(c *client) statement {
	k := kind(c.rng.IntN(3))
	key, value := w.pick(c.rng, k, true), c.next()
	switch k {
	case arrays:
		return w.appendArray(c, key, value)
	case lists:
		return w.appendList(key, value)
	}
	return w.writeRegister(c, key, value)
}

// write makes a statement that writes within a block, after some that prepare it perhaps.
func (w *txns) write(ctx context.Context, x *recorder) (statement, error) {
	c := x.c
	switch c.rng.IntN(8) {
	case 0: // read, then write
		key := w.pick(c.rng, registers, true)
		sql := selects[registers] + " WHERE k = $1::int"
		locked := c.chance(2)
		if locked {
			sql += " FOR UPDATE"
		}
		there := false
		err := x.do(ctx, statement{run: func(ctx context.Context, c *client) ([]history.Op, error) {
			s := newRowSet(registers)
			err := c.query(ctx, s.scan, sql, key)
			_, there = s.values[key]
			return s.ops([]int64{key}, locked), err
		}})
		if err != nil || !there {
			return w.writeRegister(c, key, c.next()), err
		}
		c.breathe(ctx)
		return w.updateRegister(c, key, c.next(), false), nil
	case 1: // away and back
		key := w.pick(c.rng, registers, true)
		replaced, there := int64(0), false
		err := x.do(ctx, statement{run: func(ctx context.Context, c *client) ([]history.Op, error) {
			err := c.query(ctx, func(rows pgx.Rows) error { there = true; return rows.Scan(&replaced) }, "DELETE FROM hist_registers WHERE k = $1::int RETURNING v", key)
			if err != nil || !there {
				return nil, err
			}
			return []history.Op{{Kind: history.ReadValue, Key: registers.key(key), Value: replaced, Locked: true}}, nil
		}})
		if err != nil || !there {
			return statement{}, err
		}
		value := c.next()
		return statement{run: func(ctx context.Context, c *client) ([]history.Op, error) {
			_, err := c.exec(ctx, "INSERT INTO hist_registers (k, g, h, v, prev) VALUES ($1::int, $1::int / 4, $1::int, $2::bigint, $3::bigint)", key, value, replaced)
			return []history.Op{{Kind: history.Write, Key: registers.key(key), Value: value, Replaced: replaced, Reported: true}}, err
		}}, nil
	case 2: // a whole group at once
		key, value := w.pick(c.rng, arrays, true), c.next()
		return statement{run: func(ctx context.Context, c *client) ([]history.Op, error) {
			var ops []history.Op
			err := c.query(ctx, func(rows pgx.Rows) error {
				var k int64
				var v []int64
				if err := rows.Scan(&k, &v); err != nil {
					return err
				}
				ops = append(ops, history.Op{Kind: history.Append, Key: arrays.key(k), Value: value}, history.Op{Kind: history.ReadList, Key: arrays.key(k), List: v, Locked: true})
				return nil
			}, "UPDATE hist_arrays SET n = n + 1, v = v || $2::bigint, s = s || ',' || $3::text WHERE g = $1::int AND n > 0 RETURNING k, v", key/groupLen, value, strconv.FormatInt(value, 10))
			return ops, err
		}}, nil
	}
	return w.single(c), nil
}

// appendArray appends to an array and reads it in the same statement perhaps.
func (w *txns) appendArray(c *client, key, value int64) statement {
	sql, args := upsertArray, []any{key, value, strconv.FormatInt(value, 10)}
	name := arrays.key(key)
	intent := []history.Op{{Kind: history.Append, Key: name, Value: value}}
	if c.chance(3) {
		sql = "UPDATE hist_arrays SET n = n + 1, v = v || $2::bigint, s = s || ',' || $3::text WHERE " + [...]string{"k", "h"}[c.rng.IntN(2)] + " = $1::int"
	}
	if c.chance(2) {
		return statement{intent: intent, run: func(ctx context.Context, c *client) ([]history.Op, error) {
			n, err := c.exec(ctx, sql, args...)
			if n == 0 {
				return nil, err
			}
			return intent, err
		}}
	}
	return statement{intent: intent, run: func(ctx context.Context, c *client) ([]history.Op, error) {
		var ops []history.Op
		err := c.query(ctx, func(rows pgx.Rows) error {
			var v []int64
			if err := rows.Scan(&v); err != nil {
				return err
			}
			ops = append(intent, history.Op{Kind: history.ReadList, Key: name, List: v, Locked: true})
			return nil
		}, sql+" RETURNING v", args...)
		return ops, err
	}}
}

// appendList appends a row after the last one that it sees.
func (w *txns) appendList(key, value int64) statement {
	intent := []history.Op{{Kind: history.Append, Key: lists.key(key), Value: value}}
	return statement{intent: intent, run: func(ctx context.Context, c *client) ([]history.Op, error) {
		n, err := c.exec(ctx, "INSERT INTO hist_lists SELECT $1::int, coalesce(max(pos), 0) + 1, $1::int / 4, $1::int, $2::bigint FROM hist_lists WHERE k = $1::int", key, value)
		if err == nil && n != 1 {
			err = fmt.Errorf("%w: %d rows inserted", errScan, n)
		}
		return intent, err
	}}
}

// writeRegister writes a register, there or not.
func (w *txns) writeRegister(c *client, key, value int64) statement {
	switch c.rng.IntN(6) {
	case 0, 1:
		return w.updateRegister(c, key, value, true)
	case 2:
		intent := []history.Op{{Kind: history.Write, Key: registers.key(key), Value: value}}
		return statement{intent: intent, run: func(ctx context.Context, c *client) ([]history.Op, error) {
			n, err := c.exec(ctx, `MERGE INTO hist_registers t USING (SELECT $1::int k, $2::bigint v) s ON t.k = s.k
WHEN MATCHED THEN UPDATE SET prev = t.v, v = s.v WHEN NOT MATCHED THEN INSERT (k, g, h, v, prev) VALUES (s.k, s.k / 4, s.k, s.v, 0)`, key, value)
			if n == 0 {
				return nil, err
			}
			return intent, err
		}}
	}
	return w.reported(upsertRegister, key, value)
}

// updateRegister writes a register that is there.
func (w *txns) updateRegister(c *client, key, value int64, report bool) statement {
	sql := "UPDATE hist_registers SET prev = v, v = $2::bigint WHERE " + [...]string{"k", "h"}[c.rng.IntN(2)] + " = $1::int"
	if report {
		return w.reported(sql, key, value)
	}
	intent := []history.Op{{Kind: history.Write, Key: registers.key(key), Value: value}}
	return statement{intent: intent, run: func(ctx context.Context, c *client) ([]history.Op, error) {
		n, err := c.exec(ctx, sql, key, value)
		if n == 0 {
			return nil, err
		}
		return intent, err
	}}
}

// reported is a write that tells what it has replaced.
func (w *txns) reported(sql string, key, value int64) statement {
	return statement{
		intent: []history.Op{{Kind: history.Write, Key: registers.key(key), Value: value}},
		run: func(ctx context.Context, c *client) ([]history.Op, error) {
			var ops []history.Op
			err := c.query(ctx, func(rows pgx.Rows) error {
				o := history.Op{Kind: history.Write, Key: registers.key(key), Value: value, Reported: true}
				if err := rows.Scan(&o.Replaced); err != nil {
					return err
				}
				ops = append(ops, o)
				return nil
			}, sql+" RETURNING prev", key, value)
			return ops, err
		}}
}
