//go:build unix

package simd

import (
	"os"
	"syscall"
	"testing"
)

// TestUnpackReads has memory that cannot be read right behind the Slack bytes.
func TestUnpackReads(t *testing.T) {
	page := os.Getpagesize()
	m, err := syscall.Mmap(-1, 0, 2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Munmap(m); err != nil {
			t.Error(err)
		}
	}()
	if err := syscall.Mprotect(m[page:], syscall.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	for w := uint(0); w <= 56; w++ {
		for n := range 131 {
			used := (n*int(w)+7)/8 + Slack
			p := m[page-used : page]
			for i := range p {
				p[i] = byte(n + 37*i)
			}
			checkUnpackAll(t, p, n, w, 3)
		}
	}
}
