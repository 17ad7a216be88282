package segment

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/basaltdb/basalt/sql/types"
)

var intsNames = [intsKinds]string{"constant", "frame", "line", "runs", "table", "patched"}

// Describe prints what is where in the file: every part with its offset, length and
// encoding, every zone. Parts that are damaged are printed as such.
func (f *File) Describe(ctx context.Context, w io.Writer) error {
	out := &printer{w: w}
	m := f.Meta()
	out.line("%s: format version %d, %d bytes, %d rows in %d blocks, %d columns", f.path, formatVersion, f.size, m.Rows, m.Blocks, len(m.Columns))
	out.line("keys %x … %x", m.First, m.Last)
	for c := range f.foot.columns {
		k := &f.foot.columns[c]
		cm := &m.Columns[c]
		out.line("")
		out.line("column %d, type %s: %d bytes, %d NULLs, about %d distinct values of %.1f bytes%s", k.Attnum, types.TypeName(k.Type.OID), cm.Bytes, cm.Nulls, cm.Distinct, cm.Width,
			bounds(k.Type, cm.Min, cm.Max))
		for b, p := range k.blocks {
			out.line("  %8d +%-7d block %d, rows %d-%d: %s%s", p.off, p.len, b, f.foot.starts[b], f.foot.starts[b+1]-1, f.describeBlock(ctx, c, b), zoneText(k.Type, &k.zones[b]))
		}
		switch k.sharedKind {
		case sharedDictionary:
			out.line("  %8d +%-7d dictionary: %s", k.shared.off, k.shared.len, f.describeShared(c))
		case sharedSymbols:
			out.line("  %8d +%-7d symbols: %s", k.shared.off, k.shared.len, f.describeShared(c))
		}
	}
	out.line("")
	out.line("keys")
	for b, p := range f.foot.keys {
		out.line("  %8d +%-7d block %d, from %x: %s", p.off, p.len, b, f.foot.firsts[b], f.describeKeys(ctx, b))
	}
	out.line("  %8d +%-7d filter", f.foot.filter.off, f.foot.filter.len)
	out.line("  %8d +%-7d sketches", f.foot.sketches.off, f.foot.sketches.len)
	end := f.foot.sketches.off + uint64(f.foot.sketches.len)
	out.line("  %8d +%-7d footer", end, uint64(f.size)-trailerLen-end)
	out.line("  %8d +%-7d trailer", uint64(f.size)-trailerLen, trailerLen)
	return out.err
}

// printer keeps the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

func bounds(t types.T, lo, hi types.Datum) string {
	if lo == nil {
		return ""
	}
	return fmt.Sprintf(", from %s to %s", datumText(t, lo), datumText(t, hi))
}

func datumText(t types.T, d types.Datum) string {
	s, err := types.Out(types.DefaultEnv(), t, d)
	if err != nil {
		return fmt.Sprint(d)
	}
	if _, ok := d.(string); ok {
		return fmt.Sprintf("%q", s)
	}
	return s
}

func zoneText(t types.T, z *Zone) string {
	var sb strings.Builder
	if z.Nulls > 0 {
		fmt.Fprintf(&sb, ", %d NULLs", z.Nulls)
	}
	lo, hi := z.Bounds(t)
	sb.WriteString(bounds(t, lo, hi))
	if z.Kind == ZoneBytes && z.MaxCut {
		sb.WriteString("…")
	}
	return sb.String()
}

func (f *File) describeBlock(ctx context.Context, col, b int) string {
	k, err := f.block(ctx, col, b, nil)
	if err != nil {
		return "DAMAGED: " + err.Error()
	}
	s := formNames[k.form]
	switch k.form {
	case formInts, formDecimals, formCodes:
		s += " " + describeInts(&k.ints)
	case formText, formSymbols:
		s += fmt.Sprintf(", %d bytes as %d, lengths of %d bits", k.text.raw, len(k.text.data), k.text.w)
	}
	if k.form == formDecimals {
		s += fmt.Sprintf(", scale %d", k.scale)
	}
	return s
}

func describeInts(s *ints) string {
	out := intsNames[s.kind]
	if s.kind != intsConstant {
		out += fmt.Sprintf(" of %d bits", s.w)
	}
	switch s.kind {
	case intsRuns:
		out += fmt.Sprintf(", %d runs", len(s.at))
	case intsPatched:
		out += fmt.Sprintf(", %d exceptions", len(s.at))
	}
	return out
}

func (f *File) describeShared(col int) string {
	syms, dict, err := f.shared(col)
	switch {
	case err != nil:
		return "DAMAGED: " + err.Error()
	case dict != nil:
		return fmt.Sprintf("%d entries", dict.n)
	}
	n := 0
	for _, l := range syms.len {
		if l > 0 {
			n++
		}
	}
	return fmt.Sprint(n)
}

func (f *File) describeKeys(ctx context.Context, b int) string {
	k, err := f.keyBlock(ctx, b)
	switch {
	case err != nil:
		return "DAMAGED: " + err.Error()
	case k.kind == keysBits:
		return fmt.Sprintf("%d bytes each, differing bits in %s", len(k.template), describeInts(&k.vals))
	}
	return "front-coded"
}
