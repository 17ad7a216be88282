package flight

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// errorDomain is the domain of the ErrorInfo detail; its reason is the SQLSTATE.
const errorDomain = "postgresql.org"

// grpcCodes by SQLSTATE, or by its class: the first two characters.
var grpcCodes = map[string]codes.Code{
	"57014": codes.Canceled, "57P01": codes.Unavailable, "57P02": codes.Unavailable, "57P03": codes.Unavailable,
	"57P05": codes.DeadlineExceeded, "25P03": codes.DeadlineExceeded, "55P03": codes.Aborted, "55006": codes.FailedPrecondition,
	"42501": codes.PermissionDenied, "42601": codes.InvalidArgument, "42P01": codes.NotFound, "3D000": codes.NotFound,
	"3F000": codes.NotFound, "26000": codes.NotFound, "42704": codes.NotFound, "42883": codes.NotFound, "42703": codes.NotFound,
	"42P04": codes.AlreadyExists, "42P06": codes.AlreadyExists, "42P07": codes.AlreadyExists, "42710": codes.AlreadyExists,
	"23505": codes.AlreadyExists, "22003": codes.OutOfRange, "22008": codes.OutOfRange, "08006": codes.Unavailable, "08007": codes.Unknown,
	"0A": codes.Unimplemented, "08": codes.Unavailable, "21": codes.InvalidArgument, "22": codes.InvalidArgument,
	"23": codes.FailedPrecondition, "24": codes.FailedPrecondition, "25": codes.FailedPrecondition, "28": codes.Unauthenticated,
	"2B": codes.FailedPrecondition, "2D": codes.FailedPrecondition, "34": codes.NotFound, "3B": codes.NotFound,
	"40": codes.Aborted, "42": codes.InvalidArgument, "44": codes.FailedPrecondition, "53": codes.ResourceExhausted,
	"54": codes.InvalidArgument, "55": codes.FailedPrecondition, "57": codes.Unavailable, "58": codes.Internal, "XX": codes.Internal,
}

// statusOf makes the gRPC status of an error: code, a text with the SQLSTATE, and
// the report's fields in an ErrorInfo.
func statusOf(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	if !errors.As(err, new(*pgerror.Error)) {
		switch {
		case errors.Is(err, context.Canceled):
			return status.Error(codes.Canceled, "canceled")
		case errors.Is(err, context.DeadlineExceeded):
			return status.Error(codes.DeadlineExceeded, "deadline exceeded")
		}
	}
	e := pgerror.From(err)
	code, ok := grpcCodes[string(e.Code)]
	if !ok {
		if code, ok = grpcCodes[string(e.Code)[:2]]; !ok {
			code = codes.Unknown
		}
	}
	var b strings.Builder
	b.WriteString(e.Message + " (SQLSTATE " + string(e.Code) + ")")
	info := &errdetails.ErrorInfo{Reason: string(e.Code), Domain: errorDomain, Metadata: map[string]string{}}
	for _, f := range [][2]string{{"message", e.Message}, {"detail", e.Detail}, {"hint", e.Hint}, {"schema", e.Schema}, {"table", e.Table},
		{"column", e.Column}, {"datatype", e.DataType}, {"constraint", e.Constraint}, {"where", e.Where}} {
		if f[1] == "" {
			continue
		}
		info.Metadata[f[0]] = f[1]
		switch f[0] {
		case "detail":
			b.WriteString("\nDETAIL: " + f[1])
		case "hint":
			b.WriteString("\nHINT: " + f[1])
		}
	}
	if e.Position > 0 {
		info.Metadata["position"] = strconv.Itoa(e.Position)
	}
	st := status.New(code, strings.ToValidUTF8(b.String(), "\uFFFD"))
	if with, err := st.WithDetails(info); err == nil {
		st = with
	}
	return st.Err()
}
