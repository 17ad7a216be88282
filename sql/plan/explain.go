package plan

import (
	"time"

	"github.com/basaltdb/basalt/vexec"
)

// ExplainFormat is EXPLAIN's FORMAT option.
type ExplainFormat uint8

const (
	ExplainText ExplainFormat = iota
	ExplainJSON
)

// ExplainOptions are EXPLAIN's options, defaults already applied (Costs true;
// Timing and Summary true with Analyze).
type ExplainOptions struct {
	Analyze, Verbose, Costs, Buffers, Timing, Summary bool
	Format                                            ExplainFormat
	// Distributed shows exchanges, and with Analyze what ran on which node.
	Distributed bool
	// Runs are the fragments that ran, with Analyze and Distributed.
	Runs []FragmentRun
	// Stats are the counters of the finished run, with Analyze.
	Stats *vexec.Stats
	// PlanningTime and ExecutionTime are shown with Summary.
	PlanningTime, ExecutionTime time.Duration
}

// Explain describes a plan in PostgreSQL's shape: the lines of text format, or
// for ExplainJSON one string that holds the whole document.
func Explain(planned *Planned, opts ExplainOptions) []string {
	return explain(planned, opts)
}
