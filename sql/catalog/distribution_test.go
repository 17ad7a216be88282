package catalog

import "testing"

func TestParseDistribution(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"all", "all"}, {" ALL ", "all"}, {"a", "a"}, {"A, b", "a, b"}, {` "A" ,b`, `"A", b`}, {`"a""b"`, `"a""b"`}, {`"all"`, `"all"`}, {`"all", x1`, `"all", x1`},
		{"", "!"}, {"a,", "!"}, {",a", "!"}, {"a b", "!"}, {`"a`, "!"}, {`""`, "!"}, {`a"b"`, "!"},
	} {
		d, err := ParseDistribution(c.in)
		got := d.String()
		if err != nil {
			got = "!"
		}
		if got != c.want {
			t.Errorf("%q: %q, want %q (%v)", c.in, got, c.want, err)
		}
		if err == nil {
			if again, err := ParseDistribution(got); err != nil || again.String() != got {
				t.Errorf("%q: %q is read as %q (%v)", c.in, got, again, err)
			}
		}
	}
}
