package types

import "github.com/basaltdb/basalt/sql/pgerror"

// codec is what one type brings: its file fills in a row of codecs.
type codec struct {
	// in parses text form. mod is applied as PostgreSQL's input function does
	// (varchar(3) input of 'abcd' is an error, char(3) pads).
	in func(env *Env, t T, s string) (Datum, error)
	// out appends the text form.
	out func(env *Env, t T, buf []byte, d Datum) ([]byte, error)
	// recv parses PostgreSQL's binary form; b is only valid during the call.
	recv func(env *Env, t T, b []byte) (Datum, error)
	// send appends PostgreSQL's binary form (without the length word).
	send func(env *Env, t T, buf []byte, d Datum) ([]byte, error)
	// compare is the default btree ordering: <0, 0, >0. nil where the type has none (json).
	compare func(env *Env, a, b Datum) int
	// key appends bytes that are equal exactly when the values are equal under
	// the type's default equality (numeric 1.0 and 1.00, −0 and 0, padded bpchar).
	// Not order-preserving. nil where the type has no equality.
	key func(env *Env, buf []byte, d Datum) []byte
}

// In reads the text form of a value of type t (PostgreSQL's input function, modifier applied).
// Errors: 22P02 and the type's own, with PostgreSQL's message.
func In(env *Env, t T, s string) (Datum, error) {
	c, err := codecOf(t)
	if err != nil {
		return nil, err
	}
	return c.in(env, t, s)
}

// AppendOut appends the text form of d (PostgreSQL's output function). d must not be nil.
func AppendOut(env *Env, t T, buf []byte, d Datum) ([]byte, error) {
	c, err := codecOf(t)
	if err != nil {
		return buf, err
	}
	return c.out(env, t, buf, d)
}

// Out is AppendOut as a string.
func Out(env *Env, t T, d Datum) (string, error) {
	b, err := AppendOut(env, t, nil, d)
	return string(b), err
}

// Recv reads PostgreSQL's binary form (receive function). b may be reused by the caller afterwards.
func Recv(env *Env, t T, b []byte) (Datum, error) {
	c, err := codecOf(t)
	if err != nil {
		return nil, err
	}
	return c.recv(env, t, b)
}

// AppendSend appends PostgreSQL's binary form of d (send function). d must not be nil.
func AppendSend(env *Env, t T, buf []byte, d Datum) ([]byte, error) {
	c, err := codecOf(t)
	if err != nil {
		return buf, err
	}
	return c.send(env, t, buf, d)
}

// Compare orders two non-NULL values of one type by its default btree operator class.
// env is needed for enums only. REQUIRES: Comparable(t).
func Compare(env *Env, t T, a, b Datum) int {
	c, err := codecOf(t)
	if err != nil || c.compare == nil {
		panic(pgerror.Internal("type %d has no ordering", t.OID))
	}
	return c.compare(env, a, b)
}

// Comparable reports whether t has a default btree ordering (and so equality).
func Comparable(t T) bool {
	if t.Class == ClassArray {
		return Comparable(t.ElemType())
	}
	c, err := codecOf(t)
	return err == nil && c.compare != nil
}

// AppendEqualityKey appends a self-delimiting byte string that is equal for
// equal values of t and different for different ones; NULL has a key of its own.
// It is the key of hash tables over types without a kernel of their own.
func AppendEqualityKey(env *Env, t T, buf []byte, d Datum) []byte {
	if d == nil {
		return append(buf, 0)
	}
	c, err := codecOf(t)
	if err != nil || c.key == nil {
		panic(pgerror.Internal("type %d has no equality", t.OID))
	}
	buf = append(buf, 1)
	return c.key(env, buf, d)
}

func codecOf(t T) (*codec, error) {
	switch t.Class {
	case ClassEnum:
		return &enumCodec, nil
	case ClassArray:
		return &arrayCodec, nil
	case ClassComposite:
		return &recordCodec, nil
	}
	if c, ok := codecs[t.OID]; ok {
		return c, nil
	}
	return nil, pgerror.Unsupported("type with OID %d", t.OID)
}

// codecs holds the scalar types. Each entry lives in the file of its type.
var codecs map[OID]*codec

func init() { // a map literal would be an initialisation cycle: array and record codecs call back into In and AppendOut
	codecs = map[OID]*codec{
		Bool:          &boolCodec,
		Char:          &charCodec,
		Int2:          &int2Codec,
		Int4:          &int4Codec,
		Int8:          &int8Codec,
		Float4:        &float4Codec,
		Float8:        &float8Codec,
		NumericOID:    &numericCodec,
		Text:          textCodec,
		VarChar:       varcharCodec,
		BPChar:        bpcharCodec,
		Name:          nameCodec,
		Unknown:       textCodec,
		CString:       textCodec,
		RefCursor:     textCodec,
		PgNodeTree:    textCodec,
		ACLItem:       textCodec,
		Bytea:         &byteaCodec,
		UUIDOID:       &uuidCodec,
		Bit:           bitsCodec(checkBitLen),
		VarBit:        bitsCodec(checkVarBitLen),
		Oid:           oidLike("oid", true),
		Xid:           oidLike("xid", false),
		Cid:           oidLike("cid", false),
		Xid8:          xid8Codec,
		PgLSN:         lsnCodec,
		Tid:           tidCodec,
		RegProc:       regCodec(RegProc, "regproc"),
		RegProcedure:  regCodec(RegProcedure, "regprocedure"),
		RegOper:       regCodec(RegOper, "regoper"),
		RegOperator:   regCodec(RegOperator, "regoperator"),
		RegClass:      regCodec(RegClass, "regclass"),
		RegType:       regCodec(RegType, "regtype"),
		RegConfig:     regCodec(RegConfig, "regconfig"),
		RegDictionary: regCodec(RegDictionary, "regdictionary"),
		RegCollation:  regCodec(RegCollation, "regcollation"),
		RegNamespace:  regCodec(RegNamespace, "regnamespace"),
		RegRole:       regCodec(RegRole, "regrole"),
		Void:          &voidCodec,

		JSON:           &jsonCodec,
		JSONPath:       &jsonpathCodec,
		JSONBOID:       &jsonbCodec,
		DateOID:        &dateCodec,
		TimeOID:        &timeCodec,
		TimeTZOID:      &timetzCodec,
		TimestampOID:   &timestampCodec,
		TimestampTZOID: &timestamptzCodec,
		IntervalOID:    &intervalCodec,
	}
}

var voidCodec = codec{
	in:   func(*Env, T, string) (Datum, error) { return Unit{}, nil },
	out:  func(_ *Env, _ T, buf []byte, _ Datum) ([]byte, error) { return buf, nil },
	recv: func(*Env, T, []byte) (Datum, error) { return Unit{}, nil },
	send: func(_ *Env, _ T, buf []byte, _ Datum) ([]byte, error) { return buf, nil },
}
