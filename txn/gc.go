package txn

import (
	"bytes"
	"slices"
	"sync"
	"time"

	"github.com/basaltdb/basalt/storage/engine"
)

// staleKey is a key whose versions below ts are garbage once no snapshot is
// older than ts; a tombstone at ts is garbage then as well. Unless old is 0, the key has
// a value at ts, and the version that it replaced is the one at old: all that needs to
// be removed, since what that one had replaced was told before.
type staleKey struct {
	key     []byte
	ts, old Timestamp
}

// collector removes versions that no snapshot can see. Commits tell it the keys
// they overwrote; it looks at each once the horizon has passed. When it is told
// more than it will remember, and after an unclean shutdown, it sweeps the whole
// store instead, a little at a time.
//
// A tombstone that hides a row of a column segment stays: merging takes it. Which
// segments there are is looked up after the horizon is known, since a merge that has
// read the tombstone's key without it holds the horizon down until its segments are
// in force.
//
// The local record "gc/clean" says that the last owner left nothing behind.
type collector struct {
	m    *Manager
	wake chan struct{}
	quit chan struct{}
	done sync.WaitGroup

	mu    sync.Mutex
	queue []staleKey // about ascending by ts
	bytes int64
	// sweep, when not 0, says that garbage exists which the queue does not name,
	// superseded at or below this timestamp.
	sweep Timestamp

	// run serialises collection: the goroutine's and CollectNow's. It guards kept:
	// for keys collected lately, the version that was kept. Below it is nothing, and
	// a walk that knows need not step over what the store has yet to forget.
	run  sync.Mutex
	kept map[string]Timestamp
	err  error // of the goroutine, reported by stop
}

const (
	gcQueueBytesMax  = 32 << 20
	gcStaleOverhead  = 56
	gcBatchKeys      = 2048
	gcInterval       = 100 * time.Millisecond
	gcSweepVersions  = 16 << 10
	gcSweepPause     = 50 * time.Millisecond
	gcForgetBytesMax = 1 << 20
	gcKeptMax        = 32 << 10
)

var gcCleanKey = []byte("gc/clean")

func startCollector(m *Manager) (*collector, error) {
	c := &collector{m: m, wake: make(chan struct{}, 1), quit: make(chan struct{})}
	_, clean, err := m.eng.LocalGet(gcCleanKey)
	if err != nil {
		return nil, err
	}
	if !clean {
		c.sweep = m.oracle.watermark
	}
	if clean {
		b := m.eng.NewBatch(0)
		if err := b.LocalDelete(gcCleanKey); err != nil {
			b.Close()
			return nil, err
		}
		if err := b.Commit(true); err != nil {
			return nil, err
		}
	}
	if !m.cfg.DisableGC {
		c.done.Add(1)
		go c.loop()
	}
	return c, nil
}

// add remembers overwritten keys; it keeps them.
func (c *collector) add(stale []staleKey) {
	if len(stale) == 0 || c.m.cfg.DisableGC {
		return
	}
	c.mu.Lock()
	for _, s := range stale {
		if c.bytes >= gcQueueBytesMax {
			c.sweep = max(c.sweep, stale[len(stale)-1].ts)
			break
		}
		c.queue = append(c.queue, s)
		c.bytes += int64(len(s.key)) + gcStaleOverhead
	}
	full := len(c.queue) >= gcBatchKeys
	c.mu.Unlock()
	if full {
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
}

// needSweep says that garbage exists which nobody listed, superseded at ts.
func (c *collector) needSweep(ts Timestamp) {
	c.mu.Lock()
	c.sweep = max(c.sweep, ts)
	c.mu.Unlock()
}

// stop ends the goroutine and notes whether anything is left to do.
func (c *collector) stop() error {
	close(c.quit)
	c.done.Wait()
	if c.m.eng.Failed() != nil {
		return nil
	}
	if !c.m.cfg.DisableGC && c.err == nil {
		c.err = c.collectQueue()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil && len(c.queue) == 0 && c.sweep == 0 {
		c.err = c.m.eng.LocalSet(gcCleanKey, []byte{1}, false)
	}
	return c.err
}

func (c *collector) loop() {
	defer c.done.Done()
	t := time.NewTicker(gcInterval)
	defer t.Stop()
	for {
		select {
		case <-c.quit:
			return
		case <-t.C:
		case <-c.wake:
		}
		if err := c.collectQueue(); err != nil {
			c.err = err
			return
		}
		if c.takeSweep() {
			if err := c.sweepAll(gcSweepPause); err != nil {
				c.err = err
				return
			}
		}
	}
}

// takeSweep says whether a sweep is wanted and would find what it is for.
func (c *collector) takeSweep() bool {
	horizon := c.m.oracle.horizon()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sweep == 0 || horizon < c.sweep {
		return false
	}
	c.sweep = 0
	return true
}

// CollectNow removes all garbage that can be removed, sweeping the whole store (tests).
func (m *Manager) CollectNow() error {
	if err := m.gc.collectQueue(); err != nil {
		return err
	}
	return m.gc.sweepAll(0)
}

// collectQueue removes the garbage of the queue up to the horizon.
func (c *collector) collectQueue() error {
	c.run.Lock()
	defer c.run.Unlock()
	for {
		keys, known := c.take()
		if len(keys)+len(known) == 0 {
			return nil
		}
		if err := c.collect(keys, known); err != nil {
			return err
		}
	}
}

// take removes from the queue what the horizon has passed, at most gcBatchKeys: known
// are those whose old versions are, keys the others, sorted by key, one per key.
func (c *collector) take() (keys, known []staleKey) {
	horizon := c.m.oracle.horizon()
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for n < len(c.queue) && n < gcBatchKeys && c.queue[n].ts <= horizon {
		c.bytes -= int64(len(c.queue[n].key)) + gcStaleOverhead
		n++
	}
	for _, k := range c.queue[:n] {
		if k.old != 0 {
			known = append(known, k)
		} else {
			keys = append(keys, k)
		}
	}
	if c.queue = c.queue[n:]; len(c.queue) == 0 {
		c.queue = nil
	}
	slices.SortFunc(keys, func(a, b staleKey) int {
		if d := bytes.Compare(a.key, b.key); d != 0 {
			return d
		}
		if a.ts > b.ts {
			return -1
		}
		return 1
	})
	return slices.CompactFunc(keys, func(a, b staleKey) bool { return bytes.Equal(a.key, b.key) }), known
}

// collect removes the versions below the newest of the keys' stale timestamps, and the known ones.
func (c *collector) collect(keys, known []staleKey) error {
	v, err := c.m.eng.NewVersions()
	if err != nil {
		return err
	}
	defer v.Close()
	b := c.m.eng.NewBatch(0)
	for _, k := range known {
		if err := b.Forget(k.key, engine.Timestamp(k.old)); err != nil {
			b.Close()
			return err
		}
	}
	if c.kept == nil || len(c.kept) > gcKeptMax {
		c.kept = map[string]Timestamp{}
	}
	for _, k := range keys {
		oldest := engine.Timestamp(c.kept[string(k.key)])
		first := true
		for ok := v.Seek(k.key, engine.Timestamp(k.ts)); ok; ok = v.NextVersion() {
			if !first || v.Deleted() && !c.covered(k.key, v.Timestamp()) {
				if err := b.ForgetEngineKey(v.EngineKey()); err != nil {
					b.Close()
					return err
				}
			} else {
				c.kept[string(k.key)] = Timestamp(v.Timestamp())
			}
			if v.Timestamp() == oldest {
				break
			}
			first = false
		}
	}
	if err := v.Err(); err != nil {
		b.Close()
		return err
	}
	return b.Commit(false)
}

// covered reports whether a tombstone at ts may hide a row of a column segment.
func (c *collector) covered(key []byte, ts engine.Timestamp) bool {
	cols := c.m.eng.Columns()
	if cols == nil {
		return false
	}
	pin := cols.PinKey(key)
	if pin == nil {
		return false
	}
	defer pin.Release()
	return pin.Covered(key, ts)
}

// sweepAll looks at every version of the store, pausing between portions.
func (c *collector) sweepAll(pause time.Duration) error {
	c.run.Lock()
	defer c.run.Unlock()
	from := []byte{}
	for {
		next, err := c.sweepSome(from)
		if err != nil || next == nil {
			return err
		}
		from = next
		if pause == 0 {
			continue
		}
		select {
		case <-c.quit:
			c.needSweep(c.m.oracle.horizon())
			return nil
		case <-time.After(pause):
		}
	}
}

// sweepSome looks at some versions from a key on; it gives where to go on, nil at the end.
func (c *collector) sweepSome(from []byte) ([]byte, error) {
	horizon := engine.Timestamp(c.m.oracle.horizon())
	v, err := c.m.eng.NewVersions()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	b := c.m.eng.NewBatch(0)
	var next []byte
	n := 0
	for ok := v.SeekKey(from); ok; ok = v.NextKey() {
		if n > gcSweepVersions || b.Len() > gcForgetBytesMax {
			next = append([]byte{}, v.Key()...)
			break
		}
		first := true // the newest version at or below the horizon
		for more := true; more; more = v.NextVersion() {
			n++
			if v.Timestamp() > horizon {
				continue
			}
			if !first || v.Deleted() && !c.covered(v.Key(), v.Timestamp()) {
				if err := b.ForgetEngineKey(v.EngineKey()); err != nil {
					b.Close()
					return nil, err
				}
			}
			first = false
		}
	}
	if err := v.Err(); err != nil {
		b.Close()
		return nil, err
	}
	return next, b.Commit(false)
}
