package session

import (
	"context"

	"github.com/basaltdb/basalt/vexec"
)

// lasting is the source of a portal that several calls read: what runs below it
// lives in a context of its own, since each call's ends with the call (and its
// timeout). While a call reads, its cancellation reaches the source.
type lasting struct {
	source
	ctx    context.Context
	cancel context.CancelCauseFunc
}

func newLasting() *lasting {
	l := &lasting{}
	l.ctx, l.cancel = context.WithCancelCause(context.Background())
	return l
}

// during hands the call's cancellation on until the returned function is called.
func (l *lasting) during(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() { l.cancel(context.Cause(ctx)) })
}

// start runs f, which starts the statement that the portal reads from.
func (l *lasting) start(ctx context.Context, f func(ctx context.Context) (*result, error)) (*result, error) {
	defer l.during(ctx)()
	r, err := f(l.ctx)
	if err != nil {
		l.cancel(nil)
		return nil, err
	}
	if r.src != nil {
		l.source, r.src = r.src, l
	}
	return r, nil
}

func (l *lasting) Next(ctx context.Context) (*vexec.Batch, error) {
	defer l.during(ctx)()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return l.source.Next(l.ctx)
}

func (l *lasting) Close() {
	l.source.Close()
	l.cancel(nil)
}
