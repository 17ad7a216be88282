// Package loopback finds ports for servers that are started as processes of their own and
// must be told before where to listen: the nodes of a test's or a demonstration's cluster.
package loopback

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// Reserved ports lie below those that systems give to outgoing connections (from 32768 on with
// Linux, from 49152 on elsewhere): such a connection may take a port that was free a moment ago.
const (
	firstPort = 15000
	lastPort  = 32000
	tries     = 1000
)

// held keeps the files locked until the process ends.
var (
	mu   sync.Mutex
	held []*os.File
)

// Reserve finds a port of 127.0.0.1 on which nobody listens, and which no other call of
// Reserve gives out, in this process or in another one of the same user, until this process
// has ended. Safe for concurrent use.
func Reserve() (*net.TCPAddr, error) {
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("basalt-ports-%d", os.Getuid()))
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	mu.Lock()
	defer mu.Unlock()
	for range tries {
		port := firstPort + rand.IntN(lastPort-firstPort)
		f, err := os.OpenFile(filepath.Join(dir, fmt.Sprint(port)), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, err
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil || !free(port) {
			f.Close()
			continue
		}
		held = append(held, f)
		return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}, nil
	}
	return nil, errors.New("no port of 127.0.0.1 is free")
}

// free tells whether nobody listens on a port, on loopback or on all addresses.
func free(port int) bool {
	for _, host := range []string{"127.0.0.1", ""} {
		l, err := net.Listen("tcp", net.JoinHostPort(host, fmt.Sprint(port)))
		if err != nil {
			return false
		}
		l.Close()
	}
	return true
}
