package bench

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// parsePIDs reads --pid values: NAME:PID.
func parsePIDs(values []string) (map[string]int, error) {
	pids := map[string]int{}
	for _, v := range values {
		name, s, _ := strings.Cut(v, ":")
		pid, err := strconv.Atoi(s)
		if err != nil || pid <= 0 {
			return nil, fmt.Errorf("--pid %q: want NAME:PID", v)
		}
		pids[name] = pid
	}
	return pids, nil
}

// ticksPerSecond is the unit of the times in /proc on every Linux.
const ticksPerSecond = 100

// processCPU is the CPU time of a process and its children, those that have ended
// and been waited for among them. 0 where there is no such process, or no /proc.
func processCPU(pid int) time.Duration {
	if pid <= 0 {
		return 0
	}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	total := int64(0)
	for _, path := range stats {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // has ended meanwhile
		}
		f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		if len(f) < 15 {
			continue
		}
		at := func(i int) int64 { v, _ := strconv.ParseInt(f[i], 10, 64); return v }
		self := strings.HasPrefix(path, fmt.Sprintf("/proc/%d/", pid))
		if !self && at(1) != int64(pid) {
			continue
		}
		total += at(11) + at(12)
		if self {
			total += at(13) + at(14)
		}
	}
	return time.Duration(total) * time.Second / ticksPerSecond
}

// isCanceled: the server gave up by statement_timeout.
func isCanceled(err error) bool {
	var pe *pgconn.PgError
	return errors.As(err, &pe) && pe.Code == "57014"
}
