package functions

import "testing"

// TestBuiltins fails (by panic) when a registered signature is unknown.
func TestBuiltins(t *testing.T) {
	if Builtins() == nil {
		t.Fatal("no registry")
	}
}
