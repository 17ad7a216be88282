package segment

import (
	"fmt"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// malformedError is what decoders say of bytes they cannot read; File adds where.
type malformedError string

func (e malformedError) Error() string { return string(e) }

func malformed(format string, args ...any) error { return malformedError(fmt.Sprintf(format, args...)) }

// damaged is the error of a file whose bytes are not what was written.
func damaged(path, format string, args ...any) *pgerror.Error {
	return pgerror.New(pgerror.DataCorrupted, "column segment \"%s\" is damaged: %s", path, fmt.Sprintf(format, args...))
}

func ioError(err error, what, path string) error {
	return pgerror.Wrap(err, pgerror.IoError, "could not %s column segment \"%s\": %v", what, path, err)
}
