package servertest_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/basaltdb/basalt/compat"
	"github.com/basaltdb/basalt/sql/server/servertest"
)

var recordTranscripts = flag.String("record-transcripts", "", "record testdata/transcripts from the PostgreSQL at this connection string")

// TestTranscripts replays conversations over a raw socket. A file of
// testdata/transcripts has lines that the client sends ("> "), each group of them
// followed by what PostgreSQL answered to it ("< "); a blank line between groups is
// where the client waits. What a client says:
//
//	query SQL            parse NAME SQL        bind PORTAL NAME [VALUE…]   execute PORTAL ROWS
//	describe s|p NAME    close s|p NAME        sync, flush, terminate
//	copydata TEXT        copydone [extended]   copyfail TEXT               raw HEX
//
// An empty name is written "", texts are Go's. The client waits for ReadyForQuery
// after a query, a sync and the end of a copy (not in the extended protocol), otherwise until nothing comes.
// Positions of errors and what only PostgreSQL's source knows are left out; OIDs of
// tables are masked. A line "# known: reason" says that the answers to the group
// behind it differ.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/transcripts/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no transcripts", err)
	}
	dsn := *recordTranscripts
	if dsn == "" {
		dsn = servertest.Start(t).DSN("postgres")
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			got := converse(t, dsn, string(b))
			if *recordTranscripts != "" {
				if err := os.WriteFile(f, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := compat.DiffLines(withoutKnown(string(b)), withoutKnown(got)); diff != "" {
				t.Errorf("- PostgreSQL, + Basalt\n%s", diff)
			}
		})
	}
}

// withoutKnown leaves out the answers to groups that follow a line "# known: reason".
func withoutKnown(s string) string {
	var out []string
	known := false
	for _, l := range strings.Split(s, "\n") {
		switch {
		case strings.HasPrefix(l, "# known: "):
			known = true
		case l == "":
			known = false
		}
		if !known || !strings.HasPrefix(l, "< ") {
			out = append(out, l)
		}
	}
	return strings.Join(out, "\n")
}

// converse sends what the script's client says and writes the script anew with the answers.
func converse(t *testing.T, dsn, script string) string {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	c, err := pgconn.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	h, err := c.Hijack()
	if err != nil {
		t.Fatal(err)
	}
	defer h.Conn.Close()
	var out strings.Builder
	var group []string
	answer := func() {
		if len(group) == 0 {
			return
		}
		ready := 0
		for _, l := range group {
			word, rest, _ := strings.Cut(l, " ")
			if n, err := send(h.Frontend, word, words(rest), rest); err != nil {
				t.Fatalf("%q: %v", l, err)
			} else {
				ready += n
			}
		}
		if err := h.Frontend.Flush(); err != nil {
			fmt.Fprintf(&out, "< closed\n")
		}
		receive(t, h, ready, &out)
		group = nil
	}
	for _, l := range strings.Split(strings.TrimRight(script, "\n"), "\n") {
		switch {
		case strings.HasPrefix(l, "< "):
		case strings.HasPrefix(l, "> "):
			group = append(group, l[2:])
			out.WriteString(l + "\n")
		default:
			answer()
			out.WriteString(l + "\n")
		}
	}
	answer()
	return out.String()
}

var word = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|\S+`)

// words splits a line at spaces outside of Go strings, which it unquotes.
func words(s string) []string {
	var out []string
	for _, w := range word.FindAllString(s, -1) {
		if u, err := strconv.Unquote(w); err == nil {
			w = u
		}
		out = append(out, w)
	}
	return out
}

// send queues one message and tells how many ReadyForQuery it brings.
func send(f *pgproto3.Frontend, what string, w []string, rest string) (ready int, err error) {
	at := func(i int) string {
		if i < len(w) {
			return w[i]
		}
		return ""
	}
	kind := byte('S')
	if at(0) == "p" {
		kind = 'P'
	}
	switch what {
	case "query":
		f.SendQuery(&pgproto3.Query{String: rest})
		if strings.HasPrefix(strings.ToLower(rest), "copy") && strings.Contains(strings.ToLower(rest), "from stdin") {
			return 0, nil
		}
		return 1, nil
	case "parse":
		_, sql, _ := strings.Cut(rest, " ")
		f.SendParse(&pgproto3.Parse{Name: at(0), Query: sql})
	case "bind":
		b := &pgproto3.Bind{DestinationPortal: at(0), PreparedStatement: at(1)}
		for _, v := range w[2:] {
			if v == "NULL" {
				b.Parameters = append(b.Parameters, nil)
			} else {
				b.Parameters = append(b.Parameters, []byte(v))
			}
		}
		f.SendBind(b)
	case "execute":
		n, err := strconv.Atoi(at(1))
		if err != nil {
			return 0, err
		}
		f.SendExecute(&pgproto3.Execute{Portal: at(0), MaxRows: uint32(n)})
	case "describe":
		f.SendDescribe(&pgproto3.Describe{ObjectType: kind, Name: at(1)})
	case "close":
		f.SendClose(&pgproto3.Close{ObjectType: kind, Name: at(1)})
	case "sync":
		f.SendSync(&pgproto3.Sync{})
		return 1, nil
	case "flush":
		f.Send(&pgproto3.Flush{})
	case "terminate":
		f.Send(&pgproto3.Terminate{})
	case "copydata":
		f.Send(&pgproto3.CopyData{Data: []byte(at(0))})
	case "copydone":
		f.Send(&pgproto3.CopyDone{})
		if at(0) == "extended" {
			return 0, nil
		}
		return 1, nil
	case "copyfail":
		f.Send(&pgproto3.CopyFail{Message: at(0)})
		return 1, nil
	case "raw":
		b, err := hex.DecodeString(at(0))
		if err != nil {
			return 0, err
		}
		return 0, f.SendUnbufferedEncodedCopyData(b)
	default:
		return 0, fmt.Errorf("no such message")
	}
	return 0, nil
}

var quiet = 250 * time.Millisecond

// receive writes what the server says until it has been ready as often as it should,
// then until it is quiet for a moment.
func receive(t *testing.T, h *pgconn.HijackedConn, ready int, out *strings.Builder) {
	for {
		wait := quiet
		if ready > 0 {
			wait = 15 * time.Second
		}
		h.Conn.SetReadDeadline(time.Now().Add(wait))
		m, err := h.Frontend.Receive()
		if err != nil {
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				if ready > 0 {
					fmt.Fprintf(out, "< (nothing more)\n")
				}
			} else {
				fmt.Fprintf(out, "< (closed)\n")
			}
			return
		}
		if line := describe(m); line != "" {
			fmt.Fprintf(out, "< %s\n", line)
		}
		if _, ok := m.(*pgproto3.ReadyForQuery); ok {
			if ready--; ready == 0 {
				return
			}
		}
	}
}

func describe(m pgproto3.BackendMessage) string {
	field := func(s string) string { b, _ := json.Marshal(s); return string(b) }
	switch m := m.(type) {
	case *pgproto3.RowDescription:
		var cols []string
		for _, f := range m.Fields {
			table := ""
			if f.TableOID != 0 {
				table = fmt.Sprintf(" table#%d", f.TableAttributeNumber)
			}
			cols = append(cols, fmt.Sprintf("%s %d %d %d f%d%s", f.Name, f.DataTypeOID, f.DataTypeSize, f.TypeModifier, f.Format, table))
		}
		return "RowDescription " + strings.Join(cols, ", ")
	case *pgproto3.DataRow:
		var vals []string
		for _, v := range m.Values {
			if v == nil {
				vals = append(vals, "NULL")
			} else {
				vals = append(vals, field(string(v)))
			}
		}
		return strings.TrimSpace("DataRow " + strings.Join(vals, " "))
	case *pgproto3.CommandComplete:
		return "CommandComplete " + string(m.CommandTag)
	case *pgproto3.ReadyForQuery:
		return "ReadyForQuery " + string(rune(m.TxStatus))
	case *pgproto3.ErrorResponse:
		return errorText("Error", (*pgproto3.ErrorResponse)(m))
	case *pgproto3.NoticeResponse:
		return errorText("Notice", (*pgproto3.ErrorResponse)(m))
	case *pgproto3.ParameterDescription:
		return fmt.Sprint("ParameterDescription ", m.ParameterOIDs)
	case *pgproto3.ParameterStatus:
		return "ParameterStatus " + m.Name + "=" + m.Value
	case *pgproto3.CopyInResponse:
		return fmt.Sprint("CopyIn ", m.OverallFormat, m.ColumnFormatCodes)
	case *pgproto3.CopyOutResponse:
		return fmt.Sprint("CopyOut ", m.OverallFormat, m.ColumnFormatCodes)
	case *pgproto3.CopyData:
		return "CopyData " + field(string(m.Data))
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", m), "*pgproto3.")
}

func errorText(what string, e *pgproto3.ErrorResponse) string {
	s := fmt.Sprintf("%s %s %s %s", what, e.Severity, e.Code, e.Message)
	for _, f := range []struct{ name, text string }{{"detail", e.Detail}, {"hint", e.Hint}, {"where", e.Where}, {"schema", e.SchemaName}, {"table", e.TableName},
		{"column", e.ColumnName}, {"type", e.DataTypeName}, {"constraint", e.ConstraintName}} {
		if f.text != "" {
			b, _ := json.Marshal(f.text)
			s += " " + f.name + "=" + string(b)
		}
	}
	if e.Position != 0 {
		s += fmt.Sprintf(" position=%d", e.Position)
	}
	return s
}
