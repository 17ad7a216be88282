package vexec_test

import (
	"errors"
	"math/rand"
	"syscall"
	"testing"

	"github.com/basaltdb/basalt/sql/functions"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/planpb"
	. "github.com/basaltdb/basalt/vexec/vexectest"
)

// TestDiskFull: a sort that fills the disk fails with 53100, and its space is
// there for the next. Needs the right to mount a small file system.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	rel := newRelation("t", []types.T{tInt, tText, tNum, tBig}, randomRows(rand.New(rand.NewSource(12)), 20000, 1000))
	e := vexec.New(vexec.Options{Registry: functions.Builtins(), TempDir: dir})
	sort := Node(rel.ts, &planpb.Sort{Input: rel.scan(), Keys: []*planpb.SortKey{{Expr: planpb.NewColumn(tBig, 3), Descending: true}}})
	run := func(rows int) error {
		s := &Store{Tables: map[string]*Table{"t": {Types: rel.ts, Rows: rel.data.Rows[:rows]}}, BatchRows: 300}
		_, _, err := Run(e, &planpb.Statement{Root: sort}, vexec.Exec{Store: s, WorkMem: 32 << 10})
		return err
	}
	for range 2 {
		var pe *pgerror.Error
		if err := run(20000); !errors.As(err, &pe) || pe.Code != pgerror.DiskFull {
			t.Errorf("a full disk: %v", err)
		}
		if err := run(1000); err != nil {
			t.Errorf("after a full disk: %v", err)
		}
	}
}
