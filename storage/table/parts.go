package table

import (
	"bytes"
	"encoding/binary"
)

// part gives the ranges of one of parts disjoint parts of a scan. Where ranges lie
// in several tablets, each tablet's are cut into pieces and the parts get whole
// pieces. REQUIRES: every range is in one tablet, those of a tablet stand together.
func (s *Store) part(ranges []keyRange, part, parts int) ([]keyRange, error) {
	var groups [][]keyRange
	for from := 0; from < len(ranges); {
		end := from + 1
		for end < len(ranges) && ranges[end].tablets[0] == ranges[from].tablets[0] {
			end++
		}
		groups = append(groups, ranges[from:end])
		from = end
	}
	switch {
	case len(groups) == 0:
		return nil, nil
	case len(groups) == 1:
		return s.piece(ranges, part, parts)
	}
	pieces := 1
	if len(groups)%parts != 0 {
		pieces = (piecesPerPart*parts + len(groups) - 1) / len(groups)
	}
	total := len(groups) * pieces
	var out []keyRange
	for u := part * total / parts; u < (part+1)*total/parts; u++ {
		p := groups[u/pieces]
		if pieces > 1 {
			var err error
			if p, err = s.piece(p, u%pieces, pieces); err != nil {
				return nil, err
			}
		}
		out = append(out, p...)
	}
	return out, nil
}

// piecesPerPart makes parts about equal where tablets do not divide evenly.
const piecesPerPart = 3

// piece gives one of parts pieces of ranges in one tablet. The cuts are
// remembered for the transaction, so that all workers of a scan use the same.
func (s *Store) piece(ranges []keyRange, part, parts int) ([]keyRange, error) {
	cuts, err := s.cuts(ranges, parts)
	if err != nil {
		return nil, err
	}
	var lower, upper []byte // nil: unbounded
	if part > len(cuts) {
		return nil, nil
	}
	if part > 0 {
		lower = cuts[part-1]
	}
	if part < len(cuts) {
		upper = cuts[part]
	}
	var out []keyRange
	for _, r := range ranges {
		if lower != nil && bytes.Compare(r.lower, lower) < 0 {
			if r.point {
				continue
			}
			r.lower = lower
		}
		if upper != nil && bytes.Compare(r.upper, upper) > 0 {
			if r.point {
				if bytes.Compare(r.lower, upper) < 0 {
					out = append(out, r)
				}
				continue
			}
			r.upper = upper
		}
		if bytes.Compare(r.lower, r.upper) < 0 {
			out = append(out, r)
		}
	}
	return out, nil
}

const cutsMax = 1024

func (s *Store) cuts(ranges []keyRange, parts int) ([][]byte, error) {
	id := binary.AppendUvarint(nil, uint64(parts))
	for _, r := range ranges {
		id = append(binary.AppendUvarint(id, uint64(len(r.lower))), r.lower...)
		id = append(binary.AppendUvarint(id, uint64(len(r.upper))), r.upper...)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.splits[string(id)]; ok {
		return c, nil
	}
	if s.shared.eng == nil {
		return nil, nil
	}
	c, err := s.shared.eng.Splits(ranges[0].lower, ranges[len(ranges)-1].upper, parts)
	if err != nil {
		return nil, err
	}
	if s.splits == nil {
		s.splits = map[string][][]byte{}
	}
	// No eviction while a statement may be opening its parts: beyond the bound the
	// scan is not cut at all, which every worker computes alike.
	if len(s.splits) >= cutsMax {
		return nil, nil
	}
	s.splits[string(id)] = c
	return c, nil
}
