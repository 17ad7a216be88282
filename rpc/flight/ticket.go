package flight

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// A ticket, as bytes; integers are big endian, texts have a uvarint length before them:
//
//	offset  size  what
//	0       1     version: 1
//	1       1     kind: 1 a statement's text, 2 a prepared statement's handle
//	2       16    identifier, by which the work is cancelled
//	18      8     snapshot timestamp to read at; 0: the newest when the ticket is redeemed
//	26      4     partition of the result this ticket yields, from 0
//	30      4     number of partitions
//	34      8     Unix seconds until which it is good
//	42      …     user, database, transaction (empty: none), body (text or handle)
//	end−32  32    HMAC-SHA-256 of all before it, with the server's key
//
// The key lives as long as the process: a ticket outlives neither its server nor
// its time, and means nothing to another server.
type ticket struct {
	kind                    byte
	id                      [16]byte
	snapshot                uint64
	partition, partitions   uint32
	expires                 time.Time
	user, database, txn, of string
}

const (
	ticketVersion   = 1
	ticketHead      = 42
	ticketStatement = 1
	ticketPrepared  = 2
	ticketBytesMax  = 16 << 20
	ticketLife      = time.Hour
)

var errTicket = pgerror.New(pgerror.InvalidParameterValue, "invalid ticket")

// encode makes the bytes of a ticket.
func (t *ticket) encode(key []byte) []byte {
	b := make([]byte, ticketHead, ticketHead+len(t.user)+len(t.database)+len(t.txn)+len(t.of)+16+sha256.Size)
	b[0], b[1] = ticketVersion, t.kind
	copy(b[2:], t.id[:])
	binary.BigEndian.PutUint64(b[18:], t.snapshot)
	binary.BigEndian.PutUint32(b[26:], t.partition)
	binary.BigEndian.PutUint32(b[30:], t.partitions)
	binary.BigEndian.PutUint64(b[34:], uint64(t.expires.Unix()))
	for _, s := range []string{t.user, t.database, t.txn, t.of} {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	return sign(key, "ticket", b)
}

// decodeTicket reads a ticket that was made with key. Every other one is an error.
func decodeTicket(key, b []byte) (*ticket, error) {
	b, ok := verify(key, "ticket", b)
	if !ok || len(b) < ticketHead {
		return nil, errTicket
	}
	return parseTicket(b)
}

// parseTicket reads a ticket without its authentication.
func parseTicket(b []byte) (*ticket, error) {
	if len(b) < ticketHead || len(b) > ticketBytesMax {
		return nil, errTicket
	}
	if b[0] != ticketVersion {
		return nil, pgerror.New(pgerror.FeatureNotSupported, "unknown ticket version %d", b[0])
	}
	t := &ticket{kind: b[1], snapshot: binary.BigEndian.Uint64(b[18:]), partition: binary.BigEndian.Uint32(b[26:]),
		partitions: binary.BigEndian.Uint32(b[30:]), expires: time.Unix(int64(binary.BigEndian.Uint64(b[34:])), 0)}
	copy(t.id[:], b[2:])
	rest := b[ticketHead:]
	for _, s := range []*string{&t.user, &t.database, &t.txn, &t.of} {
		n, w := binary.Uvarint(rest)
		if w <= 0 || n > uint64(len(rest)-w) {
			return nil, errTicket
		}
		*s = string(rest[w : w+int(n)])
		rest = rest[w+int(n):]
	}
	if len(rest) > 0 || t.kind != ticketStatement && t.kind != ticketPrepared || t.partition >= t.partitions {
		return nil, errTicket
	}
	return t, nil
}

// sign appends the HMAC of b for a purpose.
func sign(key []byte, purpose string, b []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(purpose))
	h.Write([]byte{0})
	h.Write(b)
	return h.Sum(b)
}

// verify cuts the HMAC off when it is right.
func verify(key []byte, purpose string, b []byte) ([]byte, bool) {
	if len(b) < sha256.Size {
		return nil, false
	}
	body := b[:len(b)-sha256.Size]
	want := sign(key, purpose, body[:len(body):len(body)])
	return body, hmac.Equal(want[len(body):], b[len(body):])
}
