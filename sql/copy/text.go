package copy

import "bytes"

// splitText cuts a line at its delimiters and undoes the escapes.
func (p *parser) splitText(line []byte) {
	if bytes.IndexByte(line, '\\') < 0 {
		plain := len(p.nullText) > 0 && bytes.IndexByte(p.nullText, '\\') >= 0
		for {
			i := bytes.IndexByte(line, p.o.delim)
			f := line
			if i >= 0 {
				f = line[:i:i]
			}
			if !plain && bytes.Equal(f, p.nullText) {
				f = nil
			} else if f == nil {
				f = []byte{}
			}
			p.fields = append(p.fields, f)
			if i < 0 {
				return
			}
			line = line[i+1:]
		}
	}
	// Decoded bytes go to scratch; it is made large enough first, so that fields keep pointing into it.
	if cap(p.scratch) < len(line) {
		p.scratch = make([]byte, 0, 2*len(line))
	}
	out := p.scratch[:0]
	for {
		begin := len(out)
		raw := line
		i := 0
		for i < len(line) && line[i] != p.o.delim {
			c := line[i]
			i++
			if c != '\\' || i >= len(line) {
				out = append(out, c)
				continue
			}
			c = line[i]
			i++
			switch c {
			case 'b':
				c = '\b'
			case 'f':
				c = '\f'
			case 'n':
				c = '\n'
			case 'r':
				c = '\r'
			case 't':
				c = '\t'
			case 'v':
				c = '\v'
			case '0', '1', '2', '3', '4', '5', '6', '7':
				v := int(c - '0')
				for k := 0; k < 2 && i < len(line) && line[i] >= '0' && line[i] <= '7'; k++ {
					v = v<<3 + int(line[i]-'0')
					i++
				}
				c = byte(v)
			case 'x':
				v, n := 0, 0
				for n < 2 && i < len(line) {
					h := hexDigit(line[i])
					if h < 0 {
						break
					}
					v = v<<4 + h
					i++
					n++
				}
				if n > 0 {
					c = byte(v)
				}
			}
			out = append(out, c)
		}
		raw = raw[:i]
		if bytes.Equal(raw, p.nullText) {
			p.fields = append(p.fields, nil)
		} else {
			p.fields = append(p.fields, out[begin:len(out):len(out)])
		}
		if i >= len(line) {
			break
		}
		line = line[i+1:]
	}
	p.scratch = out[:0]
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
