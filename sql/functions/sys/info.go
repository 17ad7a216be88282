package sys

import (
	"strconv"
	"strings"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/sql/types/charset"
	"github.com/basaltdb/basalt/vexec/expr"
)

// versionText is version().
const versionText = "PostgreSQL 16.4 (Basalt)"

// path is the effective search path.
func path(s Session) []types.OID { return catalog.EffectivePath(s.CatalogReader(), s.SchemaPath()) }

// zero adapts a function of no arguments over the session.
func zero(f func(ctx *expr.Context, s Session) (types.Datum, error)) expr.Kernel {
	return adapt.C0(func(ctx *expr.Context, _ *expr.Call) (types.Datum, error) {
		s, err := of(ctx)
		if err != nil {
			return nil, err
		}
		return f(ctx, s)
	})
}

// one adapts a function of one argument over the session.
func one[A any](f func(ctx *expr.Context, s Session, a A) (types.Datum, error)) expr.Kernel {
	return adapt.C1(func(ctx *expr.Context, _ *expr.Call, a A) (types.Datum, error) {
		s, err := of(ctx)
		if err != nil {
			return nil, err
		}
		return f(ctx, s, a)
	})
}

// two adapts a function of two arguments over the session.
func two[A, B any](f func(ctx *expr.Context, s Session, a A, b B) (types.Datum, error)) expr.Kernel {
	return adapt.C2(func(ctx *expr.Context, _ *expr.Call, a A, b B) (types.Datum, error) {
		s, err := of(ctx)
		if err != nil {
			return nil, err
		}
		return f(ctx, s, a, b)
	})
}

// three adapts a function of three arguments over the session.
func three[A, B, C any](f func(ctx *expr.Context, s Session, a A, b B, c C) (types.Datum, error)) expr.Kernel {
	return adapt.C3(func(ctx *expr.Context, _ *expr.Call, a A, b B, c C) (types.Datum, error) {
		s, err := of(ctx)
		if err != nil {
			return nil, err
		}
		return f(ctx, s, a, b, c)
	})
}

// any3 adapts a function that sees NULLs.
func anyArgs(f func(ctx *expr.Context, call *expr.Call, s Session, args []types.Datum) (types.Datum, error)) expr.Kernel {
	return adapt.D(func(ctx *expr.Context, call *expr.Call, args []types.Datum) (types.Datum, error) {
		s, err := of(ctx)
		if err != nil {
			return nil, err
		}
		return f(ctx, call, s, args)
	})
}

func roleName(ctx *expr.Context, s Session, oid types.OID) (string, error) {
	r, err := s.CatalogReader().Role(ctx.Ctx, oid)
	if err != nil {
		return "", err
	}
	if r == nil {
		return "unknown (OID=" + strconv.Itoa(int(oid)) + ")", nil
	}
	return r.Name, nil
}

func nameArray(names []string) *types.Array {
	ds := make([]types.Datum, len(names))
	for i, n := range names {
		ds[i] = n
	}
	return types.NewArray(types.Of(types.Name), ds)
}

func registerSession(r *expr.Registry) {
	add(r, "version()", zero(func(*expr.Context, Session) (types.Datum, error) { return versionText, nil }))
	add(r, "current_database()", zero(func(_ *expr.Context, s Session) (types.Datum, error) { return s.CatalogReader().DatabaseName(), nil }))
	add(r, "current_schema()", zero(func(ctx *expr.Context, s Session) (types.Datum, error) {
		p := s.SchemaPath()
		if len(p) == 0 {
			return nil, nil
		}
		ns, err := s.CatalogReader().Namespace(ctx.Ctx, p[0])
		if err != nil || ns == nil {
			return nil, err
		}
		return ns.Name, nil
	}))
	add(r, "current_schemas(bool)", one(func(ctx *expr.Context, s Session, implicit bool) (types.Datum, error) {
		p := s.SchemaPath()
		if implicit {
			p = path(s)
		}
		var names []string
		for _, o := range p {
			ns, err := s.CatalogReader().Namespace(ctx.Ctx, o)
			if err != nil {
				return nil, err
			}
			if ns != nil {
				names = append(names, ns.Name)
			}
		}
		return nameArray(names), nil
	}))
	user := func(get func(Session) types.OID) expr.Kernel {
		return zero(func(ctx *expr.Context, s Session) (types.Datum, error) { return roleName(ctx, s, get(s)) })
	}
	add(r, "current_user()", user(Session.CurrentUserOID))
	add(r, "session_user()", user(Session.SessionUserOID))
	add(r, "getpgusername()", user(Session.CurrentUserOID))
	add(r, "pg_backend_pid()", zero(func(_ *expr.Context, s Session) (types.Datum, error) { return s.BackendPID(), nil }))
	add(r, "pg_is_in_recovery()", zero(func(*expr.Context, Session) (types.Datum, error) { return false, nil }))
	add(r, "pg_postmaster_start_time()", zero(func(_ *expr.Context, s Session) (types.Datum, error) { return s.StartTime(), nil }))
	add(r, "pg_conf_load_time()", zero(func(_ *expr.Context, s Session) (types.Datum, error) { return s.StartTime(), nil }))
	add(r, "pg_my_temp_schema()", zero(func(_ *expr.Context, s Session) (types.Datum, error) {
		return catalog.TempNamespace(s.CatalogReader()), nil
	}))
	add(r, "pg_is_other_temp_schema(oid)", one(func(ctx *expr.Context, s Session, oid types.OID) (types.Datum, error) {
		r := s.CatalogReader()
		ns, err := r.Namespace(ctx.Ctx, oid)
		if err != nil || ns == nil {
			return false, err
		}
		return catalog.IsTempSchema(ns.Name) && oid != catalog.TempNamespace(r), nil
	}))
	add(r, "pg_jit_available()", zero(func(*expr.Context, Session) (types.Datum, error) { return false, nil }))
	addr := func(get func(Session) types.Datum) expr.Kernel {
		return zero(func(_ *expr.Context, s Session) (types.Datum, error) { return get(s), nil })
	}
	add(r, "inet_client_port()", addr(func(s Session) types.Datum {
		if _, p := s.ClientAddress(); p != 0 {
			return p
		}
		return nil
	}))
	xid := func(assign bool, wide bool) expr.Kernel {
		return zero(func(_ *expr.Context, s Session) (types.Datum, error) {
			id, ok := s.TransactionID(assign)
			if !ok {
				return nil, nil
			}
			if wide {
				return id, nil
			}
			return int64(id), nil
		})
	}
	add(r, "pg_export_snapshot()", zero(func(_ *expr.Context, s Session) (types.Datum, error) { return s.ExportSnapshot() }))
	add(r, "txid_current()", xid(true, false))
	add(r, "txid_current_if_assigned()", xid(false, false))
	add(r, "pg_current_xact_id()", xid(true, true))
	add(r, "pg_current_xact_id_if_assigned()", xid(false, true))
	registerTimes(r)
	add(r, "current_query()", zero(func(_ *expr.Context, s Session) (types.Datum, error) {
		for _, a := range s.Activities() {
			if a.PID == s.BackendPID() {
				return a.Query, nil
			}
		}
		return nil, nil
	}))
	add(r, "pg_trigger_depth()", zero(func(*expr.Context, Session) (types.Datum, error) { return int32(0), nil }))
	add(r, "oidvectortypes(oidvector)", one(func(_ *expr.Context, s Session, v *types.Array) (types.Datum, error) {
		var names []string
		for _, o := range v.Elems {
			names = append(names, catalog.FormatTypeIn(s.CatalogReader(), path(s), o.(types.OID), -1, false))
		}
		return strings.Join(names, ", "), nil
	}))
	add(r, "pg_cancel_backend(int4)", one(func(_ *expr.Context, s Session, pid int32) (types.Datum, error) { return s.CancelBackend(pid), nil }))
	add(r, "pg_terminate_backend(int4,int8)", two(func(_ *expr.Context, s Session, pid int32, timeout int64) (types.Datum, error) {
		return s.TerminateBackend(pid), nil
	}))
	add(r, "pg_get_userbyid(oid)", one(func(ctx *expr.Context, s Session, oid types.OID) (types.Datum, error) {
		return toDatum(roleName(ctx, s, oid))
	}))
	add(r, "pg_encoding_to_char(int4)", one(func(_ *expr.Context, _ Session, enc int32) (types.Datum, error) {
		if e := charset.ByNumber(enc); e != nil {
			return e.Name, nil
		}
		return "", nil
	}))
	add(r, "pg_char_to_encoding(name)", one(func(_ *expr.Context, _ Session, n string) (types.Datum, error) {
		if e := charset.Find(n); e != nil {
			return e.Number, nil
		}
		return int32(-1), nil
	}))
	add(r, "getdatabaseencoding()", zero(func(*expr.Context, Session) (types.Datum, error) { return "UTF8", nil }))
	add(r, "pg_client_encoding()", zero(func(_ *expr.Context, s Session) (types.Datum, error) {
		v, _ := s.Setting("client_encoding")
		return v, nil
	}))
	add(r, "pg_notification_queue_usage()", zero(func(c *expr.Context, s Session) (types.Datum, error) { return s.NotificationQueueUsage(c.Ctx), nil }))
}

func toDatum[V any](v V, err error) (types.Datum, error) {
	if err != nil {
		return nil, err
	}
	return v, nil
}

func registerSettings(r *expr.Registry) {
	get := func(s Session, name string, missingOK bool) (types.Datum, error) {
		if v, ok := s.Setting(name); ok {
			return v, nil
		}
		if missingOK {
			return nil, nil
		}
		return nil, pgerror.New(pgerror.UndefinedObject, "unrecognized configuration parameter %q", name)
	}
	add(r, "current_setting(text)", one(func(_ *expr.Context, s Session, n string) (types.Datum, error) { return get(s, n, false) }))
	add(r, "current_setting(text,bool)", two(func(_ *expr.Context, s Session, n string, ok bool) (types.Datum, error) { return get(s, n, ok) }))
	add(r, "set_config(text,text,bool)", anyArgs(func(ctx *expr.Context, _ *expr.Call, s Session, a []types.Datum) (types.Datum, error) {
		if a[0] == nil {
			return nil, pgerror.New(pgerror.NullValueNotAllowed, "SET requires parameter name")
		}
		var value *string
		if v, ok := a[1].(string); ok {
			value = &v
		}
		local, _ := a[2].(bool)
		return toDatum(s.ChangeSetting(ctx.Ctx, a[0].(string), value, local))
	}))
	addSet(r, "pg_show_all_settings()", func(_ *expr.Context, s Session, _ []types.Datum, emit func(row ...types.Datum) error) error {
		opt := func(p *string) types.Datum {
			if p == nil {
				return nil
			}
			return *p
		}
		for _, w := range s.SettingRows() {
			var enum types.Datum
			if w.Enum != nil {
				ds := make([]types.Datum, len(w.Enum))
				for i, e := range w.Enum {
					ds[i] = e
				}
				enum = types.NewArray(types.Of(types.Text), ds)
			}
			if err := emit(w.Name, w.Setting, opt(w.Unit), w.Category, w.Short, opt(w.Extra), w.Context, w.VarType, w.Source, opt(w.Min), opt(w.Max), enum,
				opt(w.Boot), opt(w.Reset), nil, nil, false); err != nil {
				return err
			}
		}
		return nil
	})
}
