package sys

import (
	"strconv"
	"strings"
	"time"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/catalog/facts"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// registerFactLists adds the functions that list what PostgreSQL has built in:
// keywords, time zones, token types.
func registerFactLists(r *expr.Registry) {
	addSet(r, "pg_get_keywords()", func(_ *expr.Context, _ Session, _ []types.Datum, emit func(row ...types.Datum) error) error {
		for _, w := range facts.Load("pg_get_keywords").Rows {
			if err := emit(w[0], w[1][0], w[2] == "t", w[3], w[4]); err != nil {
				return err
			}
		}
		return nil
	})
	// The one parser there is, "default", tells its token types by number or name.
	tokens := func(emit func(row ...types.Datum) error) error {
		for _, t := range facts.Load("ts_token_type").Rows {
			id, err := strconv.Atoi(t[0])
			if err != nil {
				return err
			}
			if err := emit(int32(id), t[1], t[2]); err != nil {
				return err
			}
		}
		return nil
	}
	addSet(r, "ts_token_type(oid)", func(_ *expr.Context, _ Session, args []types.Datum, emit func(row ...types.Datum) error) error {
		if args[0].(types.OID) != defaultParser {
			return errCacheLookup("text search parser", args[0].(types.OID))
		}
		return tokens(emit)
	})
	addSet(r, "ts_token_type(text)", func(_ *expr.Context, _ Session, args []types.Datum, emit func(row ...types.Datum) error) error {
		if n := args[0].(string); n != "default" && n != "pg_catalog.default" {
			return errNoParser(n)
		}
		return tokens(emit)
	})
	span := func(seconds int) types.Interval { return types.Interval{Micros: int64(seconds) * types.USecsPerSec} }
	addSet(r, "pg_timezone_names()", func(_ *expr.Context, _ Session, _ []types.Datum, emit func(row ...types.Datum) error) error {
		at := types.TimestampOf(time.Now())
		for _, n := range types.ZoneNames() {
			loc, ok := types.LoadZone(n)
			if !ok {
				continue
			}
			off, abbrev := types.ZoneOffset(loc, at)
			if err := emit(n, abbrev, span(off), types.ZoneIsDST(loc, at)); err != nil {
				return err
			}
		}
		return nil
	})
	addSet(r, "pg_timezone_abbrevs()", func(_ *expr.Context, _ Session, _ []types.Datum, emit func(row ...types.Datum) error) error {
		at := types.TimestampOf(time.Now())
		for _, a := range types.ZoneAbbrevs() {
			off, dst := a.Offset, a.DST
			if a.Zone != "" {
				loc, ok := types.LoadZone(a.Zone)
				if !ok {
					continue
				}
				off, dst = types.AbbrevOffset(a, loc, at), types.ZoneIsDST(loc, at)
			}
			if err := emit(a.Name, span(off), dst); err != nil {
				return err
			}
		}
		return nil
	})
	addSet(r, "pg_listening_channels()", func(_ *expr.Context, s Session, _ []types.Datum, emit func(row ...types.Datum) error) error {
		for _, c := range s.ListeningChannels() {
			if err := emit(c); err != nil {
				return err
			}
		}
		return nil
	})
	add(r, "pg_notify(text,text)", anyArgs(func(_ *expr.Context, _ *expr.Call, s Session, args []types.Datum) (types.Datum, error) {
		channel, _ := args[0].(string)
		payload, _ := args[1].(string)
		return "", s.Notify(channel, payload)
	}))
	add(r, "oidvectortypes(oidvector)", one(func(_ *expr.Context, s Session, v *types.Array) (types.Datum, error) {
		names := make([]string, len(v.Elems))
		for i, o := range v.Elems {
			names[i] = catalog.FormatTypeIn(s.CatalogReader(), path(s), o.(types.OID), -1, false)
		}
		return strings.Join(names, ", "), nil
	}))
	r.AddSet(&expr.SetFunction{OID: catalog.FuncExpandArray, Strict: true,
		Eval: func(_ *expr.Context, _ *expr.Call, args []types.Datum, emit func(row ...types.Datum) error) error {
			a := args[0].(*types.Array)
			if len(a.Dims) != 1 {
				return expandOuter(a, emit)
			}
			for i, e := range a.Elems {
				if err := emit(e, int32(i+1)); err != nil {
					return err
				}
			}
			return nil
		}})
}

// expandOuter is _pg_expandarray of an array of several dimensions: one subscript
// reaches no element, so the values are NULL.
func expandOuter(a *types.Array, emit func(row ...types.Datum) error) error {
	if len(a.Dims) == 0 {
		return nil
	}
	for i := range int(a.Dims[0].Len) {
		if err := emit(nil, int32(i+1)); err != nil {
			return err
		}
	}
	return nil
}

// defaultParser is the OID of the text search parser "default".
const defaultParser types.OID = 3722
