package tpcc

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

//go:embed schema.sql
var schema string

//go:embed indexes.sql
var indexes string

//go:embed foreign_keys.sql
var foreignKeys string

// Load creates the tables (dropping old ones), fills them by COPY, makes the indexes and, when asked to, the foreign
// keys, and ends with ANALYZE. progress may be nil.
func Load(ctx context.Context, conn *pgconn.PgConn, s Size, seed uint64, withForeignKeys bool, progress Progress) (time.Duration, error) {
	if err := s.Valid(); err != nil {
		return 0, err
	}
	start := time.Now()
	if err := exec(ctx, conn, "drop table if exists "+strings.Join(Tables(), ", ")+" cascade"); err != nil {
		return 0, err
	}
	if err := exec(ctx, conn, schema); err != nil {
		return 0, err
	}
	for _, name := range Tables() {
		err := CopyIn(ctx, conn, "copy "+name+" from stdin", func(w io.Writer) error { return Write(w, name, s, seed, progress) })
		if err != nil {
			return 0, fmt.Errorf("loading %s: %w", name, err)
		}
	}
	if err := exec(ctx, conn, indexes); err != nil {
		return 0, err
	}
	if withForeignKeys {
		if err := exec(ctx, conn, foreignKeys); err != nil {
			return 0, err
		}
	}
	if err := exec(ctx, conn, "analyze "+strings.Join(Tables(), ", ")); err != nil {
		return 0, err
	}
	return time.Since(start), nil
}

// CopyIn runs a COPY of what write writes, which generates ahead in a goroutine that ends with the call.
func CopyIn(ctx context.Context, conn *pgconn.PgConn, sql string, write func(io.Writer) error) error {
	pr, pw := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		pw.CloseWithError(write(pw))
	}()
	_, err := conn.CopyFrom(ctx, pr, sql)
	pr.Close()
	<-done
	return err
}

func exec(ctx context.Context, conn *pgconn.PgConn, sql string) error {
	if err := conn.Exec(ctx, sql).Close(); err != nil {
		return fmt.Errorf("%.80s: %w", sql, err)
	}
	return nil
}
