package catalog

import "github.com/basaltdb/basalt/sql/types"

// OwnSchema is, while no schema has the name, another name for what of pg_catalog
// begins with it and "_": basalt.nodes is pg_catalog.basalt_nodes.
const OwnSchema = "basalt"

// OIDs of functions that Basalt adds to PostgreSQL's, in a range that PostgreSQL
// leaves to extensions' development (8000–9999).
const (
	// FuncSequenceData is pg_get_sequence_data(regclass): the row of a sequence.
	FuncSequenceData types.OID = 8900
	// FuncSampleRow is pg_sample_row(locator bytea, percent real, seed float8, repeatable bool):
	// whether TABLESAMPLE takes the row; if not repeatable each call decides anew.
	FuncSampleRow types.OID = 8901
	// FuncNodes and FuncTablets are basalt_nodes() and basalt_tablets(): the nodes of the
	// database and where its rows lie.
	FuncNodes   types.OID = 8903
	FuncTablets types.OID = 8902
	// FuncFragments is basalt_fragments(): what of running statements each node has now.
	FuncFragments types.OID = 8904
	// FuncMerges is basalt_merges(): tables by how much of them lies in column segments.
	FuncMerges types.OID = 8905
	// FuncIdentityValue is the next value of an identity column's sequence. Plans alone call
	// it: it has no name, and asks for no privileges on the sequence.
	FuncIdentityValue types.OID = 8906
	// FuncExpandArray is information_schema._pg_expandarray(anyarray), which
	// PostgreSQL creates with the schema; drivers number key columns with it.
	FuncExpandArray types.OID = 13208
)

// informationSchema is the schema's OID in the facts.
const informationSchema types.OID = 13207

// ownFunctions are functions that pg_proc's facts lack.
var ownFunctions = []*Function{{
	OID: FuncSequenceData, Name: "pg_get_sequence_data", Namespace: PgCatalogNamespace, Kind: 'f',
	ArgTypes: []types.OID{types.RegClass}, AllArgTypes: []types.OID{types.RegClass, types.Int8, types.Int8, types.Bool},
	ArgModes: "iooo", ArgNames: []string{"sequence_oid", "last_value", "log_cnt", "is_called"},
	Returns: types.RecordOID, ReturnsSet: true, Rows: 1, Strict: true, Volatility: 'v', Cost: 1, Src: "pg_get_sequence_data",
}, {
	OID: FuncSampleRow, Name: "pg_sample_row", Namespace: PgCatalogNamespace, Kind: 'f',
	ArgTypes: []types.OID{types.Bytea, types.Float4, types.Float8, types.Bool}, Returns: types.Bool, Volatility: 'v', Cost: 1, Src: "pg_sample_row",
}, {
	OID: FuncNodes, Name: "basalt_nodes", Namespace: PgCatalogNamespace, Kind: 'f',
	AllArgTypes: []types.OID{types.Int4, types.Text, types.Text, types.Text, types.Text, types.Text, types.Bool, types.TimestampTZOID, types.TimestampTZOID},
	ArgModes:    "ooooooooo", ArgNames: []string{"node", "role", "rpc_addr", "sql_addr", "flight_addr", "version", "alive", "last_heartbeat", "started"},
	Returns: types.RecordOID, ReturnsSet: true, Rows: 10, Strict: true, Volatility: 'v', Cost: 1, Src: "basalt_nodes",
}, {
	OID: FuncTablets, Name: "basalt_tablets", Namespace: PgCatalogNamespace, Kind: 'f',
	AllArgTypes: []types.OID{types.Int4, types.Int4, types.Int4, types.Int4, types.Int8},
	ArgModes:    "ooooo", ArgNames: []string{"tablet", "node", "first_slot", "end_slot", "bytes"},
	Returns: types.RecordOID, ReturnsSet: true, Rows: 10, Strict: true, Volatility: 'v', Cost: 1, Src: "basalt_tablets",
}, {
	OID: FuncFragments, Name: "basalt_fragments", Namespace: PgCatalogNamespace, Kind: 'f',
	AllArgTypes: []types.OID{types.Int4, types.Int4, types.Int4, types.Int8},
	ArgModes:    "oooo", ArgNames: []string{"node", "statements", "fragments", "memory"},
	Returns: types.RecordOID, ReturnsSet: true, Rows: 10, Strict: true, Volatility: 'v', Cost: 1, Src: "basalt_fragments",
}, {
	OID: FuncMerges, Name: "basalt_merges", Namespace: PgCatalogNamespace, Kind: 'f',
	AllArgTypes: []types.OID{types.Int4, types.Oid, types.Oid, types.Int8, types.Int8, types.Int8, types.Int8, types.Int8, types.Int8, types.Text, types.Int8, types.TimestampTZOID},
	ArgModes:    "oooooooooooo", ArgNames: []string{"tablet", "datid", "relfilenode", "segments", "loose_segments", "segment_rows", "segment_bytes", "delta_rows", "dead_rows", "phase", "rows_done", "surveyed"},
	Returns: types.RecordOID, ReturnsSet: true, Rows: 100, Strict: true, Volatility: 'v', Cost: 1, Src: "basalt_merges",
}, {
	OID: FuncExpandArray, Name: "_pg_expandarray", Namespace: informationSchema, Kind: 'f',
	ArgTypes: []types.OID{types.AnyArray}, AllArgTypes: []types.OID{types.AnyArray, types.AnyElement, types.Int4},
	ArgModes: "ioo", ArgNames: []string{"", "x", "n"},
	Returns: types.RecordOID, ReturnsSet: true, Rows: 100, Strict: true, Volatility: 'i', Cost: 100, Src: "_pg_expandarray",
}}
