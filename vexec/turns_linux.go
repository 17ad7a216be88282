package vexec

import (
	"time"

	"golang.org/x/sys/unix"
)

// processTime is the processor time that the process has had.
func processTime() time.Duration { return clockTime(unix.CLOCK_PROCESS_CPUTIME_ID) }

// threadNow is the calling thread's processor time.
func threadNow() threadTime {
	return threadTime{thread: unix.Gettid(), had: clockTime(unix.CLOCK_THREAD_CPUTIME_ID)}
}

func clockTime(id int32) time.Duration {
	var ts unix.Timespec
	if unix.ClockGettime(id, &ts) != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}
