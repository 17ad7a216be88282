package copy

import (
	"strings"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types/charset"
)

// Format of the data.
type Format uint8

const (
	Text Format = iota
	CSV
	Binary
)

// Header says what is done with a first line.
type Header uint8

const (
	HeaderNone Header = iota
	HeaderTrue
	HeaderMatch
)

// Options of one COPY. The pointers are nil where the statement said nothing.
type Options struct {
	From   bool
	Format Format
	Header Header
	Freeze bool

	Delimiter, Null, Quote, Escape *string

	// Encoding of the data; nil: the client's, UTF8 where that is UTF8.
	Encoding *charset.Encoding

	ForceQuoteAll                       bool
	ForceQuote, ForceNotNull, ForceNull []string
	HasForceNotNull, HasForceNull       bool
	delim, quote, escape                byte
	null                                string
}

func unsupported(text string) error { return pgerror.New(pgerror.FeatureNotSupported, "%s", text) }
func invalid(text string) error     { return pgerror.New(pgerror.InvalidParameterValue, "%s", text) }

// Check validates the options together and fills in the defaults.
func (o *Options) Check() error {
	if o.Format == Binary {
		if o.Delimiter != nil {
			return pgerror.New(pgerror.SyntaxError, "cannot specify DELIMITER in BINARY mode")
		}
		if o.Null != nil {
			return pgerror.New(pgerror.SyntaxError, "cannot specify NULL in BINARY mode")
		}
	}
	delim := "\t"
	if o.Format == CSV {
		delim = ","
	}
	if o.Delimiter != nil {
		delim = *o.Delimiter
	}
	if o.Null != nil {
		o.null = *o.Null
	} else if o.Format == Text {
		o.null = `\N`
	}
	quote := `"`
	if o.Quote != nil {
		quote = *o.Quote
	}
	escape := quote
	if o.Escape != nil {
		escape = *o.Escape
	}
	csv := o.Format == CSV
	switch {
	case len(delim) != 1:
		return unsupported("COPY delimiter must be a single one-byte character")
	case delim == "\r" || delim == "\n":
		return invalid("COPY delimiter cannot be newline or carriage return")
	case strings.ContainsAny(o.null, "\r\n"):
		return invalid("COPY null representation cannot use newline or carriage return")
	case !csv && strings.Contains(`\.abcdefghijklmnopqrstuvwxyz0123456789`, delim):
		return invalid(`COPY delimiter cannot be "` + delim + `"`)
	case o.Header != HeaderNone && o.Format == Binary:
		return unsupported("cannot specify HEADER in BINARY mode")
	case !csv && o.Quote != nil:
		return unsupported("COPY quote available only in CSV mode")
	case csv && len(quote) != 1:
		return unsupported("COPY quote must be a single one-byte character")
	case csv && delim == quote:
		return invalid("COPY delimiter and quote must be different")
	case !csv && o.Escape != nil:
		return unsupported("COPY escape available only in CSV mode")
	case csv && len(escape) != 1:
		return unsupported("COPY escape must be a single one-byte character")
	case !csv && (o.ForceQuote != nil || o.ForceQuoteAll):
		return unsupported("COPY force quote available only in CSV mode")
	case (o.ForceQuote != nil || o.ForceQuoteAll) && o.From:
		return unsupported("COPY force quote only available using COPY TO")
	case !csv && o.HasForceNotNull:
		return unsupported("COPY force not null available only in CSV mode")
	case o.HasForceNotNull && !o.From:
		return unsupported("COPY force not null only available using COPY FROM")
	case !csv && o.HasForceNull:
		return unsupported("COPY force null available only in CSV mode")
	case o.HasForceNull && !o.From:
		return unsupported("COPY force null only available using COPY FROM")
	case strings.Contains(o.null, delim):
		return unsupported("COPY delimiter must not appear in the NULL specification")
	case csv && strings.Contains(o.null, quote):
		return unsupported("CSV quote character must not appear in the NULL specification")
	}
	o.delim, o.quote, o.escape = delim[0], quote[0], escape[0]
	return nil
}
