package tpcc

import (
	"context"
	"embed"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

//go:embed conditions/*.sql
var conditions embed.FS

// Conditions is how many consistency conditions clause 3.3.2 has.
const Conditions = 12

// Condition is a query (clause 3.3.2.N) whose rows violate the condition: one snapshot in
// which the condition holds has none. It can be asked for while transactions run.
func Condition(n int, s Size) string {
	b, err := conditions.ReadFile(fmt.Sprintf("conditions/%02d.sql", n))
	if err != nil {
		panic(err) // embedded
	}
	return strings.ReplaceAll(string(b), "$1", strconv.Itoa(s.delivered()))
}

// CheckCondition says whether a consistency condition holds.
func CheckCondition(ctx context.Context, conn *pgconn.PgConn, n int, s Size) error {
	rs, err := conn.Exec(ctx, Condition(n, s)).ReadAll()
	if err != nil {
		return fmt.Errorf("consistency condition %d: %w", n, err)
	}
	if rows := rs[0].Rows; len(rows) > 0 {
		return fmt.Errorf("consistency condition %d does not hold: %d rows, the first of them %s", n, len(rows), line(rows[0]))
	}
	return nil
}

// Check verifies all consistency conditions.
func Check(ctx context.Context, conn *pgconn.PgConn, s Size) error {
	for n := 1; n <= Conditions; n++ {
		if err := CheckCondition(ctx, conn, n, s); err != nil {
			return err
		}
	}
	return nil
}

// CheckOrders verifies that every order is there with its customer and its lines.
func CheckOrders(ctx context.Context, conn *pgconn.PgConn, orders []Order) error {
	rs, err := conn.Exec(ctx, `select o_w_id, o_d_id, o_id, o_c_id, count(ol_number)
from orders join order_line on ol_w_id = o_w_id and ol_d_id = o_d_id and ol_o_id = o_id
group by o_w_id, o_d_id, o_id, o_c_id`).ReadAll()
	if err != nil {
		return err
	}
	there := make(map[Order]bool, len(rs[0].Rows))
	for _, row := range rs[0].Rows {
		var v [5]int
		for i := range v {
			if v[i], err = atoi(row[i]); err != nil {
				return err
			}
		}
		there[Order{Warehouse: v[0], District: v[1], ID: v[2], Customer: v[3], Lines: v[4]}] = true
	}
	for _, o := range orders {
		if !there[o] {
			return fmt.Errorf("the acknowledged order %+v is not there", o)
		}
	}
	return nil
}

// line is a row as text.
func line(row [][]byte) string {
	var b strings.Builder
	for i, v := range row {
		if i > 0 {
			b.WriteByte('|')
		}
		if v == nil {
			b.WriteString(`\N`)
		}
		b.Write(v)
	}
	return b.String()
}
