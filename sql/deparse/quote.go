package deparse

import (
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v5"
)

// QuoteIdent writes an identifier, in double quotes where PostgreSQL's
// quote_ident would: when it is not lower case letters, digits and underscores,
// or is a keyword that is not unreserved.
func QuoteIdent(s string) string {
	safe := s != "" && (s[0] == '_' || s[0] >= 'a' && s[0] <= 'z')
	for i := 1; safe && i < len(s); i++ {
		c := s[i]
		safe = c == '_' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
	}
	if safe && !reserved(s) {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}

// reserved asks the scanner whether a word is a keyword of any kind but unreserved.
func reserved(word string) bool {
	r, err := pg_query.Scan(word)
	if err != nil || len(r.Tokens) != 1 {
		return true
	}
	switch r.Tokens[0].KeywordKind {
	case pg_query.KeywordKind_NO_KEYWORD, pg_query.KeywordKind_UNRESERVED_KEYWORD:
		return false
	}
	return true
}

// QuoteLiteral writes a string literal; backslashes make it an escape string only
// where PostgreSQL's printer would: never, since standard strings keep them.
func QuoteLiteral(s string) string {
	quoted := strings.ReplaceAll(s, "'", "''")
	if strings.Contains(s, `\`) {
		return "E'" + strings.ReplaceAll(quoted, `\`, `\\`) + "'"
	}
	return "'" + quoted + "'"
}
