package segment

import (
	"math"
	"math/bits"
)

// Sketch counts distinct values (HyperLogLog with 2^11 registers, about 2.3 %).
// Sketches of several files merge. Stored, dense: 1 and the registers; sparse: 0,
// and for each register that is not 0 its number (2 bytes) and value.
type Sketch struct {
	reg [sketchRegisters]uint8
}

const (
	sketchBits      = 11
	sketchRegisters = 1 << sketchBits
)

func (s *Sketch) add(hash uint64) {
	r := hash >> (64 - sketchBits)
	rank := uint8(bits.LeadingZeros64(hash<<sketchBits|1<<(sketchBits-1))) + 1
	if rank > s.reg[r] {
		s.reg[r] = rank
	}
}

// Merge makes s the sketch of the values of both.
func (s *Sketch) Merge(o *Sketch) {
	for i, v := range o.reg {
		s.reg[i] = max(s.reg[i], v)
	}
}

// Distinct estimates the number of distinct values.
func (s *Sketch) Distinct() float64 {
	sum, zeros := 0.0, 0
	for _, r := range s.reg {
		sum += 1 / float64(uint64(1)<<r)
		if r == 0 {
			zeros++
		}
	}
	const m = sketchRegisters
	e := 0.7213 / (1 + 1.079/m) * m * m / sum
	if e <= 2.5*m && zeros > 0 {
		return m * math.Log(m/float64(zeros))
	}
	return e
}

func (s *Sketch) append(dst []byte) []byte {
	n := 0
	for _, r := range s.reg {
		if r != 0 {
			n++
		}
	}
	if 3*n >= sketchRegisters {
		return append(append(dst, 1), s.reg[:]...)
	}
	dst = append(dst, 0)
	for i, r := range s.reg {
		if r != 0 {
			dst = append(dst, byte(i), byte(i>>8), r)
		}
	}
	return dst
}

func parseSketch(b []byte) (*Sketch, error) {
	s := &Sketch{}
	if len(b) == 0 {
		return nil, malformed("sketch: empty")
	}
	kind, b := b[0], b[1:]
	if kind == 1 && len(b) == sketchRegisters {
		copy(s.reg[:], b)
	} else if kind != 0 || len(b)%3 != 0 {
		return nil, malformed("sketch: kind %d of %d bytes", kind, len(b))
	} else {
		for ; len(b) > 0; b = b[3:] {
			s.reg[(int(b[0])|int(b[1])<<8)&(sketchRegisters-1)] = b[2]
		}
	}
	for i, r := range s.reg {
		s.reg[i] = min(r, 64-sketchBits+1)
	}
	return s, nil
}

// hashInt spreads an integer over 64 bits.
func hashInt(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
