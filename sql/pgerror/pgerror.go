// Package pgerror is the error value every layer of Basalt speaks: a PostgreSQL
// error report with its SQLSTATE and all fields of the wire protocol's
// ErrorResponse message (https://www.postgresql.org/docs/16/protocol-error-fields.html).
//
// The SQLSTATE is attached where the fault is found, never guessed further up.
// Code above adds what it knows (position, table, constraint) with the With…
// methods, which change and return the receiver. Everything is plain data: an
// Error can cross a node boundary unchanged.
//
// The package is a leaf: it imports nothing of Basalt.
package pgerror

import (
	"context"
	"errors"
	"fmt"
)

// Error is one report. Message, Detail and Hint are PostgreSQL's texts.
type Error struct {
	Severity         string // ERROR, FATAL, PANIC; NOTICE, WARNING, INFO, LOG, DEBUG for notices. "" means ERROR.
	Code             Code   // SQLSTATE
	Message          string
	Detail           string
	Hint             string
	Position         int // 1-based character position in the statement text, 0 when unknown
	InternalPosition int
	InternalQuery    string
	Where            string
	Schema           string
	Table            string
	Column           string
	DataType         string
	Constraint       string
	Row              int // 1-based row of its batch that an INSERT stumbled over, for COPY's context; 0 when unknown
	cause            error
}

// New makes an ERROR with a formatted message.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Wrap makes an ERROR that keeps cause for errors.Is and errors.As.
func Wrap(cause error, code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), cause: cause}
}

// Unsupported is the answer to everything Basalt does not do yet: 0A000 naming it.
func Unsupported(format string, args ...any) *Error {
	return &Error{Code: FeatureNotSupported, Message: fmt.Sprintf(format, args...) + " is not supported yet"}
}

// Internal reports a bug (XX000).
func Internal(format string, args ...any) *Error {
	return &Error{Code: InternalError, Message: fmt.Sprintf(format, args...)}
}

// Error implements error: the message alone, as psql would show it.
func (e *Error) Error() string { return e.Message }

// Unwrap gives the cause handed to Wrap.
func (e *Error) Unwrap() error { return e.cause }

func (e *Error) WithDetail(format string, args ...any) *Error {
	e.Detail = fmt.Sprintf(format, args...)
	return e
}

func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// WithPosition sets the 1-based character position unless one is already set
// or pos is not positive.
func (e *Error) WithPosition(pos int) *Error {
	if e.Position == 0 && pos > 0 {
		e.Position = pos
	}
	return e
}

func (e *Error) WithTable(schema, table string) *Error {
	e.Schema, e.Table = schema, table
	return e
}

func (e *Error) WithColumn(column string) *Error {
	e.Column = column
	return e
}

func (e *Error) WithConstraint(name string) *Error {
	e.Constraint = name
	return e
}

func (e *Error) WithDataType(name string) *Error {
	e.DataType = name
	return e
}

func (e *Error) WithWhere(format string, args ...any) *Error {
	e.Where = fmt.Sprintf(format, args...)
	return e
}

func (e *Error) WithSeverity(s string) *Error {
	e.Severity = s
	return e
}

// From turns any error into an *Error: an *Error in the chain is returned as it
// is, a cancelled or expired context becomes 57014, anything else XX000.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return Wrap(err, QueryCanceled, "canceling statement due to user request")
	}
	return Wrap(err, InternalError, "%s", err.Error())
}

// Is reports whether err carries the SQLSTATE code.
func Is(err error, code Code) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}
