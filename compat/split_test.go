package compat

import (
	"reflect"
	"testing"
)

func TestSplit(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"select 1; select 2", []string{"select 1;", "select 2"}},
		{"-- a\nselect ';' ; /* ; /* ; */ */ select \";\";", []string{"select ';' ;", "select \";\";"}},
		{"select $$a;b$$; select $x$ $$; $x$, $1;", []string{"select $$a;b$$;", "select $x$ $$; $x$, $1;"}},
		{"select E'a\\';b'; select 'a\\'; select 1;", []string{"select E'a\\';b';", "select 'a\\';", "select 1;"}},
		{"select (1;\nselect 2;", []string{"select (1;", "select 2;"}},
		{"create rule r as on x do (a; b);", []string{"create rule r as on x do (a; b);"}},
		{"-- only a comment\n;;", nil},
	} {
		if got := Split(c.text); !reflect.DeepEqual(got, c.want) {
			t.Errorf("Split(%q) = %q, want %q", c.text, got, c.want)
		}
	}
}
