// Command duckdb measures DuckDB on TPC-H (and with -data stars on bench/stars) as
// `basalt bench tpch` (and `bench stars`) measures Basalt and PostgreSQL: the same generated data, keys declared, the same
// queries, two threads, a persistent database file. It is a module of its own
// because DuckDB's library is large.
//
//	go run . -sf 1 -db /path/to/file.duckdb [-data stars] [-runs 3] [-json FILE]
package main

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	_ "github.com/marcboeker/go-duckdb/v2"

	"github.com/basaltdb/basalt/bench/tpch"
	"github.com/basaltdb/basalt/bench/tpch/dbgen"
)

type result struct {
	Target      string
	LoadSeconds float64 `json:",omitempty"`
	Queries     []query
	Total       float64
	GeoMean     float64
}

type query struct {
	Query   int
	Seconds float64
	Runs    []float64
	Answer  string
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "duckdb:", err)
		os.Exit(1)
	}
}

func run() error {
	sf := flag.Float64("sf", 1, "scale factor")
	path := flag.String("db", "", "database file; loaded when it does not exist")
	runs := flag.Int("runs", 3, "runs of each query; the median counts")
	threads := flag.Int("threads", 2, "DuckDB's threads")
	dataset := flag.String("data", "tpch", "tpch or stars")
	jsonPath := flag.String("json", "", "write the results to this file")
	flag.Parse()
	if *path == "" {
		return fmt.Errorf("-db is missing")
	}
	_, statErr := os.Stat(*path)
	db, err := sql.Open("duckdb", *path)
	if err != nil {
		return err
	}
	defer db.Close()
	ctx := context.Background()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, fmt.Sprintf("set threads = %d", *threads)); err != nil {
		return err
	}
	switch *dataset {
	case "tpch":
	case "stars":
		return runStars(ctx, conn, *sf, os.IsNotExist(statErr), max(*runs, 1), *jsonPath)
	default:
		return fmt.Errorf("-data %q: want tpch or stars", *dataset)
	}
	r := result{Target: "duckdb"}
	if os.IsNotExist(statErr) {
		if r.LoadSeconds, err = load(ctx, conn, *sf); err != nil {
			return err
		}
		fmt.Printf("loaded in %.3f s\n", r.LoadSeconds)
	}
	logs := 0.0
	for q := 1; q <= tpch.QueryCount; q++ {
		res := query{Query: q, Answer: "unchecked"}
		for range *runs {
			took, err := runQuery(ctx, conn, tpch.Query(q))
			if err != nil {
				return fmt.Errorf("query %d: %w", q, err)
			}
			res.Runs = append(res.Runs, took)
		}
		sorted := slices.Sorted(slices.Values(res.Runs))
		res.Seconds = sorted[len(sorted)/2]
		r.Total += res.Seconds
		logs += math.Log(max(res.Seconds, 1e-6))
		r.Queries = append(r.Queries, res)
		fmt.Printf("Q%-2d %.3f s\n", q, res.Seconds)
	}
	r.GeoMean = math.Exp(logs / tpch.QueryCount)
	fmt.Printf("total %.3f s, geometric mean %.3f s\n", r.Total, r.GeoMean)
	if *jsonPath == "" {
		return nil
	}
	b, err := json.MarshalIndent([]result{r}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(*jsonPath, b, 0o644)
}

// load times COPY from files, the form DuckDB is fastest with; writing the files does not count.
func load(ctx context.Context, conn *sql.Conn, sf float64) (float64, error) {
	dir, err := os.MkdirTemp("", "duckdb-tpch-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	for _, t := range dbgen.Tables {
		if err := writeTable(filepath.Join(dir, string(t)+".csv"), t, sf); err != nil {
			return 0, err
		}
	}
	start := time.Now()
	for stmt := range strings.SplitSeq(tpch.Schema(), ";") {
		if strings.TrimSpace(stmt) == "" {
			continue
		}
		if _, err := conn.ExecContext(ctx, stmt); err != nil {
			return 0, err
		}
	}
	for _, t := range dbgen.Tables {
		if _, err := conn.ExecContext(ctx, fmt.Sprintf("copy %s from '%s' (delimiter '|', header false, auto_detect false)", t, filepath.Join(dir, string(t)+".csv"))); err != nil {
			return 0, fmt.Errorf("%s: %w", t, err)
		}
	}
	if _, err := conn.ExecContext(ctx, "checkpoint"); err != nil {
		return 0, err
	}
	return time.Since(start).Seconds(), nil
}

func writeTable(path string, t dbgen.Table, sf float64) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	r := tpch.NewReader(t, sf, nil)
	defer r.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	if _, err := io.Copy(w, r); err != nil {
		return err
	}
	return w.Flush()
}

// runQuery runs a text of one or more statements and reads every row of each.
func runQuery(ctx context.Context, conn *sql.Conn, text string) (float64, error) {
	start := time.Now()
	for stmt := range strings.SplitSeq(text, ";") {
		if strings.TrimSpace(stmt) == "" {
			continue
		}
		rows, err := conn.QueryContext(ctx, stmt)
		if err != nil {
			return 0, err
		}
		for rows.Next() {
		}
		if err := rows.Err(); err != nil {
			return 0, err
		}
		rows.Close()
	}
	return time.Since(start).Seconds(), nil
}
