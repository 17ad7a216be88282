package catalog

import (
	"sync"

	"github.com/basaltdb/basalt/sql/types"
)

// textSearch holds the names that regconfig and regdictionary know.
var textSearch = sync.OnceValue(func() (t struct{ config, dict map[string]types.OID }) {
	t.config, t.dict = map[string]types.OID{}, map[string]types.OID{}
	loadFacts("pg_ts_config").each(func(r factRow) { t.config[r.str("cfgname")] = r.oid("oid") })
	loadFacts("pg_ts_dict").each(func(r factRow) { t.dict[r.str("dictname")] = r.oid("oid") })
	return t
})
