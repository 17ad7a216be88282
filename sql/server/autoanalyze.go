package server

import (
	"context"
	"sync"
	"time"

	"github.com/basaltdb/basalt/sql/session"
)

// launcher analyses tables that were written to (session.Node.AutoAnalyze): a round over all databases every
// autovacuum_naptime. It belongs to the server from Listen to Close; of several nodes only the first one has it.
type launcher struct {
	s    *Server
	stop context.CancelFunc
	done sync.WaitGroup

	mu     sync.Mutex
	pid    int32              // of the round that runs; 0: none
	cancel context.CancelFunc // of the table that is analysed
	round  context.CancelFunc
}

var _ session.Control = (*launcher)(nil)

// launch starts the launcher unless it is off or another node's affair.
func (s *Server) launch() {
	set := s.Node.AutoAnalyzeSettings()
	if !set.On || s.opts.Cluster != nil && !s.opts.Cluster.First {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	s.launcher = &launcher{s: s, stop: stop}
	s.Join(s.launcher)
	s.launcher.done.Add(1)
	go s.launcher.run(ctx, set.Naptime)
}

func (l *launcher) close() {
	l.stop()
	l.done.Wait()
}

func (l *launcher) run(ctx context.Context, nap time.Duration) {
	defer l.done.Done()
	t := time.NewTicker(nap)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if err := l.all(ctx); err != nil && ctx.Err() == nil {
			l.s.opts.Log.Warn("automatic analyze failed", "err", err)
		}
	}
}

// all is one round over the databases.
func (l *launcher) all(ctx context.Context) error {
	dbs, err := l.s.manager.Databases(ctx)
	if err != nil {
		return err
	}
	for _, db := range dbs {
		if !db.AllowConn {
			continue
		}
		round, end := context.WithCancel(ctx)
		pid := l.s.NewPID()
		l.set(pid, nil, end)
		err := l.s.Node.AutoAnalyze(round, db, pid, func(ctx context.Context) (context.Context, context.CancelFunc) {
			c, cancel := context.WithCancel(ctx)
			l.set(pid, cancel, end)
			return c, cancel
		}, func(table string, err error) {
			l.s.opts.Log.Info("automatic analyze given up", "database", db.Name, "table", table, "err", err)
		})
		l.set(0, nil, nil)
		ended := round.Err() != nil
		end()
		if err != nil && !ended {
			return err
		}
	}
	return nil
}

func (l *launcher) set(pid int32, cancel, round context.CancelFunc) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pid, l.cancel, l.round = pid, cancel, round
}

// Cancel implements session.Control: it ends the analysis of the table at hand.
func (l *launcher) Cancel(pid int32) bool {
	return l.end(pid, func() context.CancelFunc { return l.cancel })
}

// Terminate implements session.Control: it ends the round in the database at hand.
func (l *launcher) Terminate(pid int32) bool {
	return l.end(pid, func() context.CancelFunc { return l.round })
}

func (l *launcher) end(pid int32, f func() context.CancelFunc) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if pid == 0 || pid != l.pid {
		return false
	}
	if end := f(); end != nil {
		end()
	}
	return true
}
