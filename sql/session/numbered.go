package session

import (
	"context"
	"errors"

	"github.com/basaltdb/basalt/vexec"
)

// numbered is the cursor of a plan with KeyIDs: when their list becomes too long before there is a row, the
// statement is run again without.
type numbered struct {
	vexec.Cursor
	again func() (vexec.Cursor, error) // nil once it has delivered something, or is run again
}

// Next implements vexec.Reader.
func (n *numbered) Next(ctx context.Context) (*vexec.Batch, error) {
	b, err := n.Cursor.Next(ctx)
	again := n.again
	n.again = nil
	if err == nil || again == nil || !errors.Is(err, vexec.ErrKeyList) {
		return b, err
	}
	n.Close()
	cur, err := again()
	if err != nil {
		return nil, err
	}
	n.Cursor = cur
	return cur.Next(ctx)
}
