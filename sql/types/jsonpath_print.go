package types

import (
	"math"
	"strconv"
)

// The canonical text of a jsonpath: what jsonpath prints as and how it is kept.

func (i *PathItem) priority() int {
	switch i.Op {
	case PathOr:
		return 0
	case PathAnd:
		return 1
	case PathCompare, PathStartsWith:
		return 2
	case PathArith:
		if i.Text == "+" || i.Text == "-" {
			return 3
		}
		return 4
	case PathUnary:
		return 5
	}
	return 6
}

// AppendText appends the canonical text.
func (t *JSONPathTree) AppendText(buf []byte) []byte {
	if t.Strict {
		buf = append(buf, "strict "...)
	}
	return t.Root.appendText(buf, false, true)
}

func (i *PathItem) appendText(buf []byte, inKey, brackets bool) []byte {
	open := func(b bool) {
		if b {
			buf = append(buf, '(')
		}
	}
	shut := func(b bool) {
		if b {
			buf = append(buf, ')')
		}
	}
	arg := func(a *PathItem) { buf = a.appendText(buf, false, a.priority() <= i.priority()) }
	dot := func() {
		if inKey {
			buf = append(buf, '.')
		}
	}
	binary := func(op string) {
		open(brackets)
		arg(i.Left)
		buf = append(append(append(buf, ' '), op...), ' ')
		arg(i.Right)
		shut(brackets)
	}
	switch i.Op {
	case PathNull:
		buf = append(buf, "null"...)
	case PathString:
		buf = AppendJSONString(buf, i.Text)
	case PathNumber:
		open(i.Next != nil)
		buf = i.Num.AppendText(buf)
		shut(i.Next != nil)
	case PathBool:
		buf = strconv.AppendBool(buf, i.True)
	case PathVariable:
		buf = AppendJSONString(append(buf, '$'), i.Text)
	case PathRoot:
		buf = append(buf, '$')
	case PathCurrent:
		buf = append(buf, '@')
	case PathLast:
		buf = append(buf, "last"...)
	case PathKey:
		dot()
		buf = AppendJSONString(buf, i.Text)
	case PathAnyKey:
		dot()
		buf = append(buf, '*')
	case PathAnyArray:
		buf = append(buf, "[*]"...)
	case PathIndexes:
		buf = append(buf, '[')
		for k, s := range i.Subs {
			if k > 0 {
				buf = append(buf, ',')
			}
			buf = s.From.appendText(buf, false, false)
			if s.To != nil {
				buf = s.To.appendText(append(buf, " to "...), false, false)
			}
		}
		buf = append(buf, ']')
	case PathAny:
		dot()
		level := func(v uint32) string {
			if v == math.MaxUint32 {
				return "last"
			}
			return strconv.FormatUint(uint64(v), 10)
		}
		switch {
		case i.First == 0 && i.Last == math.MaxUint32:
			buf = append(buf, "**"...)
		case i.First == i.Last:
			buf = append(buf, "**{"+level(i.First)+"}"...)
		default:
			buf = append(buf, "**{"+level(i.First)+" to "+level(i.Last)+"}"...)
		}
	case PathFilter:
		buf = append(buf, "?("...)
		buf = append(i.Left.appendText(buf, false, false), ')')
	case PathMethod:
		buf = append(append(append(buf, '.'), i.Text...), '(')
		if i.Left != nil {
			buf = i.Left.appendText(buf, false, false)
		}
		buf = append(buf, ')')
	case PathAnd:
		binary("&&")
	case PathOr:
		binary("||")
	case PathCompare, PathArith:
		binary(i.Text)
	case PathStartsWith:
		binary("starts with")
	case PathNot:
		buf = append(buf, "!("...)
		buf = append(i.Left.appendText(buf, false, false), ')')
	case PathIsUnknown:
		buf = append(buf, '(')
		buf = append(i.Left.appendText(buf, false, false), ") is unknown"...)
	case PathExists:
		buf = append(buf, "exists ("...)
		buf = append(i.Left.appendText(buf, false, false), ')')
	case PathUnary:
		open(brackets)
		buf = append(buf, i.Text...)
		arg(i.Left)
		shut(brackets)
	case PathLikeRegex:
		open(brackets)
		arg(i.Left)
		buf = AppendJSONString(append(buf, " like_regex "...), i.Text)
		if i.Flags != "" {
			buf = append(append(append(buf, " flag \""...), i.Flags...), '"')
		}
		shut(brackets)
	}
	if i.Next != nil {
		buf = i.Next.appendText(buf, true, true)
	}
	return buf
}
