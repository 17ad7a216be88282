package engine

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// emptyColumns says of one space that it has segments, in which there is nothing.
type emptyColumns struct {
	space   [spaceLen]byte
	written atomic.Int64 // calls of Written
}

type emptyPin struct{ c *emptyColumns }

func (c *emptyColumns) mine(key []byte) bool {
	return len(key) >= spaceLen && [spaceLen]byte(key) == c.space
}
func (c *emptyColumns) Pin(lower, _ []byte) ColumnPin { return c.PinKey(lower) }
func (c *emptyColumns) PinKey(key []byte) ColumnPin {
	if c.mine(key) {
		return emptyPin{c}
	}
	return nil
}
func (c *emptyColumns) Get(key []byte, _ Timestamp, _ []byte, _ []int) ([]byte, Timestamp, bool, bool, error) {
	return nil, 0, false, c.mine(key), nil
}
func (c *emptyColumns) Wrote([]byte, int, Timestamp) bool               { return true }
func (c *emptyColumns) Written([]byte, Timestamp)                       { c.written.Add(1) }
func (c *emptyColumns) Ingested(Timestamp)                              {}
func (c *emptyColumns) Size([]byte, []byte) int64                       { return 0 }
func (c *emptyColumns) Any() bool                                       { return true }
func (c *emptyColumns) Drop(*Batch, []byte, []byte) (func(bool), error) { return func(bool) {}, nil }
func (c *emptyColumns) FirstKey([]byte, []byte) []byte                  { return nil }

func (p emptyPin) Covers(key []byte) bool { return p.c.mine(key) }
func (p emptyPin) Floor([]byte) Timestamp { return 0 }
func (p emptyPin) Get([]byte, Timestamp, Timestamp, []byte) ([]byte, Timestamp, bool, error) {
	return nil, 0, false, nil
}
func (p emptyPin) Covered([]byte, Timestamp) bool       { return false }
func (p emptyPin) AnyIn([]byte, []byte) (bool, error)   { return false, nil }
func (p emptyPin) Marks([]byte, []byte, int) []SizeMark { return nil }
func (p emptyPin) Release()                             {}
func (p emptyPin) NewIter([]byte, []byte, Timestamp, bool) (ColumnIter, error) {
	return nil, fmt.Errorf("not walked in this test")
}

func presenceEngine(t *testing.T) (*Engine, *emptyColumns) {
	e, err := Open("data", Options{FS: vfs.NewMem(), MemoryBytes: 64 << 20, PresenceReads: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	e.rows.bytesMax = 0 // reads reach the filters
	c := &emptyColumns{space: [spaceLen]byte{0, 1, 0, 0, 0, 0, 0, 0, 0, 7}}
	e.SetColumns(c)
	return e, c
}

func (c *emptyColumns) key(i uint64) []byte {
	return binary.BigEndian.AppendUint64(append([]byte{}, c.space[:]...), i)
}

func putKeys(t *testing.T, e *Engine, ts Timestamp, keys ...[]byte) {
	b := e.NewBatch(0)
	for _, k := range keys {
		if err := b.Put(k, []byte("v"), ts); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Commit(false); err != nil {
		t.Fatal(err)
	}
}

func mustHave(t *testing.T, e *Engine, key []byte, want bool) {
	t.Helper()
	_, _, found, _, err := e.Get(key, MaxTimestamp, nil)
	if err != nil || found != want {
		t.Fatalf("key %x: found %v (%v), want %v", key, found, err, want)
	}
}

// built reads keys until the space has a filter.
func built(t *testing.T, e *Engine, c *emptyColumns) *presenceFilter {
	t.Helper()
	for range 5000 {
		mustHave(t, e, c.key(1<<40), false)
		if s := e.presence.of(c.key(0)); s != nil {
			if f := s.cur.Load(); f != nil {
				return f
			}
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("no filter was built")
	return nil
}

// TestPresence goes through a filter's life: built from what is there, kept by commits,
// replaced when it has grown too full, ended by ingested files and with the space.
func TestPresence(t *testing.T) {
	e, c := presenceEngine(t)
	for i := range uint64(1000) {
		putKeys(t, e, 10, c.key(i))
	}
	f := built(t, e, c)
	if n := f.keys.Load(); n < 950 || n > 1000 {
		t.Errorf("the filter counts %d keys of 1000", n)
	}
	passed := 0
	for i := range uint64(10000) {
		if !e.lacks(c.key(1<<32 + i)) {
			passed++
		}
	}
	if passed > 500 {
		t.Errorf("%d of 10000 absent keys pass a filter of 1000 keys", passed)
	}
	putKeys(t, e, 11, c.key(5000))
	mustHave(t, e, c.key(5000), true)
	if e.lacks(c.key(5000)) {
		t.Error("a committed key is missing in the filter")
	}

	// Growth: the filter is made for presenceKeysMin.
	for i := uint64(10000); i < 10000+2*presenceKeysMin; i += 512 {
		keys := make([][]byte, 512)
		for j := range keys {
			keys[j] = c.key(i + uint64(j))
		}
		putKeys(t, e, 12, keys...)
	}
	for range 5000 {
		mustHave(t, e, c.key(10001), true)
		if built(t, e, c) != f {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if g := built(t, e, c); g == f || g.room <= f.room {
		t.Error("a filter that was too small was not replaced by a larger one")
	}

	w, err := e.NewVersionFile("ingested")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.AddVersion(c.key(1<<33), []byte("v"), false, 13); err != nil {
		t.Fatal(err)
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	if err := e.Ingest(context.Background(), []string{"ingested"}, 1); err != nil {
		t.Fatal(err)
	}
	mustHave(t, e, c.key(1<<33), true)
	built(t, e, c)
	mustHave(t, e, c.key(1<<33), true)

	b := e.NewBatch(0)
	upper := append([]byte{}, c.space[:]...)
	upper[spaceLen-1]++
	if err := b.ForgetRange(c.space[:], upper); err != nil {
		t.Fatal(err)
	}
	if err := b.Commit(true); err != nil {
		t.Fatal(err)
	}
	if e.presence.of(c.key(0)) != nil {
		t.Error("the filter outlives its space")
	}
}

// TestPresenceConcurrent commits and ingests while filters are built again and again:
// what was committed is found at once.
func TestPresenceConcurrent(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	e, c := presenceEngine(t)
	var wg sync.WaitGroup
	var stop atomic.Bool
	for w := range uint64(3) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, w))
			for n := uint64(0); n < 3000; n++ {
				i := w<<40 | r.Uint64N(1<<30)
				if n%500 == 499 {
					path := fmt.Sprintf("ingested%d-%d", w, n)
					f, err := e.NewVersionFile(path)
					if err == nil {
						err = f.AddVersion(c.key(i), []byte("v"), false, 10+n)
					}
					if err == nil {
						err = f.Finish()
					}
					if err == nil {
						err = e.Ingest(context.Background(), []string{path}, 1)
					}
					if err != nil {
						t.Error(err)
						return
					}
				} else {
					b := e.NewBatch(0)
					if err := b.Put(c.key(i), []byte("v"), 10+n); err != nil {
						t.Error(err)
						return
					}
					if err := b.Commit(false); err != nil {
						t.Error(err)
						return
					}
				}
				if _, _, found, _, err := e.Get(c.key(i), MaxTimestamp, nil); err != nil || !found {
					t.Errorf("seed %d: key %x is lost after its commit (%v)", seed, i, err)
					return
				}
			}
		})
	}
	var rebuild sync.WaitGroup
	rebuild.Go(func() {
		for !stop.Load() {
			if s := e.presence.of(c.key(0)); s != nil {
				e.presence.building.Lock()
				if err := e.presence.build(e, s); err != nil {
					t.Error(err)
				}
				e.presence.building.Unlock()
			}
		}
	})
	wg.Wait()
	stop.Store(true)
	rebuild.Wait()
}

// TestWritten: the columns hear of every version, of batches too that are so large that the
// store beneath takes them over.
func TestWritten(t *testing.T) {
	e, c := presenceEngine(t)
	for _, n := range []int{1, 1000, 60_000} {
		c.written.Store(0)
		b := e.NewBatch(0)
		for i := range n {
			if err := b.Put(c.key(uint64(i)), make([]byte, 100), uint64(n)); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Commit(true); err != nil {
			t.Fatal(err)
		}
		if got := c.written.Load(); got != int64(n) {
			t.Errorf("a batch of %d versions: %d were told of", n, got)
		}
	}
}

// TestPresenceBound: filters of many spaces stay within their share of the memory.
func TestPresenceBound(t *testing.T) {
	e, c := presenceEngine(t)
	put := func(space byte) *spacePresence {
		c.space[spaceLen-1] = space
		putKeys(t, e, 10, c.key(1))
		for range 8 {
			mustHave(t, e, c.key(1), true)
		}
		s := e.presence.of(c.key(1))
		e.presence.building.Lock()
		defer e.presence.building.Unlock()
		if err := e.presence.build(e, s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	most := e.opts.MemoryBytes / presenceShare
	built := 0
	for space := range byte(200) {
		if put(space+20).cur.Load() != nil {
			built++
		}
	}
	if one := int64(presenceKeysMin * presenceKeyBits / 8); int64(built) != most/one {
		t.Errorf("%d filters of %d bytes in %d", built, one, most)
	}
}
