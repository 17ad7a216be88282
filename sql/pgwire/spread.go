package pgwire

import (
	"context"

	"github.com/basaltdb/basalt/sql/types"
)

// Spreader is a Session whose results other nodes may deliver, each its part, without
// the session: what lies on several nodes need not pass through one.
type Spreader interface {
	// Spread gives the parts of the result of a bound portal, read at the snapshot of a
	// statement that begins now, after checking privileges. It is nil when the result is not the sum of what
	// nodes have, or the transaction is a block, whose own writes parts do not see: Execute it then.
	Spread(ctx context.Context, portal string) (*Spread, error)
}

// Spread is a result in parts.
type Spread struct {
	// Types of the columns; every one means the same on every node.
	Types []types.T
	Parts []Part
	// Release lets the snapshot go; to be called once. Until then the parts may be
	// read, any number of times, however long the session lives.
	Release func()
}

// Part is the rows of one node, in no order.
type Part struct {
	Node uint32
	// Fragment says what to run there. Opaque here.
	Fragment []byte
}
