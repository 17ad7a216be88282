package types

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCharLenAndPrefix(t *testing.T) {
	runes := []rune("ab c日本é𝄞\u0301z0")
	rng := rand.New(rand.NewPCG(5, 6))
	for range 3000 {
		var b strings.Builder
		ascii := rng.IntN(3)
		for range rng.IntN(40) {
			if ascii > 0 {
				b.WriteByte(byte('a' + rng.IntN(26)))
			} else {
				b.WriteRune(runes[rng.IntN(len(runes))])
			}
			if rng.IntN(8) == 0 {
				ascii = rng.IntN(3)
			}
		}
		s := b.String()
		rs := []rune(s)
		if got := CharLen(s); got != utf8.RuneCountInString(s) {
			t.Fatalf("CharLen(%q) = %d", s, got)
		}
		for n := -1; n <= len(rs)+2; n++ {
			if got, want := CharPrefix(s, n), string(rs[:min(max(n, 0), len(rs))]); got != want {
				t.Fatalf("CharPrefix(%q, %d) = %q, want %q", s, n, got, want)
			}
		}
	}
}
