package table

import (
	"encoding/binary"
	"sync"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/sql/types/keyenc"
	"github.com/basaltdb/basalt/storage/rowcodec"
	"github.com/basaltdb/basalt/storage/segment"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// schema is a planpb.Table prepared for use under a placement. Immutable but for
// its pool: transactions share it.
type schema struct {
	t      *planpb.Table
	spread spread
	// prefix and end bound the rows in the first tablet.
	prefix []byte
	end    []byte
	cols   []rowcodec.Column
	// segment are the columns as column segments have them.
	segment []segment.Column
	// types of the extended row
	types   []types.T
	key     []keyenc.Column // empty: hidden row ids
	keyOrds []int
	indexes []*index

	encoders sync.Pool // *rowcodec.Encoder
}

// index is a planpb.Index prepared for use.
type index struct {
	*planpb.Index
	pos    int
	prefix []byte
	end    []byte
	key    []keyenc.Column
	ords   []int
	// dist are the positions in key of the columns that place an entry, where there
	// are several tablets; −1 for one that is missing.
	dist []int
}

// TypeOf is a planpb type as types has it.
func TypeOf(t *planpb.Type) types.T {
	return types.T{OID: types.OID(t.GetOid()), Mod: t.GetMod(), Class: types.Class(t.GetClass()),
		Elem: types.OID(t.GetElem()), ElemClass: types.Class(t.GetElemClass())}
}

func newSchema(t *planpb.Table, place *txn.Placement, self txn.NodeID) (*schema, error) {
	s := &schema{t: t}
	var err error
	if s.spread, err = newSpread(t, place, self); err != nil {
		return nil, err
	}
	first := s.spread.tablets[0]
	s.prefix, s.end = keyenc.Prefix(first, t.StorageId), keyenc.PrefixEnd(first, t.StorageId)
	for _, c := range t.Columns {
		rc := rowcodec.Column{Attnum: int(c.Attnum), T: TypeOf(c.Type)}
		if c.HasMissing {
			d, err := types.ReadDatum(rc.T, c.Missing)
			if err != nil {
				return nil, err
			}
			rc.HasMissing, rc.Missing = true, d
		}
		s.cols = append(s.cols, rc)
		s.segment = append(s.segment, segment.Column{Attnum: rc.Attnum, Type: rc.T})
		s.types = append(s.types, rc.T)
	}
	for _, e := range t.Computed {
		s.types = append(s.types, TypeOf(e.Type))
	}
	s.key, s.keyOrds = s.keyColumns(t.PrimaryKey)
	for i, x := range t.Indexes {
		ix := &index{Index: x, pos: i, prefix: keyenc.Prefix(first, x.StorageId), end: keyenc.PrefixEnd(first, x.StorageId)}
		ix.key, ix.ords = s.keyColumns(x.Keys)
		if s.several() {
			ix.dist = s.positions(ix)
		}
		s.indexes = append(s.indexes, ix)
	}
	return s, nil
}

func (s *schema) keyColumns(parts []*planpb.KeyPart) ([]keyenc.Column, []int) {
	var cols []keyenc.Column
	var ords []int
	for _, p := range parts {
		cols = append(cols, keyenc.Column{T: s.types[p.Ordinal], Desc: p.Descending, NullsFirst: p.NullsFirst})
		ords = append(ords, int(p.Ordinal))
	}
	return cols, ords
}

// rowKey is the key of an extended row that has a primary key.
func (s *schema) rowKey(env *types.Env, ext []types.Datum) ([]byte, error) {
	key := append(make([]byte, 0, keyenc.PrefixLen+16*len(s.key)), s.prefix...)
	var err error
	for i := range s.key {
		if key, err = s.key[i].Append(env, key, ext[s.keyOrds[i]]); err != nil {
			return nil, err
		}
	}
	return key, s.setTablet(env, key)
}

// entry is one index entry.
type entry struct {
	key []byte
	// unique by its key: the value is the locator and writers lock the key
	unique bool
}

// The bytes of an entry's value: a uvarint k. k > 0: the locator is the last k
// bytes of the key. k = 0: the locator follows.

// value is what the entry stores.
func (e *entry) value(dst, locator []byte) []byte {
	if e.unique {
		return append(append(dst, 0), locator...)
	}
	return binary.AppendUvarint(dst, uint64(len(locator)))
}

// entryLocator gives the locator an entry leads to; it shares their memory.
func entryLocator(key, value []byte) ([]byte, error) {
	k, n := binary.Uvarint(value)
	if n <= 0 || k > uint64(len(key)) || k == 0 && len(value) == n {
		return nil, pgerror.New(pgerror.IndexCorrupted, "malformed index entry")
	}
	if k == 0 {
		return value[n:], nil
	}
	return key[len(key)-int(k):], nil
}

// entryOf gives the entry of a row in an index; ok is false when a partial index
// leaves the row out. The entry lies in the row's tablet, or, when it is unique,
// in that of its own columns.
func (x *index) entryOf(env *types.Env, sc *schema, src rowSource, rowKey []byte) (e entry, ok bool, err error) {
	if x.Partial {
		if p, _ := src.datum(int(x.Predicate)).(bool); !p {
			return entry{}, false, nil
		}
	}
	key := append(make([]byte, 0, 64), x.prefix...)
	unique := x.Unique
	for i := range x.key {
		if unique && !x.NullsNotDistinct && src.null(x.ords[i]) {
			unique = false
		}
		if key, err = src.appendKey(env, key, &x.key[i], x.ords[i]); err != nil {
			return entry{}, false, err
		}
	}
	switch {
	case !unique:
		key = append(key, rowKey[keyenc.PrefixLen:]...)
		copy(key, rowKey[:keyenc.TabletLen])
	case sc.several():
		if err := x.setUniqueTablet(env, &sc.spread, key); err != nil {
			return entry{}, false, err
		}
	}
	return entry{key, unique}, true, nil
}
