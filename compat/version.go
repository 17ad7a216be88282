package compat

import (
	"context"
	"os"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// LoadNames reads a list of file names (AREA/NAME.sql), one a line; # begins a comment.
func LoadNames(path string) (map[string]bool, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			names[line] = true
		}
	}
	return names, nil
}

// AtLeast16 reports whether the server is PostgreSQL 16 or newer.
func AtLeast16(ctx context.Context, dsn string) (bool, error) {
	c, err := pgconn.Connect(ctx, dsn)
	if err != nil {
		return false, err
	}
	defer c.Close(context.WithoutCancel(ctx))
	major, _, _ := strings.Cut(c.ParameterStatus("server_version"), ".")
	n, err := strconv.Atoi(major)
	return err == nil && n >= 16, nil
}
