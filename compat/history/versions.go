package history

import "slices"

// lists finds the order of each list's versions: all that is read of a list is a
// prefix of the longest.
func (k *checker) lists() {
	checked := map[version]bool{}
	for _, o := range k.observed {
		if k.txns[o.txn].Ops[o.op].Kind != ReadList {
			continue
		}
		key, longest := o.version.key, k.longest[o.version.key]
		if !isPrefix(o.list, longest) {
			other := k.readerOf(key, longest)
			k.report("incompatible order", "%s was read as %s and as %s", []int{o.txn, other}, key, shortList(o.list), shortList(longest))
		}
		for i, v := range o.list {
			at, newest := version{key, v}, i == len(o.list)-1
			if w, ok := k.writers[at]; ok && w.txn != o.txn && (w.final || !newest) && !w.undone && k.txns[w.txn].Outcome != Aborted {
				continue // the common case
			}
			if c := (version{key, v}); !checked[c] {
				checked[c] = !k.checkSource(o.txn, at, newest)
			}
		}
		if d, ok := duplicate(o.list); ok {
			k.report("duplicate", "%d is in %s twice: %s", []int{o.txn}, d, key, shortList(o.list))
		}
	}
	inLongest := map[version]bool{}
	for key, list := range k.longest {
		last := version{key: key}
		for _, value := range list {
			v := version{key, value}
			inLongest[v] = true
			if _, ok := k.writer(v); ok && v != last {
				k.next[last] = append(k.next[last], v)
				last = v
			}
		}
	}
	// What nobody has read comes after all that was.
	for i := range k.txns {
		if !k.counts[i] {
			continue
		}
		for j := range k.txns[i].Ops {
			o := &k.txns[i].Ops[j]
			v := version{o.Key, o.Value}
			if o.Kind != Append || o.Undone != 0 || inLongest[v] {
				continue
			}
			last := version{o.Key, lastOf(k.longest[o.Key])}
			k.next[last] = append(k.next[last], v)
		}
	}
}

// readerOf finds who has read a list in full.
func (k *checker) readerOf(key string, list []int64) int {
	for _, o := range k.observed {
		if op := &k.txns[o.txn].Ops[o.op]; op.Kind == ReadList && op.Key == key && (slices.Equal(op.List, list) || slices.Equal(o.list, list)) {
			return o.txn
		}
	}
	return -1
}

func duplicate(list []int64) (int64, bool) {
	seen := make(map[int64]struct{}, len(list))
	for _, v := range list {
		if _, ok := seen[v]; ok {
			return v, true
		}
		seen[v] = struct{}{}
	}
	return 0, false
}

// registers finds which version of a register replaced which: writes report it, and
// above READ COMMITTED, or under a row lock, a transaction replaces what it has read.
func (k *checker) registers() {
	for _, o := range k.observed {
		if k.txns[o.txn].Ops[o.op].Kind == ReadValue {
			k.checkSource(o.txn, o.version, true)
		}
	}
	told := k.toldByReads()
	replacedBy := map[version]version{}
	for i := range k.txns {
		t := &k.txns[i]
		read := map[string]int64{}
		wrote := map[string]version{}
		for j := range t.Ops {
			o := &t.Ops[j]
			if o.Kind == ReadValue && wrote[o.Key] == (version{}) && !k.wrote(i, version{o.Key, o.Value}) && (k.level != ReadCommitted || o.Locked && o.Undone == 0) {
				read[o.Key] = o.Value
			}
			if o.Kind != Write {
				continue
			}
			v := version{o.Key, o.Value}
			if from := (version{o.Key, o.Replaced}); o.Reported && !k.wrote(i, from) {
				k.checkSource(i, from, true)
			}
			if o.Undone != 0 || !k.counts[i] {
				continue
			}
			before, known := wrote[o.Key], true
			if before == (version{}) {
				before, known = told[v]
				if o.Reported {
					before, known = version{o.Key, o.Replaced}, true
				} else if value, ok := read[o.Key]; ok {
					before, known = version{o.Key, value}, true
				}
				if was, ok := told[v]; ok && known && was != before {
					k.report("lost update", "%d of %s replaced %d, where the transaction had seen %d", []int{i}, v.value, v.key, was.value, before.value)
				}
			}
			wrote[o.Key] = v
			if !known {
				continue
			}
			if other, ok := replacedBy[before]; ok {
				w, _ := k.writer(other)
				k.report("lost update", "%d of %s was replaced twice, by %d and by %d", []int{w, i}, before.value, o.Key, other.value, v.value)
			}
			replacedBy[before] = v
			k.next[before] = append(k.next[before], v)
		}
	}
}

// toldByReads is what each version had replaced, by the rows that were read. What a
// transaction's own later write replaced is its own.
func (k *checker) toldByReads() map[version]version {
	told := map[version]version{}
	for _, o := range k.observed {
		op := &k.txns[o.txn].Ops[o.op]
		if op.Kind != ReadValue || !op.Reported || op.Value == 0 {
			continue
		}
		before := version{op.Key, op.Replaced}
		if was, ok := told[o.version]; ok && was != before {
			k.report("fractured row", "%d of %s had replaced %d, and %d", []int{o.txn}, op.Value, op.Key, was.value, op.Replaced)
		}
		told[o.version] = before
	}
	return told
}

// lost finds acknowledged appends that a later read does not have. Snapshots would
// show them as cycles with rt edges; this says it plainly.
func (k *checker) lost() {
	type acked struct {
		end int64
		op  *Op
		txn int
	}
	byKey := map[string][]acked{}
	in := map[version]bool{}
	for key, list := range k.longest {
		for _, v := range list {
			in[version{key, v}] = true
		}
	}
	for i := range k.txns {
		if k.txns[i].Outcome != Committed {
			continue
		}
		for j := range k.txns[i].Ops {
			o := &k.txns[i].Ops[j]
			if o.Kind == Append && o.Undone == 0 && !in[version{o.Key, o.Value}] {
				byKey[o.Key] = append(byKey[o.Key], acked{k.txns[i].End, o, i})
			}
		}
	}
	if len(byKey) == 0 {
		return
	}
	told := map[*Op]bool{}
	for _, o := range k.observed {
		op, t := &k.txns[o.txn].Ops[o.op], &k.txns[o.txn]
		since := op.Start
		if k.level != ReadCommitted {
			since = t.start()
		}
		for _, a := range byKey[o.version.key] {
			if op.Kind == ReadList && a.end < since && !told[a.op] {
				told[a.op] = true
				k.report("lost append", "%d of %s was acknowledged, and is not in what was read later", []int{a.txn, o.txn}, a.op.Value, op.Key)
			}
		}
	}
}
