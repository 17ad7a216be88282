package analyze_test

import (
	"context"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/basaltdb/basalt/sql/analyze"
	"github.com/basaltdb/basalt/sql/parse"
)

// TestShuffled analyses statements with words exchanged between each other:
// whatever still parses must give a tree or an error, never a panic.
func TestShuffled(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.sql")
	var stmts [][]string
	var words []string
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range strings.Split(string(b), ";\n") {
			w := strings.Fields(s)
			if len(w) < 60 {
				stmts, words = append(stmts, w), append(words, w...)
			}
		}
	}
	env := testEnv(t)
	r := rand.New(rand.NewSource(1))
	n := 20000
	if testing.Short() {
		n = 1000
	}
	for range n {
		w := append([]string(nil), stmts[r.Intn(len(stmts))]...)
		for range 1 + r.Intn(2) {
			if len(w) > 0 {
				w[r.Intn(len(w))] = words[r.Intn(len(words))]
			}
		}
		s := strings.Join(w, " ")
		st, err := parse.Parse(s)
		if err != nil {
			continue
		}
		func() {
			defer func() {
				if p := recover(); p != nil {
					t.Errorf("%s: %v", s, p)
				}
			}()
			for _, x := range st {
				_, _ = analyze.Analyze(context.Background(), env, x, nil)
			}
		}()
	}
}
