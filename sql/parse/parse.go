package parse

import (
	"errors"
	"strings"
	"unicode/utf8"

	pg_query "github.com/pganalyze/pg_query_go/v5"
	pgparser "github.com/pganalyze/pg_query_go/v5/parser"

	"github.com/basaltdb/basalt/sql/pgerror"
)

const (
	// sourceBytesMax bounds a source; PostgreSQL's own limit is 1 GB.
	sourceBytesMax = 256 << 20
	// nestingMax bounds brackets and CASE within each other, chainMax operators
	// on one level: both become recursion depth in the parser and behind it.
	nestingMax = 800
	chainMax   = 3000
)

// Statement is one statement of a source.
type Statement struct {
	Node *pg_query.Node
	// Text is the statement alone, Source[Start:End] without surrounding blanks and the semicolon.
	Text       string
	Start, End int
	// Source is the whole text; locations in Node are byte offsets into it.
	Source string
	// Notices the scanner gave (identifier truncation), in order; only on the first statement.
	Notices []*pgerror.Error
}

// Position converts a 0-based byte offset into s.Source to a 1-based character
// position; 0 for a negative (unknown) offset.
func (s *Statement) Position(offset int) int { return Position(s.Source, offset) }

// Position converts a 0-based byte offset in text to the 1-based character
// position of error reports; 0 when offset is negative.
func Position(text string, offset int) int {
	if offset < 0 {
		return 0
	}
	if offset > len(text) {
		offset = len(text)
	}
	return utf8.RuneCountInString(text[:offset]) + 1
}

// Parse parses a source. An empty source (blanks, comments, semicolons) gives no statements.
func Parse(text string) ([]Statement, error) { return ParseWithin(text, nil) }

// tokenBytes is about what a token takes as it becomes a parse tree, a query and a plan:
// 100 to 450 bytes were measured for lists of every kind.
const tokenBytes = 400

// Cost is about how many bytes of memory it takes to parse and analyse a source.
func Cost(text string) int64 {
	tokens, _, _ := prescan(text)
	return cost(text, tokens)
}

func cost(text string, tokens int) int64 { return int64(len(text)) + int64(tokens)*tokenBytes }

// ParseWithin is Parse asking first: within is told about how many bytes of memory it
// will take to parse and analyse the source, and its error is the answer.
func ParseWithin(text string, within func(bytes int64) error) ([]Statement, error) {
	if len(text) > sourceBytesMax {
		return nil, pgerror.New(pgerror.ProgramLimitExceeded, "statement is too long (%d bytes)", len(text))
	}
	if i := strings.IndexByte(text, 0); i >= 0 {
		return nil, pgerror.New(pgerror.CharacterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\": 0x00")
	}
	if !utf8.ValidString(text) {
		return nil, invalidUTF8(text)
	}
	tokens, notices, err := prescan(text)
	if err != nil {
		return nil, err
	}
	if within != nil {
		if err := within(cost(text, tokens)); err != nil {
			return nil, err
		}
	}
	res, err := pg_query.Parse(text)
	if err != nil {
		return nil, parserError(err, text)
	}
	out := make([]Statement, 0, len(res.Stmts))
	for _, raw := range res.Stmts {
		start := int(raw.StmtLocation)
		end := len(text)
		if raw.StmtLen > 0 {
			end = min(start+int(raw.StmtLen), end)
		}
		start, end = trim(text, start, end)
		out = append(out, Statement{Node: raw.Stmt, Text: text[start:end], Start: start, End: end, Source: text})
	}
	if len(out) > 0 {
		out[0].Notices = notices
	}
	return out, nil
}

// trim cuts blanks and comments before, blanks and semicolons behind a statement.
func trim(text string, start, end int) (int, int) {
	for start < end {
		switch {
		case isBlank(text[start]):
			start++
			continue
		case strings.HasPrefix(text[start:end], "--"):
			i := strings.IndexByte(text[start:end], '\n')
			if i < 0 {
				start = end
			} else {
				start += i + 1
			}
			continue
		case strings.HasPrefix(text[start:end], "/*"):
			start = min(skipComment(text, start), end)
			continue
		}
		break
	}
	for end > start && (isBlank(text[end-1]) || text[end-1] == ';') {
		end--
	}
	return start, end
}

func isBlank(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'
}

func invalidUTF8(text string) error {
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError && n <= 1 {
			want := 1
			switch c := text[i]; {
			case c&0xe0 == 0xc0:
				want = 2
			case c&0xf0 == 0xe0:
				want = 3
			case c&0xf8 == 0xf0:
				want = 4
			}
			var b strings.Builder
			for j := i; j < i+want && j < len(text); j++ {
				const hex = "0123456789abcdef"
				if j > i {
					b.WriteByte(' ')
				}
				b.WriteString("0x")
				b.WriteByte(hex[text[j]>>4])
				b.WriteByte(hex[text[j]&15])
			}
			return pgerror.New(pgerror.CharacterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\": %s", b.String())
		}
		i += n
	}
	return nil
}

// parserError gives the C parser's report its SQLSTATE, which it does not hand over.
func parserError(err error, text string) error {
	var pe *pgparser.Error
	if !errors.As(err, &pe) {
		return pgerror.Wrap(err, pgerror.InternalError, "%s", err.Error())
	}
	e := pgerror.New(parserCode(pe.Message), "%s", pe.Message)
	if strings.HasPrefix(pe.Message, "stack depth limit exceeded") {
		return tooDeep()
	}
	if pe.Message == "invalid Unicode escape" {
		if low := strings.ToLower(text); strings.Contains(low, "u&'") || strings.Contains(low, "u&\"") {
			e.Code = pgerror.SyntaxError
			e.WithHint("%s", `Unicode escapes must be \XXXX or \+XXXXXX.`)
		} else {
			e.WithHint("%s", `Unicode escapes must be \uXXXX or \UXXXXXXXX.`)
		}
	}
	return e.WithPosition(pe.Cursorpos)
}

var parserCodes = []struct {
	part string
	code pgerror.Code
}{
	{"LIMIT #,# syntax", pgerror.SyntaxError},
	{"is reserved", pgerror.ReservedName},
	{"syntax error", pgerror.SyntaxError},
	{"not implemented", pgerror.FeatureNotSupported},
	{"not yet implemented", pgerror.FeatureNotSupported},
	{"not supported", pgerror.FeatureNotSupported},
	{"cannot be marked", pgerror.FeatureNotSupported},
	{"frame start", pgerror.WindowingError},
	{"frame end", pgerror.WindowingError},
	{"frame starting from", pgerror.WindowingError},
	{"invalid Unicode", pgerror.SyntaxError},
	{"Unicode escape value", pgerror.UntranslatableCharacter},
	{"invalid byte sequence", pgerror.CharacterNotInRepertoire},
	{"unsafe use of \\'", pgerror.NonstandardUseOfEscapeCharacter},
	{"invalid Unicode escape", pgerror.InvalidEscapeSequence},
	{"precision for type float", pgerror.InvalidParameterValue},
	{"out of range", pgerror.NumericValueOutOfRange},
	{"stack depth limit", pgerror.StatementTooComplex},
}

func parserCode(msg string) pgerror.Code {
	switch msg {
	case "invalid Unicode escape":
		return pgerror.InvalidEscapeSequence
	}
	for _, c := range parserCodes {
		if strings.Contains(msg, c.part) {
			return c.code
		}
	}
	return pgerror.SyntaxError
}

func tooDeep() *pgerror.Error {
	return pgerror.New(pgerror.StatementTooComplex, "stack depth limit exceeded").
		WithHint("Increase the configuration parameter \"max_stack_depth\" (currently 2048kB), after ensuring the platform's stack depth limit is adequate.")
}
