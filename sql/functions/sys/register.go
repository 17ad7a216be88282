package sys

import (
	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// Register adds the functions of this package to r.
func Register(r *expr.Registry) {
	registerSequences(r)
	registerSession(r)
	registerSettings(r)
	registerNames(r)
	registerDefinitions(r)
	registerVisibility(r)
	registerPrivileges(r)
	registerComments(r)
	registerSizes(r)
	registerActivity(r)
	registerAdvisory(r)
	registerCluster(r)
	registerFactLists(r)
	registerObjectNames(r)
	registerObjectAddress(r)
	adapt.DescribeRows(r)
}

// add registers a function that needs the session.
func add(r *expr.Registry, sig string, k expr.Kernel) { adapt.Add(r, sig, k, adapt.NeedsSession) }

// addSet registers a set-returning function that needs the session.
func addSet(r *expr.Registry, sig string, eval func(ctx *expr.Context, s Session, args []types.Datum, emit func(row ...types.Datum) error) error) {
	oid := adapt.Proc(sig)
	f := catalog.Builtins().Function(oid)
	r.AddSet(&expr.SetFunction{OID: oid, Strict: f.Strict, NeedsSession: true,
		Eval: func(ctx *expr.Context, _ *expr.Call, args []types.Datum, emit func(row ...types.Datum) error) error {
			s, err := of(ctx)
			if err != nil {
				return err
			}
			return eval(ctx, s, args, emit)
		}})
}

func registerSequences(r *expr.Registry) {
	registerSample(r)
	add(r, "nextval(regclass)", adapt.C1(nextval))
	r.Add(&expr.Function{OID: catalog.FuncIdentityValue, Strict: true, Volatility: expr.Volatile, NeedsSession: true, Eval: adapt.C1(identityValue)})
	add(r, "currval(regclass)", adapt.C1(currval))
	add(r, "lastval()", adapt.C0(lastval))
	add(r, "setval(regclass,int8)", adapt.C2(func(ctx *expr.Context, _ *expr.Call, o types.OID, v int64) (int64, error) {
		return setval(ctx, o, v, true)
	}))
	add(r, "setval(regclass,int8,bool)", adapt.C3(func(ctx *expr.Context, _ *expr.Call, o types.OID, v int64, called bool) (int64, error) {
		return setval(ctx, o, v, called)
	}))
	add(r, "pg_sequence_last_value(regclass)", adapt.C1(sequenceLast))
	r.AddSet(&expr.SetFunction{OID: catalog.FuncSequenceData, Strict: true, NeedsSession: true,
		Eval: func(ctx *expr.Context, _ *expr.Call, args []types.Datum, emit func(row ...types.Datum) error) error {
			s, err := of(ctx)
			if err != nil {
				return err
			}
			q, err := s.CatalogReader().Sequence(ctx.Ctx, args[0].(types.OID))
			if err != nil || q == nil {
				return err
			}
			st, err := s.CatalogManager().SequenceState(ctx.Ctx, q)
			if err != nil {
				return err
			}
			return emit(st.Last, st.LogCnt, st.Called)
		}})
	addSet(r, "pg_sequence_parameters(oid)", func(ctx *expr.Context, s Session, args []types.Datum, emit func(row ...types.Datum) error) error {
		_, _, q, err := sequence(ctx, args[0].(types.OID), "rUw")
		if err != nil {
			return err
		}
		return emit(q.Start, q.Min, q.Max, q.Increment, q.Cycle, q.Cache, q.Type)
	})
}
