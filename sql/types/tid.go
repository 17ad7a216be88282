package types

import (
	"encoding/binary"
	"strconv"
	"strings"
)

// tid is "(block,offset)": a uint64, block << 16 | offset. What a row's ctid says is
// the store's business; blocks may take 48 bits, which the binary form has not.

const tidBlockMax = 1<<48 - 1

var tidCodec = func() *codec {
	c := uint64Like(parseTid, func(buf []byte, v uint64) []byte {
		buf = strconv.AppendUint(append(buf, '('), v>>16, 10)
		return append(strconv.AppendUint(append(buf, ','), v&0xffff, 10), ')')
	})
	c.recv = func(_ *Env, _ T, b []byte) (Datum, error) {
		if err := checkLen(b, 6); err != nil {
			return nil, err
		}
		return uint64(binary.BigEndian.Uint32(b))<<16 | uint64(binary.BigEndian.Uint16(b[4:])), nil
	}
	c.send = func(_ *Env, _ T, buf []byte, d Datum) ([]byte, error) {
		v := d.(uint64)
		return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint32(buf, uint32(v>>16)), uint16(v)), nil
	}
	return c
}()

// parseTid reads (block,offset); what follows the parenthesis is not looked at.
func parseTid(s string) (uint64, error) {
	bad := invalidText("tid", s)
	_, rest, ok := strings.Cut(s, "(")
	if !ok {
		return 0, bad
	}
	block, rest, ok := strings.Cut(rest, ",")
	if !ok {
		return 0, bad
	}
	offset, _, ok := strings.Cut(rest, ")")
	if !ok {
		return 0, bad
	}
	b, err := strconv.ParseUint(strings.TrimLeft(block, " \t\n\r\v\f"), 10, 64)
	if err != nil || b > tidBlockMax {
		return 0, bad
	}
	o, err := strconv.ParseUint(strings.TrimLeft(offset, " \t\n\r\v\f"), 10, 16)
	if err != nil {
		return 0, bad
	}
	return b<<16 | o, nil
}
