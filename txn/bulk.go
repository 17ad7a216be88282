package txn

import (
	"context"

	"github.com/basaltdb/basalt/sql/pgerror"
)

type bulkState struct{}

func (b *bulkState) init(m *Manager) error { return nil }

type implicitHolders struct{}

func (h *implicitHolders) any() bool                                            { return false }
func (h *implicitHolders) inflate(t *lockTable, o *lockOwner, key []byte) error { return nil }

type spilled struct{}

func (s *spilled) newest(key []byte, stmt uint32) (*write, error) { return nil, nil }
func (s *spilled) cut(from, to uint64)                            {}
func (s *spilled) discard()                                       {}
func (s *spilled) open(lower, upper []byte, stmt uint32, reverse bool, own []*write) (writeSource, error) {
	return nil, nil
}

func (t *transaction) spillWrites(ctx context.Context) error { return nil }

func (t *transaction) commitBulk(ctx context.Context) (Timestamp, error) {
	return 0, pgerror.Internal("no spilled writes")
}
