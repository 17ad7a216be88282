package sys

import (
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// AdvisoryKey is the argument of the advisory lock functions: a number, or a pair of
// them, the first in the upper half.
type AdvisoryKey struct {
	Key  uint64
	Pair bool
}

// registerAdvisory registers pg_advisory_lock and its kin.
func registerAdvisory(r *expr.Registry) {
	both := func(name string, f func(ctx *expr.Context, s Session, k AdvisoryKey) (types.Datum, error)) {
		add(r, name+"(int8)", one(func(ctx *expr.Context, s Session, k int64) (types.Datum, error) {
			return f(ctx, s, AdvisoryKey{Key: uint64(k)})
		}))
		add(r, name+"(int4,int4)", two(func(ctx *expr.Context, s Session, a, b int32) (types.Datum, error) {
			return f(ctx, s, AdvisoryKey{Key: uint64(uint32(a))<<32 | uint64(uint32(b)), Pair: true})
		}))
	}
	for _, shared := range []bool{false, true} {
		suffix := ""
		if shared {
			suffix = "_shared"
		}
		for _, xact := range []bool{false, true} {
			level := ""
			if xact {
				level = "xact_"
			}
			both("pg_advisory_"+level+"lock"+suffix, func(ctx *expr.Context, s Session, k AdvisoryKey) (types.Datum, error) {
				_, err := s.AdvisoryLock(ctx.Ctx, k, shared, xact, false)
				return types.Unit{}, err
			})
			both("pg_try_advisory_"+level+"lock"+suffix, func(ctx *expr.Context, s Session, k AdvisoryKey) (types.Datum, error) {
				got, err := s.AdvisoryLock(ctx.Ctx, k, shared, xact, true)
				return got, err
			})
		}
		both("pg_advisory_unlock"+suffix, func(_ *expr.Context, s Session, k AdvisoryKey) (types.Datum, error) {
			held, err := s.AdvisoryUnlock(k, shared)
			return held, err
		})
	}
	add(r, "pg_advisory_unlock_all()", zero(func(_ *expr.Context, s Session) (types.Datum, error) {
		s.AdvisoryUnlockAll()
		return types.Unit{}, nil
	}))
}
