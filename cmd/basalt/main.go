// Command basalt is the server and its tools: flags and wiring, nothing else.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/basaltdb/basalt/bench"
	"github.com/basaltdb/basalt/internal/simd"
	"github.com/basaltdb/basalt/sql/settings"
)

// version is set by the build (-ldflags "-X main.version=…").
var version = "dev"

func main() {
	root := &cobra.Command{
		Use:           "basalt",
		Short:         "Basalt is one PostgreSQL-compatible database for transactions and analytics",
		Long:          "Basalt serves PostgreSQL clients from one binary with an embedded store:\npoint writes of applications and scans of analysts on the same rows.\n\nStart a server and connect:\n\n  basalt start --data ./data\n  psql -h 127.0.0.1 -p 5433 -U postgres postgres",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetVersionTemplate(versionLine())
	root.AddCommand(startCommand(), versionCommand(), debugCommand(), statusCommand(), certCommand(), bench.Command(), bench.DemoCommand())
	if err := root.Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "basalt:", err)
		os.Exit(1)
	}
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) {
			fmt.Fprint(cmd.OutOrStdout(), versionLine())
		},
	}
}

func versionLine() string {
	return fmt.Sprintf("basalt %s (PostgreSQL %s compatible; vectors: %s)\n", version, settings.ServerVersion, simd.Vectors())
}
