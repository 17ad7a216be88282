// Package server wires one node's SQL side: the store in a directory, the
// functions, the catalog, the executor, the sessions, the listener. cmd/basalt
// and in-process tests (servertest) start nodes with it; it holds no logic of
// its own.
//
//	Open     store → catalog manager → bootstrap of an empty store → session.Node
//	Listen   a TCP listener that speaks pgwire
//	Close    sessions end with 57P01, then the store is flushed and closed
//
// Memory: Options.MemoryBytes is shared out between the store (block cache, write
// buffers) and queries (vexec's limit); what queries do not use is lent to the store's cache
// of column blocks (Lend).
//
// A Server's methods are safe for concurrent use; Close is called once.
package server
