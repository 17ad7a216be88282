package isolation

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
)

// Spec is one of PostgreSQL's isolation specs.
type Spec struct {
	Name     string
	Path     string
	Expected []string // files with accepted outputs, the plain one first
}

// unscheduled are specs that PostgreSQL runs by another target than its schedule, on a
// server that has max_prepared_transactions set.
var unscheduled = "test: prepared-transactions prepared-transactions-cic\n"

// Load reads the schedule of a folder src/test/isolation: the specs it names, in its order,
// and the unscheduled ones.
func Load(dir string) ([]Spec, error) {
	b, err := os.ReadFile(filepath.Join(dir, "isolation_schedule"))
	if err != nil {
		return nil, err
	}
	var specs []Spec
	b = append(b, "\n"+unscheduled...)
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		line, ok := strings.CutPrefix(s.Text(), "test:")
		if !ok {
			continue
		}
		for _, name := range strings.Fields(line) {
			x := Spec{Name: name, Path: filepath.Join(dir, "specs", name+".spec"), Expected: []string{filepath.Join(dir, "expected", name+".out")}}
			alternatives, err := filepath.Glob(filepath.Join(dir, "expected", name+"_[0-9].out"))
			if err != nil {
				return nil, err
			}
			sort.Strings(alternatives)
			x.Expected = append(x.Expected, alternatives...)
			specs = append(specs, x)
		}
	}
	if len(specs) == 0 {
		return nil, fmt.Errorf("%s names no specs", dir)
	}
	return specs, nil
}

// LoadReasons reads a list of "NAME reason" lines; # begins a comment.
func LoadReasons(path string) (map[string]string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		line := strings.TrimSpace(s.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		name, reason, ok := strings.Cut(line, " ")
		if !ok {
			return nil, fmt.Errorf("%s: %q has no reason", path, name)
		}
		out[name] = strings.TrimSpace(reason)
	}
	return out, nil
}

// Tester finds PostgreSQL's isolationtester.
func Tester() (string, error) {
	if p, err := exec.LookPath("isolationtester"); err == nil {
		return p, nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/lib/pgxs/src/test/isolation/isolationtester")
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		return "", errors.New("isolationtester is not installed (Debian: postgresql-server-dev or postgresql-15)")
	}
	sort.Strings(found)
	return found[len(found)-1], nil
}

// Source is the folder src/test/isolation of a PostgreSQL source tree: that of
// PGSRC when it is set, else one fetched as Debian's source package into cache.
// Only a Debian with its package lists can fetch it.
func Source(ctx context.Context, cache string) (string, error) {
	tree := os.Getenv("PGSRC")
	if tree == "" {
		var err error
		if tree, err = fetched(cache); err != nil {
			return "", err
		}
		if tree == "" {
			if err := fetch(ctx, cache); err != nil {
				return "", err
			}
			if tree, err = fetched(cache); err != nil {
				return "", err
			}
		}
	}
	dir := filepath.Join(tree, "src", "test", "isolation")
	if _, err := os.Stat(dir); err != nil {
		return "", fmt.Errorf("no PostgreSQL source: %w", err)
	}
	return dir, nil
}

func fetched(cache string) (string, error) {
	trees, err := filepath.Glob(filepath.Join(cache, "postgresql-1[0-9]*", "src"))
	if err != nil || len(trees) == 0 {
		return "", err
	}
	sort.Strings(trees)
	return filepath.Dir(trees[len(trees)-1]), nil
}

// fetch downloads and unpacks the source package postgresql-15 with apt, whose own
// lists and sources stay as they are: source packages are asked for in a copy. The version of the
// installed server is preferred; any other that the mirrors still have will do.
func fetch(ctx context.Context, cache string) error {
	if err := os.MkdirAll(filepath.Join(cache, "apt", "lists", "partial"), 0o755); err != nil {
		return err
	}
	script := `set -e
cd "$1"
mkdir -p apt/parts
for f in /etc/apt/sources.list.d/*.sources; do [ -e "$f" ] && sed 's/^Types:.*/Types: deb-src/' "$f" >"apt/parts/$(basename "$f")"; done
: >apt/sources.list
if [ -s /etc/apt/sources.list ]; then sed -n 's/^deb /deb-src /p' /etc/apt/sources.list >apt/sources.list; fi
set -- -qq -oDir::Etc::sourcelist="$1/apt/sources.list" -oDir::Etc::sourceparts="$1/apt/parts" -oDir::State::Lists="$1/apt/lists" -oAPT::Sandbox::User=root
apt-get "$@" update
got=
for v in $(dpkg-query -W -f '${source:Version}' postgresql-15 2>/dev/null || true) $(apt-cache "$@" showsrc postgresql-15 | sed -n 's/^Version: //p' | sort -rVu); do
  if apt-get "$@" source --download-only "postgresql-15=$v"; then got=$v; break; fi
done
[ -n "$got" ]
tar xf postgresql-15_*.orig.tar.*`
	cmd := exec.CommandContext(ctx, "bash", "-c", script, "fetch", cache)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("could not fetch the source package postgresql-15 (set PGSRC to a source tree instead): %w\n%s", err, out)
	}
	return nil
}
