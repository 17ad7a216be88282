package segment

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/basaltdb/basalt/sql/types"
)

// cacheFile is a file of one integer column with many blocks that take some bytes.
func cacheFile(t testing.TB, fs vfs.FS, path string, cache *Cache) *File {
	t.Helper()
	r := rand.New(rand.NewPCG(3, 3))
	m := randomModel(r, 40000, []types.OID{types.Float8})
	m.write(t, r, fs, path, WriterOptions{BlockRows: 100})
	f, err := Open(fs, path, cache)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// scanned reads all blocks and gives how many of them were in the cache.
func scanned(t testing.TB, f *File, fraction int) (found int) {
	t.Helper()
	before := f.cache.Stats().Misses
	var ahead Ahead
	n := f.Blocks() / fraction
	for b := range n {
		if _, err := f.ReadWith(context.Background(), b, 0, nil, &ahead); err != nil {
			t.Fatal(err)
		}
	}
	return n - int(f.cache.Stats().Misses-before)
}

// TestCacheLoop: a scan of twice what fits finds about half of it, again and again.
func TestCacheLoop(t *testing.T) {
	fs := vfs.NewMem()
	cache := NewCache(0)
	f := cacheFile(t, fs, "x.seg", cache)
	n := f.Blocks()
	cache = NewCache(int64(n) * (int64(f.foot.columns[0].blocks[0].len) + cachedOverhead) / 2)
	f.cache = cache
	for round := range 6 {
		found := scanned(t, f, 1)
		if round > 0 && found < n*2/5 {
			t.Fatalf("round %d found %d of %d blocks", round, found, n)
		}
	}
	if st := cache.Stats(); st.Bytes > st.Limit {
		t.Fatalf("%+v", st)
	}
}

// TestCacheScanOnce: what is asked for often stays while larger scans pass once.
func TestCacheScanOnce(t *testing.T) {
	fs := vfs.NewMem()
	hot := cacheFile(t, fs, "hot.seg", NewCache(0))
	cache := NewCache(int64(hot.Blocks()) * (int64(hot.foot.columns[0].blocks[0].len) + cachedOverhead) * 9 / 8)
	hot.cache = cache
	scanned(t, hot, 1)
	for i := range 4 {
		once := cacheFile(t, fs, string(rune('a'+i))+".seg", cache)
		scanned(t, once, 1)
		if found := scanned(t, hot, 1); found < hot.Blocks()*9/10 {
			t.Fatalf("after scan %d, %d of %d blocks were left", i, found, hot.Blocks())
		}
	}
}

// TestCacheShift: what is asked for no more makes room for what is.
func TestCacheShift(t *testing.T) {
	fs := vfs.NewMem()
	old := cacheFile(t, fs, "old.seg", NewCache(0))
	cache := NewCache(int64(old.Blocks()) * (int64(old.foot.columns[0].blocks[0].len) + cachedOverhead) * 9 / 8)
	old.cache = cache
	scanned(t, old, 1)
	scanned(t, old, 1)
	now := cacheFile(t, fs, "now.seg", cache)
	for range 5 {
		scanned(t, now, 2)
	}
	if found := scanned(t, now, 2); found < now.Blocks()/2*9/10 {
		t.Fatalf("%d of %d blocks were found", found, now.Blocks()/2)
	}
}

// TestCacheResize: a smaller cache holds less at once, a larger one takes more.
func TestCacheResize(t *testing.T) {
	fs := vfs.NewMem()
	cache := NewCache(1 << 30)
	f := cacheFile(t, fs, "x.seg", cache)
	scanned(t, f, 1)
	full := cache.Stats()
	if full.Entries < f.Blocks() {
		t.Fatalf("%d entries of %d blocks", full.Entries, f.Blocks())
	}
	cache.Resize(full.Bytes / 4)
	if st := cache.Stats(); st.Bytes > full.Bytes/4 || st.Entries == 0 || st.Entries > f.Blocks()/3 {
		t.Fatalf("%+v of %+v", st, full)
	}
	cache.Resize(1 << 30)
	scanned(t, f, 1)
	if found := scanned(t, f, 1); found != f.Blocks() {
		t.Fatalf("%d of %d blocks were found", found, f.Blocks())
	}
}

// TestAhead reads blocks in ascending order with gaps, some twice, through caches of all
// sizes: vectors are those of single reads, and stay so unless they are fleeting.
func TestAhead(t *testing.T) {
	ctx := context.Background()
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 11))
		fs := vfs.NewMem()
		m := randomModel(r, 3000, []types.OID{types.Bool, types.Int4, types.Float8, types.Text, types.NumericOID})
		m.write(t, r, fs, "x.seg", WriterOptions{BlockRows: 1 + r.IntN(300)})
		f, err := Open(fs, "x.seg", []*Cache{nil, NewCache(0), NewCache(20 << 10), NewCache(1 << 20)}[r.IntN(4)])
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			for c := range m.cols {
				fleeting := r.IntN(2) == 0
				ahead := &Ahead{Fleeting: fleeting}
				scratch := &Scratch{}
				if !fleeting {
					scratch = nil
				}
				type read struct {
					b   int
					sel []int32
					a   arrow.Array
				}
				var reads []read
				check := func(x read) {
					t.Helper()
					first, rows := f.BlockRows(x.b)
					want := m.rows[c][first : first+rows]
					if x.sel != nil {
						var picked []types.Datum
						for _, i := range x.sel {
							picked = append(picked, want[i])
						}
						want = picked
					}
					checkVector(t, seed, m.cols[c].Type, x.a, want)
				}
				for b := 0; b < f.Blocks(); b += 1 + r.IntN(3)*r.IntN(2) {
					for range 1 + r.IntN(2) {
						x := read{b: b}
						if r.IntN(2) == 0 {
							x.a, err = f.ReadWith(ctx, b, c, scratch, ahead)
						} else {
							_, rows := f.BlockRows(b)
							x.sel = []int32{}
							for i := r.IntN(4); i < rows; i += 1 + r.IntN(4) {
								x.sel = append(x.sel, int32(i))
							}
							x.a, err = f.ReadSelected(ctx, b, c, x.sel, scratch, ahead)
						}
						if err != nil {
							t.Fatal(err)
						}
						check(x)
						if !fleeting {
							reads = append(reads, x)
						}
					}
				}
				for _, x := range reads {
					check(x)
				}
			}
		}
		f.Close()
	}
}
