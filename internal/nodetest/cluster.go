package nodetest

import (
	"context"
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/basaltdb/basalt/internal/loopback"
)

// Cluster is a database of several processes on loopback: a first gateway and
// storage nodes, more gateways on demand.
type Cluster struct {
	t       testing.TB
	dir     string
	rpc     string // of the first node
	bin     string
	env     []string
	First   *Node
	Storage []*Node
}

// StartCluster starts a first gateway and so many storage nodes, and waits until
// all have joined. args are added to the first node's. Ends with the test.
func StartCluster(t testing.TB, storage int, args ...string) *Cluster {
	t.Helper()
	return StartClusterBinary(t, "", nil, storage, args...)
}

// StartClusterBinary is StartCluster with another binary ("": the built one) and what is
// added to the environment of all its processes.
func StartClusterBinary(t testing.TB, bin string, env []string, storage int, args ...string) *Cluster {
	t.Helper()
	dir := t.TempDir()
	c := &Cluster{t: t, dir: dir, rpc: FreeAddr(t), bin: bin, env: env}
	t.Cleanup(c.logWarnings) // the last of the cleanups: the processes have ended
	c.First = StartBinary(t, bin, env, filepath.Join(dir, "gateway1"), append([]string{"--role", "gateway", "--rpc-addr", c.rpc}, args...)...)
	for i := range storage {
		n := &Node{t: t, data: filepath.Join(dir, fmt.Sprintf("storage%d", i+1)), args: []string{"--role", "storage", "--rpc-addr", FreeAddr(t), "--join", c.rpc, "--flight-addr", FreeAddr(t)}, storage: true, bin: bin, env: env}
		t.Cleanup(n.Kill)
		n.Restart()
		c.Storage = append(c.Storage, n)
	}
	c.waitNodes(storage + 1)
	return c
}

// Gateway starts another gateway.
func (c *Cluster) Gateway() *Node {
	c.t.Helper()
	addr := FreeAddr(c.t)
	return StartBinary(c.t, c.bin, c.env, filepath.Join(c.dir, "gateway-"+addr), "--role", "gateway", "--rpc-addr", addr, "--join", c.rpc)
}

// Join is the address of the first node for --join.
func (c *Cluster) Join() string { return c.rpc }

// waitNodes waits until so many nodes are up.
func (c *Cluster) waitNodes(nodes int) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn := c.First.Connect(ctx)
	defer conn.Close(ctx)
	for ; ; time.Sleep(20 * time.Millisecond) {
		r := conn.ExecParams(ctx, "SELECT count(*) FROM basalt.nodes WHERE alive", nil, nil, nil, nil).Read()
		if r.Err != nil {
			c.t.Fatalf("waiting for %d nodes: %v", nodes, r.Err)
		}
		if string(r.Rows[0][0]) == fmt.Sprint(nodes) {
			return
		}
	}
}

// FreeAddr is a loopback address that nobody listens on and no other test is given.
func FreeAddr(t testing.TB) string {
	t.Helper()
	addr, err := loopback.Reserve()
	if err != nil {
		t.Fatal(err)
	}
	return addr.String()
}

// restartStorage starts a process that serves no sessions.
func (n *Node) restartStorage() {
	n.t.Helper()
	n.log.Reset()
	n.cmd = n.command()
	n.cmd.Stdout, n.cmd.Stderr = &n.log, &n.log
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := n.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
}
