package wire

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/basaltdb/basalt/rpc/proto/rpcpb"
	"github.com/basaltdb/basalt/sql/pgerror"
)

// ToProto is an error as messages carry it.
func ToProto(err error) *rpcpb.Error {
	e := pgerror.From(err)
	return &rpcpb.Error{Code: string(e.Code), Message: e.Message, Detail: e.Detail, Hint: e.Hint, Position: int32(e.Position), Where: e.Where,
		Schema: e.Schema, Table: e.Table, Column: e.Column, DataType: e.DataType, Constraint: e.Constraint, Severity: e.Severity}
}

// FromProto is the error a message carries.
func FromProto(e *rpcpb.Error) *pgerror.Error {
	return &pgerror.Error{Code: pgerror.Code(e.GetCode()), Message: e.GetMessage(), Detail: e.GetDetail(), Hint: e.GetHint(), Position: int(e.GetPosition()),
		Where: e.GetWhere(), Schema: e.GetSchema(), Table: e.GetTable(), Column: e.GetColumn(), DataType: e.GetDataType(),
		Constraint: e.GetConstraint(), Severity: e.GetSeverity()}
}

// ToStatus is what a handler returns for err.
func ToStatus(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := status.FromError(err); ok && !isPG(err) {
		return err
	}
	code := codes.Aborted
	switch {
	case errors.Is(err, context.Canceled):
		code = codes.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		code = codes.DeadlineExceeded
	}
	s, serr := status.New(code, err.Error()).WithDetails(ToProto(err))
	if serr != nil {
		return status.Error(code, err.Error())
	}
	return s.Err()
}

func isPG(err error) bool {
	var e *pgerror.Error
	return errors.As(err, &e)
}

// FromStatus is the error a call ended with. ctx is the caller's: when it has
// ended, its cause is the report (57014 and its kin). What is the network's is 08006.
func FromStatus(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	s, ok := status.FromError(err)
	if ok {
		for _, d := range s.Details() {
			if e, ok := d.(*rpcpb.Error); ok {
				return FromProto(e)
			}
		}
	}
	if ctx.Err() != nil {
		return pgerror.From(context.Cause(ctx))
	}
	if ok && s.Code() == codes.ResourceExhausted { // gRPC's word for a message beyond its limit
		return pgerror.Wrap(err, pgerror.ProgramLimitExceeded, "a message between nodes is too large: %s", s.Message())
	}
	return pgerror.Wrap(err, pgerror.ConnectionFailure, "connection to a storage node failed: %s", s.Message())
}
