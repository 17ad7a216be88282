package plan

import (
	"context"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
)

// planner is one planning run.
type planner struct {
	ctx  context.Context
	opts Options
	cols []colInfo
}

func newPlanner(ctx context.Context, opts Options) *planner {
	return &planner{ctx: ctx, opts: opts}
}

func (p *planner) plan(q *query.Query) (*Planned, error) {
	return nil, pgerror.Unsupported("planning")
}

func explain(pl *Planned, o ExplainOptions) []string { return nil }
