package flight_test

import (
	"bytes"
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow/flight"
	"google.golang.org/protobuf/proto"
)

// TestMessageSize: wide rows come in messages under gRPC's default limit of 4 MiB.
func TestMessageSize(t *testing.T) {
	f := start(t, nil)
	c := f.client(t, nil)
	ctx := ctxOf(t)
	info, err := c.Execute(ctx, "SELECT i, repeat('x', 10000) AS a, ARRAY[repeat('y', 3000)] AS b, i::numeric(38,5) AS n FROM generate_series(1, 3000) i")
	if err != nil {
		t.Fatal(err)
	}
	stream, err := c.Client.DoGet(ctx, info.Endpoint[0].Ticket)
	if err != nil {
		t.Fatal(err)
	}
	messages, total := 0, 0
	for {
		d, err := stream.Recv()
		if err != nil {
			if messages < 10 || total < 39_000_000 {
				t.Fatalf("%d messages, %d bytes: %v", messages, total, err)
			}
			break
		}
		n := proto.Size(d)
		if n > 4<<20 {
			t.Errorf("a message of %d bytes", n)
		}
		messages++
		total += n
	}
	rows, err := query(ctx, c, "SELECT sum(i), sum(length(a)) FROM (SELECT i, repeat('x', 10000) AS a FROM generate_series(1, 3000) i) s")
	if err != nil {
		t.Fatal(err)
	}
	wantRows(t, rows, []string{"4501500", "30000000"})
}

// TestSlowClient: a result that nobody reads does not pile up.
func TestSlowClient(t *testing.T) {
	f := start(t, nil)
	c := f.client(t, nil)
	ctx, cancel := context.WithCancel(ctxOf(t))
	defer cancel()
	info, err := c.Execute(ctx, "SELECT repeat('x', 1000) FROM generate_series(1, 10000000) i") // 10 GB
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	stream, err := c.Client.DoGet(ctx, info.Endpoint[0].Ticket)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 128<<20 {
		t.Errorf("the heap grew by %d MB", grown>>20)
	}
	cancel()
	for began := time.Now(); len(f.node.Node.Sessions()) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > time.Minute { // it would run for hours
			t.Fatal("the statement of a client that has gone still runs")
		}
	}
}

// TestMalformed sends what no client sends; every answer is an error and the server goes on.
func TestMalformed(t *testing.T) {
	f := start(t, nil)
	c := f.client(t, nil)
	ctx := ctxOf(t)
	info, err := c.Execute(ctx, "SELECT 1")
	if err != nil {
		t.Fatal(err)
	}
	good := info.Endpoint[0].Ticket.Ticket
	get := func(b []byte) error {
		s, err := c.Client.DoGet(ctx, &flight.Ticket{Ticket: b})
		if err == nil {
			_, err = s.Recv()
		}
		return err
	}
	if err := get(good); err != nil {
		t.Fatal(err)
	}
	host := bytes.IndexByte(good, '/') // of the command's type URL, before the slash: it has no meaning
	for i := range good {              // a flipped bit anywhere
		if i >= 2 && i < host {
			continue
		}
		bad := append([]byte(nil), good...)
		bad[i] ^= 4
		if get(bad) == nil {
			t.Errorf("a ticket with byte %d changed was served", i)
		}
	}
	for i := range good {
		if get(good[:i]) == nil {
			t.Errorf("a ticket cut to %d bytes was served", i)
		}
	}
	for _, b := range [][]byte{nil, {0}, []byte("noise"), {0xff, 0xff, 0xff, 0xff}} {
		if _, err := c.Client.GetFlightInfo(ctx, &flight.FlightDescriptor{Type: flight.DescriptorCMD, Cmd: b}); err == nil {
			t.Error("a malformed command was served")
		}
		if _, err := c.Client.GetSchema(ctx, &flight.FlightDescriptor{Type: flight.DescriptorCMD, Cmd: b}); err == nil {
			t.Error("a malformed command was served")
		}
		for _, a := range []string{"", "BeginTransaction", "EndTransaction", "BeginSavepoint", "EndSavepoint", "CancelFlightInfo", "CancelQuery",
			"CreatePreparedStatement", "ClosePreparedStatement", "CreatePreparedSubstraitPlan", "RenewFlightEndpoint", "SetSessionOptions", "nosuch"} {
			s, err := c.Client.DoAction(ctx, &flight.Action{Type: a, Body: b})
			if err == nil {
				_, err = s.Recv()
			}
			if err == nil && !(a == "CancelFlightInfo" && len(b) == 0) {
				t.Errorf("action %s with %q was served", a, b)
			}
		}
		for _, d := range []*flight.FlightDescriptor{nil, {Cmd: b}, {Path: []string{"a"}, Type: flight.DescriptorPATH}} {
			s, err := c.Client.DoPut(ctx)
			if err == nil {
				s.Send(&flight.FlightData{FlightDescriptor: d, DataHeader: b, DataBody: b})
				s.CloseSend()
				_, err = s.Recv()
			}
			if err == nil {
				t.Error("a malformed DoPut was served")
			}
		}
		if err := get(b); err == nil {
			t.Error("a malformed ticket was served")
		}
	}
	wantRows(t, mustQuery(t, c, "SELECT 1"), []string{"1"})
}
