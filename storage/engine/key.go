package engine

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/cockroachdb/pebble/v2"
)

// The bytes of an engine key (frozen, format version 1):
//
//	offset            size  what
//	0                 n     the key, which begins with its tablet: 2 bytes, big endian
//	n                 1     0x00, ends the prefix
//	n+1               8     ^timestamp, big endian: newer versions sort first
//	n+9               1     0x09, the length of the suffix with this byte
//
// A key without a version (local keys, bounds of ranges) ends at the 0x00,
// which reads as a suffix length of zero. The prefix, 0x00 included, orders keys;
// the suffix orders the versions of one. The trailing 0x00 keeps the order of
// the keys themselves, one being a prefix of another included.

// Timestamp is a commit timestamp; txn gives it meaning.
type Timestamp = uint64

// MaxTimestamp reads the newest versions.
const MaxTimestamp Timestamp = math.MaxUint64

// TabletLen is the length of the tablet at the start of every key. Tablet 0 holds
// this node's local keys, which callers name without it; 0xffff is not used.
const TabletLen = 2

const suffixLen = 9

// dataLower and dataUpper bound the engine keys of all tablets but the local one.
var dataLower, dataUpper = []byte{0, 1, 0}, []byte{0xff, 0xff, 0}

// AppendKey appends the engine key of the version of key made at ts.
func AppendKey(dst, key []byte, ts Timestamp) []byte {
	dst = append(dst, key...)
	dst = append(dst, 0)
	dst = binary.BigEndian.AppendUint64(dst, ^ts)
	return append(dst, suffixLen)
}

// AppendPrefix appends the engine key of key without a version: it sorts before
// all versions of key.
func AppendPrefix(dst, key []byte) []byte { return append(append(dst, key...), 0) }

// appendLocal appends the engine key of a local key.
func appendLocal(dst, key []byte) []byte { return append(append(append(dst, 0, 0), key...), 0) }

// split is the length of an engine key's prefix.
func split(k []byte) int {
	if len(k) == 0 {
		return 0
	}
	n := len(k) - int(k[len(k)-1])
	if n < 0 {
		return len(k)
	}
	return n
}

// DecodeKey takes a versioned engine key apart; key shares ek's memory.
func DecodeKey(ek []byte) (key []byte, ts Timestamp, ok bool) {
	n := len(ek)
	if n < TabletLen+1+suffixLen || ek[n-1] != suffixLen || ek[n-suffixLen-1] != 0 {
		return nil, 0, false
	}
	return ek[:n-suffixLen-1], ^binary.BigEndian.Uint64(ek[n-suffixLen:]), true
}

func compareKeys(a, b []byte) int {
	an, bn := split(a), split(b)
	if c := bytes.Compare(a[:an], b[:bn]); c != 0 {
		return c
	}
	return bytes.Compare(a[an:], b[bn:])
}

// comparer orders engine keys. Its name is part of the format.
var comparer = &pebble.Comparer{
	Name:                 "basalt.v1",
	Compare:              compareKeys,
	Equal:                bytes.Equal,
	Split:                split,
	ComparePointSuffixes: bytes.Compare,
	CompareRangeSuffixes: bytes.Compare,
	AbbreviatedKey: func(k []byte) uint64 {
		k = k[:split(k)]
		if len(k) >= 8 {
			return binary.BigEndian.Uint64(k)
		}
		var v uint64
		for _, b := range k {
			v = v<<8 | uint64(b)
		}
		return v << uint(8*(8-len(k)))
	},
	// Separator shortens to a prefix without a version where the prefixes differ
	// before a's end.
	Separator: func(dst, a, b []byte) []byte {
		an, bn := split(a), split(b)
		n := 0
		for n < an && n < bn && a[n] == b[n] {
			n++
		}
		// a[:n] | a[n]+1 | 00 is above a; it is below b when a[n]+1 < b[n].
		if n+2 < an && n < bn && a[n]+1 < b[n] {
			dst = append(dst, a[:n+1]...)
			dst[len(dst)-1]++
			return append(dst, 0)
		}
		return append(dst, a...)
	},
	Successor: func(dst, a []byte) []byte {
		an := split(a)
		for i := 0; i+2 < an; i++ {
			if a[i] != 0xff {
				dst = append(dst, a[:i+1]...)
				dst[len(dst)-1]++
				return append(dst, 0)
			}
		}
		return append(dst, a...)
	},
	// The next prefix above p|00 is p|00|00: the key with one zero byte more.
	ImmediateSuccessor: func(dst, a []byte) []byte { return append(append(dst, a...), 0) },
	FormatKey:          func(k []byte) fmt.Formatter { return formattedKey(k) },
}

type formattedKey []byte

func (k formattedKey) Format(s fmt.State, _ rune) {
	key, ts, ok := DecodeKey(k)
	if !ok {
		fmt.Fprintf(s, "%x", []byte(k))
		return
	}
	fmt.Fprintf(s, "%d/%x@%d", binary.BigEndian.Uint16(key), key[TabletLen:], ts)
}
