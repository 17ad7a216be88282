package tpch

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/basaltdb/basalt/bench/tpch/dbgen"
)

// freshOrders is how many orders, of about four lines each, one transaction of Freshen touches.
const freshOrders = 100

// Freshen changes a loaded database by ordinary transactions of some hundreds of rows each: share
// (such as 0.05) of the lines of lineitem are updated, and as many inserted, with their orders. The
// orders touched lie evenly over the whole table, so that no part of it stays as it was loaded. The
// statements depend on scale factor and share only. progress may be nil.
func Freshen(ctx context.Context, conn *pgconn.PgConn, sf, share float64, progress func(done, total int64)) error {
	if share <= 0 || share > 0.5 {
		return fmt.Errorf("share %v: want more than 0, at most 0.5", share)
	}
	orders := dbgen.Units(dbgen.Orders, sf)
	step := int64(1 / share)
	updates, inserts := freshKeys(orders, step, 0), freshKeys(orders, step, step/2)
	total := int64(len(updates) + len(inserts))
	for done := int64(0); len(updates)+len(inserts) > 0; done += 2 * freshOrders {
		var keys string
		if keys, updates = keyList(updates); keys != "" {
			if err := conn.Exec(ctx, `update lineitem set l_quantity = 51 - l_quantity, l_discount = 0.10 - l_discount, l_tax = 0.08 - l_tax,
  l_shipdate = l_shipdate + 1, l_receiptdate = l_receiptdate + 2, l_comment = 'changed ' || l_linenumber
where l_orderkey in (`+keys+")").Close(); err != nil {
				return err
			}
		}
		if keys, inserts = keyList(inserts); keys != "" {
			// dbgen leaves keys 8 … 31 of every 32 free.
			if err := conn.Exec(ctx, `begin;
insert into orders select o_orderkey + 8, o_custkey, o_orderstatus, o_totalprice + 100, o_orderdate, o_orderpriority, o_clerk, o_shippriority, 'new ' || o_comment::varchar(70)
from orders where o_orderkey in (`+keys+`);
insert into lineitem select l_orderkey + 8, l_partkey, l_suppkey, l_linenumber, 51 - l_quantity, l_extendedprice + 1, l_discount, l_tax, l_returnflag, l_linestatus,
  l_shipdate, l_commitdate, l_receiptdate + 1, l_shipinstruct, l_shipmode, 'new'
from lineitem where l_orderkey in (`+keys+`);
commit`).Close(); err != nil {
				return err
			}
		}
		if progress != nil {
			progress(min(done, total), total)
		}
	}
	if progress != nil {
		progress(total, total)
	}
	return nil
}

// freshKeys are the keys of every step-th order from the first-th on.
func freshKeys(orders, step, first int64) (keys []int64) {
	for i := first + 1; i <= orders; i += step {
		keys = append(keys, i>>3<<5|i&7) // as dbgen numbers them
	}
	return keys
}

// keyList takes some keys off the front, as a list.
func keyList(keys []int64) (list string, rest []int64) {
	n := min(len(keys), freshOrders)
	return strings.Trim(strings.Join(strings.Fields(fmt.Sprint(keys[:n])), ","), "[]"), keys[n:]
}

// FreshAnswer is PostgreSQL's answer to query n at a scale factor after Freshen by 0.05; nil where none is recorded.
func FreshAnswer(n int, sf float64) []byte {
	b, err := answers.ReadFile(freshPath(n, sf))
	if err != nil {
		return nil
	}
	return b
}

func freshPath(n int, sf float64) string { return fmt.Sprintf("answers/fresh-sf%v/q%d.txt", sf, n) }
