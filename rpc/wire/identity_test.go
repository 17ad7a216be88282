package wire

import (
	"context"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// TestCheck: a caller that speaks another version of the protocol is refused, so that
// a cluster of two versions stops instead of reading values wrongly.
func TestCheck(t *testing.T) {
	var i Identity
	i.Set("c1")
	call := func(kv ...string) error {
		return i.check(metadata.NewIncomingContext(context.Background(), metadata.Pairs(kv...)), "/m", map[string]bool{"/open": true})
	}
	current := strconv.Itoa(ProtocolVersion)
	if err := call(protocolKey, current, clusterKey, "c1"); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		protocol, cluster, want string
	}{
		{strconv.Itoa(ProtocolVersion - 1), "c1", "this node speaks protocol version " + current + ", the caller \"" + strconv.Itoa(ProtocolVersion-1) + "\""},
		{strconv.Itoa(ProtocolVersion + 1), "c1", "this node speaks protocol version " + current + ", the caller \"" + strconv.Itoa(ProtocolVersion+1) + "\""},
		{current, "c2", "belongs to another database"},
		{current, "", "belongs to another database"},
	} {
		err := call(protocolKey, c.protocol, clusterKey, c.cluster)
		if status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
