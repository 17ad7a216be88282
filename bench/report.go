package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"
	"time"
)

// table prints rows under a header, columns aligned.
func table(w io.Writer, header []string, rows [][]string) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, r := range append([][]string{header}, rows...) {
		for _, c := range r {
			fmt.Fprintf(tw, "%s\t", c)
		}
		fmt.Fprintln(tw)
	}
	tw.Flush()
}

// writeJSON stores v in path, unless path is empty.
func writeJSON(path string, v any) error {
	if path == "" {
		return nil
	}
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}

func median[T int64 | float64 | time.Duration](v []T) T {
	s := slices.Clone(v)
	slices.Sort(s)
	if len(s) == 0 {
		return 0
	}
	if len(s)%2 == 1 {
		return s[len(s)/2]
	}
	return (s[len(s)/2-1] + s[len(s)/2]) / 2
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }

// progressBar draws one line of progress, a bar per name, on standard error if that is a terminal.
type progressBar struct {
	w    io.Writer // nil: nowhere
	name string
	last time.Time
}

func newProgressBar() *progressBar {
	if i, err := os.Stderr.Stat(); err != nil || i.Mode()&os.ModeCharDevice == 0 {
		return &progressBar{}
	}
	return &progressBar{w: os.Stderr}
}

func (p *progressBar) update(name string, done, total int64) {
	now := time.Now()
	if p.w == nil || name == p.name && done < total && now.Sub(p.last) < 100*time.Millisecond {
		return
	}
	if name != p.name && p.name != "" {
		fmt.Fprintln(p.w)
	}
	p.name, p.last = name, now
	const width = 40
	n := int(done * width / max(total, 1))
	fmt.Fprintf(p.w, "\r%-18s [%-*s] %3d%%", name, width, "========================================"[:n], done*100/max(total, 1))
}

func (p *progressBar) finish() {
	if p.name != "" {
		fmt.Fprintln(p.w)
		p.name = ""
	}
}
