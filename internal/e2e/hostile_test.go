package e2e

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/basaltdb/basalt/internal/nodetest"
)

// dial opens a bare connection.
func dial(t testing.TB, n *nodetest.Node) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", n.Port()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

// login opens a bare connection and reads up to the first ReadyForQuery.
func login(t testing.TB, n *nodetest.Node) net.Conn {
	t.Helper()
	c := dial(t, n)
	c.Write(startupPacket("user\x00postgres\x00database\x00postgres\x00\x00"))
	for {
		typ, body, err := receive(c)
		if err != nil || typ == 'E' {
			t.Fatalf("login: %v %q", err, body)
		}
		if typ == 'Z' {
			return c
		}
	}
}

func startupPacket(params string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(8+len(params)))
	return append(binary.BigEndian.AppendUint32(b, 3<<16), params...)
}

func message(typ byte, body []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{typ}, uint32(len(body)+4)), body...)
}

func send(c net.Conn, typ byte, body []byte) { c.Write(message(typ, body)) }

func receive(c net.Conn) (typ byte, body []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return 0, nil, err
	}
	body = make([]byte, binary.BigEndian.Uint32(head[1:])-4)
	_, err = io.ReadFull(c, body)
	return head[0], body, err
}

// ends reads until the server closes the connection.
func ends(t *testing.T, what string, c net.Conn) {
	t.Helper()
	if _, err := io.Copy(io.Discard, c); err != nil && strings.Contains(err.Error(), "timeout") {
		t.Errorf("%s: the connection stays open", what)
	}
}

// TestHostileBytes: whatever bytes a connection sends, the others go on.
func TestHostileBytes(t *testing.T) {
	n := nodetest.Start(t, t.TempDir())
	witness := connect(t, n)
	before := memory(t, n)
	rnd := rand.New(rand.NewPCG(1, 2))
	random := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		return b
	}
	for range 100 { // random bytes instead of a start-up, and after one
		c := dial(t, n)
		c.Write(random(1 + rnd.IntN(3000)))
		c.(*net.TCPConn).CloseWrite()
		ends(t, "random start-up", c)
		c = login(t, n)
		c.Write(random(1 + rnd.IntN(3000)))
		c.(*net.TCPConn).CloseWrite()
		ends(t, "random messages", c)
	}
	types := []byte("QPBEDSHCFfdcpX")
	for range 400 { // well framed messages of random content
		c := login(t, n)
		for range 1 + rnd.IntN(4) {
			body := random(rnd.IntN(60))
			switch rnd.IntN(3) {
			case 0:
				body = append([]byte("\x00select 1\x00\x00\x00"), body...)
			case 1:
				body = append([]byte("\x00\x00"), body...)
			}
			send(c, types[rnd.IntN(len(types))], body)
		}
		send(c, 'S', nil)
		send(c, 'X', nil)
		c.(*net.TCPConn).CloseWrite()
		ends(t, "random content", c)
	}
	whole := message('P', []byte("s\x00select $1::int\x00\x00\x00"))
	for cut := range whole { // cut-off messages
		c := login(t, n)
		c.Write(whole[:cut])
		c.(*net.TCPConn).CloseWrite()
		ends(t, "cut-off message", c)
	}
	var held []net.Conn
	for _, typ := range []byte("QPBEDCdp") { // long lengths: refused, or waited for without taking the memory
		for _, length := range []uint32{1 << 30, 0x3fffffff, 0x7fffffff, 0xffffffff, 0, 3} {
			c := login(t, n)
			c.Write(binary.BigEndian.AppendUint32([]byte{typ}, length))
			c.Write(random(1000))
			held = append(held, c)
		}
	}
	// A Bind whose field says it is 1 GB long, one with 65,535 parameters and none there.
	c := login(t, n)
	send(c, 'P', []byte("\x00select $1::text\x00\x00\x00"))
	send(c, 'B', []byte("\x00\x00\x00\x00\x00\x01\x3f\xff\xff\xff\x00\x00"))
	send(c, 'S', nil)
	expectError(t, c, "08P01")
	send(c, 'B', []byte("\x00\x00\x00\x00\xff\xff"))
	send(c, 'S', nil)
	expectError(t, c, "08P01")
	if got := value(t, witness, "select 'well'"); got != "well" {
		t.Error(got)
	}
	if grown := memory(t, n) - before; grown > 300<<20 {
		t.Errorf("memory has grown by %d MB", grown>>20)
	}
	for _, c := range held {
		c.Close()
	}
	n.Stop()
}

// expectError reads up to ReadyForQuery and wants an error of the code among it.
func expectError(t *testing.T, c net.Conn, code string) {
	t.Helper()
	var got string
	for {
		typ, body, err := receive(c)
		if err != nil {
			t.Fatalf("%v, after error %q; want %s", err, got, code)
		}
		if typ == 'E' {
			got = string(body)
		}
		if typ == 'Z' {
			break
		}
	}
	if !strings.Contains(got, "C"+code+"\x00") {
		t.Errorf("error %q, want %s", got, code)
	}
}

// TestLargeStatements: sizes at and beyond every limit give the result or PostgreSQL's error.
func TestLargeStatements(t *testing.T) {
	ctx := context.Background()
	n := nodetest.Start(t, t.TempDir())
	witness, c := connect(t, n), connect(t, n)
	list := func(count int, f func(i int) string) string {
		parts := make([]string, count)
		for i := range parts {
			parts[i] = f(i)
		}
		return strings.Join(parts, ",")
	}
	number := func(i int) string { return fmt.Sprint(i) }
	column := func(i int) string { return fmt.Sprintf("c%d int", i) }
	for _, tc := range []struct{ name, sql, code string }{
		{"1664 columns", "select " + list(1664, number), ""},
		{"1665 columns", "select " + list(1665, number), "54000"},
		{"10000 columns", "select " + list(10000, number), "54000"},
		{"table of 1600 columns", "create table t1600 (" + list(1600, column) + ")", ""},
		{"table of 1601 columns", "create table t1601 (" + list(1601, column) + ")", "54011"},
		{"table of 10000 columns", "create table t10000 (" + list(10000, column) + ")", "54011"},
		{"one more column", "alter table t1600 add x int", "54011"},
		{"view of 1665 columns", "create view v as select " + list(1665, func(i int) string { return fmt.Sprintf("1 as c%d", i) }), "54000"},
		{"10000 arguments", "select coalesce(" + list(10000, number) + ")", ""},
		{"array of 100000 elements", "select array_length(array[" + list(100000, number) + "], 1)", ""},
		{"101 arguments of a function", "select concat(" + list(101, number) + ")", "54023"},
		{"IN of 10000", "select count(*) from generate_series(1, 20000) a where a in (" + list(10000, number) + ")", ""},
		{"VALUES of 20000 rows", "select count(*) from (values " + list(20000, func(i int) string { return fmt.Sprintf("(%d, 'x')", i) }) + ") v", ""},
		{"a literal of 5 MB", "select length('" + strings.Repeat("x", 5<<20) + "')", ""},
		{"a comment of 5 MB", "select 1 /* " + strings.Repeat("x", 5<<20) + " */", ""},
		{"an identifier of 1 MB", "select 1 as " + strings.Repeat("x", 1<<20), ""},
		{"a number of 1 MB", "select " + strings.Repeat("9", 1<<20), "22003"},
		{"5000 statements", strings.Repeat("select 1;", 5000), ""},
		{"200 joined tables", "select count(*) from " + list(200, func(i int) string { return fmt.Sprintf("(select 1 as a) t%d", i) }), ""},
		{"deep parentheses", "select " + strings.Repeat("(", 100000) + "1" + strings.Repeat(")", 100000), "54001"},
		{"deep NOT", "select " + strings.Repeat("not ", 100000) + "true", "54001"},
		{"deep minus", "select " + strings.Repeat("- ", 100000) + "1", "54001"},
		{"long sum", "select " + strings.Repeat("1 + ", 100000) + "1", "54001"},
		{"long AND", "select true" + strings.Repeat(" and true", 100000), ""},
		{"long concatenation", "select 'a'" + strings.Repeat(" || 'a'", 50000), "54001"},
		{"deep subqueries", "select " + strings.Repeat("(select ", 20000) + "1" + strings.Repeat(")", 20000), "54001"},
		{"deep FROM", strings.Repeat("select * from (", 20000) + "select 1" + strings.Repeat(") x", 20000), "54001"},
		{"long UNION", "select 1" + strings.Repeat(" union all select 1", 20000), "54001"},
		{"deep CASE", "select " + strings.Repeat("case when true then ", 50000) + "1" + strings.Repeat(" end", 50000), "54001"},
		{"deep calls", "select " + strings.Repeat("abs(", 50000) + "1" + strings.Repeat(")", 50000), "54001"},
		{"deep JSON", "select '" + strings.Repeat("[", 1000000) + "'::jsonb", "54001"},
		{"deep JSON closed", "select '" + strings.Repeat("[", 100000) + strings.Repeat("]", 100000) + "'::json", "54001"},
		{"deep array literal", "select '" + strings.Repeat("{", 100000) + strings.Repeat("}", 100000) + "'::int[]", "54000"},
		{"deep array", "select " + strings.Repeat("array[", 20000) + "1" + strings.Repeat("]", 20000), "54001"},
		{"broken pattern", "select 'a' ~ '" + strings.Repeat("(", 100000) + "'", "2201B"},
		{"large pattern", "select 'a' ~ '" + strings.Repeat("(a{1,100}){1,100}", 50) + "'", "2201B"},
		{"long LIKE", "select repeat('a', 100000) like '" + strings.Repeat("%a", 5000) + "b'", ""},
	} {
		started := cpu(t, []*nodetest.Node{n})[0]
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		_, err := c.Exec(ctx, tc.sql)
		cancel()
		if tc.code == "" && err != nil || tc.code != "" && !hasCode(err, tc.code) {
			t.Errorf("%s: %.200v, want code %q", tc.name, err, tc.code)
		}
		if d := cpu(t, []*nodetest.Node{n})[0] - started; d > 6*time.Second { // other work on the machine does not count
			t.Errorf("%s took %s of processor time", tc.name, d)
		}
		if c.IsClosed() {
			c = connect(t, n)
		}
	}
	// Parameters: 65,535 pass, a reference to $65536 does not.
	ps := make([]any, 65535)
	for i := range ps {
		ps[i] = i
	}
	w := connect(t, n)
	exec1(t, w, "create table p (a int)")
	if _, err := w.Exec(ctx, "insert into p values "+list(65535, func(i int) string { return fmt.Sprintf("($%d)", i+1) }), append([]any{pgx.QueryExecModeDescribeExec}, ps...)...); err != nil {
		t.Errorf("65535 parameters: %v", err)
	}
	_, err := w.Prepare(ctx, "over", "select $65536::int")
	wantCode(t, err, "42P02")
	_, err = w.Prepare(ctx, "far", "select $2147483647::int")
	wantCode(t, err, "42P02")
	if got := value(t, witness, "select count(*)::text from p"); got != "65535" {
		t.Error(got)
	}
	n.Stop()
}
