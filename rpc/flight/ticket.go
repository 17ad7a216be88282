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
//	0       1     version: 2
//	1       1     kind: 1 a statement's text, 2 a prepared statement's handle, 3 a part of a result (parts.go)
//	2       16    identifier, by which the work is cancelled
//	18      4     node whose part it is; 0: of no node
//	22      4     partition of the result this ticket yields, from 0
//	26      4     number of partitions
//	30      8     Unix seconds until which it is good
//	38      …     user, database, transaction (empty: none), body (text, handle or part)
//	end−32  32    HMAC-SHA-256 of all before it: for parts with the key that the nodes of the
//	              database share, else with the server's
//
// The server's key lives as long as the process: a ticket outlives neither its server nor
// its time, and means nothing to another server. Tickets of one FlightInfo for its parts have
// one identifier.
type ticket struct {
	kind                    byte
	id                      [16]byte
	node                    uint32
	partition, partitions   uint32
	expires                 time.Time
	user, database, txn, of string
}

const (
	ticketVersion   = 2
	ticketHead      = 38
	ticketStatement = 1
	ticketPrepared  = 2
	ticketPart      = 3
	ticketBytesMax  = 16 << 20
	ticketLife      = time.Hour
)

var errTicket = pgerror.New(pgerror.InvalidParameterValue, "invalid ticket")

// encode makes the bytes of a ticket.
func (t *ticket) encode(key []byte) []byte {
	b := make([]byte, ticketHead, ticketHead+len(t.user)+len(t.database)+len(t.txn)+len(t.of)+16+sha256.Size)
	b[0], b[1] = ticketVersion, t.kind
	copy(b[2:], t.id[:])
	binary.BigEndian.PutUint32(b[18:], t.node)
	binary.BigEndian.PutUint32(b[22:], t.partition)
	binary.BigEndian.PutUint32(b[26:], t.partitions)
	binary.BigEndian.PutUint64(b[30:], uint64(t.expires.Unix()))
	for _, s := range []string{t.user, t.database, t.txn, t.of} {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	return sign(key, "ticket", b)
}

// decodeTicket reads a ticket that was made with the key of its kind. Every other one is an error.
func decodeTicket(key func(kind byte) []byte, b []byte) (*ticket, error) {
	if len(b) < ticketHead {
		return nil, errTicket
	}
	b, ok := verify(key(b[1]), "ticket", b)
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
	t := &ticket{kind: b[1], node: binary.BigEndian.Uint32(b[18:]), partition: binary.BigEndian.Uint32(b[22:]),
		partitions: binary.BigEndian.Uint32(b[26:]), expires: time.Unix(int64(binary.BigEndian.Uint64(b[30:])), 0)}
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
	if len(rest) > 0 || t.kind < ticketStatement || t.kind > ticketPart || t.partition >= t.partitions {
		return nil, errTicket
	}
	if t.kind == ticketPart && t.txn != "" || t.kind != ticketPart && (t.partitions != 1 || t.node != 0) {
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
