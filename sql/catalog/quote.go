package catalog

import "strings"

// quotedKeywords are the key words that quote_identifier puts in quotes: every
// one that is not unreserved.
var quotedKeywords = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(`
all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean both case 
cast char character check coalesce collate collation column concurrently constraint create cross 
current_catalog current_date current_role current_schema current_time current_timestamp current_user dec 
decimal default deferrable desc distinct do else end except exists extract false fetch float for foreign 
freeze from full grant greatest group grouping having ilike in initially inner inout int integer intersect 
interval into is isnull join lateral leading least left like limit localtime localtimestamp national natural 
nchar none normalize not notnull null nullif numeric offset on only or order out outer overlaps overlay 
placing position precision primary real references returning right row select session_user setof similar 
smallint some substring symmetric table tablesample then time timestamp to trailing treat trim true union 
unique user using values varchar variadic verbose when where window with xmlattributes xmlconcat xmlelement 
xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable
`) {
		m[w] = true
	}
	return m
}()

// QuoteIdent is quote_identifier(): the name as it must be written in SQL.
func QuoteIdent(s string) string {
	safe := s != "" && (s[0] == '_' || 'a' <= s[0] && s[0] <= 'z') && !quotedKeywords[s]
	for i := 0; safe && i < len(s); i++ {
		c := s[i]
		safe = c == '_' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
	}
	if safe {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}

// QuoteQualified is quote_qualified_identifier(): schema.name, or name alone
// when schema is empty.
func QuoteQualified(schema, name string) string {
	if schema == "" {
		return QuoteIdent(name)
	}
	return QuoteIdent(schema) + "." + QuoteIdent(name)
}
