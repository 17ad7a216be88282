package facts

import "testing"

func TestProc(t *testing.T) {
	for sig, want := range map[string]uint32{"int4pl(int4,int4)": 177, "now()": 1299, "count(any)": 2147} {
		if got, ok := Proc(sig); !ok || got != want {
			t.Errorf("Proc(%q) = %d, %v; want %d", sig, got, ok, want)
		}
	}
}
