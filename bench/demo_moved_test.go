package bench

import "testing"

func TestMovedBy(t *testing.T) {
	const plan = `Limit (actual time=1.0..1.0 rows=2 loops=1)
  ->  Exchange Gather 2: storage nodes to gateway (actual time=1.0..1.0 rows=2 loops=1)
        Node 2: rows=0 bytes=0 time=1.0
        Node 3: rows=1 bytes=1156 time=1.0
        ->  Hash Join (actual time=1.0..1.0 rows=1 loops=3)
              ->  Exchange Slot 1: storage nodes to storage nodes (actual time=1.0..1.0 rows=1 loops=3)
                    Slot Key: a
                    Node 2: rows=2 bytes=2056 time=1.0
                    Node 3: rows=2 bytes=1000
Node 2: rows=2 bytes=2056 time=1.0
Node 3: rows=3 bytes=2156 time=1.0
`
	if m := movedBy(plan); m != (moved{gateway: 1156, between: 3056}) {
		t.Errorf("%+v", m)
	}
}
