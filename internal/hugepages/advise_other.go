//go:build !linux

package hugepages

// Advise does nothing: there is no such advice here.
func Advise(n int64) {}
