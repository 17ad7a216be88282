package servertest_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/basaltdb/basalt/sql/server/servertest"
)

// The benchmarks of point statements go over loopback with a client that does
// next to nothing: allocs/op are the server's, and so is most of the time.
//
//	go test ./sql/server/servertest -run XXX -bench Point -benchmem

// wire is a client that sends prepared messages and skips the answers.
type wire struct {
	b    *testing.B
	conn net.Conn
	out  []byte
	in   []byte
}

func pointTables(b *testing.B, n *servertest.Node) {
	c := n.Connect(b)
	for _, sql := range []string{
		"CREATE TABLE accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84))",
		"CREATE TABLE history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22))",
		"INSERT INTO accounts SELECT i, 1, 0, '' FROM generate_series(1, 10000) i",
	} {
		if _, err := c.Exec(context.Background(), sql); err != nil {
			b.Fatal(err)
		}
	}
}

// pointStatements are pgbench's, with the parameters as its prepared mode sends them.
var pointStatements = map[string]string{
	"select": "SELECT abalance FROM accounts WHERE aid = $1",
	"update": "UPDATE accounts SET abalance = abalance + $1 WHERE aid = $2",
	"insert": "INSERT INTO history (tid, bid, aid, delta, mtime) VALUES ($1, $2, $3, $4, CURRENT_TIMESTAMP)",
	"begin":  "BEGIN",
	"end":    "END",
}

func newWire(b *testing.B, n *servertest.Node) *wire {
	pc, err := pgconn.Connect(context.Background(), n.DSN("postgres"))
	if err != nil {
		b.Fatal(err)
	}
	for name, sql := range pointStatements {
		if _, err := pc.Prepare(context.Background(), name, sql, nil); err != nil {
			b.Fatal(err)
		}
	}
	h, err := pc.Hijack()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { h.Conn.Close() })
	return &wire{b: b, conn: h.Conn, in: make([]byte, 64<<10)}
}

func (w *wire) begin(typ byte) int {
	w.out = append(w.out, typ, 0, 0, 0, 0)
	return len(w.out) - 5
}

func (w *wire) end(at int) {
	binary.BigEndian.PutUint32(w.out[at+1:], uint32(len(w.out)-at-1))
}

// query adds a message of the simple protocol.
func (w *wire) query(sql []byte) {
	at := w.begin('Q')
	w.out = append(append(w.out, sql...), 0)
	w.end(at)
}

// execute adds Bind, Describe, Execute and Sync as libpq's PQsendQueryPrepared does.
func (w *wire) execute(name string, params ...int) {
	at := w.begin('B')
	w.out = append(append(append(w.out, 0), name...), 0, 0, 0)
	w.out = binary.BigEndian.AppendUint16(w.out, uint16(len(params)))
	for _, p := range params {
		var tmp [20]byte
		t := strconv.AppendInt(tmp[:0], int64(p), 10)
		w.out = binary.BigEndian.AppendUint32(w.out, uint32(len(t)))
		w.out = append(w.out, t...)
	}
	w.out = append(w.out, 0, 1, 0, 0)
	w.end(at)
	at = w.begin('D')
	w.out = append(w.out, 'P', 0)
	w.end(at)
	at = w.begin('E')
	w.out = append(w.out, 0, 0, 0, 0, 0)
	w.end(at)
	w.end(w.begin('S'))
}

// roundTrip sends what was collected and reads up to n ReadyForQuery messages.
func (w *wire) roundTrip(n int) {
	if _, err := w.conn.Write(w.out); err != nil {
		w.b.Fatal(err)
	}
	w.out = w.out[:0]
	have, at := 0, 0
	for n > 0 {
		for have-at < 5 || have-at < 1+int(binary.BigEndian.Uint32(w.in[at+1:])) {
			m, err := w.conn.Read(w.in[have:])
			if err != nil && err != io.EOF || m == 0 {
				w.b.Fatal("connection lost")
			}
			have += m
		}
		switch w.in[at] {
		case 'E':
			w.b.Fatalf("error: %q", w.in[at:have])
		case 'Z':
			n--
		}
		at += 1 + int(binary.BigEndian.Uint32(w.in[at+1:]))
	}
}

func benchmarkPoint(b *testing.B, step func(w *wire, i int)) {
	n := servertest.Start(b)
	pointTables(b, n)
	w := newWire(b, n)
	for i := range 96 {
		step(w, i)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		step(w, i)
	}
	b.StopTimer()
}

func account(i int) int { return i*7919%10000 + 1 }

func BenchmarkPointSelectPrepared(b *testing.B) {
	benchmarkPoint(b, func(w *wire, i int) {
		w.execute("select", account(i))
		w.roundTrip(1)
	})
}

func BenchmarkPointSelectSimple(b *testing.B) {
	var sql []byte
	benchmarkPoint(b, func(w *wire, i int) {
		sql = append(sql[:0], "SELECT abalance FROM accounts WHERE aid = "...)
		w.query(append(strconv.AppendInt(sql, int64(account(i)), 10), ';'))
		w.roundTrip(1)
	})
}

// BenchmarkPointSelectPipelined sends 16 at a time: what is left is the statement itself.
func BenchmarkPointSelectPipelined(b *testing.B) {
	benchmarkPoint(b, func(w *wire, i int) {
		w.execute("select", account(i))
		if i%16 == 15 {
			w.roundTrip(16)
		}
	})
}

func BenchmarkPointUpdatePrepared(b *testing.B) {
	benchmarkPoint(b, func(w *wire, i int) {
		w.execute("update", i%1000-500, account(i))
		w.roundTrip(1)
	})
}

func BenchmarkPointUpdateSimple(b *testing.B) {
	var sql []byte
	benchmarkPoint(b, func(w *wire, i int) {
		sql = append(sql[:0], "UPDATE accounts SET abalance = abalance + "...)
		sql = append(strconv.AppendInt(sql, int64(i%1000-500), 10), " WHERE aid = "...)
		w.query(append(strconv.AppendInt(sql, int64(account(i)), 10), ';'))
		w.roundTrip(1)
	})
}

func BenchmarkPointInsertPrepared(b *testing.B) {
	benchmarkPoint(b, func(w *wire, i int) {
		w.execute("insert", 1, 2, account(i), i%1000)
		w.roundTrip(1)
	})
}

// BenchmarkPointTransaction is BEGIN, UPDATE, SELECT, INSERT, END, prepared.
func BenchmarkPointTransaction(b *testing.B) {
	benchmarkPoint(b, func(w *wire, i int) {
		w.execute("begin")
		w.roundTrip(1)
		w.execute("update", i%1000-500, account(i))
		w.roundTrip(1)
		w.execute("select", account(i))
		w.roundTrip(1)
		w.execute("insert", 1, 2, account(i), i%1000)
		w.roundTrip(1)
		w.execute("end")
		w.roundTrip(1)
	})
}
