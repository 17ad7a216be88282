package session

import (
	"context"

	"github.com/basaltdb/basalt/sql/parse"
	"github.com/basaltdb/basalt/sql/pgwire"
)

// Query implements pgwire.Session: the simple protocol. All statements of a
// string are one transaction unless they say otherwise.
func (s *Session) Query(ctx context.Context, sql string, out pgwire.Sink) (err error) {
	s.noteQuery(sql)
	defer s.releaseText()
	defer func() {
		s.inQueryString = false
		if err != nil {
			err = s.fix(ctx, err)
			s.abort()
		}
	}()
	s.dropPortal("")
	if done, err := s.queryNormalized(ctx, sql, out); done || err != nil {
		return err
	}
	stmts, err := s.parseText(sql)
	if err != nil {
		return err
	}
	if len(stmts) == 0 {
		return out.Empty()
	}
	s.inQueryString = len(stmts) > 1
	for i := range stmts {
		if err := s.simpleStatement(ctx, &stmts[i], i == len(stmts)-1, out); err != nil {
			return err
		}
	}
	return nil
}

// queryNormalized runs a query string by its normalized text; false when it is not that kind.
func (s *Session) queryNormalized(ctx context.Context, sql string, out pgwire.Sink) (bool, error) {
	ctx, stop := s.withTimeout(ctx)
	defer stop()
	r, err := s.startNormalized(ctx, sql)
	if err != nil {
		return false, s.fix(ctx, err)
	}
	if r == nil {
		return false, nil
	}
	return true, s.finishSimple(ctx, r, true, out)
}

// simpleStatement runs one statement to its end.
func (s *Session) simpleStatement(ctx context.Context, st *parse.Statement, last bool, out pgwire.Sink) error {
	ctx, stop := s.withTimeout(ctx)
	defer stop()
	s.noParams = optimizable(st.Node)
	r, err := s.startStatement(ctx, st, bound{})
	s.noParams = false
	if err != nil {
		return s.fix(ctx, err)
	}
	return s.finishSimple(ctx, r, last || st.Node.GetTransactionStmt() != nil, out)
}

// finishSimple delivers a result; with commit an implicit transaction ends here.
func (s *Session) finishSimple(ctx context.Context, r *result, commit bool, out pgwire.Sink) error {
	tag, err := s.drain(ctx, r, out)
	if err != nil {
		return s.fix(ctx, err)
	}
	if err := s.flushNotes(ctx); err != nil {
		return s.fix(ctx, err)
	}
	if s.phase == phaseImplicit && commit {
		if err := s.commit(ctx); err != nil {
			return err
		}
	}
	return out.Complete(tag)
}

// drain sends all of a result's rows and returns its tag.
func (s *Session) drain(ctx context.Context, r *result, out pgwire.Sink) (string, error) {
	if r.copy != nil {
		return r.copy(ctx, out)
	}
	var rows int64
	if r.cols != nil {
		if err := out.Describe(r.cols, r.formats, false); err != nil {
			return "", err
		}
	}
	if ps, ok := r.source(); ok {
		if r.cols != nil {
			var err error
			if rows, err = ps.send(out); err != nil {
				return "", err
			}
		}
	} else if r.src != nil {
		defer r.src.Close()
		for {
			b, err := r.src.Next(ctx)
			if err != nil {
				return "", err
			}
			if b == nil {
				break
			}
			rows += int64(b.Rows())
			if r.cols != nil {
				if err := out.Rows(b); err != nil {
					return "", err
				}
			}
		}
	}
	if r.finish != nil {
		if err := r.finish(ctx); err != nil {
			return "", err
		}
	}
	return r.tag(rows), nil
}
