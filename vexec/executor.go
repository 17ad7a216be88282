package vexec

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/basaltdb/basalt/internal/cores"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// Options configure an Executor.
type Options struct {
	// Registry holds the functions plans may call.
	Registry *expr.Registry
	// Workers bounds the goroutines that all queries' Gather operators run at a
	// time beyond one each; 0: one per processor.
	Workers int
	// MemoryLimit bounds the bytes all queries hold together; 0: no bound.
	MemoryLimit int64
	// OnHeld is told how much all queries hold, whenever that has changed by some 16 MB;
	// one call at a time. May be nil.
	OnHeld func(bytes int64)
	// TempDir is where operators spill; "": os.TempDir(). Files left there by an
	// earlier process are removed by New.
	TempDir string
}

// Executor runs plans. One serves a whole process; it is safe for concurrent use.
type Executor struct {
	opts   Options
	memory atomic.Int64 // bytes held by all queries
	onHeld sync.Mutex
	tokens chan struct{} // one per worker goroutine in use
	turns  *turns
}

// spillPrefix begins the name of every temporary file.
const spillPrefix = "basalt-spill-"

// New makes an Executor and clears the temporary files of an earlier process.
func New(opts Options) *Executor {
	if opts.Workers <= 0 {
		opts.Workers = cores.Count()
	}
	if opts.TempDir == "" {
		opts.TempDir = os.TempDir()
	} else if old, err := filepath.Glob(filepath.Join(opts.TempDir, spillPrefix+"*")); err == nil {
		for _, f := range old {
			os.Remove(f)
		}
	}
	return &Executor{opts: opts, tokens: make(chan struct{}, opts.Workers), turns: newTurns(opts.Workers)}
}

// Exec is what one statement runs with.
type Exec struct {
	Store Store
	// Expr carries parameters, session and settings to functions.
	Expr *expr.Context
	// Observer hears of changed rows of Modify operators with notify set; may be nil.
	Observer RowObserver
	// WorkMem is the budget in bytes of each operator that can spill; 0: DefaultWorkMem.
	WorkMem int64
	// Stats, when set, is filled for EXPLAIN ANALYZE. Timing costs a little.
	Stats *Stats
	// ExecParams presets EXEC slots (fragments, and constraints' own queries).
	ExecParams map[uint32]types.Datum
	// Chunks opens the rows of ChunkScan slots that the plan itself does not fill
	// (transition tables); may be nil.
	Chunks map[uint32]func() Reader
	// Sources opens the streams that ExchangeSource operators read; nil where no
	// plan was cut.
	Sources Sources
	// Coded: what Next gives may have dictionary-coded text.
	Coded bool
	// BatchSize is the target number of rows of a batch; 0: DefaultBatchSize. Tests vary it.
	BatchSize int
	// CachedGroups is from how many groups on an aggregation in several workers looks for
	// ways to stay in the processor's caches (group_wait.go); 0: DefaultCachedGroups. Tests vary it.
	CachedGroups int
}

// DefaultWorkMem, DefaultBatchSize and DefaultCachedGroups apply where Exec leaves zero.
const (
	DefaultWorkMem      = 64 << 20
	DefaultBatchSize    = 4096
	DefaultCachedGroups = 1 << 15
)

// Cursor is a running statement. Next may be called with a different context
// each time (a portal that is resumed); pulling can stop at any batch. A
// statement that changes data in a CTE has done all its work only when Next has
// returned nil. After an error the cursor stays failed. Close releases
// everything: memory, files, workers; always call it.
type Cursor interface {
	Reader
	// RowsAffected is the number of rows the statement's own (root) Modify has
	// inserted, updated, deleted or merged; otherwise the rows delivered so far.
	RowsAffected() int64
}

// Run starts a statement. Errors of evaluation come from Cursor.Next; Run's own
// are about the plan itself.
func (e *Executor) Run(ctx context.Context, stmt *planpb.Statement, env Exec) (Cursor, error) {
	if stmt.GetRoot() == nil {
		return nil, pgerror.Internal("plan without a root")
	}
	if env.WorkMem <= 0 {
		env.WorkMem = DefaultWorkMem
	}
	if env.BatchSize <= 0 {
		env.BatchSize = DefaultBatchSize
	}
	if env.CachedGroups <= 0 {
		env.CachedGroups = DefaultCachedGroups
	}
	return newQuery(e, stmt, env)
}

// Hold accounts n bytes (negative: gives them back) that a host holds on behalf of
// statements, against the executor's limit.
func (e *Executor) Hold(n int64) { e.hold(n) }

// heldStepBits is by how much what is held changes before OnHeld hears of it.
const heldStepBits = 24

// hold counts n bytes more and gives the sum.
func (e *Executor) hold(n int64) int64 {
	now := e.memory.Add(n)
	if e.opts.OnHeld != nil && now>>heldStepBits != (now-n)>>heldStepBits {
		e.onHeld.Lock()
		e.opts.OnHeld(e.memory.Load())
		e.onHeld.Unlock()
	}
	return now
}

// Held is how many bytes all statements hold now.
func (e *Executor) Held() int64 { return e.memory.Load() }

// TempFile makes an unlinked temporary file where operators spill.
func (e *Executor) TempFile() (*os.File, error) {
	f, err := os.CreateTemp(e.opts.TempDir, spillPrefix)
	if err != nil {
		return nil, fileError(err, "create temporary file")
	}
	os.Remove(f.Name())
	return f, nil
}
