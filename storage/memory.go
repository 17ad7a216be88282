package storage

import "github.com/cockroachdb/pebble/v2/vfs"

// MemFS is a file system in memory for Options.FS: a store that leaves nothing behind.
func MemFS() vfs.FS { return vfs.NewMem() }
