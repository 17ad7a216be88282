package parse

import (
	"strings"
	"unicode/utf8"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// identBytesMax is NAMEDATALEN − 1.
const identBytesMax = 63

// prescan walks the text's lexical structure once, cheaply: it refuses nesting
// that would overrun a stack, counts tokens and notes identifiers the scanner will cut.
func prescan(text string) (tokens int, notices []*pgerror.Error, err error) {
	// levels holds the operators seen per open bracket: brackets and operators on
	// the way to the innermost one add up to recursion depth. AND, OR and list
	// commas start a level afresh, the grammar keeps those as flat lists.
	levels := make([]int, 1, 16)
	total := 0
	push := func() bool {
		levels = append(levels, 0)
		return len(levels) <= nestingMax
	}
	pop := func() {
		if n := len(levels) - 1; n > 0 {
			total -= levels[n]
			levels = levels[:n]
		} else {
			total, levels[0] = 0, 0
		}
	}
	reset := func() {
		total -= levels[len(levels)-1]
		levels[len(levels)-1] = 0
	}
	op := func() bool {
		levels[len(levels)-1]++
		total++
		return total <= chainMax
	}
	for i := 0; i < len(text); {
		c := text[i]
		if !isBlank(c) {
			tokens++
		}
		switch {
		case c == '\'':
			i = skipQuoted(text, i, '\'', false)
		case (c == 'e' || c == 'E') && i+1 < len(text) && text[i+1] == '\'':
			i = skipQuoted(text, i+1, '\'', true)
		case c == '"':
			j := skipQuoted(text, i, '"', false)
			if j-i-2 > identBytesMax {
				if id := strings.ReplaceAll(text[i+1:j-1], `""`, `"`); len(id) > identBytesMax {
					notices = append(notices, truncation(id))
				}
			}
			i = j
		case c == '-' && strings.HasPrefix(text[i:], "--"):
			if n := strings.IndexByte(text[i:], '\n'); n >= 0 {
				i += n
			} else {
				i = len(text)
			}
		case c == '/' && strings.HasPrefix(text[i:], "/*"):
			i = skipComment(text, i)
		case c == '$':
			i = skipDollar(text, i)
		case c == '(' || c == '[':
			if !push() {
				return tokens, nil, tooDeep()
			}
			i++
		case c == ')' || c == ']':
			pop()
			i++
		case c == ',':
			reset()
			i++
		case c == ';':
			levels, total = append(levels[:0], 0), 0
			i++
		case strings.IndexByte("+-*/<>=~!@#%^&|`:", c) >= 0:
			if !op() {
				return tokens, nil, tooDeep()
			}
			for i < len(text) && strings.IndexByte("+-*/<>=~!@#%^&|`:", text[i]) >= 0 &&
				!strings.HasPrefix(text[i:], "--") && !strings.HasPrefix(text[i:], "/*") {
				i++
				if i < len(text) && text[i-1] != ':' && (text[i] == '+' || text[i] == '-') && !op() {
					return tokens, nil, tooDeep() // runs of unary signs
				}
			}
		case isIdentStart(c):
			j := i + 1
			for j < len(text) && isIdentPart(text[j]) {
				j++
			}
			if j-i > identBytesMax {
				notices = append(notices, truncation(lower(text[i:j])))
			} else if j-i <= 9 {
				ok := true
				switch lower(text[i:j]) {
				case "and", "or":
					reset()
				case "not", "is", "isnull", "notnull", "collate", "at", "like", "ilike", "union", "except", "intersect", "join":
					ok = op()
				case "case":
					ok = push()
				case "end":
					pop()
				}
				if !ok {
					return tokens, nil, tooDeep()
				}
			}
			i = j
		case c >= '0' && c <= '9':
			for i++; i < len(text) && text[i] >= '0' && text[i] <= '9'; i++ {
			}
		default:
			i++
		}
	}
	return tokens, notices, nil
}

func isIdentStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}

func isIdentPart(c byte) bool { return isIdentStart(c) || c >= '0' && c <= '9' || c == '$' }

// lower folds as the scanner does: ASCII only.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// Truncate cuts an identifier to PostgreSQL's 63 bytes, at a character's edge.
func Truncate(id string) string {
	if len(id) <= identBytesMax {
		return id
	}
	n := identBytesMax
	for n > 0 && !utf8.RuneStart(id[n]) {
		n--
	}
	return id[:n]
}

func truncation(id string) *pgerror.Error {
	return pgerror.New(pgerror.NameTooLong, "identifier \"%s\" will be truncated to \"%s\"", id, Truncate(id)).WithSeverity("NOTICE")
}

// skipQuoted returns the offset behind a quoted token that starts at i.
func skipQuoted(text string, i int, quote byte, backslash bool) int {
	for i++; i < len(text); i++ {
		switch {
		case backslash && text[i] == '\\':
			i++
		case text[i] == quote:
			if i+1 < len(text) && text[i+1] == quote {
				i++
				continue
			}
			return i + 1
		}
	}
	return len(text)
}

// skipComment returns the offset behind a (nested) block comment that starts at i.
func skipComment(text string, i int) int {
	depth := 0
	for i < len(text) {
		switch {
		case strings.HasPrefix(text[i:], "/*"):
			depth++
			i += 2
		case strings.HasPrefix(text[i:], "*/"):
			depth--
			i += 2
			if depth == 0 {
				return i
			}
		default:
			i++
		}
	}
	return i
}

// skipDollar returns the offset behind a dollar-quoted string, or behind the $ when there is none.
func skipDollar(text string, i int) int {
	j := i + 1
	for j < len(text) && (isIdentStart(text[j]) || j > i+1 && text[j] >= '0' && text[j] <= '9') {
		j++
	}
	if j >= len(text) || text[j] != '$' {
		return max(j, i+1)
	}
	tag := text[i : j+1]
	if n := strings.Index(text[j+1:], tag); n >= 0 {
		return j + 1 + n + len(tag)
	}
	return len(text)
}
