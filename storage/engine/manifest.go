package engine

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"regexp"

	"github.com/cockroachdb/errors"
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// The manifest is a log of which files make up the store. Its reader takes the
// first chunk that does not verify for the end that a crash left behind, and with
// it forgets every later edit: a flipped bit would silently take files away. A
// write that a crash cut off has nothing behind it, so a chunk that verifies
// behind one that does not tells damage from a torn end. A flip in the last
// edit alone looks like a torn end and cannot be told.
//
// Chunks (offsets within one): 0 checksum (4, little endian, masked CRC-32C of
// what follows the length), 4 length (2), 6 type (1), 7 payload. None crosses a
// block of 32 KiB; a rest of a block too short for a header is zero.
const (
	logBlock  = 32 << 10
	logHeader = 7
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// chunk is the length of the chunk that begins at off; 0 when none verifies there.
func chunk(b []byte, off int) int {
	rest := min(logBlock-off%logBlock, len(b)-off)
	if rest < logHeader {
		return 0
	}
	h := b[off : off+rest]
	n := logHeader + int(binary.LittleEndian.Uint16(h[4:]))
	if n > rest || h[6] < 1 || h[6] > 4 {
		return 0
	}
	c := crc32.Checksum(h[6:n], castagnoli)
	if (c>>15|c<<17)+0xa282ead8 != binary.LittleEndian.Uint32(h) {
		return 0
	}
	return n
}

// damagedAt gives the offset of a chunk that does not verify while one behind it
// does; ok is true when there is none such.
func damagedAt(b []byte) (off int, ok bool) {
	for off < len(b) {
		if logBlock-off%logBlock < logHeader {
			off += logBlock - off%logBlock
			continue
		}
		n := chunk(b, off)
		if n == 0 {
			break
		}
		off += n
	}
	for p := off + 1; p < len(b); p++ {
		if chunk(b, p) != 0 {
			return off, false
		}
	}
	return 0, true
}

// verifyManifest refuses a store whose manifest is damaged.
func verifyManifest(dir string, fs vfs.FS) error {
	desc, err := pebble.Peek(dir, fs)
	if err != nil || !desc.Exists {
		return nil // Open says what is wrong
	}
	f, err := fs.Open(desc.ManifestFilename)
	if err != nil {
		return nil
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		return pgerror.Wrap(err, pgerror.IoError, "could not read file \"%s\": %v", desc.ManifestFilename, cause(err))
	}
	if off, ok := damagedAt(b); !ok {
		return pgerror.New(pgerror.DataCorrupted, "data directory \"%s\" is damaged: file \"%s\" has an invalid record at offset %d", dir, fs.PathBase(desc.ManifestFilename), off)
	}
	return nil
}

// walPattern is how the details of a failed recovery name the log.
var walPattern = regexp.MustCompile(`replaying wal (\d+), offset ([^\n]*)`)

// logDetail names the log file and the place in it that an error of recovery is about.
func logDetail(err error) string {
	m := walPattern.FindStringSubmatch(errors.FlattenDetails(err))
	if m == nil {
		return ""
	}
	return fmt.Sprintf(" in the log %06s.log, offset %s", m[1], m[2])
}
