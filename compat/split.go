package compat

import "strings"

// Split cuts SQL text into statements at top-level semicolons, as psql does: it
// knows quotes, escape strings, dollar quotes, comments and parentheses. A statement
// keeps its terminating semicolon; leading blank space and comments are dropped.
func Split(text string) []string {
	var out []string
	start, i, depth := 0, 0, 0
	n := len(text)
	flush := func(end int) {
		if s := trimStatement(text[start:end]); s != "" && s != ";" {
			out = append(out, s)
		}
		start = end
	}
	for i < n {
		switch c := text[i]; {
		case c == '\'':
			escapes := i > 0 && (text[i-1] == 'e' || text[i-1] == 'E') && (i == 1 || !isIdent(text[i-2]))
			i = skipQuoted(text, i, '\'', escapes)
		case c == '"':
			i = skipQuoted(text, i, '"', false)
		case c == '-' && strings.HasPrefix(text[i:], "--"):
			if j := strings.IndexByte(text[i:], '\n'); j >= 0 {
				i += j
			} else {
				i = n
			}
		case c == '/' && strings.HasPrefix(text[i:], "/*"):
			i = skipComment(text, i)
		case c == '$' && (i == 0 || !isIdent(text[i-1])):
			i = skipDollar(text, i)
		case c == '(' || c == '[':
			depth++
			i++
		case c == ')' || c == ']':
			depth = max(depth-1, 0)
			i++
		case c == ';' && (depth == 0 || atLineEnd(text, i+1)):
			depth = 0
			i++
			flush(i)
		default:
			i++
		}
	}
	flush(n)
	return out
}

// atLineEnd reports whether only blanks follow on the line: an unbalanced
// parenthesis in a wrong statement must not swallow the rest of the file.
func atLineEnd(s string, i int) bool {
	for ; i < len(s); i++ {
		switch s[i] {
		case '\n':
			return true
		case ' ', '\t', '\r':
		default:
			return strings.HasPrefix(s[i:], "--")
		}
	}
	return true
}

func isIdent(c byte) bool {
	return c == '_' || c == '$' || c >= 0x80 || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func skipQuoted(s string, i int, q byte, escapes bool) int {
	for i++; i < len(s); i++ {
		if escapes && s[i] == '\\' {
			i++
			continue
		}
		if s[i] == q {
			if i+1 < len(s) && s[i+1] == q {
				i++
				continue
			}
			return i + 1
		}
	}
	return len(s)
}

func skipComment(s string, i int) int {
	depth := 0
	for i < len(s) {
		switch {
		case strings.HasPrefix(s[i:], "/*"):
			depth++
			i += 2
		case strings.HasPrefix(s[i:], "*/"):
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

func skipDollar(s string, i int) int {
	j := i + 1
	for j < len(s) && isIdent(s[j]) && s[j] != '$' {
		j++
	}
	if j >= len(s) || s[j] != '$' || (j > i+1 && s[i+1] >= '0' && s[i+1] <= '9') {
		return i + 1
	}
	tag := s[i : j+1]
	if k := strings.Index(s[j+1:], tag); k >= 0 {
		return j + 1 + k + len(tag)
	}
	return len(s)
}

// trimStatement drops blank space around a statement and comments before it.
func trimStatement(s string) string {
	for {
		s = strings.TrimSpace(s)
		switch {
		case strings.HasPrefix(s, "--"):
			if j := strings.IndexByte(s, '\n'); j >= 0 {
				s = s[j:]
			} else {
				return ""
			}
		case strings.HasPrefix(s, "/*"):
			s = s[skipComment(s, 0):]
		default:
			return s
		}
	}
}
