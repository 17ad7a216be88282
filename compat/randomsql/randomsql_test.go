package randomsql

import (
	"strings"
	"testing"
)

func TestSeedDecides(t *testing.T) {
	a, b := New(7), New(7)
	if x, y := strings.Join(a.Schema(), ";"), strings.Join(b.Schema(), ";"); x != y {
		t.Fatalf("schemas differ:\n%s\n%s", x, y)
	}
	for i := 0; i < 300; i++ {
		if x, y := a.Next().String(), b.Next().String(); x != y {
			t.Fatalf("statement %d differs:\n%s\n%s", i, x, y)
		}
	}
}

func TestReduce(t *testing.T) {
	n := text("SELECT ", expr(tInt, "(", expr(tInt, "a"), " + ", expr(tInt, "(", expr(tInt, "bad"), " * 10)"), ")"), optional(" WHERE ", expr(tBool, "f AND g")))
	Reduce(n, 100, func(sql string) bool { return strings.Contains(sql, "bad") })
	if got := n.String(); got != "SELECT bad" {
		t.Fatalf("reduced to %q", got)
	}
}
