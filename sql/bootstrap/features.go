package bootstrap

import (
	_ "embed"
	"strings"
)

// The standard's tables about the implementation, tab separated, \N for NULL:
// PostgreSQL's rows, with NO for what Basalt does not have (XML, triggers, domains,
// routines of users, embedded SQL).
var (
	//go:embed data/sql_features.tsv
	sqlFeaturesData string
	//go:embed data/sql_implementation_info.tsv
	sqlImplementationInfoData string
	//go:embed data/sql_parts.tsv
	sqlPartsData string
	//go:embed data/sql_sizing.tsv
	sqlSizingData string
)

// sqlFeatures makes those tables as views over their rows.
func sqlFeatures() string {
	var b strings.Builder
	for _, t := range []struct{ name, columns, data string }{
		{"sql_features", "feature_id varchar, feature_name varchar, sub_feature_id varchar, sub_feature_name varchar, is_supported varchar(3), is_verified_by varchar, comments varchar", sqlFeaturesData},
		{"sql_implementation_info", "implementation_info_id varchar, implementation_info_name varchar, integer_value int4, character_value varchar, comments varchar", sqlImplementationInfoData},
		{"sql_parts", "feature_id varchar, feature_name varchar, is_supported varchar(3), is_verified_by varchar, comments varchar", sqlPartsData},
		{"sql_sizing", "sizing_id int4, sizing_name varchar, supported_value int4, comments varchar", sqlSizingData},
	} {
		b.WriteString("CREATE VIEW information_schema." + t.name + " AS SELECT ")
		var names []string
		for i, c := range strings.Split(t.columns, ", ") {
			name, typ, _ := strings.Cut(c, " ")
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString("v." + name + "::" + typ + " AS " + name)
			names = append(names, name)
		}
		b.WriteString(" FROM (VALUES ")
		for i, line := range strings.Split(strings.TrimRight(t.data, "\n"), "\n") {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteByte('(')
			for k, v := range strings.Split(line, "\t") {
				if k > 0 {
					b.WriteString(", ")
				}
				if v == `\N` {
					b.WriteString("NULL")
				} else {
					b.WriteString("'" + strings.ReplaceAll(v, "'", "''") + "'")
				}
			}
			b.WriteByte(')')
		}
		b.WriteString(") v (" + strings.Join(names, ", ") + ");\n")
	}
	return b.String()
}
