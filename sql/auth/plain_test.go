package auth

import "testing"

func TestMatches(t *testing.T) {
	v, err := NewVerifier("pencil é")
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		verifier, password string
		want               bool
	}{{v, "pencil é", true}, {v, "pencil", false}, {v, "", false}, {"", "", false}, {"", "pencil", false}, {"SCRAM-SHA-256$x", "x", false}} {
		if got := Matches(x.verifier, x.password); got != x.want {
			t.Errorf("%q %q: %v", x.verifier, x.password, got)
		}
	}
}
