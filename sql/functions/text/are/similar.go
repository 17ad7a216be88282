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
	quotes, escaped, bracket := 0, false, 0 // bracket: 0 outside, 1 just opened, 2 inside
	for i := 0; i < len(pattern); {
		_, w := utf8.DecodeRuneInString(pattern[i:])
		c := pattern[i : i+w]
		i += w
		switch {
		case escaped:
			escaped = false
			if c != `"` || bracket > 0 {
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
		case bracket > 0 && c == "[" && i < len(pattern) && strings.IndexByte(":.=", pattern[i]) >= 0:
			n := strings.Index(pattern[i+1:], pattern[i:i+1]+"]")
			if n < 0 { // left to the regular expression's parser
				n = len(pattern) - i - 3
			}
			end := max(i+n+3, i)
			b.WriteString("[" + pattern[i:end])
			i, bracket = end, 2
		case bracket > 0:
			if c == `\` {
				b.WriteByte('\\')
			}
			b.WriteString(c)
			switch {
			case c == "]" && bracket == 2:
				bracket = 0
			case c != "^" || bracket == 2:
				bracket = 2
			}
		case c == "[":
			b.WriteString(c)
			bracket = 1
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
