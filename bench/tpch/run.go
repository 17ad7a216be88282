package tpch

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

//go:embed queries/*.sql
var queries embed.FS

//go:embed answers
var answers embed.FS

// QueryCount is the number of TPC-H queries.
const QueryCount = 22

// Query is the text of query n (1 … 22). Query 15 is three statements.
func Query(n int) string {
	b, err := queries.ReadFile(fmt.Sprintf("queries/q%d.sql", n))
	if err != nil {
		panic(err)
	}
	return string(b)
}

// Answer is PostgreSQL's answer to query n at a scale factor; nil where none is recorded.
func Answer(n int, sf float64) []byte {
	b, err := answers.ReadFile(fmt.Sprintf("answers/sf%s/q%d.txt", strconv.FormatFloat(sf, 'g', -1, 64), n))
	if err != nil {
		return nil
	}
	return b
}

// Run executes query n and returns its rows as `psql -A -t -F'|'` prints them,
// with the time from sending to the last row.
func Run(ctx context.Context, conn *pgconn.PgConn, n int) (rows []byte, took time.Duration, err error) {
	var out bytes.Buffer
	start := time.Now()
	mrr := conn.Exec(ctx, Query(n))
	for mrr.NextResult() {
		rr := mrr.ResultReader()
		for rr.NextRow() {
			for i, v := range rr.Values() {
				if i > 0 {
					out.WriteByte('|')
				}
				out.Write(v)
			}
			out.WriteByte('\n')
		}
		if _, err := rr.Close(); err != nil {
			break
		}
	}
	if err := mrr.Close(); err != nil {
		return nil, 0, fmt.Errorf("query %d: %w", n, err)
	}
	return out.Bytes(), time.Since(start), nil
}
