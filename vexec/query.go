package vexec

import (
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/vexec/planpb"
)

func newQuery(e *Executor, stmt *planpb.Statement, env Exec) (Cursor, error) {
	return nil, pgerror.Unsupported("running plans")
}
