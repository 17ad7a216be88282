package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/basaltdb/basalt/internal/nodetest"
)

// TestDiskFull: on a disk that fills up transactions fail with 53100 while reads
// and the process go on; with room again writes go on; what was acknowledged is
// there after a crash in the middle of it. Needs the right to mount a file system.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=96m"); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	n := nodetest.Start(t, filepath.Join(dir, "data"), "--memory", "64MB")
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	c := connect(t, n)
	if _, err := c.Exec(ctx, "create table t (a int primary key, b text)"); err != nil {
		t.Fatal(err)
	}
	acknowledged := 0
	insert := func() error {
		// md5 of what differs: nothing to compress; 160 kB
		_, err := c.Exec(ctx, "insert into t select $1 * 10 + i, (select string_agg(md5(($1 * 10 + i)::text || '/' || j), '') from generate_series(1, 500) j) from generate_series(0, 9) i", acknowledged)
		if err == nil {
			acknowledged++
		}
		return err
	}
	fill := func(what string) {
		t.Helper()
		for range 3000 {
			err := insert()
			if err == nil {
				continue
			}
			if !hasCode(err, "53100") {
				t.Fatalf("%s: %v", what, err)
			}
			return
		}
		t.Fatalf("%s: the disk does not fill up", what)
	}
	check := func(what string) {
		t.Helper()
		want := fmt.Sprint(10*acknowledged, " ", 10*acknowledged*16000)
		if got := value(t, c, "select count(*) || ' ' || sum(length(b)) from t"); got != want {
			t.Fatalf("%s: %s, want %s", what, got, want)
		}
	}
	ballast := filepath.Join(dir, "ballast")
	write := func(size int) {
		f, err := os.OpenFile(ballast, os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for block := make([]byte, 1<<20); size > 0; size -= len(block) {
			if _, err := f.Write(block); err != nil {
				return // full
			}
		}
	}
	for range 5 {
		if err := insert(); err != nil {
			t.Fatal(err)
		}
	}
	// another program takes all but a little
	write(60 << 20)
	fill("a crowded disk")
	check("a crowded disk")
	// … and then the rest
	write(96 << 20)
	if err := insert(); !hasCode(err, "53100") {
		t.Fatalf("a full disk: %v", err)
	}
	if _, err := c.Exec(ctx, "update t set b = 'x' where a = 1"); !hasCode(err, "53100") {
		t.Fatalf("a full disk: %v", err)
	}
	check("a full disk")
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := insert(); err != nil {
		t.Fatalf("room again: %v", err)
	}
	write(60 << 20)
	fill("the second time")
	n.Kill()
	os.Remove(ballast)
	n.Restart()
	c = connect(t, n)
	check("after a crash")
	if err := insert(); err != nil {
		t.Fatal(err)
	}
	n.Stop()
}
