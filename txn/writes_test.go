package txn

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

// TestWriteBuffer compares a buffer, as it grows over what is looked through without a tree
// and is cut back, with a list of all writes; readers look at it all the while, and what
// they are given stays as it is.
func TestWriteBuffer(t *testing.T) {
	type entry struct {
		key, value string
		del        bool
		stmt       uint32
		seq        uint64
	}
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		var w writeBuffer
		var log []entry
		seq, stmt := uint64(0), uint32(1)
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for range 2 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for {
					select {
					case <-stop:
						return
					default:
					}
					got := w.collect([]byte("k"), []byte("l"), noStatement)
					for i, x := range got {
						if want := fmt.Sprintf("%s=%d", x.key, x.seq); !x.del && string(x.value) != want || i > 0 && bytes.Compare(got[i-1].key, x.key) >= 0 {
							t.Errorf("seed %d: a reader sees %q, want %q", seed, x.value, want)
							return
						}
					}
					if x := w.newest([]byte("k03"), noStatement); x != nil && string(x.key) != "k03" {
						t.Errorf("seed %d: %q in the place of k03", seed, x.key)
					}
				}
			}()
		}
		// newest is the newest write to each key in [lower, upper) by statements before stmt.
		newest := func(lower, upper string, stmt uint32) []entry {
			m := map[string]entry{}
			for _, e := range log {
				if e.stmt < stmt && e.key >= lower && e.key < upper {
					m[e.key] = e
				}
			}
			var out []entry
			for _, e := range m {
				out = append(out, e)
			}
			slices.SortFunc(out, func(a, b entry) int { return bytes.Compare([]byte(a.key), []byte(b.key)) })
			return out
		}
		same := func(what string, got []*write, want []entry) {
			t.Helper()
			if len(got) != len(want) {
				t.Fatalf("seed %d: %s gives %d writes of %d", seed, what, len(got), len(want))
			}
			for i, e := range want {
				if x := got[i]; string(x.key) != e.key || string(x.value) != e.value || x.del != e.del || x.stmt != e.stmt || x.seq != e.seq {
					t.Fatalf("seed %d: %s gives %q = %q of %d, want %+v", seed, what, x.key, x.value, x.seq, e)
				}
			}
		}
		keys := 2 + r.IntN(25)
		buf := make([]byte, 0, 64) // used again for every key and value, as callers do
		for range 80 {
			switch r.IntN(10) {
			case 0:
				stmt++
			case 1:
				cut := seq - uint64(r.IntN(min(6, int(seq)+1)))
				w.cut(cut)
				for len(log) > 0 && log[len(log)-1].seq > cut {
					log = log[:len(log)-1]
				}
			case 2:
				if r.IntN(6) == 0 {
					w.reset()
					log = nil
				}
			default:
				seq++
				e := entry{key: fmt.Sprintf("k%02d", r.IntN(keys)), del: r.IntN(5) == 0, stmt: stmt, seq: seq}
				if !e.del {
					e.value = fmt.Sprintf("%s=%d", e.key, seq)
				}
				buf = append(append(buf[:0], e.key...), e.value...)
				w.put(buf[:len(e.key)], buf[len(e.key):], e.del, true, stmt, seq)
				log = append(log, e)
			}
			lower, upper := fmt.Sprintf("k%02d", r.IntN(keys)), fmt.Sprintf("k%02d", r.IntN(keys+1))
			before := stmt + 1 - uint32(r.IntN(2))
			same("collect", w.collect([]byte(lower), []byte(upper), before), newest(lower, upper, before))
			if any := w.anyIn([]byte(lower), []byte(upper)); any != (len(newest(lower, upper, noStatement)) > 0) {
				t.Fatalf("seed %d: anyIn gives %v", seed, any)
			}
			var one []*write
			if x := w.newest([]byte(lower), before); x != nil {
				one = append(one, x)
			}
			same("newest", one, newest(lower, lower+"\x00", before))
			var all []*write
			_ = w.ascend(func(x *write) error { all = append(all, x); return nil })
			same("ascend", all, newest("", "z", noStatement))
			if w.len() != len(log) {
				t.Fatalf("seed %d: %d writes of %d", seed, w.len(), len(log))
			}
		}
		close(stop)
		wg.Wait()
	}
}
