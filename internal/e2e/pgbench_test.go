package e2e

import (
	"context"
	"flag"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/basaltdb/basalt/bench/transfer"
	"github.com/basaltdb/basalt/internal/nodetest"
)

// pgbenchTime is how long each script runs in each protocol:
// go test ./internal/e2e -run TestClusterPgbench -pgbench 10s -v, and once more with
// BASALT_START_ARGS='--columns always'
var pgbenchTime = flag.Duration("pgbench", time.Second, "how long TestClusterPgbench runs each script in each protocol")

// TestClusterPgbench runs PostgreSQL's pgbench, its three scripts in its three protocols, through two gateways
// at once against three storage nodes: no error, and the sums agree.
func TestClusterPgbench(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	binary, err := exec.LookPath("pgbench")
	if err != nil {
		t.Skip("pgbench is not installed")
	}
	cl := nodetest.StartCluster(t, 3, "--tablets", "6")
	gateways := []*nodetest.Node{cl.First, cl.Gateway()}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute+30**pgbenchTime)
	defer cancel()
	bench := func(n *nodetest.Node, args ...string) (string, error) {
		c := exec.CommandContext(ctx, binary, append(args, "-h", "127.0.0.1", "-p", fmt.Sprint(n.Port()), "-U", "postgres", "postgres")...)
		out, err := c.CombinedOutput()
		return string(out), err
	}
	if out, err := bench(cl.First, "-i", "-s", "1", "-q"); err != nil {
		t.Fatalf("pgbench -i: %v\n%s", err, out)
	}
	seconds := max(int(pgbenchTime.Seconds()), 1)
	for _, script := range []string{"tpcb-like", "simple-update", "select-only"} {
		for _, mode := range []string{"simple", "extended", "prepared"} {
			var runs sync.WaitGroup
			for i, n := range gateways {
				runs.Add(1)
				go func() {
					defer runs.Done()
					out, err := bench(n, "-n", "-b", script, "-M", mode, "-c", "4", "-j", "1", "-T", fmt.Sprint(seconds))
					if err != nil || strings.Contains(out, "ERROR") || strings.Contains(out, "aborted") || !strings.Contains(out, "number of failed transactions: 0 ") {
						t.Errorf("%s, %s, gateway %d: %v\n%s", script, mode, i+1, err, out)
						return
					}
					for line := range strings.Lines(out) {
						if strings.Contains(line, "actually processed") || strings.HasPrefix(line, "tps") {
							t.Logf("%s, %s, gateway %d: %s", script, mode, i+1, strings.TrimSpace(line))
						}
					}
				}()
			}
			runs.Wait()
			conn := gateways[1].Connect(ctx)
			if err := transfer.Check(ctx, conn, false); err != nil {
				t.Errorf("%s, %s: %v", script, mode, err)
			}
			conn.Close(ctx)
		}
	}
}
