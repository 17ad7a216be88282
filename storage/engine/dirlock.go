package engine

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"
)

// isLocked tells a directory that another process (or this one) holds from
// other failures to lock it: a file that cannot be made fails with its path.
func isLocked(err error) bool {
	var path *fs.PathError
	if errors.As(err, &path) {
		return false
	}
	return errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES) || strings.Contains(err.Error(), "lock held by current process")
}
