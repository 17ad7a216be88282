package engine

import "bytes"

// Columns is the part of the store that lies in column segments, as the engine
// needs it (storage/columns implements it). Segments hold rows of some row spaces;
// what they hold and what the engine holds of a key are one history, by these rules
// (floor(k): every version of k at or below it in the engine is dead):
//
//   - a version v of k in the engine counts at R iff floor(k) < v ≤ R; the newest such decides;
//   - a row of a segment with timestamp s ≤ R is visible iff the engine has no version of k
//     in (max(s, floor(k)), R].
//
// The order rule: a reader opens its iterator over the engine first and pins the
// segments after it. Whatever was purged from the engine in between is then below a
// floor the reader knows of. Floors never exceed a timestamp that anybody still reads at.
type Columns interface {
	// Pin gives the segments that may hold keys in [lower, upper), fixed as they are now;
	// nil, at next to no cost, when there are none.
	Pin(lower, upper []byte) ColumnPin
	// PinKey is Pin for one key.
	PinKey(key []byte) ColumnPin
	// Get reads the row of key that is visible at at for who knows that the engine has no
	// version of key; covered is false, and all else nothing, when no segment's space has it.
	// The value is appended to buf. atts, unless nil, are the attribute numbers of columns that are wanted:
	// others may be NULL in the value.
	Get(key []byte, at Timestamp, buf []byte, atts []int) (value []byte, ts Timestamp, found, covered bool, err error)
	// Wrote hears of n versions committed to the space of key, about; ts is the newest. watched: Written
	// wants to hear of each. Both are called after the versions have been applied and before anybody reads at ts.
	Wrote(key []byte, n int, ts Timestamp) (watched bool)
	// Written hears of a version of a space that is watched.
	Written(key []byte, ts Timestamp)
	// Ingested hears, at the same moment, of versions at ts that Wrote has not been told of.
	Ingested(ts Timestamp)
	// Size is the disk space of the segments in a range, an estimate.
	Size(lower, upper []byte) int64
	// Any reports whether any space has segments or floors.
	Any() bool
	// Drop adds to b the removal of all that lies in [lower, upper), whose ends are
	// ends of row spaces. done must be called with whether b was committed.
	Drop(b *Batch, lower, upper []byte) (done func(committed bool), err error)
	// FirstKey is a key at or above lower and below upper of a space that has
	// segments or floors, nil for none: no segment has a key of a space before it.
	FirstKey(lower, upper []byte) []byte
}

// ColumnPin is segments held. It may be used from several goroutines; Release it once.
type ColumnPin interface {
	// Covers reports whether key belongs to what was pinned.
	Covers(key []byte) bool
	// Floor is the floor of key, 0 outside every span.
	Floor(key []byte) Timestamp
	// Get reads the row of key that is visible at at when the engine's newest version is
	// at above (0 for none). The value is appended to buf.
	Get(key []byte, at, above Timestamp, buf []byte) (value []byte, ts Timestamp, found bool, err error)
	// Covered reports whether a row of key may be in a segment with a timestamp below ts
	// that a tombstone at ts hides.
	Covered(key []byte, ts Timestamp) bool
	// AnyIn reports whether a row that is not below a floor lies in [lower, upper).
	AnyIn(lower, upper []byte) (bool, error)
	// NewIter walks the rows in [lower, upper) that segments at or below at hold, one per
	// key: the newest.
	NewIter(lower, upper []byte, at Timestamp, reverse bool) (ColumnIter, error)
	// Marks gives keys in (lower, upper), ascending, and about how many bytes lie before
	// each since the one before it; no more than about max.
	Marks(lower, upper []byte, max int) []SizeMark
	Release()
}

// SizeMark is a key and about how many bytes lie below it, from the mark before.
type SizeMark struct {
	Key   []byte
	Bytes uint64
}

// ColumnIter walks rows of segments. What it gives is valid until the next Next.
type ColumnIter interface {
	Next() bool
	Key() []byte
	Timestamp() Timestamp
	Value() ([]byte, error)
	// Floor is ColumnPin.Floor, cheap for keys asked for in the order of the walk.
	Floor(key []byte) Timestamp
	Err() error
	Close() error
}

// SetColumns gives the engine its segments. REQUIRES: nothing has been read or
// written but local keys.
func (e *Engine) SetColumns(c Columns) { e.columns = c }

// Columns is what SetColumns was given, nil for a store of rows only.
func (e *Engine) Columns() Columns { return e.columns }

// pinKey pins the segments of a key, nil for none.
func (e *Engine) pinKey(key []byte) ColumnPin {
	if e.columns == nil {
		return nil
	}
	return e.columns.PinKey(key)
}

// OpenParts is NewIter for readers that take the parts of a range apart: the
// iterator walks what counts in the engine alone, tombstones included, and the pin
// holds the segments. A nil pin says that the iterator gives all there is (a
// tombstone then hides nothing). Close the iterator, release the pin.
func (e *Engine) OpenParts(o IterOptions) (*Iter, ColumnPin, error) {
	o.Tombstones = true
	i, err := e.newIter(o)
	if err != nil || e.columns == nil {
		return i, nil, err
	}
	pin := e.columns.Pin(o.Lower, o.Upper)
	if pin == nil {
		return i, nil, nil
	}
	i.floors = pin
	return i, pin, nil
}

// nextLive is Next over the engine alone that leaves out what is at or below a floor.
func (i *Iter) nextLive() bool {
	for i.nextDelta() {
		if i.ts > i.floors.Floor(i.key) {
			return true
		}
	}
	return false
}

// nextMerged is Next over engine and segments. Each side stands on a row that has
// not been delivered, or is at its end.
func (i *Iter) nextMerged() bool {
	if !i.merging {
		i.merging, i.stepDelta, i.stepCols = true, true, true
	}
	for {
		if i.stepDelta {
			i.stepDelta = false
			if i.deltaOK = i.nextDelta(); !i.deltaOK && i.err != nil {
				return false
			}
			i.dKey, i.dVal, i.dTS, i.dDel = i.key, i.val, i.ts, i.isDel
		}
		if i.stepCols {
			i.stepCols = false
			if i.colsOK = i.cols.Next(); !i.colsOK {
				if err := i.cols.Err(); err != nil {
					return i.fail(err)
				}
			}
		}
		c := 0
		switch {
		case !i.deltaOK && !i.colsOK:
			return false
		case !i.deltaOK:
			c = 1
		case !i.colsOK:
			c = -1
		default:
			if c = bytes.Compare(i.dKey, i.cols.Key()); i.reverse {
				c = -c
			}
		}
		i.stepDelta, i.stepCols = c <= 0, c >= 0
		if c <= 0 {
			floor := i.cols.Floor(i.dKey)
			if c == 0 {
				floor = max(floor, i.cols.Timestamp())
			}
			if i.dTS > floor {
				if i.dDel && !i.deleted {
					continue
				}
				i.key, i.val, i.ts, i.isDel = i.dKey, i.dVal, i.dTS, i.dDel
				return true
			}
			if c < 0 {
				continue
			}
		}
		v, err := i.cols.Value()
		if err != nil {
			return i.fail(err)
		}
		i.key, i.val, i.ts, i.isDel = i.cols.Key(), v, i.cols.Timestamp(), false
		return true
	}
}

// getColumns completes a read of the engine with the segments: v is what the engine
// has of key, read before pin was taken.
func getColumns(pin ColumnPin, key []byte, at Timestamp, ts Timestamp, found, deleted bool, buf []byte) (value []byte, rts Timestamp, rfound, use bool, err error) {
	floor := pin.Floor(key)
	if found && ts > floor && !deleted {
		return nil, 0, false, false, nil
	}
	above := ts
	if !found || ts <= floor {
		above = 0
	}
	value, rts, rfound, err = pin.Get(key, at, above, buf)
	if err != nil || rfound || above == 0 {
		return value, rts, rfound, true, err
	}
	return nil, 0, false, false, nil // the tombstone stands
}

// spaceLen is the length of what the keys of a row space begin with: tablet and storage id.
const spaceLen = TabletLen + 8

// writeTally counts versions by space, for Columns.Wrote.
type writeTally struct {
	space  [spaceLen]byte
	n      int
	spaces []spaceTally
	newest Timestamp
}

type spaceTally struct {
	space [spaceLen]byte
	n     int
}

func (t *writeTally) add(key []byte, ts Timestamp) {
	t.newest = max(t.newest, ts)
	if len(key) < spaceLen {
		return
	}
	if t.n > 0 && [spaceLen]byte(key) == t.space {
		t.n++
		return
	}
	if t.n > 0 {
		t.spaces = append(t.spaces, spaceTally{t.space, t.n})
	}
	t.space, t.n = [spaceLen]byte(key), 1
}

// tell hands the counts on. watched: see Columns.Wrote.
func (t *writeTally) tell(c Columns) (watched bool) {
	if c == nil || t.n == 0 {
		return false
	}
	for i := range t.spaces {
		watched = c.Wrote(t.spaces[i].space[:], t.spaces[i].n, t.newest) || watched
	}
	return c.Wrote(t.space[:], t.n, t.newest) || watched
}
