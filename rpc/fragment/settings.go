package fragment

import (
	"encoding/json"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

// settings is what functions see of the session, as RunRequest.settings carries it.
// Functions that need more run on the gateway (expr.Function.NeedsSession).
type settings struct {
	Version          int    `json:"v"`
	DateStyle        uint8  `json:"datestyle"`
	DateOrder        uint8  `json:"dateorder"`
	IntervalStyle    uint8  `json:"intervalstyle"`
	TimeZone         string `json:"timezone"`
	ExtraFloatDigits int    `json:"extra_float_digits"`
	ByteaEscape      bool   `json:"bytea_escape"`
	XactTime         int64  `json:"xact_time"`
	StmtTime         int64  `json:"stmt_time"`
}

const settingsVersion = 2 // version 1 had timestamps that count from 1970

func encodeSettings(e *types.Env) ([]byte, error) {
	if e == nil {
		e = types.DefaultEnv()
	}
	b, err := json.Marshal(settings{Version: settingsVersion, DateStyle: uint8(e.DateStyle), DateOrder: uint8(e.DateOrder), IntervalStyle: uint8(e.IntervalStyle),
		TimeZone: e.TimeZoneName, ExtraFloatDigits: e.ExtraFloatDigits, ByteaEscape: e.ByteaEscape, XactTime: int64(e.XactTime), StmtTime: int64(e.StmtTime)})
	if err != nil {
		return nil, pgerror.Internal("settings: %v", err)
	}
	return b, nil
}

// decodeSettings makes the environment of a fragment.
func decodeSettings(b []byte, r types.Resolver) (*types.Env, error) {
	var s settings
	if err := json.Unmarshal(b, &s); err != nil || s.Version != settingsVersion {
		return nil, pgerror.New(pgerror.ProtocolViolation, "malformed settings of a fragment, version %d", s.Version)
	}
	loc, ok := types.LoadZone(s.TimeZone)
	if !ok {
		return nil, pgerror.New(pgerror.InvalidParameterValue, "time zone \"%s\" not recognized", s.TimeZone)
	}
	if s.DateStyle > uint8(types.DateStyleGerman) || s.DateOrder > uint8(types.DateOrderYMD) || s.IntervalStyle > uint8(types.IntervalStyleISO8601) {
		return nil, pgerror.New(pgerror.ProtocolViolation, "malformed settings of a fragment")
	}
	return &types.Env{DateStyle: types.DateStyle(s.DateStyle), DateOrder: types.DateOrder(s.DateOrder), IntervalStyle: types.IntervalStyle(s.IntervalStyle),
		TimeZone: loc, TimeZoneName: s.TimeZone, ExtraFloatDigits: s.ExtraFloatDigits, ByteaEscape: s.ByteaEscape,
		XactTime: types.Timestamp(s.XactTime), StmtTime: types.Timestamp(s.StmtTime), Resolver: r}, nil
}
