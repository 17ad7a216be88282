package server

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Metrics gives what the node's sessions do as metrics of Prometheus' model; the storage has its own (storage.Node.Metrics).
func (s *Server) Metrics() prometheus.Collector { return sessionMetrics{s} }

type sessionMetrics struct{ s *Server }

var (
	sessionsDesc    = prometheus.NewDesc("basalt_sessions", "Sessions by their state, as in pg_stat_activity.", []string{"state"}, nil)
	connectionsDesc = prometheus.NewDesc("basalt_connections_limit", "Sessions that are allowed at a time (max_connections).", nil, nil)
	queryMemoryDesc = prometheus.NewDesc("basalt_query_memory_bytes", "Memory that queries hold.", nil, nil)
	queryLimitDesc  = prometheus.NewDesc("basalt_query_memory_limit_bytes", "Memory that queries may hold.", nil, nil)
)

// Describe implements prometheus.Collector.
func (m sessionMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{sessionsDesc, connectionsDesc, queryMemoryDesc, queryLimitDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (m sessionMetrics) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	states := map[string]int{"active": 0, "idle": 0, "idle in transaction": 0, "idle in transaction (aborted)": 0}
	for _, s := range m.s.Node.Sessions() {
		states[s.State()]++
	}
	for state, n := range states {
		gauge(sessionsDesc, float64(n), state)
	}
	gauge(connectionsDesc, float64(m.s.opts.MaxConnections))
	gauge(queryMemoryDesc, float64(m.s.executor.Held()))
	gauge(queryLimitDesc, float64(m.s.opts.MemoryBytes/2))
}
