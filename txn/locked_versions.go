package txn

import "bytes"

// lockedVersions remembers what the newest versions of some rows are while their locks keep
// others from writing newer ones: SELECT … FOR UPDATE and the UPDATE after it read the row
// once. Rows that do not exist are not remembered: inserts in bulk do not ask the lock table.
type lockedVersions struct {
	entries []lockedVersion
	next    int // whose turn it is to be overwritten
}

type lockedVersion struct {
	key   []byte
	value []byte
	ts    Timestamp
	seq   uint64 // the transaction's, when the lock was there
}

const (
	lockedVersionsMax     = 32
	lockedVersionBytesMax = 4 << 10
)

// add remembers a version; it keeps the value.
func (l *lockedVersions) add(key, value []byte, ts Timestamp, seq uint64) {
	if len(value) > lockedVersionBytesMax {
		return
	}
	if len(l.entries) < lockedVersionsMax {
		l.entries = append(l.entries, lockedVersion{})
		l.next = len(l.entries) - 1
	}
	e := &l.entries[l.next]
	e.key = append(e.key[:0], key...)
	e.value, e.ts, e.seq = value, ts, seq
	if l.next++; l.next == lockedVersionsMax {
		l.next = 0
	}
}

// find is the version of a key, nil when it is not remembered.
func (l *lockedVersions) find(key []byte) *lockedVersion {
	for i := len(l.entries) - 1; i >= 0; i-- {
		if e := &l.entries[i]; len(e.key) == len(key) && bytes.Equal(e.key, key) {
			return e
		}
	}
	return nil
}

// cut forgets what was locked after seq.
func (l *lockedVersions) cut(seq uint64) {
	n := 0
	for _, e := range l.entries {
		if e.seq <= seq {
			l.entries[n] = e
			n++
		}
	}
	clear(l.entries[n:])
	l.entries, l.next = l.entries[:n], 0
}
