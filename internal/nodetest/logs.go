package nodetest

import (
	"strings"
)

// logWarnings puts what the processes have warned of into the log of a failed test.
// REQUIRES: they do not run any more.
func (c *Cluster) logWarnings() {
	if !c.t.Failed() {
		return
	}
	for _, n := range append([]*Node{c.First}, c.Storage...) {
		if n == nil {
			continue
		}
		for line := range strings.Lines(n.log.String()) {
			if strings.Contains(line, "level=WARN") || strings.Contains(line, "level=ERROR") || strings.Contains(line, "does not answer") || strings.Contains(line, "joined again") {
				c.t.Logf("%s: %s", n.data, strings.TrimSpace(line))
			}
		}
	}
}
