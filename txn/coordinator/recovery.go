package coordinator

import (
	"context"
	"errors"

	"github.com/basaltdb/basalt/txn"
)

// Recovery ends what dead gateways leave behind. The first node runs it.
type Recovery struct {
	Oracle *txn.OracleService
	Nodes  func() []txn.NodeID
	Node   func(txn.NodeID) (txn.Participant, error)
	// Dead reports a node whose lease has ended: it serves nothing before it has
	// settled its intents, so nobody need wait for it.
	Dead func(txn.NodeID) bool
}

// EndGateway settles the commits of a dead gateway, frees its locks everywhere and
// forgets its snapshots. It may be repeated; an error means that some node did not answer.
func (r *Recovery) EndGateway(ctx context.Context, gateway txn.NodeID) error {
	var errs []error
	for _, n := range r.Nodes() {
		if r.Dead(n) {
			continue
		}
		p, err := r.Node(n)
		if err == nil {
			err = p.EndGateway(ctx, gateway)
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	// Every live node has settled its branches, so what was in flight is now visible or gone.
	for _, c := range r.Oracle.Pending(gateway) {
		committed := true
		if len(c.Participants) == 0 { // it only sends notifications, and is about to be settled
			continue
		}
		if p, err := r.Node(c.Participants[0]); err == nil && !r.Dead(c.Participants[0]) {
			_, state, err := p.Outcome(ctx, c.ID, true)
			if err != nil {
				return err
			}
			committed = state == txn.OutcomeCommitted
		}
		r.Oracle.Settle(c.TS, committed)
	}
	r.Oracle.DropGateway(gateway)
	return nil
}
