package lint

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const module = "github.com/basaltdb/basalt"

const root = "../.."

type pkg struct {
	ImportPath, Dir, Name, Doc string
	GoFiles, Imports, CgoFiles []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Name,Doc,GoFiles,Imports,CgoFiles", "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var ps []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return ps
		} else if err != nil {
			t.Fatal(err)
		}
		ps = append(ps, p)
	}
}

// forbidden lists, per subtree, what it must not import (prefixes below the module).
// Imports run one way: types → vexec → storage/txn → sql → cmd.
var forbidden = map[string][]string{
	"sql/pgerror":       {""},
	"sql/catalog/facts": {""},
	"internal/simd":     {""},
	"sql/types":         {"vexec", "txn", "storage", "rpc", "sql/", "bench", "compat", "cmd"},
	"vexec":             {"txn", "storage", "rpc", "bench", "compat", "cmd", "sql/"},
	"txn":               {"vexec", "rpc", "bench", "compat", "cmd", "sql/"},
	"storage":           {"rpc", "bench", "compat", "cmd", "sql/"},
	"rpc/flight":        {"txn", "storage", "bench", "compat", "cmd", "sql/"},
	"rpc/node":          {"vexec", "bench", "compat", "cmd", "sql/"},
	"rpc/txnrpc":        {"vexec", "storage", "bench", "compat", "cmd", "sql/"},
	"rpc/wire":          {"vexec", "txn", "storage", "bench", "compat", "cmd", "sql/"},
	"bench":             {"sql", "vexec", "txn", "storage", "rpc", "cmd"},
}

// allowed are the exceptions to forbidden's sql/ entries.
var allowed = []string{"sql/types", "sql/pgerror", "sql/catalog/facts"}

// allowedTo are further exceptions of one subtree.
var allowedTo = map[string][]string{
	"rpc/flight": {"sql/pgwire", "sql/auth"}, // sessions behind pgwire's interfaces, and password checks
}

// externalForbidden: sql never touches Pebble, vexec neither.
var externalForbidden = map[string][]string{
	"sql":   {"github.com/cockroachdb/pebble"},
	"vexec": {"github.com/cockroachdb/pebble", "google.golang.org/grpc", "github.com/pganalyze"},
}

func under(path, tree string) bool {
	return tree == "" || path == strings.TrimSuffix(tree, "/") || strings.HasPrefix(path, strings.TrimSuffix(tree, "/")+"/")
}

func TestImportDirections(t *testing.T) {
	for _, p := range packages(t) {
		rel := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		for _, imp := range p.Imports {
			target, internal := strings.CutPrefix(imp, module+"/")
			for tree, bans := range forbidden {
				if !internal || !under(rel, tree) || under(target, tree) || strings.HasSuffix(rel, "test") {
					continue
				}
				for _, ban := range bans {
					if under(target, ban) && !(strings.HasPrefix(ban, "sql") && isAllowed(tree, target)) {
						t.Errorf("%s imports %s: %s must not import %q", rel, target, tree, ban)
					}
				}
			}
			for tree, bans := range externalForbidden {
				for _, ban := range bans {
					if under(rel, tree) && strings.HasPrefix(imp, ban) {
						t.Errorf("%s imports %s", rel, imp)
					}
				}
			}
		}
	}
}

func isAllowed(tree, target string) bool {
	for _, a := range append(allowedTo[tree], allowed...) {
		if under(target, a) {
			return true
		}
	}
	return false
}

func TestPackageComments(t *testing.T) {
	for _, p := range packages(t) {
		rel := strings.TrimPrefix(p.ImportPath, module+"/")
		if p.Doc == "" && p.Name != "main" && !strings.HasSuffix(rel, "pb") {
			t.Errorf("%s has no package comment", rel)
		}
		switch filepath.Base(rel) {
		case "util", "utils", "common", "helpers", "misc":
			t.Errorf("%s: no dumping grounds", rel)
		}
	}
}

// linesMax is where a file has outgrown one purpose.
const linesMax = 1000

func TestFileSizes(t *testing.T) {
	for _, p := range packages(t) {
		if strings.HasSuffix(p.ImportPath, "pb") {
			continue
		}
		for _, f := range append(p.GoFiles, p.CgoFiles...) {
			b, err := os.ReadFile(filepath.Join(p.Dir, f))
			if err != nil {
				t.Fatal(err)
			}
			if n := bytes.Count(b, []byte("\n")); n > linesMax {
				t.Errorf("%s/%s has %d lines", strings.TrimPrefix(p.ImportPath, module+"/"), f, n)
			}
		}
	}
}

// pathPattern finds `folder/…` in back quotes.
var pathPattern = regexp.MustCompile("`((?:cmd|sql|vexec|storage|txn|rpc|bench|compat|docs|internal)(?:/[A-Za-z0-9_.-]+)*)/?`")

// TestDocumentedPaths: a map that names what is not there is worse than none.
func TestDocumentedPaths(t *testing.T) {
	f, err := os.Open(filepath.Join(root, "docs/architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	found := 0
	for s := bufio.NewScanner(f); s.Scan(); {
		for _, m := range pathPattern.FindAllStringSubmatch(s.Text(), -1) {
			found++
			if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
				t.Errorf("docs/architecture.md names %s, which does not exist", m[1])
			}
		}
	}
	if found == 0 {
		t.Error("docs/architecture.md names no path")
	}
}
