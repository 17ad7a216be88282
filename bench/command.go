package bench

import "github.com/spf13/cobra"

// Command is `basalt bench`.
func Command() *cobra.Command {
	cmd := &cobra.Command{
		Use:          "bench",
		SilenceUsage: true,
		Short:        "Measure Basalt and its peers",
		Long: `Measure Basalt and its peers over the PostgreSQL wire protocol.

--target NAME:DSN names a server and may be repeated; ratios are to the first.
Without it the Basalt at ` + defaultDSN + ` is measured.`,
	}
	cmd.AddCommand(tpchCommand(), starsCommand(), pgbenchCommand(), tpccCommand(), chCommand(), flightCommand())
	return cmd
}
