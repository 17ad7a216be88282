package main

import "testing"

func TestMemoryBytes(t *testing.T) {
	for s, want := range map[string]int64{"64MB": 64 << 20, "4GB": 4 << 30, "1.5GiB": 3 << 29, "2g": 2 << 30, "1MB": 0, "x": 0, "-4GB": 0} {
		got, err := memoryBytes(s)
		if got != want || (err != nil) != (want == 0) {
			t.Errorf("%s: %d, %v", s, got, err)
		}
	}
}

func TestCheckAddress(t *testing.T) {
	for addr, ok := range map[string]bool{"127.0.0.1:5433": true, "localhost:1": true, "[::1]:5433": true, "0.0.0.0:5433": false, ":5433": false, "10.0.0.1:5433": false, "5433": false} {
		if err := checkAddress(addr, false); (err == nil) != ok {
			t.Errorf("%s: %v", addr, err)
		}
	}
	if err := checkAddress("0.0.0.0:5433", true); err != nil {
		t.Error(err)
	}
}
