package hugepages

import (
	"bytes"
	"os"
	"runtime/debug"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Advise has the heap use huge pages while it is no larger than n bytes, or half of the machine's memory. It takes that much address space,
// asks for huge pages there, and leaves it to the collector for whatever is allocated later; no memory
// is touched. It does nothing where address space is limited or promised strictly, and it is only advice:
// without huge pages all goes on as before. Call it before there is much on the heap, and not twice.
func Advise(n int64) {
	var m unix.Sysinfo_t
	if limited() || unix.Sysinfo(&m) != nil {
		return
	}
	if n = min(n, int64(uint64(m.Totalram)*uint64(m.Unit)/2)); n < 2*size { // the kernel refuses more than it has
		return
	}
	b := make([]byte, n)
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(b))) % size
	_ = unix.Madvise(b[skip:skip+(uintptr(n)-skip)/size*size], unix.MADV_HUGEPAGE)
	b = nil
	debug.FreeOSMemory() // collects it, and says that none of it is in use
}

// limited: taking address space may fail, which would end the process.
func limited() bool {
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_AS, &l) != nil || l.Cur != unix.RLIM_INFINITY {
		return true
	}
	policy, err := os.ReadFile("/proc/sys/vm/overcommit_memory")
	return err != nil || !bytes.Equal(bytes.TrimSpace(policy), []byte("0")) && !bytes.Equal(bytes.TrimSpace(policy), []byte("1"))
}
