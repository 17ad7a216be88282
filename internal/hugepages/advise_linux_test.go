package hugepages

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var mapping = regexp.MustCompile(`(?m)^([0-9a-f]+)-([0-9a-f]+) rw-p`)

// advised is how many bytes of the process's memory huge pages were asked for.
func advised(t *testing.T) (n uint64) {
	t.Helper()
	b, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	at := mapping.FindAllSubmatchIndex(b, -1)
	for i, m := range at {
		end := len(b)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		_, flags, _ := strings.Cut(string(b[m[0]:end]), "VmFlags:")
		flags, _, _ = strings.Cut(flags, "\n")
		if !strings.Contains(flags+" ", " hg ") {
			continue
		}
		lo, err1 := strconv.ParseUint(string(b[m[2]:m[3]]), 16, 64)
		hi, err2 := strconv.ParseUint(string(b[m[4]:m[5]]), 16, 64)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		n += hi - lo
	}
	return n
}

// TestAdvise: huge pages are asked for where the heap then is, and none of it is used for that.
func TestAdvise(t *testing.T) {
	if _, err := os.Stat("/sys/kernel/mm/transparent_hugepage"); err != nil {
		t.Skip("the kernel has no transparent huge pages")
	}
	if limited() {
		t.Skip("address space is limited")
	}
	resident := func() int {
		b, err := os.ReadFile("/proc/self/statm")
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(strings.Fields(string(b))[1])
		if err != nil {
			t.Fatal(err)
		}
		return n * os.Getpagesize()
	}
	const n = 1 << 30
	was, before := resident(), advised(t)
	Advise(n)
	if got := advised(t) - before; got < n-2*size {
		t.Errorf("huge pages were asked for %d of %d bytes", got, n)
	}
	if grown := resident() - was; grown > 64<<20 {
		t.Errorf("the process has grown by %d bytes", grown)
	}
	Advise(0)
	Advise(size)
}
