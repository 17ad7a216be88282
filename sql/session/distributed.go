package session

import (
	"context"
	"time"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/plan"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// Fragments runs statements that were cut into pieces, on this and other nodes.
type Fragments interface {
	// Sites are those of the placement in force, the same pointer as long as it is;
	// nil: tables are not spread, plans are to have no exchanges.
	Sites() *plan.Sites
	// Start starts a statement's pieces and the statement itself, in the transaction
	// env.Store belongs to. Closing the cursor ends all of it.
	Start(ctx context.Context, run FragmentedRun) (vexec.Cursor, error)
}

// FragmentedRun is one run of a statement with pieces.
type FragmentedRun struct {
	// Statement is the gateway's part.
	Statement *planpb.Statement
	Pieces    []vexec.Piece
	// Slots[i] are the EXEC parameters that go with piece i: their values are in
	// Env.ExecParams, their types in SlotTypes.
	Slots     [][]uint32
	SlotTypes map[uint32]types.T
	Env       vexec.Exec
	Tx        txn.Txn
	// LockTimeout bounds the waits for locks; 0: none.
	LockTimeout time.Duration
	// Writes: the statement changes or locks rows.
	Writes bool
}

// FragmentRuns is implemented by cursors that know what the pieces did, once they
// have ended.
type FragmentRuns interface {
	FragmentRuns() []plan.FragmentRun
}

// sites are the storage nodes plans are spread over, nil for none.
func (n *Node) sites() *plan.Sites {
	if n.Fragments == nil {
		return nil
	}
	return n.Fragments.Sites()
}

func (n *Node) siteCount() int {
	if s := n.sites(); s != nil {
		return len(s.Storage)
	}
	return 0
}

// runPlan starts a plan: on this node alone, or with its pieces beside the data.
func (s *Session) runPlan(ctx context.Context, p *plan.Planned, env vexec.Exec) (vexec.Cursor, error) {
	sites := s.node.sites()
	if p.Exchanges == 0 || sites == nil {
		cur, err := s.node.Executor.Run(ctx, p.Statement, env)
		if err == nil && p.Unnumbered != nil {
			cur = &numbered{Cursor: cur, again: func() (vexec.Cursor, error) { return s.node.Executor.Run(ctx, p.Unnumbered, env) }}
		}
		return cur, err
	}
	cut, err := p.Cut(sites)
	if err != nil {
		return nil, err
	}
	return s.runCut(ctx, p, cut, env)
}

// runCut runs a statement in pieces. Init plans whose results travel are run before
// it, though it may turn out not to need them: when one fails, the statement runs in
// one piece, which raises the error if it comes to it.
func (s *Session) runCut(ctx context.Context, p *plan.Planned, cut *plan.Cut, env vexec.Exec) (vexec.Cursor, error) {
	ts, whole := map[uint32]types.T{}, env
	for i := range cut.Before {
		if err := s.runBefore(ctx, &cut.Before[i], ts, &env); err != nil {
			if ctx.Err() != nil || connectionLost(err) {
				return nil, err
			}
			return s.node.Executor.Run(ctx, p.Statement, whole)
		}
	}
	pieces, slots := cut.Pieces()
	return s.node.Fragments.Start(ctx, FragmentedRun{Statement: cut.Statement, Pieces: pieces, Slots: slots, SlotTypes: ts, Env: env, Tx: s.txn(), LockTimeout: s.lockTimeout(), Writes: !p.ReadOnly})
}

// connectionLost reports an error of the nodes rather than of the data.
func connectionLost(err error) bool {
	switch code := pgerror.From(err).Code; code[:2] {
	case "08", "53", "57", "58", "XX":
		return true
	}
	return false
}

// runBefore runs an init plan by itself and puts its results among the EXEC parameters.
func (s *Session) runBefore(ctx context.Context, b *plan.Before, ts map[uint32]types.T, env *vexec.Exec) error {
	pieces, slots := b.Pieces()
	cur, err := s.node.Fragments.Start(ctx, FragmentedRun{Statement: b.Statement, Pieces: pieces, Slots: slots, SlotTypes: ts, Env: *env, Tx: s.txn()})
	if err != nil {
		return err
	}
	defer cur.Close()
	row, err := cur.Next(ctx)
	if err != nil {
		return err
	}
	vals := map[uint32]types.Datum{}
	for k, v := range env.ExecParams {
		vals[k] = v
	}
	for i, slot := range b.Slots {
		ts[slot], vals[slot] = b.Types[i], nil
		if row != nil && row.Rows() > 0 {
			at := 0
			if row.Sel != nil {
				at = int(row.Sel[0])
			}
			vals[slot] = types.Get(b.Types[i], row.Cols[i], at)
		}
	}
	env.ExecParams = vals
	return nil
}
