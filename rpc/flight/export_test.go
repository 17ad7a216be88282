package flight_test

import (
	"context"
	"os"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/flight/flightsql"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
)

// BenchmarkExport pulls a table of a running server: FLIGHT_ADDR says where,
// FLIGHT_QUERY what (default: TPC-H's lineitem). MB/s are of Arrow data.
func BenchmarkExport(b *testing.B) {
	addr, query := os.Getenv("FLIGHT_ADDR"), os.Getenv("FLIGHT_QUERY")
	if addr == "" {
		b.Skip("FLIGHT_ADDR is not set")
	}
	if query == "" {
		query = "SELECT * FROM lineitem"
	}
	c, err := flightsql.NewClient(addr, nil, nil, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	for b.Loop() {
		info, err := c.Execute(context.Background(), query)
		if err != nil {
			b.Fatal(err)
		}
		s, err := c.Client.DoGet(context.Background(), info.Endpoint[0].Ticket)
		if err != nil {
			b.Fatal(err)
		}
		total, messages := 0, 0
		for {
			d, err := s.Recv()
			if err != nil {
				break
			}
			total += proto.Size(d)
			messages++
		}
		b.SetBytes(int64(total))
		b.ReportMetric(float64(messages), "messages/op")
	}
}
