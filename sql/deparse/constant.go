package deparse

import (
	"strings"

	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// typeLabel says when a constant is written with its type.
type typeLabel int8

const (
	labelNever typeLabel = iota - 1
	labelIfNeeded
	labelAlways
)

// constant writes a literal. Negative integers and odd numerics are quoted, so
// that they read back as one constant.
func (p *printer) constant(c *query.Const, label typeLabel) {
	if c.Value == nil {
		p.str("NULL")
		if label >= labelIfNeeded {
			p.str("::" + p.typeName(c.T))
		}
		return
	}
	text, err := types.Out(p.Types, c.T, c.Value)
	if err != nil {
		text = "???"
	}
	need := true
	switch c.T.OID {
	case types.Int4:
		need = strings.HasPrefix(text, "-")
		p.literal(text, need)
	case types.NumericOID:
		plain := text[0] >= '0' && text[0] <= '9' && strings.ContainsAny(text, "eE.")
		p.literal(text, !plain)
		need = !plain || c.T.Mod >= 0
	case types.Bool:
		p.str(map[bool]string{true: "true", false: "false"}[c.Value.(bool)])
		need = false
	case types.Unknown:
		p.literal(text, true)
		need = false
	default:
		p.literal(text, true)
	}
	if label == labelNever {
		return
	}
	if need || label == labelAlways {
		p.str("::" + p.typeName(c.T))
	}
	if t, err := p.Catalog.Type(p.Ctx, c.T.OID); err == nil && t != nil && c.Coll != 0 && t.Collation != 0 && c.Coll != t.Collation {
		if coll := p.Catalog.Collation(c.Coll); coll != nil {
			p.str(" COLLATE " + QuoteIdent(coll.Name))
		}
	}
}

func (p *printer) literal(text string, quote bool) {
	if quote {
		text = QuoteLiteral(text)
	}
	p.str(text)
}
