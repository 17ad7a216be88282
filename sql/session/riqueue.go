package session

import (
	"context"

	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// riQueue collects the row changes that referential constraints must look at.
type riQueue struct{ s *Session }

func (q *riQueue) init(s *Session)                                     { q.s = s }
func (q *riQueue) reset()                                              {}
func (q *riQueue) mark() int                                           { return 0 }
func (q *riQueue) truncate(int)                                        {}
func (q *riQueue) beginStatement(*query.Query)                         {}
func (q *riQueue) finishStatement(ctx context.Context) error           { return nil }
func (q *riQueue) checkDeferred(ctx context.Context, s *Session) error { return nil }
func (q *riQueue) RowChanged(table *planpb.Table, op planpb.Modify_Op, old, new []types.Datum) error {
	return nil
}
