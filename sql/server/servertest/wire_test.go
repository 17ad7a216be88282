package servertest_test

import (
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/basaltdb/basalt/sql/server/servertest"
)

var recordWire = flag.String("record-wire", "", "record testdata/wire.tsv from the PostgreSQL at this connection string")

// wireSetup makes the types that wire.tsv uses beside the built-in ones.
const wireSetup = `DROP TABLE IF EXISTS wire_pair; DROP TYPE IF EXISTS wire_color;
CREATE TYPE wire_color AS ENUM ('red', 'green'); CREATE TABLE wire_pair (a int, b text)`

// TestWireFormats replays testdata/wire.tsv, recorded from PostgreSQL. A line is
// "out TYPE TEXT => text | binary": a value given as text, in both result formats
// (it is then sent back in binary form, where the type can be received); or
// "in TYPE HEX => text": bytes given as a binary parameter, and what came of them.
func TestWireFormats(t *testing.T) {
	const file = "testdata/wire.tsv"
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	dsn := *recordWire
	if dsn == "" {
		dsn = servertest.Start(t).DSN("postgres")
	}
	c, err := pgconn.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	if _, err := c.Exec(ctx, wireSetup).ReadAll(); err != nil {
		t.Fatal(err)
	}
	// The OIDs of the two user types differ from run to run.
	ids := c.ExecParams(ctx, "SELECT 'wire_color'::regtype::oid, 'wire_pair'::regtype::oid", nil, nil, nil, []int16{1}).Read()
	if ids.Err != nil {
		t.Fatal(ids.Err)
	}
	color, pair := hex.EncodeToString(ids.Rows[0][0]), hex.EncodeToString(ids.Rows[0][1])
	mask := strings.NewReplacer(color, "<color>", pair, "<pair>")
	ask := func(typ string, v []byte, in, out int16) string {
		r := c.ExecParams(ctx, "SELECT $1::"+typ, [][]byte{v}, nil, []int16{in}, []int16{out}).Read()
		var pe *pgconn.PgError
		switch {
		case errors.As(r.Err, &pe):
			return strings.TrimSpace(fmt.Sprintf("ERROR %s %s %s", pe.Code, pe.Message, pe.Detail))
		case r.Err != nil:
			t.Fatal(typ, r.Err)
		case out == 1:
			return hex.EncodeToString(r.Rows[0][0])
		}
		return string(r.Rows[0][0])
	}
	var recorded strings.Builder
	for _, l := range strings.Split(strings.TrimRight(string(b), "\n"), "\n") {
		if l == "" || l[0] == '#' {
			recorded.WriteString(l + "\n")
			continue
		}
		call, want, _ := strings.Cut(l, " => ")
		f := strings.SplitN(call, "\t", 3)
		var got string
		switch f[0] {
		case "out":
			bin := ask(f[1], []byte(f[2]), 0, 1)
			got = ask(f[1], []byte(f[2]), 0, 0) + "\t" + bin
			if strings.HasPrefix(f[1], "wire_") {
				got = mask.Replace(got)
			}
			if raw, err := hex.DecodeString(bin); err == nil {
				if back := ask(f[1], raw, 1, 1); back != bin {
					got += "\treceived again: " + back
				}
			}
		case "in":
			raw, err := hex.DecodeString(f[2])
			if err != nil {
				t.Fatal(l, err)
			}
			got = ask(f[1], raw, 1, 0)
		}
		fmt.Fprintf(&recorded, "%s => %s\n", call, got)
		if got != want && *recordWire == "" {
			t.Errorf("%s %s %s\n got  %s\n want %s", f[0], f[1], f[2], got, want)
		}
	}
	if *recordWire != "" {
		if err := os.WriteFile(file, []byte(recorded.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
