package bench

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/basaltdb/basalt/bench/tpch"
)

// moved is what a statement's exchanges carried.
type moved struct{ gateway, between int64 }

// joinOfOrders is lineitem with its orders, whose rows lie together.
const joinOfOrders = `select o_orderpriority, count(*), sum(l_extendedprice * (1 - l_discount)) from lineitem join orders on l_orderkey = o_orderkey group by o_orderpriority`

// gatewayBytesMax is what the queries of frugal may move to the gateway.
const gatewayBytesMax = 64 << 10

// frugal are the queries whose results are small and whose work is beside the data.
var frugal = map[int]bool{1: true, 4: true, 6: true, 12: true, 14: true}

// movedBy adds up the bytes of a plan as EXPLAIN (ANALYZE, DISTRIBUTED) prints it: an
// exchange's line says from where to where, the lines of nodes that follow it how much.
func movedBy(plan string) (m moved) {
	var to *int64
	for line := range strings.Lines(plan) {
		s := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "->"))
		switch {
		case strings.HasPrefix(s, "Exchange "):
			to = &m.between
			if strings.Contains(s, " to gateway") {
				to = &m.gateway
			}
		case strings.HasPrefix(s, "Node ") && to != nil && line[0] == ' ': // at the margin: totals of nodes
			if _, rest, ok := strings.Cut(s, " bytes="); ok {
				n, _, _ := strings.Cut(rest, " ")
				v, err := strconv.ParseInt(strings.TrimSpace(n), 10, 64)
				if err == nil {
					*to += v
				}
			}
		}
	}
	return m
}

// printMoved shows what every query moves, and fails where more is moved than should be.
func printMoved(ctx context.Context, out io.Writer, conn *pgconn.PgConn) error {
	var rows [][]string
	var wrong []string
	row := func(name string, m moved) {
		rows = append(rows, []string{name, fmt.Sprintf("%.1f", float64(m.gateway)/1024), fmt.Sprintf("%.1f", float64(m.between)/1024)})
	}
	for q := 1; q <= tpch.QueryCount; q++ {
		if q == 15 { // several statements
			continue
		}
		plan, err := explainDistributed(ctx, conn, tpch.Query(q))
		if err != nil {
			return fmt.Errorf("query %d: %w", q, err)
		}
		m := movedBy(plan)
		row(fmt.Sprintf("Q%d", q), m)
		if frugal[q] && m.gateway > gatewayBytesMax {
			wrong = append(wrong, fmt.Sprintf("Q%d moves %d bytes to the gateway", q, m.gateway))
		}
	}
	plan, err := explainDistributed(ctx, conn, joinOfOrders)
	if err != nil {
		return err
	}
	m := movedBy(plan)
	row("lineitem ⋈ orders", m)
	if m.between > 0 || m.gateway > gatewayBytesMax {
		wrong = append(wrong, fmt.Sprintf("lineitem ⋈ orders moves %d bytes between nodes and %d to the gateway", m.between, m.gateway))
	}
	fmt.Fprintf(out, "\nWhat the queries move, in KB:\n\n")
	table(out, []string{"query", "to the gateway", "between storage nodes"}, rows)
	if len(wrong) > 0 {
		return fmt.Errorf("%s", strings.Join(wrong, "; "))
	}
	return nil
}
