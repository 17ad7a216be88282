package vexec

import "slices"

// radixRowsMin is from how many rows on the digits of prefixes are sorted, not the rows compared.
const radixRowsMin = 256

// sortPrefixes sorts rows, which ascend by number, by their prefixes, equal ones by number. tmp is scratch that it may
// replace.
//
// It is a radix sort from the lowest of eight digits (LSD), that passes over digits which are the same in all rows: integers
// of a small range, dates and short texts have few others. It is stable, so that equal prefixes keep the order of numbers.
// (Knuth, The Art of Computer Programming, volume 3, 5.2.5.)
func sortPrefixes(w *worker, rows, tmp []sortRow) []sortRow {
	n := len(rows)
	if n < radixRowsMin {
		slices.SortFunc(rows, compareRows)
		return tmp
	}
	var counts [8][256]uint32
	sorted := true
	last := rows[0].prefix
	for i := range rows {
		p := rows[i].prefix
		sorted = sorted && p >= last
		last = p
		for d := range counts {
			counts[d][byte(p>>(8*d))]++
		}
	}
	if sorted {
		return tmp
	}
	if cap(tmp) < n {
		tmp = make([]sortRow, n)
	}
	from, to := rows, tmp[:n]
	for d := range counts {
		c, shift := &counts[d], 8*d
		if c[byte(from[0].prefix>>shift)] == uint32(n) {
			continue
		}
		w.interrupt()
		at := uint32(0)
		for v := range c {
			at, c[v] = at+c[v], at
		}
		for _, r := range from {
			v := byte(r.prefix >> shift)
			to[c[v]] = r
			c[v]++
		}
		from, to = to, from
	}
	if &from[0] != &rows[0] {
		copy(rows, from)
	}
	return tmp
}

func compareRows(a, b sortRow) int {
	switch {
	case a.prefix < b.prefix:
		return -1
	case a.prefix > b.prefix:
		return 1
	}
	return int(a.row) - int(b.row)
}
