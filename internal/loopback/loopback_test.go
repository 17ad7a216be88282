package loopback

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"testing"
)

// TestReserve: ports are free, and given out once, in this process and in another beside it.
func TestReserve(t *testing.T) {
	const n = 300
	if os.Getenv("BASALT_LOOPBACK_CHILD") != "" {
		for range n {
			a, err := Reserve()
			if err != nil {
				t.Fatal(err)
			}
			fmt.Println("port", a.Port)
		}
		bufio.NewReader(os.Stdin).ReadByte() // until the parent has seen enough
		return
	}
	var seen sync.Map
	cmd := exec.Command(os.Args[0], "-test.run=^TestReserve$")
	cmd.Env = append(os.Environ(), "BASALT_LOOPBACK_CHILD=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	once := func(port int) {
		if _, twice := seen.LoadOrStore(port, true); twice {
			t.Errorf("port %d was given out twice", port)
		}
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range n / 4 {
				a, err := Reserve()
				if err != nil {
					t.Error(err)
					return
				}
				once(a.Port)
				l, err := net.Listen("tcp", a.String())
				if err != nil {
					t.Error(err)
					return
				}
				l.Close()
			}
		})
	}
	lines := bufio.NewScanner(out)
	got := 0
	for got < n && lines.Scan() {
		var port int
		if _, err := fmt.Sscanf(lines.Text(), "port %d", &port); err == nil {
			once(port)
			got++
		}
	}
	wg.Wait()
	in.Close()
	for lines.Scan() {
	}
	if err := cmd.Wait(); err != nil || got != n {
		t.Errorf("the other process gave %d ports of %d: %v", got, n, err)
	}
}
