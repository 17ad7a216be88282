package sys

import (
	"math/big"
	"testing"

	"github.com/basaltdb/basalt/vexec/expr"
)

// TestRegister fails when a signature is not in pg_proc.
func TestRegister(t *testing.T) { Register(expr.NewRegistry()) }

func TestSizePretty(t *testing.T) {
	for n, want := range map[int64]string{0: "0 bytes", 10239: "10239 bytes", 10240: "10 kB", 20971520: "20 MB", -10241: "-10 kB", 1 << 40: "1024 GB"} {
		if got := sizePretty(big.NewInt(n), ""); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
