package history

import (
	"fmt"
	"slices"
	"strings"
)

// version names a version of a key by the value that made it: what was written, or
// appended last. 0 is before all.
type version struct {
	key   string
	value int64
}

// writerOf is where a value comes from.
type writerOf struct {
	txn   int // index, -1 for none
	final bool
	// undone: the write was rolled back with a savepoint.
	undone bool
}

// observation is a read of a version that the reading transaction has not made itself.
type observation struct {
	txn, op int
	version version
	list    []int64 // of a ReadList, without the transaction's own appends
}

// checker holds one history while it is judged.
type checker struct {
	txns  []Txn
	level Level
	found []Anomaly
	count map[string]int
	// blamed are the cycles reported, by their transactions.
	blamed map[string]bool

	writers map[version]writerOf
	// counts: the transaction's writes happened.
	counts   []bool
	observed []observation
	// next are the versions known to come right after one.
	next map[version][]version
	// longest is the longest list seen of a key.
	longest map[string][]int64
}

func newChecker(txns []Txn, level Level) *checker {
	k := &checker{txns: txns, level: level, count: map[string]int{}, blamed: map[string]bool{}, writers: map[version]writerOf{}, counts: make([]bool, len(txns)),
		next: map[version][]version{}, longest: map[string][]int64{}}
	for i := range txns {
		t := &txns[i]
		last := map[string]int64{}
		for j := range t.Ops {
			o := &t.Ops[j]
			if o.Kind != Append && o.Kind != Write {
				continue
			}
			v := version{o.Key, o.Value}
			if w, ok := k.writers[v]; ok {
				k.report("malformed history", "value %d of %s is written twice", []int{w.txn, i}, o.Value, o.Key)
			}
			k.writers[v] = writerOf{txn: i, undone: o.Undone != 0}
			if o.Undone == 0 {
				last[o.Key] = o.Value
			}
		}
		for key, value := range last {
			k.writers[version{key, value}] = writerOf{txn: i, final: true}
		}
	}
	seen := make([]bool, len(txns))
	see := func(reader int, key string, value int64) {
		if w, ok := k.writers[version{key, value}]; ok && w.txn != reader {
			seen[w.txn] = true
		}
	}
	for i := range txns {
		for j := range txns[i].Ops {
			switch o := &txns[i].Ops[j]; o.Kind {
			case ReadList:
				for _, v := range o.List {
					see(i, o.Key, v)
				}
			case ReadValue:
				see(i, o.Key, o.Value)
			case Write:
				if o.Reported {
					see(i, o.Key, o.Replaced)
				}
			}
		}
	}
	for i := range txns {
		k.counts[i] = txns[i].Outcome == Committed || txns[i].Outcome == Unknown && seen[i]
	}
	return k
}

// writer is the transaction that made a version and counts; false for none.
func (k *checker) writer(v version) (int, bool) {
	w, ok := k.writers[v]
	if !ok || w.undone || !k.counts[w.txn] {
		return 0, false
	}
	return w.txn, true
}

// wrote reports whether transaction i has written a version, perhaps in vain.
func (k *checker) wrote(i int, v version) bool {
	w, ok := k.writers[v]
	return ok && w.txn == i
}

// end is when a transaction was known to be over.
func (k *checker) end(t int) int64 {
	if k.txns[t].Outcome == Unknown {
		return never
	}
	return k.txns[t].End
}

// report adds an anomaly with the transactions of its witness.
func (k *checker) report(name, format string, txns []int, args ...any) {
	if k.count[name]++; k.count[name] > anomaliesMax {
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, format, args...)
	shown := map[int]bool{}
	for _, t := range txns {
		if !shown[t] {
			shown[t] = true
			fmt.Fprintf(&b, "\n    %s", &k.txns[t])
		}
	}
	k.found = append(k.found, Anomaly{Name: name, Witness: b.String()})
}

// checkSource judges whether reader might see a version at all.
func (k *checker) checkSource(reader int, v version, newest bool) bool {
	if v.value == 0 {
		return true
	}
	w, ok := k.writers[v]
	switch {
	case !ok:
		k.report("garbage read", "%s holds %d, which nobody wrote", []int{reader}, v.key, v.value)
	case w.txn == reader && !w.undone:
		return true
	case w.txn == reader:
		k.report("undone read", "%d of %s was read after it had been rolled back", []int{reader}, v.value, v.key)
	case w.undone || k.txns[w.txn].Outcome == Aborted:
		k.report("G1a", "%d of %s was read, and its writer aborted", []int{reader, w.txn}, v.value, v.key)
	case newest && !w.final:
		k.report("G1b", "%d of %s was read, and its writer replaced it later", []int{reader, w.txn}, v.value, v.key)
	default:
		return true
	}
	return false
}

// ownWrites are the values a transaction has given to one key, with the sections
// (Op.Undone) they were given in.
type ownWrites []*Op

// values are those that stand.
func (w ownWrites) values() []int64 {
	out := make([]int64, len(w))
	for i, o := range w {
		out[i] = o.Value
	}
	return out
}

// internal checks each transaction against itself, and takes down what it saw of others.
func (k *checker) internal() {
	for i := range k.txns {
		k.internalOf(i)
	}
}

func (k *checker) internalOf(i int) {
	t := &k.txns[i]
	own := map[string]ownWrites{}
	lists := map[string][]int64{} // as read last, without own
	values := map[string]int64{}
	section := 0
	for j := range t.Ops {
		o := &t.Ops[j]
		if section != 0 && o.Undone != section { // rolled back since
			for key, w := range own {
				own[key] = slices.DeleteFunc(w, func(o *Op) bool { return o.Undone == section })
			}
		}
		section = o.Undone
		mine := own[o.Key].values()
		switch o.Kind {
		case Append, Write:
			was, read := values[o.Key]
			switch {
			case !o.Reported:
			case len(mine) == 0 && k.wrote(i, version{o.Key, o.Replaced}):
				k.report("internal", "w(%s,%d) replaced %d, which was rolled back", []int{i}, o.Key, o.Value, o.Replaced)
			case len(mine) > 0 && o.Replaced != mine[len(mine)-1]:
				k.report("internal", "w(%s,%d) replaced %d, not the transaction's own %d", []int{i}, o.Key, o.Value, o.Replaced, mine[len(mine)-1])
			case len(mine) == 0 && read && k.level != ReadCommitted && was != o.Replaced:
				k.report("lost update", "w(%s,%d) replaced %d, where the transaction had read %d", []int{i}, o.Key, o.Value, o.Replaced, was)
			}
			own[o.Key] = append(own[o.Key], o)
		case ReadList:
			if len(o.List) < len(mine) || !slices.Equal(o.List[len(o.List)-len(mine):], mine) {
				k.report("internal", "r(%s) does not end with the transaction's own appends %v", []int{i}, o.Key, mine)
				continue
			}
			base := o.List[:len(o.List)-len(mine)]
			if was, ok := lists[o.Key]; ok {
				if k.level == ReadCommitted && !isPrefix(was, base) {
					k.report("internal", "%s went back from %s to %s", []int{i}, o.Key, shortList(was), shortList(base))
				} else if k.level != ReadCommitted && !slices.Equal(was, base) {
					k.report("internal", "%s changed from %s to %s under the transaction", []int{i}, o.Key, shortList(was), shortList(base))
				}
			}
			lists[o.Key] = base
			k.observed = append(k.observed, observation{txn: i, op: j, version: version{o.Key, lastOf(base)}, list: base})
			if t.Outcome == Committed && len(mine) > 0 && k.stand(o.Key, mine) {
				k.longer(o.Key, o.List)
			}
			k.longer(o.Key, base)
		case ReadValue:
			if len(mine) > 0 {
				if o.Value != mine[len(mine)-1] {
					k.report("internal", "r(%s)=%d after the transaction's own write of %d", []int{i}, o.Key, o.Value, mine[len(mine)-1])
				}
				continue
			}
			if was, ok := values[o.Key]; ok && k.level != ReadCommitted && was != o.Value {
				k.report("internal", "%s changed from %d to %d under the transaction", []int{i}, o.Key, was, o.Value)
			}
			values[o.Key] = o.Value
			k.observed = append(k.observed, observation{txn: i, op: j, version: version{o.Key, o.Value}})
		}
	}
}

// longer remembers the longest list of a key.
func (k *checker) longer(key string, list []int64) {
	if len(list) > len(k.longest[key]) {
		k.longest[key] = list
	}
}

func lastOf(list []int64) int64 {
	if len(list) == 0 {
		return 0
	}
	return list[len(list)-1]
}

// stand reports whether none of the values was rolled back.
func (k *checker) stand(key string, values []int64) bool {
	for _, v := range values {
		if k.writers[version{key, v}].undone {
			return false
		}
	}
	return true
}

// isPrefix reports whether b begins with a.
func isPrefix(a, b []int64) bool { return len(a) <= len(b) && slices.Equal(a, b[:len(a)]) }
