//go:build !linux

package vexec

import "time"

// processTime: not measured here, so workers are owed nothing.
func processTime() time.Duration { return 0 }

func threadNow() threadTime { return threadTime{} }
