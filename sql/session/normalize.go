package session

import (
	"context"
	"strconv"
	"strings"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

// Simple-protocol clients send the same statements again and again with other
// numbers in them. Short statements of plain shape are looked up with their
// integers taken out as parameters, so that parsing, analysis and planning are
// done once. What a parameter could change keeps a statement out: typmods,
// positions in ORDER BY and GROUP BY, ranges (whose selectivity the planner
// wants to know), sub-selects, and everything that is not a small integer.

const normalizedBytesMax = 400

// normalizeStops are words that keep a statement as it is.
var normalizeStops = map[string]bool{
	"order": true, "group": true, "interval": true, "cast": true, "fetch": true, "limit": true, "offset": true, "union": true,
	"intersect": true, "except": true, "window": true, "over": true, "with": true, "join": true, "array": true, "numeric": true,
	"decimal": true, "float": true, "varchar": true, "char": true, "character": true, "bit": true, "time": true, "timestamp": true,
	"into": false, "between": true, "in": true, "like": true, "conflict": true, "tablesample": true, "case": true, "having": true,
	"explain": true, "distinct": true, "returning": true, "merge": true,
}

type normalized struct {
	text   string
	values []types.Datum
	types  []types.OID
}

// normalize takes the integers out of a statement; ok is false where that is not safe or of no use.
func normalize(sql string) (n normalized, ok bool) {
	if len(sql) > normalizedBytesMax || len(sql) < 8 {
		return n, false
	}
	var out []byte
	insert, selects := false, 0
	prev := byte(0) // last byte that is not blank
	copied := 0
	for i := 0; i < len(sql); {
		c := sql[i]
		switch {
		case c == ' ' || c == '\n' || c == '\t' || c == '\r':
			i++
			continue
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_':
			j := i + 1
			for j < len(sql) && (sql[j] >= 'a' && sql[j] <= 'z' || sql[j] >= 'A' && sql[j] <= 'Z' || sql[j] == '_' || sql[j] >= '0' && sql[j] <= '9' || sql[j] == '$') {
				j++
			}
			if j-i <= 12 {
				var low [12]byte
				for k := i; k < j; k++ {
					low[k-i] = sql[k] | 0x20
				}
				word := low[:j-i]
				if normalizeStops[string(word)] {
					return n, false
				}
				switch string(word) {
				case "select":
					if selects++; selects > 1 || insert {
						return n, false
					}
				case "insert":
					insert = true
				}
			}
			if i == 0 && !(strings.EqualFold(sql[:j], "select") || strings.EqualFold(sql[:j], "insert") || strings.EqualFold(sql[:j], "update") || strings.EqualFold(sql[:j], "delete")) {
				return n, false
			}
			prev, i = sql[j-1], j
			continue
		case c >= '0' && c <= '9':
			j := i
			for j < len(sql) && sql[j] >= '0' && sql[j] <= '9' {
				j++
			}
			if j-i > 9 || j < len(sql) && (sql[j] == '.' || sql[j] == '_' || sql[j]|0x20 >= 'a' && sql[j]|0x20 <= 'z') {
				return n, false
			}
			if !(prev == '=' || prev == '+' || prev == '-' || insert && (prev == ',' || prev == '(')) {
				return n, false
			}
			v, _ := strconv.Atoi(sql[i:j])
			n.values = append(n.values, int32(v))
			n.types = append(n.types, types.Int4)
			out = append(append(out, sql[copied:i]...), '$')
			out = strconv.AppendInt(out, int64(len(n.values)), 10)
			copied = j
			prev, i = '0', j
			continue
		case c == '=' || c == '+' || c == '-' || c == ',' || c == '(' || c == ')' || c == '.' || c == '*':
			if c == '-' && prev == '-' || c == '*' && prev == '/' || c == '=' && (prev == '<' || prev == '>' || prev == '!') {
				return n, false
			}
		case c == ';':
			if strings.TrimSpace(sql[i+1:]) != "" {
				return n, false
			}
		default:
			return n, false
		}
		prev = c
		i++
	}
	if len(n.values) == 0 {
		return n, false
	}
	n.text = string(append(out, sql[copied:]...))
	return n, true
}

// startNormalized starts a statement by its normalized text; nil when it has to be taken as it is.
func (s *Session) startNormalized(ctx context.Context, sql string) (*result, error) {
	n, ok := normalize(sql)
	if !ok || s.phase == phaseFailed {
		return nil, nil
	}
	stmts, err := s.parseText(n.text)
	if err != nil || len(stmts) != 1 || !optimizable(stmts[0].Node) {
		return nil, nil
	}
	if _, err := s.statementTxn(ctx); err != nil {
		return nil, err
	}
	c, err := s.compile(ctx, n.text, stmts[0].Start, stmts[0].Node, n.types)
	if err != nil {
		// An error of analysis is reported with the positions of the text as it was sent.
		if class := string(pgerror.From(err).Code)[:2]; class == "42" || class == "22" || class == "0A" || class == "3F" {
			return nil, nil
		}
		return nil, err
	}
	for i, t := range c.params {
		if t.OID != n.types[i] {
			return nil, nil
		}
	}
	if c.planned.WatchesParams() {
		if err := c.planned.CheckParams(ctx, s.planOptions(s.reader()), n.values); err != nil {
			return nil, err
		}
	}
	return s.run(ctx, c, n.values)
}
