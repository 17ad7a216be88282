package copy

import (
	"bytes"
)

// cutter finds where input may be cut: behind a line's end. It knows of lines only
// what that takes: escapes in text format, quotes in CSV.
type cutter struct {
	o     *Options
	begun bool
	eol   byte // 0 unknown, '\n', '\r', or 'c' for \r\n
}

// end gives the length of the whole lines that data begins with, as many as there
// are; last says that nothing follows data.
func (c *cutter) end(data []byte, last bool) int {
	if c.eol == 0 {
		if c.learn(data, last); c.eol == 0 && !last {
			return 0
		}
	}
	switch {
	case last:
		return len(data)
	case c.o.Format == CSV && c.o.escape != c.o.quote:
		return c.escapedCSV(data)
	case c.o.Format == CSV:
		return c.csv(data)
	}
	end := byte('\n')
	if c.eol == '\r' {
		end = '\r'
	}
	for n := len(data); ; {
		i := bytes.LastIndexByte(data[:n], end)
		if i < 0 {
			return 0
		}
		if !escapedAt(data, i) {
			return i + 1
		}
		n = i
	}
}

// learn sees how lines end, from the first that does.
func (c *cutter) learn(data []byte, last bool) {
	i := -1
	if c.o.Format == CSV {
		var q quoting
		for k, b := range data {
			if q.step(c.o, b) && (b == '\n' || b == '\r') {
				i = k
				break
			}
		}
	} else {
		for from := 0; ; from = i + 1 {
			k := bytes.IndexAny(data[from:], "\r\n")
			if k < 0 {
				return
			}
			if i = from + k; !escapedAt(data, i) {
				break
			}
		}
	}
	switch {
	case i < 0:
	case data[i] == '\n':
		c.eol = '\n'
	case i+1 < len(data) && data[i+1] == '\n':
		c.eol = 'c'
	case i+1 < len(data) || last:
		c.eol = '\r'
	}
}

// quoting follows the quotes of CSV.
type quoting struct{ in, escaped bool }

// step takes the next byte and tells whether it is outside of quotes.
func (q *quoting) step(o *Options, b byte) bool {
	if q.in && b == o.escape && o.escape != o.quote {
		q.escaped = !q.escaped
	}
	if b == o.quote && !q.escaped {
		q.in = !q.in
	}
	if b != o.escape || o.escape == o.quote {
		q.escaped = false
	}
	return !q.in
}

// csv looks for the last line end with an even number of quotes before it.
func (c *cutter) csv(data []byte) int {
	quotes := bytes.Count(data, []byte{c.o.quote})
	for n := len(data); ; {
		i := max(bytes.LastIndexByte(data[:n], '\n'), bytes.LastIndexByte(data[:n], '\r'))
		if i < 0 {
			return 0
		}
		quotes -= bytes.Count(data[i:n], []byte{c.o.quote})
		// A \n may follow a \r at the end.
		if quotes%2 == 0 && (data[i] == '\n' || i+1 < len(data)) {
			return i + 1
		}
		n = i
	}
}

// escapedCSV is csv where quotes may be escaped by another character.
func (c *cutter) escapedCSV(data []byte) int {
	var q quoting
	end := 0
	for i, b := range data {
		if q.step(c.o, b) && (b == '\n' || b == '\r' && i+1 < len(data)) {
			end = i + 1
		}
	}
	return end
}
