package storage

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/basaltdb/basalt/storage/columns"
)

// Metrics gives what a node's storage does as metrics of Prometheus' model. Collecting takes no lock for long and reads no data.
func (n *Node) Metrics() prometheus.Collector { return nodeMetrics{n} }

type nodeMetrics struct{ n *Node }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("basalt_"+name, help, labels, nil)
}

var (
	commitsDesc = desc("commits_total", "Transactions committed on this node that wrote something.")

	mergesDesc        = desc("merges_total", "Merges of rows into column segments that were done.")
	mergeFailuresDesc = desc("merge_failures_total", "Merges that failed and will be tried again.")
	mergedRowsDesc    = desc("merged_rows_total", "Rows written to column segments by merges.")
	mergedBytesDesc   = desc("merged_bytes_total", "Bytes of column segments written by merges.")
	mergeSecondsDesc  = desc("merge_seconds_total", "Time spent merging.")
	mergingDesc       = desc("merge_running", "1 while a merge, or a look for one, goes on.")
	mergeDoneDesc     = desc("merge_progress_rows", "Rows that the running merge has written.")
	mergeTotalDesc    = desc("merge_progress_rows_expected", "Rows that the running merge will write.")

	backlogDesc      = desc("merge_backlog_versions", "Row versions outside of column segments, by estimate.")
	deadDesc         = desc("segment_dead_rows", "Rows of column segments that newer versions hide, by estimate.")
	segmentsDesc     = desc("segments", "Column segments.", "kind")
	segmentRowsDesc  = desc("segment_rows", "Rows in column segments.")
	segmentBytesDesc = desc("segment_bytes", "Bytes of column segments on disk.")

	cacheBytesDesc   = desc("block_cache_bytes", "Memory of the cache of column blocks.")
	cacheLimitDesc   = desc("block_cache_limit_bytes", "Memory that the cache of column blocks may have at present.")
	cacheMissesDesc  = desc("block_cache_misses_total", "Column blocks that were read from files.")
	overlayBytesDesc = desc("overlay_bytes", "Memory of what scans keep of the row delta.")

	walBytesDesc    = desc("wal_written_bytes_total", "Bytes written to the log.")
	walFilesDesc    = desc("wal_files", "Files of the log.")
	memtableDesc    = desc("memtable_bytes", "Memory of the row delta's tables in memory.")
	compactionsDesc = desc("compactions_total", "Compactions of the row delta.")
	levelFilesDesc  = desc("level_files", "Files of a level of the row delta.", "level")
	levelBytesDesc  = desc("level_bytes", "Bytes of a level of the row delta.", "level")
	engineBytesDesc = desc("row_store_bytes", "Bytes of the row delta on disk, the log included.")
	debtBytesDesc   = desc("compaction_debt_bytes", "Bytes that wait for compaction, by estimate.")
	writeAmpliDesc  = desc("compaction_written_bytes_total", "Bytes written by flushes and compactions.")
)

// Describe implements prometheus.Collector.
func (m nodeMetrics) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(m, ch) }

// Collect implements prometheus.Collector.
func (m nodeMetrics) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	count := func(d *prometheus.Desc, v float64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v)
	}
	n := m.n
	count(commitsDesc, float64(n.mgr.Commits()))
	if n.cols != nil {
		collectColumns(n.cols, gauge, count)
	}
	p := n.eng.Pebble().Metrics()
	count(walBytesDesc, float64(p.WAL.BytesWritten))
	gauge(walFilesDesc, float64(p.WAL.Files))
	gauge(memtableDesc, float64(p.MemTable.Size))
	count(compactionsDesc, float64(p.Compact.Count))
	written := p.Flush.WriteThroughput.Bytes
	for level := range p.Levels {
		l := &p.Levels[level]
		label := strconv.Itoa(level)
		gauge(levelFilesDesc, float64(l.TablesCount), label)
		gauge(levelBytesDesc, float64(l.TablesSize), label)
		written += int64(l.TableBytesCompacted)
	}
	count(writeAmpliDesc, float64(written))
	gauge(debtBytesDesc, float64(p.Compact.EstimatedDebt))
	gauge(engineBytesDesc, float64(p.DiskSpaceUsage()))
}

func collectColumns(c *columns.Store, gauge func(*prometheus.Desc, float64, ...string), count func(*prometheus.Desc, float64)) {
	t := c.Totals()
	count(mergesDesc, float64(t.Merges))
	count(mergeFailuresDesc, float64(t.Failures))
	count(mergedRowsDesc, float64(t.RowsMerged))
	count(mergedBytesDesc, float64(t.BytesWritten))
	count(mergeSecondsDesc, t.Busy.Seconds())
	p := c.Progress()
	running := 0.0
	if p.Phase != "" && p.Phase != "idle" {
		running = 1
	}
	gauge(mergingDesc, running)
	gauge(mergeDoneDesc, float64(p.RowsDone))
	gauge(mergeTotalDesc, float64(p.RowsTotal))
	var sum columns.Backlog
	for _, b := range c.Backlogs() {
		sum.Segments += b.Segments
		sum.Loose += b.Loose
		sum.Rows += b.Rows + b.LooseRows
		sum.Bytes += b.Bytes
		sum.Delta += b.Delta
		sum.Dead += b.Dead
	}
	gauge(backlogDesc, float64(sum.Delta))
	gauge(deadDesc, float64(sum.Dead))
	gauge(segmentsDesc, float64(sum.Segments), "merged")
	gauge(segmentsDesc, float64(sum.Loose), "loose")
	gauge(segmentRowsDesc, float64(sum.Rows))
	gauge(segmentBytesDesc, float64(sum.Bytes))
	s := c.CacheStats()
	gauge(cacheBytesDesc, float64(s.Bytes))
	gauge(cacheLimitDesc, float64(s.Limit))
	count(cacheMissesDesc, float64(s.Misses))
	gauge(overlayBytesDesc, float64(c.OverlayBytes()))
}
