package table

import (
	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/sql/types/keyenc"
)

// rowSource is an extended row, as Datums or as a row of vectors.
type rowSource interface {
	datum(ord int) types.Datum
	null(ord int) bool
	appendKey(env *types.Env, dst []byte, c *keyenc.Column, ord int) ([]byte, error)
}

type datumRow []types.Datum

func (r datumRow) datum(ord int) types.Datum { return r[ord] }
func (r datumRow) null(ord int) bool         { return r[ord] == nil }
func (r datumRow) appendKey(env *types.Env, dst []byte, c *keyenc.Column, ord int) ([]byte, error) {
	return c.Append(env, dst, r[ord])
}

// vectorRow is row i of vectors.
type vectorRow struct {
	s    *schema
	cols []arrow.Array
	i    int
}

func (r *vectorRow) datum(ord int) types.Datum { return types.Get(r.s.types[ord], r.cols[ord], r.i) }
func (r *vectorRow) null(ord int) bool         { return r.cols[ord].IsNull(r.i) }
func (r *vectorRow) appendKey(env *types.Env, dst []byte, c *keyenc.Column, ord int) ([]byte, error) {
	return c.AppendAt(env, dst, r.cols[ord], r.i)
}
