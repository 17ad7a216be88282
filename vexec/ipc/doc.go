// Package ipc carries vexec batches between processes in Arrow's IPC format: a
// schema message, then record batches, each a header (flatbuffers) and a body.
//
// Vocabulary. A stream is what one Encoder makes of the batches of one row type and
// one Decoder reads. A column's form is how its values lie: types.ArrowType of
// its type, or for numeric also Dec64 of some scale, which Arrow sees as the
// extension type "basalt.dec64" over int64 with the scale as its metadata. When a batch
// has other forms than the one before, its message brings a schema of its own.
// The schema's metadata has the format's version ("basalt.ipc").
//
// Selections are compacted and dictionaries resolved before a batch is encoded.
// Batches are cut so that a message stays under PieceBytes, unless one row is larger.
//
// The Decoder knows the row type that the plan promises and trusts nothing else: it
// reads the flatbuffers itself within bounds, checks that every buffer lies in the
// body and every offset in its data, and reports anything else as 08P01. Values
// share the body's memory.
//
// An Encoder or Decoder belongs to one goroutine. Not here: gRPC (rpc/fragment).
package ipc
