package engine

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func rowKey(n int) []byte {
	return fmt.Appendf([]byte{0, 1, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0}, "%06d", n)
}

// TestRowCacheRing fills a small ring over and over: what it finds is what was put last, and a good part is found.
func TestRowCacheRing(t *testing.T) {
	var c rowCache
	c.init(rowRingMin * rowShards * rowCacheShare)
	rng := rand.New(rand.NewPCG(1, 2))
	want := map[string][]byte{}
	hits, asked := 0, 0
	for ts := Timestamp(1); ts < 100_000; ts++ {
		key := rowKey(rng.IntN(20_000))
		got, at, found, f := c.get(key, MaxTimestamp, nil)
		if found {
			hits++
			if w := want[string(key)]; !bytes.Equal(got, w) || at == 0 {
				t.Fatalf("%s: %d bytes at %d, want %d", key, len(got), at, len(w))
			}
		}
		if asked++; found || !f.wanted {
			continue
		}
		v := make([]byte, rng.IntN(200))
		for i := range v {
			v[i] = byte(ts)
		}
		want[string(key)] = v
		c.fill(f, key, v, ts)
	}
	if hits < asked/20 {
		t.Errorf("%d of %d found", hits, asked)
	}
	for i := range c.shards {
		s := &c.shards[i]
		if len(s.ring) > c.bytesMax || len(s.at) > c.bytesMax/rowHeaderLen {
			t.Errorf("shard of %d bytes with %d entries", len(s.ring), len(s.at))
		}
	}
	c.forget([][2][]byte{{rowKey(4_000), rowKey(10_000)}, {rowKey(0), rowKey(4_000)}})
	for n := range 20_000 {
		if _, _, found, _ := c.get(rowKey(n), MaxTimestamp, nil); found && n < 10_000 {
			t.Fatalf("key %d is still there", n)
		}
	}
}

// TestRowCacheStale: a reader that was overtaken by a write does not fill the cache.
func TestRowCacheStale(t *testing.T) {
	e, err := Open("data", Options{FS: vfs.NewMem(), MemoryBytes: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	put := func(key []byte, v string, ts Timestamp) {
		b := e.NewBatch(0)
		if v == "" {
			err = b.Delete(key, ts)
		} else {
			err = b.Put(key, []byte(v), ts)
		}
		if err == nil {
			err = b.Commit(false)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	read := func(key []byte, at Timestamp) string {
		v, ts, found, deleted, err := e.Get(key, at, []byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		if !found || deleted {
			return fmt.Sprint(found, deleted)
		}
		return fmt.Sprintf("%s@%d", v[1:], ts)
	}
	k := rowKey(1)
	put(k, "one", 10)
	_, _, found, f := e.rows.get(k, 10, nil)
	if found || !f.wanted {
		t.Fatal(found, f)
	}
	put(k, "two", 20)
	e.rows.fill(f, k, []byte("one"), 10)
	for _, c := range []struct {
		at   Timestamp
		want string
	}{{25, "two@20"}, {25, "two@20"}, {15, "one@10"}, {5, "false false"}, {MaxTimestamp, "two@20"}} {
		if got := read(k, c.at); got != c.want {
			t.Errorf("at %d: %s, want %s", c.at, got, c.want)
		}
	}
	if _, _, found, _ := e.rows.get(k, 25, nil); !found {
		t.Error("not in the cache")
	}
	for i, v := range []string{"a longer value than there was before", "s"} {
		ts := Timestamp(30 + i)
		put(k, v, ts)
		if got := read(k, ts); got != fmt.Sprintf("%s@%d", v, ts) {
			t.Errorf("%s at %d", got, ts)
		}
	}
	if got := read(k, 20); got != "two@20" {
		t.Error(got)
	}
	put(k, "", 40)
	if got, old := read(k, 50), read(k, 39); got != "true true" || old != "s@31" {
		t.Error(got, old)
	}
}

// TestRowCacheConcurrent: readers at snapshots see what was committed at or below
// them, while writers change the few keys all the time.
func TestRowCacheConcurrent(t *testing.T) {
	e, err := Open("data", Options{FS: vfs.NewMem(), MemoryBytes: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	const keys, writes = 40, 3000
	// history[k] holds the timestamps of a key's versions, the deleted ones negative.
	var mu sync.Mutex
	history := make([][]int64, keys)
	var next, visible atomic.Uint64
	locks := make([]sync.Mutex, keys)
	var commit sync.Mutex // publishes in order
	var writers, readers sync.WaitGroup
	done := make(chan struct{})
	for w := range 3 {
		rng := rand.New(rand.NewPCG(3, uint64(w)))
		writers.Go(func() {
			for range writes {
				k := rng.IntN(keys)
				del := rng.IntN(8) == 0
				locks[k].Lock()
				commit.Lock()
				ts := next.Add(1)
				b := e.NewBatch(0)
				stamp := int64(ts)
				if del {
					stamp = -stamp
					_ = b.Delete(rowKey(k), ts)
				} else {
					_ = b.Put(rowKey(k), append(binary.BigEndian.AppendUint64(nil, ts), make([]byte, rng.IntN(30))...), ts)
				}
				mu.Lock()
				history[k] = append(history[k], stamp)
				mu.Unlock()
				if err := b.Commit(false); err != nil {
					t.Error(err)
				}
				visible.Store(ts)
				commit.Unlock()
				locks[k].Unlock()
			}
		})
	}
	for r := range 3 {
		rng := rand.New(rand.NewPCG(4, uint64(r)))
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				at := visible.Load()
				at -= uint64(rng.IntN(3)) * min(at, 5) / 5
				k := rng.IntN(keys)
				v, ts, found, deleted, err := e.Get(rowKey(k), at, nil)
				if err != nil {
					t.Error(err)
					return
				}
				want := int64(0)
				mu.Lock()
				for _, s := range history[k] {
					if max(s, -s) <= int64(at) {
						want = s
					}
				}
				mu.Unlock()
				got := int64(0)
				if found {
					if got = int64(ts); deleted {
						got = -got
					} else if binary.BigEndian.Uint64(v) != ts {
						t.Errorf("value of %d at %d", binary.BigEndian.Uint64(v), ts)
					}
				}
				if got != want {
					t.Errorf("key %d at %d: version %d, want %d", k, at, got, want)
					return
				}
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
}
