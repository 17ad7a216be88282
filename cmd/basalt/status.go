package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/basaltdb/basalt/rpc/node"
	"github.com/basaltdb/basalt/rpc/proto/rpcpb"
	"github.com/basaltdb/basalt/rpc/wire"
	"github.com/basaltdb/basalt/sql/functions/sys"
	"github.com/basaltdb/basalt/sql/types"
)

// describe is a picture of the cluster as SQL shows it.
func describe(s *rpcpb.StatusReply) ([]sys.ClusterNode, []sys.ClusterTablet) {
	at := func(nanos int64) *types.Timestamp {
		if nanos == 0 {
			return nil
		}
		ts := types.TimestampOf(time.Unix(0, nanos))
		return &ts
	}
	var nodes []sys.ClusterNode
	for _, n := range s.GetNodes() {
		nodes = append(nodes, sys.ClusterNode{ID: int32(n.Id), Role: node.Role(n.Role).String(), RPC: n.RpcAddr, SQL: n.SqlAddr, Flight: n.FlightAddr,
			Version: n.Version, Alive: n.Alive, LastHeartbeat: at(n.LastHeartbeatNanos), Started: at(n.StartedNanos)})
	}
	var tablets []sys.ClusterTablet
	for _, t := range s.GetTablets() {
		tablets = append(tablets, sys.ClusterTablet{ID: int32(t.Id), Node: int32(t.Node), First: int32(t.FirstSlot), End: int32(t.EndSlot), Bytes: int64(t.Bytes)})
	}
	return nodes, tablets
}

// statusWait bounds asking the first node.
const statusWait = 5 * time.Second

func statusCommand() *cobra.Command {
	var join, certs string
	cmd := &cobra.Command{
		Use:     "status --join HOST:PORT",
		Short:   "Print the nodes and tablets of a cluster",
		Example: "  basalt status --join 127.0.0.1:5434",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			var creds *wire.Credentials
			if certs != "" {
				if creds, err = wire.LoadCredentials(certs); err != nil {
					return err
				}
			}
			ctx, cancel := context.WithTimeout(context.Background(), statusWait)
			defer cancel()
			s, err := node.AskStatus(ctx, join, creds)
			if err != nil {
				return fmt.Errorf("%s: %w", join, err)
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "NODE\tROLE\tALIVE\tRPC\tSQL\tFLIGHT\tVERSION\tLAST HEARD")
			for _, n := range s.Nodes {
				fmt.Fprintf(w, "%d\t%s\t%t\t%s\t%s\t%s\t%s\t%s\n", n.Id, node.Role(n.Role), n.Alive, n.RpcAddr, n.SqlAddr, n.FlightAddr, n.Version, ago(n.LastHeartbeatNanos))
			}
			fmt.Fprintln(w, "\nTABLET\tNODE\tSLOTS\tBYTES")
			for _, t := range s.Tablets {
				fmt.Fprintf(w, "%d\t%d\t%d–%d\t%d\n", t.Id, t.Node, t.FirstSlot, t.EndSlot-1, t.Bytes)
			}
			return w.Flush()
		},
	}
	cmd.Flags().StringVar(&join, "join", "", "address (--rpc-addr) of the first node (required)")
	cmd.Flags().StringVar(&certs, "certs", "", "directory with ca.crt, node.crt and node.key, when the nodes use TLS")
	cmd.MarkFlagRequired("join")
	return cmd
}

func ago(nanos int64) string {
	if nanos == 0 {
		return "never"
	}
	return time.Since(time.Unix(0, nanos)).Round(100*time.Millisecond).String() + " ago"
}

func certCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "cert", Short: "Make the certificates of a cluster's nodes", Args: cobra.NoArgs}
	var certs string
	ca := &cobra.Command{
		Use:   "create-ca --certs DIR",
		Short: "Make a certificate authority: ca.crt and ca.key",
		Args:  cobra.NoArgs,
		RunE:  func(*cobra.Command, []string) error { return wire.CreateCA(certs) },
	}
	one := &cobra.Command{
		Use:   "create-node --certs DIR HOST…",
		Short: "Make a node's certificate for the names and addresses it is reached by: node.crt and node.key",
		Long: `Make a node's certificate for the names and addresses it is reached by: node.crt
and node.key, signed by the authority in the same directory. The node itself needs
ca.crt, node.crt and node.key; keep ca.key elsewhere.`,
		Example: "  basalt cert create-node --certs ./certs 10.0.0.5 db1.example.com",
		Args:    cobra.MinimumNArgs(1),
		RunE:    func(_ *cobra.Command, hosts []string) error { return wire.CreateNode(certs, hosts) },
	}
	for _, c := range []*cobra.Command{ca, one} {
		c.Flags().StringVar(&certs, "certs", "", "directory (required)")
		c.MarkFlagRequired("certs")
	}
	cmd.AddCommand(ca, one)
	return cmd
}
