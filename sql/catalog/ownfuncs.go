package catalog

import "github.com/basaltdb/basalt/sql/types"

// OIDs of functions that Basalt adds to PostgreSQL's, in a range that PostgreSQL
// leaves to extensions' development (8000–9999).
const (
	// FuncSequenceData is pg_get_sequence_data(regclass): the row of a sequence.
	FuncSequenceData types.OID = 8900
)

// ownFunctions are functions of pg_catalog that PostgreSQL 15 lacks.
var ownFunctions = []*Function{{
	OID: FuncSequenceData, Name: "pg_get_sequence_data", Namespace: PgCatalogNamespace, Kind: 'f',
	ArgTypes: []types.OID{types.RegClass}, AllArgTypes: []types.OID{types.RegClass, types.Int8, types.Int8, types.Bool},
	ArgModes: "iooo", ArgNames: []string{"sequence_oid", "last_value", "log_cnt", "is_called"},
	Returns: types.RecordOID, ReturnsSet: true, Rows: 1, Strict: true, Volatility: 'v', Cost: 1, Src: "pg_get_sequence_data",
}}
