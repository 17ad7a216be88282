// Package cores says how many processors a process works on.
package cores

import (
	"os"
	"runtime"
	"sync"
)

// Count is how many processors this process may use (GOMAXPROCS as it starts, which heeds
// the limits of its control group): the measure for parallel work.
var Count = sync.OnceValue(func() int { return runtime.GOMAXPROCS(0) })

// Oversubscribe lets twice as many threads run Go code as there are processors, unless
// GOMAXPROCS is set in the environment. A thread that the kernel takes off its processor
// for another process, be it a client on the same machine, keeps the sessions that wait in
// its queue waiting; with threads to spare the kernel runs another meanwhile.
func Oversubscribe() {
	n := Count()
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(2 * n)
	}
}
