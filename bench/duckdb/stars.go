package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/basaltdb/basalt/bench/stars"
)

// starsResult has the fields of `basalt bench stars --json`.
type starsResult struct {
	Target      string
	LoadSeconds float64 `json:",omitempty"`
	Queries     []starsQuery
	GeoMean     float64
}

type starsQuery struct {
	Query   string
	Seconds float64
	Runs    []float64
	CPU     float64
	Rows    int
	Answer  string // what went wrong, or "unchecked"
}

// dialect makes DuckDB sort and divide as PostgreSQL does, and gives it PostgreSQL's name of a function.
var dialect = []string{
	"set default_null_order = 'nulls_last_on_asc_first_on_desc'",
	"set integer_division = true",
	"create or replace temp macro regexp_like(s, p) as regexp_matches(s, p)",
}

// runStars loads bench/stars when the database is new and runs its queries.
func runStars(ctx context.Context, conn *sql.Conn, sf float64, fresh bool, runs int, jsonPath string) error {
	r := starsResult{Target: "duckdb"}
	if fresh {
		seconds, err := loadStars(ctx, conn, sf)
		if err != nil {
			return err
		}
		r.LoadSeconds = seconds
		fmt.Printf("loaded in %.3f s\n", seconds)
	}
	for _, s := range dialect {
		if _, err := conn.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	logs, n := 0.0, 0
	for _, name := range stars.Names() {
		q := starsQuery{Query: name, Answer: "unchecked"}
		var cpus []float64
		for range runs {
			before := cpuSeconds()
			rows, took, err := countRows(ctx, conn, stars.Query(name))
			if err != nil {
				q.Answer = err.Error()
				break
			}
			q.Runs, q.Rows = append(q.Runs, took), rows
			cpus = append(cpus, cpuSeconds()-before)
		}
		if len(q.Runs) == runs {
			q.Seconds, q.CPU = middle(q.Runs), middle(cpus)
			logs += math.Log(max(q.Seconds, 1e-6))
			n++
		}
		r.Queries = append(r.Queries, q)
		fmt.Printf("%-32s %8.3f s %8.3f s CPU %5d rows %s\n", name, q.Seconds, q.CPU, q.Rows, q.Answer)
	}
	r.GeoMean = math.Exp(logs / float64(max(n, 1)))
	fmt.Printf("geometric mean %.3f s\n", r.GeoMean)
	if jsonPath == "" {
		return nil
	}
	b, err := json.MarshalIndent([]starsResult{r}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(jsonPath, b, 0o644)
}

func middle(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}

// cpuSeconds is the CPU time of this process, which is DuckDB's.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// loadStars times COPY from files, one table after the other so that only one lies on disk; writing the files does not count.
func loadStars(ctx context.Context, conn *sql.Conn, sf float64) (float64, error) {
	dir, err := os.MkdirTemp("", "duckdb-stars-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	for stmt := range strings.SplitSeq(stars.Schema(), ";") {
		if strings.TrimSpace(stmt) == "" {
			continue
		}
		if _, err := conn.ExecContext(ctx, stmt); err != nil {
			return 0, err
		}
	}
	took := time.Duration(0)
	for _, name := range stars.Tables() {
		path := filepath.Join(dir, name+".csv")
		if err := writeStars(path, name, sf); err != nil {
			return 0, err
		}
		start := time.Now()
		if _, err := conn.ExecContext(ctx, fmt.Sprintf(`copy %s from '%s' (format csv, header false, delimiter ',', quote '"', escape '"', nullstr '', auto_detect false)`, name, path)); err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
		took += time.Since(start)
		if err := os.Remove(path); err != nil {
			return 0, err
		}
	}
	start := time.Now()
	if _, err := conn.ExecContext(ctx, "checkpoint"); err != nil {
		return 0, err
	}
	return (took + time.Since(start)).Seconds(), nil
}

func writeStars(path, name string, sf float64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	err = stars.Write(f, name, sf, nil)
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

// countRows runs a query and reads every row of it.
func countRows(ctx context.Context, conn *sql.Conn, text string) (n int, seconds float64, err error) {
	start := time.Now()
	rows, err := conn.QueryContext(ctx, text)
	if err != nil {
		return 0, 0, err
	}
	defer rows.Close()
	for rows.Next() {
		n++
	}
	return n, time.Since(start).Seconds(), rows.Err()
}
