package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/basaltdb/basalt/sql/server"
)

// TestMetrics reads what a node serves for Prometheus: every metric has a help text, and those of merging,
// caches, the log and sessions are there.
func TestMetrics(t *testing.T) {
	ctx := context.Background()
	s, err := server.Open(ctx, server.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(ctx)
	var log bytes.Buffer
	stop, err := serveMetrics("127.0.0.1:0", s.Storage(), s, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	addr := regexp.MustCompile(`addr=(\S+)`).FindStringSubmatch(log.String())
	if addr == nil {
		t.Fatalf("log: %s", log.String())
	}
	r, err := http.Get("http://" + addr[1] + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatal(r.Status, err, string(b))
	}
	text := string(b)
	for _, want := range []string{"basalt_build_info{", "basalt_merge_backlog_versions 0\n", "basalt_merges_total 0\n", "basalt_segments{kind=\"loose\"} 0\n",
		"basalt_block_cache_limit_bytes ", "basalt_wal_written_bytes_total ", "basalt_level_bytes{level=\"6\"} ", "basalt_sessions{state=\"idle in transaction\"} 0\n",
		"basalt_query_memory_limit_bytes ", "go_goroutines ", "process_resident_memory_bytes "} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^(basalt_\w+)`).FindAllStringSubmatch(text, -1) {
		if !strings.Contains(text, "# HELP "+m[1]+" ") {
			t.Errorf("%s has no help", m[1])
		}
	}
	stop()
	if _, err := http.Get("http://" + addr[1] + "/metrics"); err == nil {
		t.Error("still served after stop")
	}
}
