package are

import (
	"strings"
	"unicode/utf8"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// Similar translates a SIMILAR TO pattern to a regular expression. esc is the
// escape character, "" for none. Escaped double quotes cut the pattern in three
// for SUBSTRING: the middle becomes the capture and the first part matches as
// little as it can.
func Similar(pattern, esc string) (string, error) {
	if utf8.RuneCountInString(esc) > 1 {
		return "", pgerror.New(pgerror.InvalidEscapeSequence, "invalid escape string").
			WithHint("Escape string must be empty or one character.")
	}
	var b strings.Builder
	b.WriteString("^(?:")
	quotes, escaped, depth, fresh := 0, false, 0, false // depth of brackets; fresh: just opened
	for i := 0; i < len(pattern); {
		_, w := utf8.DecodeRuneInString(pattern[i:])
		c := pattern[i : i+w]
		i += w
		switch {
		case escaped:
			escaped = false
			if c != `"` || depth > 0 {
				b.WriteString(`\` + c)
				break
			}
			switch quotes++; quotes {
			case 1:
				b.WriteString("){1,1}?(")
			case 2:
				b.WriteString("){1,1}(?:")
			default:
				return "", pgerror.New(pgerror.InvalidUseOfEscapeCharacter,
					"SQL regular expression may not contain more than two escape-double-quote separators")
			}
		case esc != "" && c == esc:
			escaped = true
		case depth > 0:
			if c == `\` {
				b.WriteByte('\\')
			}
			b.WriteString(c)
			switch {
			case c == "[":
				depth++ // a character class, or taken for one
			case c == "]" && !fresh:
				depth--
			}
			fresh = fresh && c == "^"
		case c == "[":
			b.WriteString(c)
			depth, fresh = 1, true
		case c == "%":
			b.WriteString(".*")
		case c == "_":
			b.WriteByte('.')
		case c == "(":
			b.WriteString("(?:")
		case c == `\` || c == "." || c == "^" || c == "$":
			b.WriteString(`\` + c)
		default:
			b.WriteString(c)
		}
	}
	b.WriteString(")$")
	return b.String(), nil
}
