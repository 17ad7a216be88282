package types

import "testing"

// TestFloatBoundary: values whose shortest reading form lies exactly between two
// floats, as PostgreSQL prints them.
func TestFloatBoundary(t *testing.T) {
	for _, c := range []struct {
		f    float32
		want string
	}{{9e9, "8.999999e+09"}, {9000000512, "9.000001e+09"}, {16777216, "1.6777216e+07"}, {1e10, "1e+10"}} {
		if got := string(AppendFloat(nil, float64(c.f), 32, 1)); got != c.want {
			t.Errorf("float4 %v prints %s, want %s", c.f, got, c.want)
		}
	}
	for _, c := range []struct {
		f    float64
		want string
	}{{9007199254740992, "9.007199254740992e+15"}, {1e22, "1e+22"}, {5e-324, "5e-324"}, {9.2e18, "9.2e+18"}, {9223372036854775808, "9.223372036854776e+18"}} {
		if got := string(AppendFloat(nil, c.f, 64, 1)); got != c.want {
			t.Errorf("float8 %v prints %s, want %s", c.f, got, c.want)
		}
	}
}
