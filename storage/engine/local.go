package engine

import (
	"github.com/cockroachdb/pebble/v2"
)

// localLen is the length of the tablet that local keys begin with.
const localLen = 2

// LocalScan calls f for the local keys in [lower, upper), ascending, until it
// fails. Key and value are valid during the call.
func (e *Engine) LocalScan(lower, upper []byte, f func(key, value []byte) error) (err error) {
	if err := e.Failed(); err != nil {
		return err
	}
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: appendLocal(nil, lower), UpperBound: appendLocal(nil, upper),
		KeyTypes: pebble.IterKeyTypePointsOnly})
	if err != nil {
		return e.wrap(err)
	}
	defer func() {
		if cerr := e.wrap(it.Close()); err == nil {
			err = cerr
		}
	}()
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return e.wrap(err)
		}
		k := it.Key()
		if err := f(k[localLen:len(k)-1], v); err != nil {
			return err
		}
	}
	return e.wrap(it.Error())
}
