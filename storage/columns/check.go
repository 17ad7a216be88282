package columns

import (
	"bytes"
	"context"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/storage/engine"
)

// Damage is a fault of a segment.
type Damage struct {
	Path string
	Err  error
}

// Check verifies the segments: with files every block of every file against its
// checksum, that rows lie where the directory says, and that no row counts in two
// forms. An error means that it could not be done. Merging may go on meanwhile.
func (s *Store) Check(ctx context.Context, files bool) ([]Damage, error) {
	var out []Damage
	for _, c := range s.cells.Load().list {
		// Before the pin, as readers do: what a merge purges later is still seen.
		v, err := s.eng.NewVersions()
		if err != nil {
			return out, err
		}
		var damaged []Damage
		if p := c.pin(); p != nil {
			damaged, err = p.check(ctx, files, v)
			p.Release()
		}
		if cerr := v.Close(); err == nil {
			err = cerr
		}
		out = append(out, damaged...)
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

func (p *Pin) check(ctx context.Context, files bool, v *engine.Versions) (out []Damage, err error) {
	bad := func(g *Segment, err error) { out = append(out, Damage{g.Path(), err}) }
	for i, sp := range p.st.spans {
		g := sp.seg
		if g == nil {
			continue
		}
		if i > 0 && bytes.Compare(p.st.spans[i-1].upper, sp.lower) > 0 {
			bad(g, corruptFile(g.Path(), "its span overlaps another"))
		}
		if !sp.holds(g.first) || !sp.holds(g.last) || g.ts != sp.floor {
			bad(g, corruptFile(g.Path(), "its rows do not lie in its span"))
		}
	}
	p.st.eachSegment(func(g *Segment) {
		if ctx.Err() != nil {
			return
		}
		f, err := g.open()
		if err == nil && (!bytes.Equal(f.First(), g.first) || !bytes.Equal(f.Last(), g.last)) {
			err = corruptFile(g.Path(), "its first and last keys are others than the directory's")
		}
		if err == nil && files {
			err = f.Verify(ctx)
		}
		if err != nil && ctx.Err() == nil {
			bad(g, err)
		}
	})
	if ctx.Err() != nil {
		return out, pgerror.From(context.Cause(ctx))
	}
	if len(out) > 0 {
		return out, nil
	}
	for _, g := range p.st.loose {
		if err := p.checkLoose(ctx, g, v); err != nil {
			if !pgerror.Is(err, pgerror.DataCorrupted) {
				return out, err
			}
			bad(g, err)
		}
	}
	return out, nil
}

// Files lists the numbers of the files that the directory refers to, but for those of
// prepared transactions that have been taken (TakePrepared).
func (s *Store) Files() map[uint64]bool {
	out := map[uint64]bool{}
	for _, n := range s.Unclaimed() {
		out[n] = true
	}
	for _, c := range s.cells.Load().list {
		if p := c.pin(); p != nil {
			p.st.eachSegment(func(g *Segment) { out[g.number] = true })
			p.Release()
		}
	}
	return out
}

// checkLoose sees that where an older segment has a row of the loose one, the engine
// has a version that hides it: one in between or, once that has been collected because
// nobody reads before a later one, the later one. v was opened before p was pinned.
func (p *Pin) checkLoose(ctx context.Context, g *Segment, v *engine.Versions) error {
	var older []*Segment
	for _, o := range p.st.overlapping(g.first, append(bytes.Clone(g.last), 0)) {
		if o != g && (o.merged || o.ts < g.ts) {
			older = append(older, o)
		}
	}
	if len(older) == 0 {
		return nil
	}
	f, err := g.open()
	if err != nil {
		return err
	}
	for b := range f.Blocks() {
		if ctx.Err() != nil {
			return pgerror.From(context.Cause(ctx))
		}
		keys, err := f.Keys(ctx, b)
		if err != nil {
			return err
		}
		for i := range keys.Len() {
			loc := keys.At(i)
			floor := p.st.floor(loc)
			if floor >= g.ts {
				continue
			}
			for _, o := range older {
				if o.ts < floor {
					continue
				}
				has, err := o.Has(loc)
				if err != nil {
					return err
				}
				if !has {
					continue
				}
				key := append(append([]byte{}, p.space[:]...), loc...)
				if ok := v.Seek(key, engine.MaxTimestamp); !ok || v.Timestamp() <= o.ts {
					if err := v.Err(); err != nil {
						return err
					}
					return corruptFile(g.Path(), "the row with key %x counts in \"%s\" as well", key, o.Path())
				}
			}
		}
	}
	return nil
}
