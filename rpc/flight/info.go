package flight

import (
	"context"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/flight"
	"github.com/apache/arrow/go/v17/arrow/flight/flightsql"
	"github.com/apache/arrow/go/v17/arrow/flight/flightsql/schema_ref"

	"github.com/basaltdb/basalt/sql/types"
)

// registerInfo says what GetSqlInfo answers.
func (s *Server) registerInfo() error {
	version := s.opts.Version
	if version == "" {
		version = "unknown"
	}
	for id, v := range map[flightsql.SqlInfo]any{
		flightsql.SqlInfoFlightSqlServerName:                        "Basalt",
		flightsql.SqlInfoFlightSqlServerVersion:                     version,
		flightsql.SqlInfoFlightSqlServerArrowVersion:                arrow.PkgVersion,
		flightsql.SqlInfoFlightSqlServerReadOnly:                    false,
		flightsql.SqlInfoFlightSqlServerSql:                         true,
		flightsql.SqlInfoFlightSqlServerSubstrait:                   false,
		flightsql.SqlInfoFlightSqlServerTransaction:                 int32(flightsql.SqlTransactionSavepoint),
		flightsql.SqlInfoFlightSqlServerCancel:                      true,
		flightsql.SqlInfoFlightSqlServerStatementTimeout:            int32(0),
		flightsql.SqlInfoFlightSqlServerTransactionTimeout:          int32(s.opts.TransactionIdle.Milliseconds()),
		flightsql.SqlInfoFlightSqlServerBulkIngestion:               false,
		flightsql.SqlInfoDDLCatalog:                                 true,
		flightsql.SqlInfoDDLSchema:                                  true,
		flightsql.SqlInfoDDLTable:                                   true,
		flightsql.SqlInfoIdentifierCase:                             int64(flightsql.SqlCaseSensitivityLowerCase),
		flightsql.SqlInfoIdentifierQuoteChar:                        `"`,
		flightsql.SqlInfoQuotedIdentifierCase:                       int64(flightsql.SqlCaseSensitivityUnknown),
		flightsql.SqlInfoAllTablesAreASelectable:                    false,
		flightsql.SqlInfoNullOrdering:                               int64(flightsql.SqlNullOrderingSortHigh),
		flightsql.SqlInfoSearchStringEscape:                         `\`,
		flightsql.SqlInfoExtraNameChars:                             "",
		flightsql.SqlInfoSupportsColumnAliasing:                     true,
		flightsql.SqlInfoNullPlusNullIsNull:                         true,
		flightsql.SqlInfoSupportsTableCorrelationNames:              true,
		flightsql.SqlInfoSupportsDifferentTableCorrelationNames:     false,
		flightsql.SqlInfoSupportsExpressionsInOrderBy:               true,
		flightsql.SqlInfoSupportsOrderByUnrelated:                   true,
		flightsql.SqlInfoSupportsLikeEscapeClause:                   true,
		flightsql.SqlInfoSupportsNonNullableColumns:                 true,
		flightsql.SqlInfoSupportsIntegrityEnhancementFacility:       true,
		flightsql.SqlInfoSchemaTerm:                                 "schema",
		flightsql.SqlInfoCatalogTerm:                                "database",
		flightsql.SqlInfoProcedureTerm:                              "function",
		flightsql.SqlInfoCatalogAtStart:                             true,
		flightsql.SqlInfoSelectForUpdateSupported:                   true,
		flightsql.SqlInfoStoredProceduresSupported:                  false,
		flightsql.SqlInfoCorrelatedSubqueriesSupported:              true,
		flightsql.SqlInfoMaxColumnNameLen:                           int64(63),
		flightsql.SqlInfoMaxTableNameLen:                            int64(63),
		flightsql.SqlInfoDBSchemaNameLen:                            int64(63),
		flightsql.SqlInfoMaxCatalogNameLen:                          int64(63),
		flightsql.SqlInfoMaxUsernameLen:                             int64(63),
		flightsql.SqlInfoTransactionsSupported:                      true,
		flightsql.SqlInfoDataDefinitionCausesTransactionCommit:      false,
		flightsql.SqlInfoDataDefinitionsInTransactionsIgnored:       false,
		flightsql.SqlInfoBatchUpdatesSupported:                      true,
		flightsql.SqlInfoSavePointsSupported:                        true,
		flightsql.SqlInfoNamedParametersSupported:                   false,
		flightsql.SqlInfoLocatorsUpdateCopy:                         false,
		flightsql.SqlInfoStoredFunctionsUsingCallSyntaxSupported:    false,
		flightsql.SqlInfoFlightSqlServerIngestTransactionsSupported: false,
	} {
		if err := s.RegisterSqlInfo(id, v); err != nil {
			return err
		}
	}
	return nil
}

// xdbcType describes a type as ODBC and JDBC want it. Code is the XDBC data type.
type xdbcType struct {
	name           string
	code           int32
	size           int32 // 0: NULL
	quoted         bool  // literals in single quotes
	params         []string
	caseSensitive  bool
	searchable     int32 // 3: everywhere; 2: not in LIKE
	number, signed bool
	scaleMax       int32
	sqlCode        int32 // 9 for dates and times
	subcode        int32
}

// xdbcTypes, ordered by code and name as Flight SQL has it.
var xdbcTypes = []xdbcType{
	{name: "bool", code: -7, size: 1, searchable: 2, sqlCode: -7},
	{name: "int8", code: -5, size: 19, searchable: 2, number: true, signed: true, sqlCode: -5},
	{name: "bytea", code: -3, quoted: true, searchable: 2, sqlCode: -3},
	{name: "char", code: 1, size: 10485760, quoted: true, params: []string{"length"}, caseSensitive: true, searchable: 3, sqlCode: 1},
	{name: "uuid", code: 1, size: 36, quoted: true, searchable: 2, sqlCode: 1},
	{name: "numeric", code: 2, size: 1000, params: []string{"precision", "scale"}, searchable: 2, number: true, signed: true, scaleMax: 1000, sqlCode: 2},
	{name: "int4", code: 4, size: 10, searchable: 2, number: true, signed: true, sqlCode: 4},
	{name: "oid", code: 4, size: 10, searchable: 2, number: true, sqlCode: 4},
	{name: "int2", code: 5, size: 5, searchable: 2, number: true, signed: true, sqlCode: 5},
	{name: "float4", code: 7, size: 24, searchable: 2, number: true, signed: true, sqlCode: 7},
	{name: "float8", code: 8, size: 53, searchable: 2, number: true, signed: true, sqlCode: 8},
	{name: "interval", code: 12, size: 49, quoted: true, searchable: 2, sqlCode: 12},
	{name: "json", code: 12, quoted: true, caseSensitive: true, searchable: 0, sqlCode: 12},
	{name: "jsonb", code: 12, quoted: true, caseSensitive: true, searchable: 2, sqlCode: 12},
	{name: "name", code: 12, size: 63, quoted: true, caseSensitive: true, searchable: 3, sqlCode: 12},
	{name: "text", code: 12, quoted: true, caseSensitive: true, searchable: 3, sqlCode: 12},
	{name: "timetz", code: 12, size: 21, quoted: true, searchable: 2, sqlCode: 12},
	{name: "varchar", code: 12, size: 10485760, quoted: true, params: []string{"length"}, caseSensitive: true, searchable: 3, sqlCode: 12},
	{name: "date", code: 91, size: 13, quoted: true, searchable: 2, sqlCode: 9, subcode: 1},
	{name: "time", code: 92, size: 15, quoted: true, searchable: 2, scaleMax: 6, sqlCode: 9, subcode: 2},
	{name: "timestamp", code: 93, size: 29, quoted: true, searchable: 2, scaleMax: 6, sqlCode: 9, subcode: 3},
	{name: "timestamptz", code: 93, size: 35, quoted: true, searchable: 2, scaleMax: 6, sqlCode: 9, subcode: 3},
}

// row is the type in the order of schema_ref.XdbcTypeInfo.
func (x *xdbcType) row() []types.Datum {
	orNull := func(v int32, ok bool) types.Datum {
		if !ok {
			return nil
		}
		return v
	}
	var prefix, suffix, params, unsigned, auto types.Datum
	if x.quoted {
		prefix, suffix = "'", "'"
	}
	if x.params != nil {
		params = x.params
	}
	if x.number {
		unsigned, auto = !x.signed, false
	}
	return []types.Datum{x.name, x.code, orNull(x.size, x.size > 0), prefix, suffix, params, int32(1), x.caseSensitive, x.searchable,
		unsigned, false, auto, x.name, orNull(0, x.number || x.scaleMax > 0), orNull(x.scaleMax, x.number || x.scaleMax > 0), x.sqlCode,
		orNull(x.subcode, x.subcode > 0), orNull(map[bool]int32{false: 10, true: 2}[x.code == 7 || x.code == 8], x.number), nil}
}

// GetFlightInfoXdbcTypeInfo implements flightsql.Server.
func (s *Server) GetFlightInfoXdbcTypeInfo(_ context.Context, _ flightsql.GetXdbcTypeInfo, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return s.metadataInfo(desc, schema_ref.XdbcTypeInfo)
}

// DoGetXdbcTypeInfo implements flightsql.Server.
func (s *Server) DoGetXdbcTypeInfo(ctx context.Context, cmd flightsql.GetXdbcTypeInfo) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	var rows [][]types.Datum
	for i := range xdbcTypes {
		if want := cmd.GetDataType(); want == nil || *want == xdbcTypes[i].code {
			rows = append(rows, xdbcTypes[i].row())
		}
	}
	return streamRows(ctx, schema_ref.XdbcTypeInfo, rows)
}
