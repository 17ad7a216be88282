package txn

import (
	"bytes"
	"context"
	"encoding/binary"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/basaltdb/basalt/storage/engine"
)

// TestSoleRecovery crashes a sole participant whose transaction went through
// intents (it was too large for one batch) before and after its record was written.
func TestSoleRecovery(t *testing.T) {
	ctx := context.Background()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, decided := range []bool{false, true} {
		fs := vfs.NewCrashableMem()
		open := func(fs vfs.FS) (*engine.Engine, *Manager, *Branches) {
			eng, err := engine.Open("data", engine.Options{FS: fs, MemoryBytes: 16 << 20})
			check(err)
			m, err := NewManager(eng, Config{SpillBytes: 64 << 10})
			check(err)
			p, err := NewBranches(m, func(NodeID) (Participant, error) { t.Fatal("nobody need be asked"); return nil, nil })
			check(err)
			return eng, m, p
		}
		eng, m, p := open(fs)
		b := Branch{Txn: 7, Gateway: 1}
		at := ReadAt{Snapshot: 1, Statement: 1}
		const rows = 3000
		key := func(i int) []byte { return binary.BigEndian.AppendUint32([]byte{0, 1}, uint32(i)) }
		for i := range rows {
			check(p.Write(ctx, b, at, []BranchWrite{{Key: key(i), Value: bytes.Repeat([]byte{byte(i)}, 100), New: true, Statement: 1, Seq: uint64(i + 1)}}))
			b.Begun = true
		}
		x := p.find(b.Txn)
		if x.t.spill.Load() == nil {
			t.Fatal("the transaction did not spill")
		}
		check(p.prepare(ctx, x, 0))
		if decided {
			check(p.decide(b.Txn, 50))
		}
		crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 0})
		p.end(b.Txn)
		check(m.Close())
		check(eng.Close())

		eng, m, p = open(crashed)
		check(p.Resolve(ctx))
		page, err := p.Scan(ctx, Branch{Txn: 8}, ReadAt{Snapshot: 60}, ScanPage{Lower: []byte{0, 1}, Upper: []byte{0, 2}, RowsMax: 2 * rows, BytesMax: 1 << 30})
		check(err)
		if want := map[bool]int{false: 0, true: rows}[decided]; len(page.Keys) != want {
			t.Errorf("decided %v: %d rows, want %d", decided, len(page.Keys), want)
		}
		check(m.Close())
		check(eng.Close())
	}
}
