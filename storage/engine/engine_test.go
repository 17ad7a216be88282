package engine

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/basaltdb/basalt/sql/pgerror"
)

func open(t testing.TB, fs vfs.FS) *Engine {
	t.Helper()
	e, err := Open("data", Options{FS: fs, MemoryBytes: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// tkey is a key of tablet 1.
func tkey(s string) []byte { return []byte("\x00\x01" + s) }

func put(t testing.TB, e *Engine, key, value string, ts Timestamp) {
	t.Helper()
	b := e.NewBatch(0)
	err := b.Put(tkey(key), []byte(value), ts)
	if value == "" {
		err = b.Delete(tkey(key), ts)
	}
	if err == nil {
		err = b.Commit(true)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestKeyOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var keys [][]byte
	for range 400 {
		k := make([]byte, TabletLen+r.IntN(6))
		for i := range k {
			k[i] = []byte{0, 0, 1, 9, 255}[r.IntN(5)]
		}
		keys = append(keys, k)
	}
	for _, a := range keys {
		for _, b := range keys {
			ea, eb := AppendKey(nil, a, 5), AppendKey(nil, b, 7)
			want := bytes.Compare(a, b)
			if want == 0 {
				want = 1 // the newer version is first
			}
			if got := compareKeys(ea, eb); got != want {
				t.Fatalf("%x %x: %d", a, b, got)
			}
			if compareKeys(AppendPrefix(nil, a), ea) >= 0 {
				t.Fatalf("prefix of %x not before its versions", a)
			}
			if compareKeys(ea, eb) < 0 {
				for _, k := range [][]byte{comparer.Separator(nil, ea, eb)} {
					if compareKeys(ea, k) > 0 || compareKeys(k, eb) >= 0 {
						t.Fatalf("separator %x of %x and %x", k, ea, eb)
					}
				}
			}
		}
		if s := comparer.Successor(nil, AppendKey(nil, a, 5)); compareKeys(AppendKey(nil, a, 5), s) > 0 {
			t.Fatalf("successor of %x", a)
		}
		k, ts, ok := DecodeKey(AppendKey(nil, a, 77))
		if !ok || ts != 77 || !bytes.Equal(k, a) {
			t.Fatalf("decode %x: %x %d", a, k, ts)
		}
	}
}

func scan(t testing.TB, e *Engine, at Timestamp, reverse bool) string {
	t.Helper()
	it, err := e.NewIter(IterOptions{Lower: tkey(""), Upper: tkey("\xff\xff"), At: at, Reverse: reverse})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for it.Next() {
		out = append(out, fmt.Sprintf("%s=%s@%d", it.Key()[TabletLen:], it.Value(), it.Timestamp()))
	}
	if err := it.Recycle(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, " ")
}

func TestVersions(t *testing.T) {
	fs := vfs.NewMem()
	e := open(t, fs)
	for i := range 10 {
		put(t, e, "hot", fmt.Sprint("v", i), Timestamp(10+i))
	}
	put(t, e, "gone", "x", 12)
	put(t, e, "gone", "", 15)
	put(t, e, "hot\x00", "other", 11)
	for _, c := range []struct {
		at   Timestamp
		want string
	}{
		{9, ""}, {10, "hot=v0@10"}, {12, "gone=x@12 hot=v2@12 hot\x00=other@11"}, {MaxTimestamp, "hot=v9@19 hot\x00=other@11"},
	} {
		if got := scan(t, e, c.at, false); got != c.want {
			t.Errorf("at %d: %q", c.at, got)
		}
		var back []string
		for _, s := range strings.Fields(c.want) {
			back = append([]string{s}, back...)
		}
		if got := scan(t, e, c.at, true); got != strings.Join(back, " ") {
			t.Errorf("at %d reversed: %q", c.at, got)
		}
	}
	if _, _, found, deleted, _ := e.Get(tkey("gone"), MaxTimestamp, nil); !found || !deleted {
		t.Error("tombstone not found")
	}
	if v, ts, _, _, _ := e.Get(tkey("hot"), 14, nil); string(v) != "v4" || ts != 14 {
		t.Error(string(v), ts)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	e, err := Open(dir, Options{MemoryBytes: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = Open(dir, Options{}); !pgerror.Is(err, pgerror.ObjectInUse) || !strings.Contains(err.Error(), "is in use by another process") {
		t.Error(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err = Open(dir+"/LOCK/x", Options{}); !pgerror.Is(err, pgerror.IoError) {
		t.Error(err)
	}
}

// TestFormatVersions: a store of another version is refused, with one line that says what to do.
func TestFormatVersions(t *testing.T) {
	for version, want := range map[uint32]string{
		FormatVersion + 1: "has format version 3, this program reads version 2",
		1: "has format version 1, which an older basalt wrote; this program reads version 2: " +
			"dump it with that basalt (pg_dump) and load the dump into a new directory",
	} {
		dir := t.TempDir()
		e, err := Open(dir, Options{MemoryBytes: 8 << 20})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.LocalSet(formatKey, binary.LittleEndian.AppendUint32(nil, version), true); err != nil {
			t.Fatal(err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		_, err = Open(dir, Options{})
		if !pgerror.Is(err, pgerror.FeatureNotSupported) || !strings.HasSuffix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("version %d: %v", version, err)
		}
	}
}

// TestCorruption flips bytes in table files: reads report XX001.
func TestCorruption(t *testing.T) {
	dir := t.TempDir()
	e, err := Open(dir, Options{MemoryBytes: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		put(t, e, fmt.Sprintf("k%03d", i), strings.Repeat("v", 1000), 10)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	ents, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range ents {
		if !strings.HasSuffix(f.Name(), ".sst") {
			continue
		}
		b, err := os.ReadFile(dir + "/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		for i := 100; i < len(b)*3/4; i += 97 {
			b[i] ^= 0x55
		}
		if err := os.WriteFile(dir+"/"+f.Name(), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	e, err = Open(dir, Options{MemoryBytes: 8 << 20})
	if err == nil {
		_, _, _, _, err = e.Get(tkey("k050"), MaxTimestamp, nil)
		defer e.Close()
	}
	if !pgerror.Is(err, pgerror.DataCorrupted) {
		t.Fatalf("%v", err)
	}
}

// TestFailedSync: a commit whose sync fails is an error, everything after it is
// too, and nothing acknowledged is lost.
func TestFailedSync(t *testing.T) {
	for cause, code := range map[error]pgerror.Code{syscall.EIO: pgerror.IoError, syscall.ENOSPC: pgerror.DiskFull} {
		mem := vfs.NewCrashableMem()
		var broken atomic.Bool
		fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if broken.Load() && strings.HasSuffix(op.Path, ".log") && (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileWrite) {
				return cause
			}
			return nil
		}))
		var fatal atomic.Int32
		e, err := Open("data", Options{FS: fs, MemoryBytes: 8 << 20, OnFatal: func(error) { fatal.Add(1) }})
		if err != nil {
			t.Fatal(err)
		}
		put(t, e, "a", "1", 1)
		broken.Store(true)
		b := e.NewBatch(0)
		if err := b.Put(tkey("b"), []byte("2"), 2); err != nil {
			t.Fatal(err)
		}
		if err := b.Commit(true); !pgerror.Is(err, code) {
			t.Fatalf("commit: %v", err)
		}
		if _, _, _, _, err := e.Get(tkey("a"), 5, nil); err == nil {
			t.Fatal("a failed store answers")
		}
		if err := e.LocalSet([]byte("x"), nil, true); err == nil {
			t.Fatal("a failed store writes")
		}
		if fatal.Load() != 1 {
			t.Fatal("OnFatal", fatal.Load())
		}
		e = open(t, mem.CrashClone(vfs.CrashCloneCfg{}))
		if got := scan(t, e, MaxTimestamp, false); got != "a=1@1" {
			t.Fatal(got)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// smallDisk is a file system of a given size.
type smallDisk struct {
	vfs.FS
	free atomic.Uint64
}

func (d *smallDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: d.free.Load(), TotalBytes: 1 << 30, UsedBytes: 1<<30 - d.free.Load()}, nil
}

// TestRoom: transactions are refused before the disk is full, until it has room again.
func TestRoom(t *testing.T) {
	d := &smallDisk{FS: vfs.NewMem()}
	d.free.Store(512 << 20)
	e, err := Open("data", Options{FS: d, MemoryBytes: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	check := func(free uint64, n int64, full bool) {
		t.Helper()
		d.free.Store(free)
		e.space.checked.Store(0)
		if err := e.Room(n); (err != nil) != full || full && !pgerror.Is(err, pgerror.DiskFull) {
			t.Errorf("%d bytes with %d free: %v", n, free, err)
		}
	}
	check(512<<20, 1, false)
	check(512<<20, 500<<20, true)
	check(1<<20, 1, true)
	put(t, e, "a", "1", 1) // the store's own writes go on
	check(512<<20, 1, false)
}

// TestKeyBytes holds the bytes of the stored form fixed.
func TestKeyBytes(t *testing.T) {
	if got := fmt.Sprintf("%x", AppendKey(nil, []byte("\x00\x01ab"), 3)); got != "0001616200fffffffffffffffc09" {
		t.Error(got)
	}
	if got := fmt.Sprintf("%x", appendLocal(nil, []byte("now"))); got != "00006e6f7700" {
		t.Error(got)
	}
}
