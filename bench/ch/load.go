package ch

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/basaltdb/basalt/bench/tpcc"
)

//go:embed schema.sql
var schema string

//go:embed nations.txt
var nations string

// suppliers is how many there are, whatever the number of warehouses.
const suppliers = 10_000

// nationKeys are the characters by which a customer's state names a nation.
const nationKeys = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// Load adds nation, region and supplier to the tables of tpcc.Load (dropping old ones), and ends with ANALYZE.
func Load(ctx context.Context, conn *pgconn.PgConn, seed uint64) error {
	for _, sql := range []string{"drop table if exists region, nation, supplier cascade", schema} {
		if err := exec(ctx, conn, sql); err != nil {
			return err
		}
	}
	for name, data := range tables(seed) {
		err := tpcc.CopyIn(ctx, conn, "copy "+name+" from stdin", func(w io.Writer) error { _, err := w.Write(data); return err })
		if err != nil {
			return fmt.Errorf("loading %s: %w", name, err)
		}
	}
	return exec(ctx, conn, "analyze region, nation, supplier")
}

// tables are the rows in COPY's text format.
func tables(seed uint64) map[string][]byte {
	var region, nation, supplier bytes.Buffer
	rng := rand.New(rand.NewPCG(seed, 22))
	keys := []byte(nationKeys)
	for r, line := range strings.Split(strings.TrimSpace(nations), "\n") {
		name, of, _ := strings.Cut(line, ": ")
		fmt.Fprintf(&region, "%d\t%s\tthe nations of %s\n", r, name, name)
		for _, n := range strings.Split(of, ", ") {
			fmt.Fprintf(&nation, "%d\t%s\t%d\ta nation of %s\n", keys[0], n, r, name)
			keys = keys[1:]
		}
	}
	for k := range suppliers {
		comment := text(rng, 60, 90)
		if rng.IntN(200) == 0 {
			comment = "bad " + comment
		}
		fmt.Fprintf(&supplier, "%d\tSupplier#%09d\t%s\t%d\t%015d\t%d.%02d\t%s\n", k, k, text(rng, 10, 40), nationKeys[rng.IntN(len(nationKeys))],
			rng.Int64N(1e15), rng.IntN(10_000), rng.IntN(100), comment)
	}
	return map[string][]byte{"region": region.Bytes(), "nation": nation.Bytes(), "supplier": supplier.Bytes()}
}

func text(rng *rand.Rand, lo, hi int) string {
	b := make([]byte, lo+rng.IntN(hi-lo+1))
	for i := range b {
		b[i] = nationKeys[rng.IntN(len(nationKeys))]
	}
	return string(b)
}

func exec(ctx context.Context, conn *pgconn.PgConn, sql string) error {
	if err := conn.Exec(ctx, sql).Close(); err != nil {
		return fmt.Errorf("%.80s: %w", sql, err)
	}
	return nil
}
