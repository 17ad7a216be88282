package tpch_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sys/unix"

	"github.com/basaltdb/basalt/bench/tpch"
	"github.com/basaltdb/basalt/bench/tpch/dbgen"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/sql/types/keyenc"
	"github.com/basaltdb/basalt/storage/segment"
)

// columnsOf are a table's columns by type name, and its key.
var columnsOf = map[dbgen.Table]struct {
	types string
	key   int // the primary key is the first so many columns, or 1 and 4 of lineitem
}{
	"region":   {"int4 char(25) text", 1},
	"nation":   {"int4 char(25) int4 text", 1},
	"part":     {"int4 text char(25) char(10) text int4 char(10) num text", 1},
	"supplier": {"int4 char(25) text int4 char(15) num text", 1},
	"partsupp": {"int4 int4 int4 num text", 2},
	"customer": {"int4 text text int4 char(15) num char(10) text", 1},
	"orders":   {"int8 int4 char(1) num date char(15) char(15) int4 text", 1},
	"lineitem": {"int8 int4 int4 int4 num num num num char(1) char(1) date date date char(25) char(10) text", 2},
}

// TestSegmentSize writes TPC-H's tables into segments and asks for at most 45 % of
// the text's bytes. TPCH_SF sets the scale factor (0.01); -v shows every column: bytes
// per value, and how many values a second one processor reads, whole blocks and one by one.
func TestSegmentSize(t *testing.T) {
	sf := 0.01
	if s := os.Getenv("TPCH_SF"); s != "" {
		var err error
		if sf, err = strconv.ParseFloat(s, 64); err != nil {
			t.Fatal(err)
		}
	}
	fs := vfs.NewMem()
	var text, stored int64
	for _, tb := range dbgen.Tables {
		a, b := writeSegments(t, fs, tb, sf)
		text, stored = text+a, stored+b
	}
	share := 100 * float64(stored) / float64(text)
	t.Logf("all: %d bytes of %d, %.1f %%", stored, text, share)
	if share > 45 {
		t.Errorf("segments take %.1f %% of the text's bytes, want at most 45", share)
	}
}

func threadTime(t testing.TB) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func writeSegments(t *testing.T, fs vfs.FS, tb dbgen.Table, sf float64) (textBytes, fileBytes int64) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	def := columnsOf[tb]
	var cols []segment.Column
	for i, name := range strings.Fields(def.types) {
		typ := map[string]types.T{"int4": types.Of(types.Int4), "int8": types.Of(types.Int8), "num": types.Of(types.NumericOID),
			"date": types.Of(types.DateOID), "text": types.Of(types.VarChar)}[name]
		if n, ok := strings.CutPrefix(name, "char("); ok {
			w, _ := strconv.Atoi(strings.TrimSuffix(n, ")"))
			typ = types.WithMod(types.BPChar, int32(w)+4)
		}
		cols = append(cols, segment.Column{Attnum: i + 1, Type: typ})
	}
	key := []int{0, 1}[:def.key]
	if tb == "lineitem" {
		key = []int{0, 3}
	}
	env := types.DefaultEnv()
	r := tpch.NewReader(tb, sf, nil)
	defer r.Close()
	in := bufio.NewScanner(r)
	builders := make([]*types.Builder, len(cols))
	reset := func() {
		for i, c := range cols {
			builders[i] = types.NewBuilder(c.Type, segment.BlockRowsMax)
		}
	}
	reset()
	var w *segment.Writer
	var keys segment.Keys
	var writing time.Duration
	var paths []string
	perColumn := make([]int64, len(cols))
	rows := 0
	finish := func() {
		start := threadTime(t)
		m, err := w.Finish()
		if err != nil {
			t.Fatal(err)
		}
		writing += threadTime(t) - start
		fileBytes += m.Bytes
		rows += m.Rows
		for i := range cols {
			perColumn[i] += m.Columns[i].Bytes
		}
		w = nil
	}
	flush := func() {
		if w == nil {
			path := fmt.Sprintf("%s-%d.seg", tb, len(paths))
			paths = append(paths, path)
			var err error
			if w, err = segment.NewWriter(fs, path, cols, segment.WriterOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		var arrs []arrow.Array
		for _, b := range builders {
			arrs = append(arrs, b.Finish())
		}
		start := threadTime(t)
		if err := w.Append(keys, arrs); err != nil {
			t.Fatal(err)
		}
		writing += threadTime(t) - start
		keys.Reset()
		reset()
		if w.Full() {
			finish()
		}
	}
	row := make([]types.Datum, len(cols))
	var k []byte
	for in.Scan() {
		line := in.Text()
		textBytes += int64(len(line)) + 1
		for i, f := range strings.Split(line, "|") {
			d, err := types.In(env, cols[i].Type, f)
			if err != nil {
				t.Fatal(err)
			}
			builders[i].Append(d)
			row[i] = d
		}
		if tb == "partsupp" { // not generated in the order of its key: the second column gives way to a number
			row[1] = int32(textBytes)
		}
		k = k[:0]
		for _, c := range key {
			var err error
			if k, err = (&keyenc.Column{T: cols[c].Type}).Append(env, k, row[c]); err != nil {
				t.Fatal(err)
			}
		}
		keys.Append(k)
		if keys.Len() == segment.BlockRowsMax {
			flush()
		}
	}
	if keys.Len() > 0 {
		flush()
	}
	if w != nil {
		finish()
	}
	t.Logf("%s: %d rows, %d bytes of %d, %.1f %%; written at %.0f MB/s of text", tb, rows, fileBytes, textBytes,
		100*float64(fileBytes)/float64(textBytes), float64(textBytes)/1e6/writing.Seconds())
	left := fileBytes
	for i, c := range cols {
		whole, single := readSpeed(t, fs, paths, i)
		t.Logf("  %-3d %-5d %6.2f bytes/value  %6.0f Mvalues/s  one: %4.0f ns", i, c.Type.OID, float64(perColumn[i])/float64(rows), whole, single)
		left -= perColumn[i]
	}
	t.Logf("  keys and the rest: %.2f bytes/row", float64(left)/float64(rows))
	return textBytes, fileBytes
}

// readSpeed reads a column of some files: blocks in millions of values a second, and
// nanoseconds for a value alone.
func readSpeed(t *testing.T, fs vfs.FS, paths []string, col int) (whole, single float64) {
	ctx := context.Background()
	cache := segment.NewCache(1 << 30)
	f, err := segment.Open(fs, paths[0], cache)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	read := func() {
		for b := range f.Blocks() {
			if _, err := f.Read(ctx, b, col); err != nil {
				t.Fatal(err)
			}
		}
	}
	read() // into the cache
	n := 1 + 1_000_000/f.Rows()
	start := threadTime(t)
	for range n {
		read()
	}
	whole = float64(n*f.Rows()) / 1e6 / (threadTime(t) - start).Seconds()
	var out [1]segment.Value
	var buf []byte
	const points = 100_000
	start = threadTime(t)
	for i := range points {
		if buf, err = f.Row(ctx, i*7919%f.Rows(), []int{col}, out[:], buf[:0]); err != nil {
			t.Fatal(err)
		}
	}
	return whole, float64((threadTime(t) - start).Nanoseconds()) / points
}
