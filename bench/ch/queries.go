package ch

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

//go:embed queries/*.sql
var queries embed.FS

//go:embed all:answers
var answers embed.FS

// Queries is how many there are, numbered from 1.
const Queries = 22

// Query is the text of a query.
func Query(n int) string {
	b, err := queries.ReadFile(fmt.Sprintf("queries/q%02d.sql", n))
	if err != nil {
		panic(err) // embedded
	}
	return string(b)
}

func answerPath(n int) string { return fmt.Sprintf("answers/q%02d.txt", n) }

// Answer is PostgreSQL's answer to a query over the data of LoadAnswers; nil where none is recorded.
func Answer(n int) []byte {
	b, err := answers.ReadFile(answerPath(n))
	if err != nil {
		return nil
	}
	return b
}

// Run executes a query and returns its rows, fields separated by '|' and NULL shown as \N, with the time from
// sending to the last row.
func Run(ctx context.Context, conn *pgconn.PgConn, n int) (rows []byte, took time.Duration, err error) {
	var out bytes.Buffer
	start := time.Now()
	rr := conn.ExecParams(ctx, Query(n), nil, nil, nil, nil)
	for rr.NextRow() {
		for i, v := range rr.Values() {
			if i > 0 {
				out.WriteByte('|')
			}
			if v == nil {
				out.WriteString(`\N`)
			}
			out.Write(v)
		}
		out.WriteByte('\n')
	}
	if _, err := rr.Close(); err != nil {
		return nil, 0, fmt.Errorf("query %d: %w", n, err)
	}
	return out.Bytes(), time.Since(start), nil
}
