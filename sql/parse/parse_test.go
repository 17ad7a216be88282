package parse

import (
	"strings"
	"testing"

	"github.com/basaltdb/basalt/sql/pgerror"
)

func TestParse(t *testing.T) {
	st, err := Parse("/* c */ select 1;\n-- x\n insert into t values (1) ; ")
	if err != nil || len(st) != 2 {
		t.Fatal(st, err)
	}
	if st[0].Text != "select 1" || st[1].Text != "insert into t values (1)" {
		t.Errorf("%q %q", st[0].Text, st[1].Text)
	}
	if StatementTag(st[0].Node) != "SELECT" || StatementTag(st[1].Node) != "INSERT" {
		t.Error("tags")
	}
	if st, err := Parse(" ;; -- nothing"); err != nil || len(st) != 0 {
		t.Error(st, err)
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		sql, msg string
		code     pgerror.Code
		pos      int
	}{
		{"selec 1", `syntax error at or near "selec"`, pgerror.SyntaxError, 1},
		{"select 'ü', from", `syntax error at or near "from"`, pgerror.SyntaxError, 13},
		{"select 'abc", `unterminated quoted string at or near "'abc"`, pgerror.SyntaxError, 8},
		{`select ""`, `zero-length delimited identifier at or near """"`, pgerror.SyntaxError, 8},
		{"select 1 +", "syntax error at end of input", pgerror.SyntaxError, 11},
	} {
		_, err := Parse(c.sql)
		e := pgerror.From(err)
		if e == nil || e.Message != c.msg || e.Code != c.code || e.Position != c.pos {
			t.Errorf("%s: %+v", c.sql, e)
		}
	}
}

func TestHostile(t *testing.T) {
	for _, s := range []string{
		"select " + strings.Repeat("(", 100000) + "1" + strings.Repeat(")", 100000),
		"select " + strings.Repeat("(", 790) + "1" + strings.Repeat(")", 790),
		"select " + strings.Repeat("((select ", 390) + "1" + strings.Repeat("))", 390),
		"select 1" + strings.Repeat("+1", 100000),
		"select 1" + strings.Repeat("+1", 2900),
		"select " + strings.Repeat("- ", 100000) + "1",
		"select " + strings.Repeat("-(", 700) + "1" + strings.Repeat(")", 700),
		"select " + strings.Repeat("not ", 100000) + "true",
		"select " + strings.Repeat("case when true then ", 100000) + "1" + strings.Repeat(" end", 100000),
		"select 1" + strings.Repeat(" union select 1", 50000),
		"select a" + strings.Repeat("[1]", 100000),
		"select a" + strings.Repeat("::int", 100000),
		"select a" + strings.Repeat(" is null", 100000),
		"select a" + strings.Repeat(" collate \"C\"", 100000),
		"select a" + strings.Repeat(" at time zone 'x'", 100000),
		"select * from a" + strings.Repeat(" join b on true", 50000),
		"select \x00", "select \xff", "select '\xc3'",
	} {
		st, err := Parse(s)
		_ = st
		_ = err
	}
}

func TestTruncation(t *testing.T) {
	st, err := Parse("select 1 as " + strings.Repeat("A", 70))
	if err != nil || len(st[0].Notices) != 1 {
		t.Fatal(st, err)
	}
	if want := `identifier "` + strings.Repeat("a", 70) + `" will be truncated to "` + strings.Repeat("a", 63) + `"`; st[0].Notices[0].Message != want {
		t.Error(st[0].Notices[0].Message)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("select a.b[1:2] from x where $1 = 'a' -- c")
	f.Fuzz(func(t *testing.T, s string) {
		st, err := Parse(s)
		if err != nil {
			return
		}
		for _, x := range st {
			StatementTag(x.Node)
		}
	})
}
