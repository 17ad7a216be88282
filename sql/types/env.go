package types

import "time"

// Env is the part of a session that decides how values are read, shown and
// computed. It is immutable while a statement runs and safe to share between
// that statement's workers; SET makes a new one.
type Env struct {
	DateStyle        DateStyle
	DateOrder        DateOrder
	IntervalStyle    IntervalStyle
	TimeZone         *time.Location // never nil
	TimeZoneName     string         // as SHOW TimeZone prints it
	ExtraFloatDigits int            // 1 by default: shortest exact
	ByteaEscape      bool           // bytea_output = escape (default hex)
	ClientEncoding   Transcoder     // nil: UTF8; what textsend() and its kin write
	XactTime         Timestamp      // now(): start of the transaction
	StmtTime         Timestamp      // statement_timestamp()
	Resolver         Resolver       // nil where no catalog is at hand: user types then fail with 0A000
}

type DateStyle uint8

const (
	DateStyleISO DateStyle = iota
	DateStylePostgres
	DateStyleSQL
	DateStyleGerman
)

type DateOrder uint8

const (
	DateOrderMDY DateOrder = iota
	DateOrderDMY
	DateOrderYMD
)

type IntervalStyle uint8

const (
	IntervalStylePostgres IntervalStyle = iota
	IntervalStylePostgresVerbose
	IntervalStyleSQLStandard
	IntervalStyleISO8601
)

// DefaultEnv is the environment of a fresh session: ISO, MDY, UTC.
func DefaultEnv() *Env {
	return &Env{TimeZone: time.UTC, TimeZoneName: "UTC", ExtraFloatDigits: 1}
}

// Resolver is what value input and output need of the catalog. sql/catalog
// implements it. Implementations are safe for concurrent use.
type Resolver interface {
	// TypeByOID gives the type (no modifier) of any OID, ok false when there is none.
	TypeByOID(oid OID) (t T, ok bool)
	// FormatType is format_type(): the SQL name of a type, modifier included when ≥ 0.
	FormatType(oid OID, mod int32) string
	// ArrayTypeOf gives the array type over elem, 0 when there is none.
	ArrayTypeOf(elem OID) OID
	// EnumLabel gives the enum type, label and sort position of an enum value.
	EnumLabel(value OID) (typ OID, label string, sortOrder float32, ok bool)
	// EnumValue finds a label in an enum type.
	EnumValue(typ OID, label string) (value OID, ok bool)
	// Composite gives the live columns of a named row type.
	Composite(typ OID) (names []string, fields []T, ok bool)
	// RegIn and RegOut read and print reg* values (regclass, regtype, …).
	RegIn(reg OID, text string) (OID, error)
	RegOut(reg OID, value OID) string
}

// EnumLister is implemented by resolvers that can list an enum type's values in order.
type EnumLister interface {
	EnumValues(typ OID) []OID
}
