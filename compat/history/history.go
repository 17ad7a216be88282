package history

import (
	"fmt"
	"math"
	"strings"
)

// Level is an isolation level to judge by.
type Level uint8

const (
	ReadCommitted Level = iota
	RepeatableRead
	Serializable
)

// String is the level's name in SQL.
func (l Level) String() string {
	return [...]string{"READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"}[l]
}

// ParseLevel knows the names in SQL, in any case, with spaces, hyphens or underscores.
func ParseLevel(s string) (Level, error) {
	name := strings.NewReplacer("-", " ", "_", " ").Replace(strings.ToUpper(s))
	for l := ReadCommitted; l <= Serializable; l++ {
		if l.String() == name {
			return l, nil
		}
	}
	return 0, fmt.Errorf("no isolation level %q", s)
}

// Outcome of a transaction, as its client knows it.
type Outcome uint8

const (
	Committed Outcome = iota
	Aborted
	Unknown // COMMIT was sent, no answer came
)

func (o Outcome) String() string { return [...]string{"committed", "aborted", "unknown"}[o] }

// Kind of an operation.
type Kind uint8

const (
	// ReadList read all of a list; none is there: an empty list.
	ReadList Kind = iota
	// Append appended Value to a list.
	Append
	// ReadValue read a register; 0 is what it holds before the first write.
	ReadValue
	// Write replaced a register's value.
	Write
)

// Op is one operation that succeeded. Operations of one statement share its interval.
type Op struct {
	Kind Kind
	Key  string
	// Value was written, appended or read. Written ones are unique per key and not 0.
	Value int64
	List  []int64
	// Replaced is what a write reported to have replaced, and what the write of the value
	// that was read had replaced, by the row that was read; if Reported.
	Replaced int64
	Reported bool
	// Locked: the read took a row lock, or reports a row the statement itself changed,
	// so that READ COMMITTED reads its newest version.
	Locked bool
	// Undone is not 0 when a savepoint before it was rolled back to after it: the number
	// of the rollback, the same for all that one undid.
	Undone int
	// Start and End are when its statement was sent and answered, in nanoseconds of one
	// monotonic clock for the whole history.
	Start, End int64
}

// Txn is one transaction. A statement outside a block is one too.
type Txn struct {
	ID      int
	Session int
	Ops     []Op
	Outcome Outcome
	// First and FirstEnd are when its first statement was sent and answered, which takes
	// the snapshot; 0: its first operation was the first statement.
	First, FirstEnd int64
	// Commit is when COMMIT was sent; outside a block, the statement. End is when the
	// outcome was known.
	Commit, End int64
}

// first is when the first statement was sent and answered.
func (t *Txn) first() (start, end int64) {
	switch {
	case t.FirstEnd != 0:
		return t.First, t.FirstEnd
	case len(t.Ops) == 0:
		return t.Commit, t.End
	}
	return t.Ops[0].Start, t.Ops[0].End
}

// start is when the first statement was sent.
func (t *Txn) start() int64 {
	start, _ := t.first()
	return start
}

// never is the end of what has no known end.
const never = math.MaxInt64

func (t *Txn) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "T%d (session %d, %s, %.6fs-", t.ID, t.Session, t.Outcome, float64(t.start())/1e9)
	if t.Outcome != Unknown {
		fmt.Fprintf(&b, "%.6fs", float64(t.End)/1e9)
	}
	b.WriteByte(')')
	for i := range t.Ops {
		b.WriteString(" ")
		b.WriteString(t.Ops[i].String())
	}
	return b.String()
}

func (o *Op) String() string {
	var s string
	switch o.Kind {
	case ReadList:
		s = fmt.Sprintf("r(%s)=%s", o.Key, shortList(o.List))
	case Append:
		s = fmt.Sprintf("append(%s,%d)", o.Key, o.Value)
	case ReadValue:
		s = fmt.Sprintf("r(%s)=%d", o.Key, o.Value)
	case Write:
		s = fmt.Sprintf("w(%s,%d)", o.Key, o.Value)
		if o.Reported {
			s += fmt.Sprintf(" over %d", o.Replaced)
		}
	}
	if o.Locked {
		s += " locked"
	}
	if o.Undone != 0 {
		s += " undone"
	}
	return s
}

// shortListLen is how many elements of a list a report shows, the last ones.
const shortListLen = 8

func shortList(l []int64) string {
	if n := len(l) - shortListLen; n > 0 {
		return fmt.Sprintf("[%d more, %s", n, fmt.Sprint(l[n:])[1:])
	}
	return fmt.Sprint(l)
}

// Anomaly is something the level forbids.
type Anomaly struct {
	// Name is the phenomenon: G0, G1a, G1b, G1c, G-single, G-nonadjacent, G2, with
	// -realtime when the order in time is part of it, and the names of package-level checks.
	Name string
	// Witness says who saw what, in lines.
	Witness string
}

func (a Anomaly) String() string { return a.Name + ": " + a.Witness }

// anomaliesMax bounds the anomalies of one name in a verdict.
const anomaliesMax = 5

// Check judges transactions by a level. Their order means nothing.
func Check(txns []Txn, level Level) []Anomaly {
	k := newChecker(txns, level)
	k.internal()
	k.lists()
	k.registers()
	k.lost()
	k.dependencies()
	switch level {
	case ReadCommitted:
		k.statements()
	case RepeatableRead:
		k.snapshots()
	case Serializable:
		k.snapshots()
		k.serial()
	}
	return k.found
}
