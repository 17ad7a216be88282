package fragment

import (
	"context"
	"testing"
	"time"

	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/ipc"
)

// TestOutput: a full queue stops the producer while the others have something to
// read, and grows on disk when one of them waits in vain; order is kept.
func TestOutput(t *testing.T) {
	ctx := context.Background()
	ex := vexec.New(vexec.Options{TempDir: t.TempDir()})
	o := newOutput(ex, 2)
	message := func(i int) ipc.Message {
		return ipc.Message{Schema: []byte{byte(i)}, Header: []byte{1, 2}, Body: make([]byte, 1<<20), Rows: int64(i)}
	}
	push := func(ctx context.Context, p, i int) bool {
		wanted, err := o.push(ctx, p, message(i))
		if err != nil && ctx.Err() == nil {
			t.Fatal(err)
		}
		return wanted && err == nil
	}
	n := 0
	for ; ; n++ {
		short, cancel := context.WithTimeout(ctx, 30*time.Millisecond)
		ok := push(short, 0, n)
		cancel()
		if !ok {
			break
		}
	}
	if n < 3 || n > 5 || ex.Held() < 3<<20 {
		t.Fatalf("%d messages, %d bytes", n, ex.Held())
	}
	got := make(chan int64)
	go func() {
		for {
			m, ok, err := o.next(ctx, 1)
			if err != nil || !ok {
				close(got)
				return
			}
			got <- m.Rows
		}
	}()
	for ; n < 30; n++ { // consumer 1 waits: queue 0 goes on on disk
		push(ctx, 0, n)
	}
	if ex.Held() > 6<<20 {
		t.Errorf("%d bytes in memory", ex.Held())
	}
	push(ctx, 1, 7)
	if r := <-got; r != 7 {
		t.Error(r)
	}
	o.end(nil)
	for i := range n {
		m, ok, err := o.next(ctx, 0)
		if err != nil || !ok || m.Rows != int64(i) || m.Schema[0] != byte(i) || len(m.Body) != 1<<20 {
			t.Fatal(i, m.Rows, ok, err)
		}
	}
	if _, ok, err := o.next(ctx, 0); ok || err != nil {
		t.Error(ok, err)
	}
	if _, more := <-got; more {
		t.Error("more for consumer 1")
	}
	if err := o.drained(ctx); err != nil {
		t.Error(err)
	}
	o.close()
	if ex.Held() != 0 {
		t.Errorf("%d bytes are left", ex.Held())
	}
}
