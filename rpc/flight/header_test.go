package flight_test

import (
	"strings"
	"testing"

	grpcmetadata "google.golang.org/grpc/metadata"
)

// TestLongHeader: metadata of any length is not taken in before a login; other calls go on.
func TestLongHeader(t *testing.T) {
	f := start(t, nil)
	c := f.client(t, nil)
	long := grpcmetadata.AppendToOutgoingContext(ctxOf(t), "x-long", strings.Repeat("x", 1<<20))
	if _, err := c.Execute(long, "SELECT 1"); err == nil {
		t.Error("a header of a megabyte was taken")
	}
	if _, err := f.client(t, nil).Execute(ctxOf(t), "SELECT 1"); err != nil {
		t.Errorf("a call after it: %v", err)
	}
}
