package keyenc

import (
	"github.com/basaltdb/basalt/sql/types"
)

// Arrays and records are their elements in order, each after a byte that says
// 0x01 a value or 0x02 NULL (above all values), ended by 0x00. Arrays then have
// what PostgreSQL breaks ties by: the number of dimensions (1 byte), and length and
// lower bound of each.
const (
	elemEnd   = 0x00
	elemValue = 0x01
	elemNull  = 0x02
)

func appendElem(env *types.Env, dst []byte, t types.T, d types.Datum) ([]byte, error) {
	if d == nil {
		return append(dst, elemNull), nil
	}
	return AppendValue(env, append(dst, elemValue), t, d)
}

func appendArray(env *types.Env, dst []byte, a *types.Array) ([]byte, error) {
	var err error
	for _, d := range a.Elems {
		if dst, err = appendElem(env, dst, a.Elem, d); err != nil {
			return nil, err
		}
	}
	dst = append(dst, elemEnd, byte(len(a.Dims)))
	for _, d := range a.Dims {
		dst = appendInt32(dst, d.Len)
		dst = appendInt32(dst, d.Lower)
	}
	return dst, nil
}

func appendRecord(env *types.Env, dst []byte, r *types.Record) ([]byte, error) {
	var err error
	for i, d := range r.Fields {
		if dst, err = appendElem(env, dst, r.Types[i], d); err != nil {
			return nil, err
		}
	}
	return append(dst, elemEnd), nil
}
