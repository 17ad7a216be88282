package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/spf13/cobra"

	"github.com/basaltdb/basalt/sql/server"
	"github.com/basaltdb/basalt/storage"
	"github.com/basaltdb/basalt/storage/columns"
	"github.com/basaltdb/basalt/storage/segment"
)

func debugCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "debug", Short: "Look into a data directory", Args: cobra.NoArgs}
	cmd.AddCommand(checkCommand(), segmentCommand())
	return cmd
}

func segmentCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "segment FILE",
		Short: "Describe a column segment",
		Long: `Describe a column segment: every part of the file with its offset, length and
encoding, and what is known of its values. The file is only read; parts that do not
match their checksums are shown as damaged, and the exit status is then 1.`,
		Example: "  basalt debug segment ./data/segments/0000000000000001.seg",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			if ctx == nil {
				ctx = context.Background()
			}
			f, err := segment.Open(vfs.Default, args[0], nil)
			if err != nil {
				return err
			}
			defer f.Close()
			if err := f.Describe(ctx, cmd.OutOrStdout()); err != nil {
				return err
			}
			return f.Verify(ctx)
		},
	}
}

func checkCommand() *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:   "check --data DIR",
		Short: "Verify a data directory that no server uses",
		Long: `Verify a data directory that no server uses: every block of every file against
its checksum, the catalogs against each other, every row against its table's
columns, every index entry against its row and the reverse.

The directory is recovered first, as a start does; no rows move into columns meanwhile. Every problem is printed; the
exit status is 1 when there are any.`,
		Example: "  basalt debug check --data ./data",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			if ctx == nil {
				ctx = context.Background()
			}
			return checkData(ctx, cmd, data)
		},
	}
	cmd.Flags().StringVar(&data, "data", "", "data directory (required)")
	cmd.MarkFlagRequired("data")
	return cmd
}

func checkData(ctx context.Context, cmd *cobra.Command, data string) error {
	if ok, err := storage.Exists(data); err != nil {
		return err
	} else if !ok {
		return fmt.Errorf("directory %q holds no database", data)
	}
	start := time.Now()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	s, err := server.Open(ctx, server.Options{Dir: data, Log: log, Columns: columns.Options{Mode: columns.Off}})
	if err != nil {
		return err
	}
	res, err := s.Check(ctx, true)
	closed := s.Close(ctx)
	for _, p := range res.Problems {
		fmt.Fprintln(cmd.OutOrStdout(), p)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%d databases, %d tables, %d indexes, %d rows, %d index entries, %d column files in %s: ", res.Databases, res.Tables, res.Indexes, res.Rows, res.Keys, res.ColumnFiles, time.Since(start).Round(time.Millisecond))
	if n := len(res.Problems); n > 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "%d problems\n", n)
		return fmt.Errorf("data directory %q is damaged", data)
	}
	fmt.Fprintln(cmd.OutOrStdout(), "no problem")
	return closed
}
