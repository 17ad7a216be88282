// Package hugepages asks the kernel to back the Go heap with huge pages. Hash tables are read at
// random, beyond what the processor's page tables' caches reach with small pages, and memory that is
// allocated for them is cleared in fewer page faults.
//
// The Go runtime leaves the choice to the kernel, whose usual setting (transparent_hugepage/enabled: madvise) gives huge
// pages only to memory for which they were asked; madvise(2), MADV_HUGEPAGE.
package hugepages

// size is a multiple of the page sizes that the kernel uses for this.
const size = 2 << 20
