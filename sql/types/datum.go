package types

import "math"

// Datum is one SQL value outside a vector: constants, parameters, key bounds,
// wire values. nil is NULL. The Go form is fixed by the type:
//
//	bool                                        bool
//	"char"                                      byte
//	int2, int4, int8                            int16, int32, int64
//	float4, float8                              float32, float64
//	oid, xid, cid, reg*, every enum             OID
//	xid8, pg_lsn, tid (block << 16 | offset)    uint64
//	numeric                                     Numeric
//	text, varchar, bpchar, name, json, unknown,
//	cstring, refcursor, aclitem, pg_node_tree   string (bpchar keeps its padding)
//	bit, bit varying                            string of digits 0 and 1 (see bitstring.go)
//	bytea                                       []byte
//	jsonb                                       JSONB
//	date                                        Date
//	time                                        Time
//	timetz                                      TimeTZ
//	timestamp, timestamptz                      Timestamp (timestamp.go)
//	interval                                    Interval
//	uuid                                        UUID
//	every array, int2vector, oidvector          *Array
//	record and row types                        *Record
//	void                                        Unit
//
// A Datum is never changed once made; slices inside are shared.
type Datum = any

// Unit is the value of void.
type Unit struct{}

// Date counts days since 1970-01-01 (proleptic Gregorian), with ±infinity at the ends.
type Date int32

// Time is a time of day in microseconds, 0 … 86 400 000 000 (24:00:00) inclusive.
type Time int64

// TimeTZ is a time of day with its zone: Zone is seconds WEST of UTC, as PostgreSQL keeps it.
type TimeTZ struct {
	Micros int64
	Zone   int32
}

// Interval is PostgreSQL's three-part interval.
type Interval struct {
	Months, Days int32
	Micros       int64
}

// UUID is sixteen bytes in network order.
type UUID [16]byte

// Infinities of date.
const (
	DatePosInfinity Date = math.MaxInt32
	DateNegInfinity Date = math.MinInt32
)

// Array is a PostgreSQL array: rectangular, row-major, with a lower bound per
// dimension. An empty array has no dimensions and no elements.
type Array struct {
	Elem  T
	Dims  []ArrayDim
	Elems []Datum // product of the dimension lengths
}

// ArrayDim is one dimension's length and lower bound.
type ArrayDim struct{ Len, Lower int32 }

// Record is a row value. Type is the row type's OID (RecordOID when anonymous).
type Record struct {
	Type   T
	Fields []Datum
	Types  []T
	Names  []string // may be nil; anonymous records are f1, f2, …
}

// NewArray makes a one-dimensional array with lower bound 1 (no dimension when empty).
func NewArray(elem T, elems []Datum) *Array {
	a := &Array{Elem: elem, Elems: elems}
	if len(elems) > 0 {
		a.Dims = []ArrayDim{{Len: int32(len(elems)), Lower: 1}}
	}
	return a
}
