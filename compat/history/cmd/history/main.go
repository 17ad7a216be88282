// Command history runs the workloads of compat/history/workload on a server and judges
// what its transactions saw.
//
//	history -dsn DSN [-dsn DSN …] [-level LEVEL,…] [-workload NAME,…] [-time 1m] [-clients 8] [-seed N]
//
// The clients divide over the DSNs, which may be several gateways of one database. It
// makes tables named hist_…, in place of those there are. A line per workload says what
// happened; anomalies come with their witnesses. The exit status is 1 when there are any.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/basaltdb/basalt/compat/history"
	"github.com/basaltdb/basalt/compat/history/workload"
)

func main() {
	found, err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, "history:", err)
	}
	if err != nil || found {
		os.Exit(1)
	}
}

func run() (found bool, err error) {
	var dsns []string
	flag.Func("dsn", "a target; may be repeated", func(s string) error { dsns = append(dsns, s); return nil })
	levels := flag.String("level", "read committed,repeatable read,serializable", "isolation levels, in turn")
	names := flag.String("workload", strings.Join(workload.Names(), ","), "workloads, in turn")
	o := workload.Options{Targets: func() []string { return dsns }, Log: func(f string, a ...any) { fmt.Printf(f+"\n", a...) }}
	flag.DurationVar(&o.Time, "time", time.Minute, "how long to run at each level")
	flag.DurationVar(&o.Round, "round", 4*time.Second, "how long one round of one workload takes")
	flag.IntVar(&o.Clients, "clients", 8, "connections at once")
	flag.Uint64Var(&o.Seed, "seed", uint64(time.Now().UnixNano()), "seed of the choices; the interleaving is the server's")
	flag.BoolVar(&o.Faults, "faults", false, "servers are killed meanwhile: take lost connections for granted")
	flag.BoolVar(&o.StopAtFirst, "first", false, "end a level after the first round with anomalies")
	flag.Parse()
	if len(dsns) == 0 {
		return false, fmt.Errorf("name a server with -dsn")
	}
	o.Workloads = strings.Split(*names, ",")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	for name := range strings.SplitSeq(*levels, ",") {
		if o.Level, err = history.ParseLevel(name); err != nil {
			return found, err
		}
		began := time.Now()
		verdicts, err := workload.Run(ctx, o)
		fmt.Printf("%s, %s:\n", o.Level, time.Since(began).Round(time.Second))
		for _, v := range verdicts {
			fmt.Println(v)
			found = found || len(v.Anomalies) > 0
		}
		if err != nil {
			return found, err
		}
	}
	return found, nil
}
