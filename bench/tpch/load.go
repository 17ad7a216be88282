package tpch

import (
	"bufio"
	"context"
	_ "embed"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/basaltdb/basalt/bench/tpch/dbgen"
)

// Schema is the eight CREATE TABLE statements, keys declared.
func Schema() string { return schema }

//go:embed schema.sql
var schema string

// Progress hears how many of a table's units are generated; done is total at the end.
type Progress func(table dbgen.Table, done, total int64)

// Load creates the eight tables (dropping old ones) and fills them by COPY.
// It ends with ANALYZE. progress may be nil.
func Load(ctx context.Context, conn *pgconn.PgConn, sf float64, progress Progress) (time.Duration, error) {
	start := time.Now()
	if err := Fill(ctx, conn, sf, progress); err != nil {
		return 0, err
	}
	if err := conn.Exec(ctx, "analyze").Close(); err != nil {
		return 0, err
	}
	return time.Since(start), nil
}

// Fill is Load without ANALYZE.
func Fill(ctx context.Context, conn *pgconn.PgConn, sf float64, progress Progress) error {
	for _, t := range dbgen.Tables {
		if err := conn.Exec(ctx, "drop table if exists "+string(t)+" cascade").Close(); err != nil {
			return err
		}
	}
	if err := conn.Exec(ctx, schema).Close(); err != nil {
		return err
	}
	for _, t := range dbgen.Tables {
		r := NewReader(t, sf, progress)
		_, err := conn.CopyFrom(ctx, r, fmt.Sprintf("copy %s from stdin with (delimiter '|')", t))
		r.Close()
		if err != nil {
			return fmt.Errorf("loading %s: %w", t, err)
		}
	}
	return nil
}

// Reader streams a table's lines without the trailing separator, as COPY wants
// them. A goroutine of its own generates ahead; Close ends it.
type Reader struct {
	*io.PipeReader
	done chan struct{}
}

// NewReader starts generating a table.
func NewReader(t dbgen.Table, sf float64, progress Progress) *Reader {
	pr, pw := io.Pipe()
	r := &Reader{PipeReader: pr, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		pw.CloseWithError(writeLines(pw, t, sf, progress))
	}()
	return r
}

// Close ends the generation and waits for it.
func (r *Reader) Close() error {
	err := r.PipeReader.Close()
	<-r.done
	return err
}

func writeLines(pw io.Writer, t dbgen.Table, sf float64, progress Progress) error {
	w := bufio.NewWriterSize(pw, 1<<18)
	total := dbgen.Units(t, sf)
	g := dbgen.NewGenerator(t, sf, 0, total)
	var buf []byte
	for n := int64(0); ; n++ {
		var ok bool
		if buf, ok = g.Append(buf[:0]); !ok {
			break
		}
		for start, i := 0, 0; i < len(buf); i++ { // units may be several lines
			if buf[i] == '\n' {
				if _, err := w.Write(buf[start : i-1]); err != nil {
					return err
				}
				if err := w.WriteByte('\n'); err != nil {
					return err
				}
				start = i + 1
			}
		}
		if progress != nil && n%4096 == 0 {
			progress(t, n, total)
		}
	}
	if progress != nil {
		progress(t, total, total)
	}
	return w.Flush()
}
