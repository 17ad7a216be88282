package segment

import (
	"encoding/binary"

	"github.com/zeebo/xxh3"
)

// The key filter is a blocked Bloom filter: lines of 64 bytes, a key's six bits in
// one line, about ten bits per key. Stored: the lines.

const (
	bloomLineLen = 64
	bloomKeyBits = 10
	bloomProbes  = 6
)

// appendBloom appends a filter of key hashes.
func appendBloom(dst []byte, hashes []uint64) []byte {
	lines := (len(hashes)*bloomKeyBits + bloomLineLen*8 - 1) / (bloomLineLen * 8)
	from := len(dst)
	dst = append(dst, make([]byte, lines*bloomLineLen)...)
	f := bloom(dst[from:])
	for _, h := range hashes {
		line := f.line(h)
		for range bloomProbes {
			b := h & 511
			line[b>>3] |= 1 << (b & 7)
			h = h>>9 | h<<55
		}
	}
	return dst
}

type bloom []byte

func hashKey(key []byte) uint64 { return xxh3.Hash(key) }

func (f bloom) line(h uint64) []byte {
	lines := uint64(len(f) / bloomLineLen)
	at := (h >> 32) * lines >> 32 * bloomLineLen
	return f[at : at+bloomLineLen]
}

// may reports whether the key with this hash may be there.
func (f bloom) may(h uint64) bool {
	if len(f) < bloomLineLen {
		return true
	}
	line := f.line(h)
	for range bloomProbes {
		b := h & 511
		if binary.LittleEndian.Uint64(line[b>>6<<3:])&(1<<(b&63)) == 0 {
			return false
		}
		h = h>>9 | h<<55
	}
	return true
}
