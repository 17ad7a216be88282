// Package nodetest runs the built binary as a process of its own for end-to-end
// tests: start it on a directory, connect, kill it with SIGKILL, start it again.
// The binary is built once per test process, with BASALT_BUILD_FLAGS (-race, say). Processes
// die with the test.
// The environment's BASALT_START_ARGS has further arguments for every one of them, such as
// "--columns always".
package nodetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/basaltdb/basalt/internal/loopback"
)

// dirPrefix begins the name of the directory with the binary; the process's ID follows.
const dirPrefix = "basalt-test-binary-"

var binary = sync.OnceValues(func() (string, error) {
	if err := noteSources(); err != nil {
		return "", err
	}
	sweep()
	dir := filepath.Join(os.TempDir(), dirPrefix+strconv.Itoa(os.Getpid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "basalt")
	args := append([]string{"build", "-o", bin}, strings.Fields(os.Getenv("BASALT_BUILD_FLAGS"))...)
	if out, err := exec.Command("go", append(args, "github.com/basaltdb/basalt/cmd/basalt")...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return bin, nil
})

// noteSources reads the directories that the binary is built from: the go command keeps the result of a test
// until a directory or a file that the test has read changes, and knows nothing of processes that it starts.
func noteSources() error {
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return fmt.Errorf("go list: %w", err)
	}
	return filepath.WalkDir(strings.TrimSpace(string(root)), func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() && (d.Name() == ".git" || d.Name() == "bin") {
			return filepath.SkipDir
		}
		return err
	})
}

// sweep removes the binaries of test processes that are gone: none can do so at its own end.
func sweep() {
	dirs, err := filepath.Glob(filepath.Join(os.TempDir(), dirPrefix+"*"))
	if err != nil {
		return
	}
	for _, d := range dirs {
		pid, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(d), dirPrefix))
		if err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			_ = os.RemoveAll(d) // another process may do it at the same time
		}
	}
}

// BuildTagged builds the binary with build tags, in the test's own directory.
func BuildTagged(t testing.TB, tags string) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "basalt")
	if out, err := exec.Command("go", "build", "-tags", tags, "-o", bin, "github.com/basaltdb/basalt/cmd/basalt").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return bin
}

// Binary is the path of the built binary.
func Binary(t testing.TB) string {
	t.Helper()
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// Node is a server process. Its methods are for the test's goroutine.
type Node struct {
	t    testing.TB
	data string
	host string // listened on
	args []string
	port int
	cmd  *exec.Cmd
	// storage: a node that serves no sessions.
	storage bool
	bin     string // "": Binary
	env     []string
	log     bytes.Buffer
}

// Start starts a server on data (made when it does not exist) and waits until it
// accepts connections. args are added to `basalt start`. The process is killed
// at the test's end.
func Start(t testing.TB, data string, args ...string) *Node {
	t.Helper()
	return startOn(t, "127.0.0.1", data, args)
}

// StartPublic is Start on every address of the machine; args must allow it.
func StartPublic(t testing.TB, data string, args ...string) *Node {
	t.Helper()
	return startOn(t, "0.0.0.0", data, args)
}

// StartBinary is Start of another binary, with more in its environment (KEY=VALUE).
func StartBinary(t testing.TB, bin string, env []string, data string, args ...string) *Node {
	t.Helper()
	n := &Node{t: t, data: data, host: "127.0.0.1", args: args, bin: bin, env: env}
	t.Cleanup(n.Kill)
	n.Restart()
	return n
}

func startOn(t testing.TB, host, data string, args []string) *Node {
	t.Helper()
	n := &Node{t: t, data: data, host: host, args: args}
	t.Cleanup(n.Kill)
	n.Restart()
	return n
}

// Restart starts the server again after Kill or Stop, on a new port.
func (n *Node) Restart() {
	n.t.Helper()
	if n.storage {
		n.restartStorage()
		return
	}
	addr, err := loopback.Reserve()
	if err != nil {
		n.t.Fatal(err)
	}
	n.port = addr.Port
	n.log.Reset()
	n.cmd = n.command("--sql-addr", fmt.Sprintf("%s:%d", n.host, n.port))
	n.cmd.Stdout, n.cmd.Stderr = &n.log, &n.log
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := n.cmd.Start(); err != nil {
		n.cmd = nil // there is nothing to kill
		n.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	n.Connect(ctx).Close(ctx)
}

// command is a process on the node's directory.
func (n *Node) command(args ...string) *exec.Cmd {
	args = append(append([]string{"start", "--data", n.data}, args...), n.args...)
	bin := n.bin
	if bin == "" {
		bin = Binary(n.t)
	}
	cmd := exec.Command(bin, append(args, strings.Fields(os.Getenv("BASALT_START_ARGS"))...)...)
	cmd.Env = append(os.Environ(), n.env...)
	return cmd
}

// Port is where it listens; it changes with Restart.
func (n *Node) Port() int { return n.port }

// PID is the process's id.
func (n *Node) PID() int { return n.cmd.Process.Pid }

// DSN connects to database postgres as the superuser.
func (n *Node) DSN() string {
	return fmt.Sprintf("host=127.0.0.1 port=%d user=postgres dbname=postgres sslmode=disable", n.port)
}

// Connect opens a connection, waiting for the server to come up.
func (n *Node) Connect(ctx context.Context) *pgconn.PgConn {
	n.t.Helper()
	var err error
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		var c *pgconn.PgConn
		if c, err = pgconn.Connect(ctx, n.DSN()); err == nil {
			return c
		}
		if n.cmd.Process.Signal(syscall.Signal(0)) != nil {
			break
		}
	}
	n.Kill()
	n.t.Fatalf("the server does not come up: %v\n%s", err, n.log.Bytes())
	return nil
}

// Kill ends the process with SIGKILL and waits for it.
func (n *Node) Kill() {
	if n.cmd != nil {
		n.cmd.Process.Kill()
		n.cmd.Wait() // its error is the kill
		n.cmd = nil
	}
}

// Dump ends the process with SIGQUIT, by which it prints what its goroutines do, and gives
// all that it has printed.
func (n *Node) Dump() string {
	if n.cmd == nil {
		return ""
	}
	n.cmd.Process.Signal(syscall.SIGQUIT)
	timer := time.AfterFunc(10*time.Second, func() { n.cmd.Process.Kill() })
	n.cmd.Wait()
	timer.Stop()
	n.cmd = nil
	return n.log.String()
}

// Stop ends the process with SIGTERM and fails the test unless it exits cleanly
// within half a minute.
func (n *Node) Stop() {
	n.t.Helper()
	n.StopBy(syscall.SIGTERM)
}

// StopBy is Stop with another signal.
func (n *Node) StopBy(sig syscall.Signal) {
	n.t.Helper()
	n.cmd.Process.Signal(sig)
	timer := time.AfterFunc(30*time.Second, func() { n.cmd.Process.Kill() })
	err := n.cmd.Wait()
	timer.Stop()
	n.cmd = nil
	if err != nil {
		n.t.Fatalf("the server does not stop cleanly: %v\n%s", err, n.log.Bytes())
	}
}

// CheckData runs `basalt debug check` on the directory and gives what it prints. REQUIRES: the server does not run.
func (n *Node) CheckData() string {
	n.t.Helper()
	out, err := exec.Command(Binary(n.t), "debug", "check", "--data", n.data).CombinedOutput()
	if err != nil {
		n.t.Errorf("checking %s: %v\n%s", n.data, err, out)
	}
	return string(out)
}

// Log is what the process has printed; only to be read after Kill or Stop.
func (n *Node) Log() string { return n.log.String() }
