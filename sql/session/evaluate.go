package session

import (
	"context"
	"unicode/utf8"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/plan"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// evaluate computes a stand-alone expression by planning SELECT expr.
func (s *Session) evaluate(ctx context.Context, r catalog.Reader, e query.Expr) (types.Datum, error) {
	if c, ok := e.(*query.Const); ok {
		return c.Value, nil
	}
	q := &query.Query{Command: query.CmdSelect, JoinTree: &query.FromExpr{},
		TargetList: []*query.TargetEntry{{Expr: e, ResNo: 1, Name: "?column?"}}}
	p, err := plan.Plan(ctx, q, s.planOptions(r))
	if err != nil {
		return nil, err
	}
	if p.ConstError != nil {
		return nil, p.ConstError
	}
	cur, err := s.node.Executor.Run(ctx, p.Statement, s.exec(ctx, nil))
	if err != nil {
		return nil, err
	}
	defer cur.Close()
	for {
		b, err := cur.Next(ctx)
		if err != nil {
			return nil, err
		}
		if b == nil {
			return nil, nil
		}
		if b.Rows() > 0 {
			i := 0
			if b.Sel != nil {
				i = int(b.Sel[0])
			}
			return types.Get(e.Type(), b.Cols[0], i), nil
		}
	}
}

// validText refuses what is no UTF-8 text.
func validText(b []byte) error {
	if utf8.Valid(b) {
		for _, c := range b {
			if c == 0 {
				return pgerror.New(pgerror.CharacterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\": 0x00")
			}
		}
		return nil
	}
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n <= 1 {
			return pgerror.New(pgerror.CharacterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\": 0x%02x", b[i])
		}
		i += n
	}
	return nil
}
