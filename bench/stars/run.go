package stars

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

//go:embed queries/*.sql
var queries embed.FS

//go:embed all:answers
var answers embed.FS

// Names lists the queries.
func Names() (names []string) {
	files, err := queries.ReadDir("queries")
	if err != nil {
		panic(err)
	}
	for _, f := range files {
		names = append(names, strings.TrimSuffix(f.Name(), ".sql"))
	}
	return names
}

// Query is the text of a query.
func Query(name string) string {
	b, err := queries.ReadFile("queries/" + name + ".sql")
	if err != nil {
		panic(err)
	}
	return string(b)
}

// answerPath is where PostgreSQL's answer at a scale factor is kept.
func answerPath(name string, sf float64) string {
	return fmt.Sprintf("answers/sf%s/%s.txt", strconv.FormatFloat(sf, 'g', -1, 64), name)
}

// Answer is PostgreSQL's answer to a query at a scale factor; nil where none is recorded.
func Answer(name string, sf float64) []byte {
	b, err := answers.ReadFile(answerPath(name, sf))
	if err != nil {
		return nil
	}
	return b
}

// Load creates the tables (dropping old ones) and fills them by COPY. It ends with
// ANALYZE. progress may be nil.
func Load(ctx context.Context, conn *pgconn.PgConn, sf float64, progress Progress) (time.Duration, error) {
	start := time.Now()
	for _, name := range Tables() {
		if err := conn.Exec(ctx, "drop table if exists "+name+" cascade").Close(); err != nil {
			return 0, err
		}
	}
	if err := conn.Exec(ctx, Schema()).Close(); err != nil {
		return 0, err
	}
	for _, name := range Tables() {
		r := NewReader(name, sf, progress)
		_, err := conn.CopyFrom(ctx, r, fmt.Sprintf("copy %s from stdin with (format csv)", name))
		r.Close()
		if err != nil {
			return 0, fmt.Errorf("loading %s: %w", name, err)
		}
	}
	if err := conn.Exec(ctx, "analyze").Close(); err != nil {
		return 0, err
	}
	return time.Since(start), nil
}

// Run executes a query and returns its rows, fields separated by '|' and NULL shown as
// \N, with the time from sending to the last row.
func Run(ctx context.Context, conn *pgconn.PgConn, name string) (rows []byte, took time.Duration, err error) {
	var out bytes.Buffer
	start := time.Now()
	mrr := conn.Exec(ctx, Query(name))
	for mrr.NextResult() {
		rr := mrr.ResultReader()
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
			break
		}
	}
	if err := mrr.Close(); err != nil {
		return nil, 0, fmt.Errorf("query %s: %w", name, err)
	}
	return out.Bytes(), time.Since(start), nil
}
