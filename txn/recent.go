package txn

import "time"

// recent remembers what has ended for endedPeriod at least, so that a late call does not
// make it anew.
type recent[K comparable] struct {
	now, before map[K]struct{}
	since       time.Time
}

func (r *recent[K]) add(k K) {
	if now := time.Now(); now.Sub(r.since) > endedPeriod || r.now == nil {
		r.now, r.before, r.since = map[K]struct{}{}, r.now, now
	}
	r.now[k] = struct{}{}
}

func (r *recent[K]) has(k K) bool {
	if _, ok := r.now[k]; ok {
		return true
	}
	_, ok := r.before[k]
	return ok
}
