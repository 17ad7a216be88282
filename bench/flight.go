package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/apache/arrow/go/v17/arrow/flight"
	"github.com/apache/arrow/go/v17/arrow/flight/flightsql"
	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

// exportResult is one way of pulling a table out.
type exportResult struct {
	Target, Way   string
	Rows          int64
	Bytes         int64   // of the values: Arrow buffers, or COPY's stream
	Seconds       float64 // median of the runs
	Runs          []float64
	MBPerSecond   float64
	RowsPerSecond float64
}

func flightCommand() *cobra.Command {
	var (
		addr, user, password, database, name, jsonPath string
		targets                                        []string
		runs                                           int
		stock                                          bool
	)
	cmd := &cobra.Command{
		Use:   "flight",
		Short: "Export a table through Arrow Flight SQL, beside binary COPY of servers given by --target",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var ts []Target
			var err error
			if len(targets) > 0 { // else Flight alone
				if ts, err = parseTargets(targets); err != nil {
					return err
				}
			}
			query := "SELECT * FROM " + pgx.Identifier{name}.Sanitize()
			results := []exportResult{{Target: addr, Way: "flight"}}
			for _, t := range ts {
				results = append(results, exportResult{Target: t.Name, Way: "copy binary"})
			}
			for range max(runs, 1) { // in turns, so that drift of the machine hits all
				for i := range results {
					r := &results[i]
					start := time.Now()
					if i == 0 {
						r.Rows, r.Bytes, err = exportFlight(cmd.Context(), addr, user, password, database, query, stock)
					} else {
						r.Rows, r.Bytes, err = exportCopy(cmd.Context(), ts[i-1], query)
					}
					if err != nil {
						return fmt.Errorf("%s: %w", r.Target, err)
					}
					r.Runs = append(r.Runs, time.Since(start).Seconds())
				}
			}
			var rows [][]string
			for i := range results {
				r := &results[i]
				r.Seconds = median(r.Runs)
				r.MBPerSecond, r.RowsPerSecond = float64(r.Bytes)/1e6/r.Seconds, float64(r.Rows)/r.Seconds
				if r.Rows != results[0].Rows {
					return fmt.Errorf("%s gave %d rows, %s %d", results[0].Target, results[0].Rows, r.Target, r.Rows)
				}
				ratio := ""
				if i > 0 {
					ratio = fmt.Sprintf("%.2f", r.Seconds/results[0].Seconds)
				}
				rows = append(rows, []string{r.Target, r.Way, fmt.Sprint(r.Rows), fmt.Sprintf("%.1f", float64(r.Bytes)/1e6), fmt.Sprintf("%.3f", r.Seconds),
					fmt.Sprintf("%.0f", r.MBPerSecond), fmt.Sprintf("%.0f", r.RowsPerSecond), ratio})
			}
			table(cmd.OutOrStdout(), []string{"target", "way", "rows", "MB", "seconds", "MB/s", "rows/s", "time ÷ flight's"}, rows)
			return writeJSON(jsonPath, results)
		},
	}
	f := cmd.Flags()
	f.StringVar(&addr, "flight-addr", "127.0.0.1:5434", "Basalt's Flight SQL address")
	f.StringVar(&user, "user", "postgres", "role")
	f.StringVar(&password, "password", "", "its password, where the server asks for one")
	f.StringVar(&database, "database", "postgres", "database")
	f.StringVar(&name, "table", "lineitem", "table to export")
	f.StringArrayVar(&targets, "target", nil, "NAME:DSN of a server to COPY from, repeatable")
	f.IntVar(&runs, "runs", 3, "runs of each; the median counts")
	f.BoolVar(&stock, "stock-client", false, "leave the memory for messages and vectors to Arrow's Go library, which takes it anew for each")
	f.StringVar(&jsonPath, "json", "", "write the results to this file")
	return cmd
}

// What clients that pull much ask of gRPC.
const (
	readBufferBytes = 256 << 10
	windowBytes     = 16 << 20
)

// exportFlight pulls every endpoint of a query at once and drops what comes.
func exportFlight(ctx context.Context, addr, user, password, database, query string, stock bool) (rows, bytes int64, err error) {
	client, err := flightsql.NewClient(addr, nil, nil, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(16<<20)), grpc.WithReadBufferSize(readBufferBytes),
		grpc.WithInitialWindowSize(windowBytes), grpc.WithInitialConnWindowSize(windowBytes))
	if err != nil {
		return 0, 0, err
	}
	defer client.Close()
	if ctx, err = client.Client.AuthenticateBasicToken(ctx, user, password); err != nil {
		return 0, 0, err
	}
	ctx = metadata.AppendToOutgoingContext(ctx, "database", database)
	info, err := client.Execute(ctx, query)
	if err != nil {
		return 0, 0, err
	}
	type sum struct{ rows, bytes int64 }
	sums := make([]sum, len(info.Endpoint))
	g, gctx := errgroup.WithContext(ctx)
	for i, e := range info.Endpoint {
		g.Go(func() error { return drain(gctx, *client, e, stock, &sums[i].rows, &sums[i].bytes) })
	}
	if err := g.Wait(); err != nil {
		return 0, 0, err
	}
	for _, s := range sums {
		rows, bytes = rows+s.rows, bytes+s.bytes
	}
	return rows, bytes, nil
}

// drain pulls one endpoint, from where it says or else from the client's own server.
func drain(ctx context.Context, client flightsql.Client, e *flight.FlightEndpoint, stock bool, rows, bytes *int64) error {
	var options []grpc.CallOption
	if !stock {
		client.Alloc = newRecycler()
		options = append(options, grpc.ForceCodecV2(newFlightCodec()))
	}
	r, err := client.DoGet(ctx, e.Ticket, options...)
	if err != nil {
		return err
	}
	defer r.Release()
	for r.Next() {
		*rows += r.Record().NumRows()
		for _, c := range r.Record().Columns() {
			*bytes += int64(c.Data().SizeInBytes())
		}
	}
	return r.Err()
}

// exportCopy pulls a query's rows as COPY … (FORMAT binary) and drops them.
func exportCopy(ctx context.Context, t Target, query string) (rows, bytes int64, err error) {
	conn, err := t.connect(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var n counter
	tag, err := conn.CopyTo(ctx, &n, "COPY ("+query+") TO STDOUT (FORMAT binary)")
	return tag.RowsAffected(), int64(n), err
}

// counter counts what is written to it.
type counter int64

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}
