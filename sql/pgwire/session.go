package pgwire

import (
	"context"
	"io"
	"time"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
)

// Backend opens sessions: the SQL side of a node as connections see it.
type Backend interface {
	// Verifier gives a role's SCRAM-SHA-256 verifier, "" when it has none or does not exist.
	Verifier(ctx context.Context, user string) (string, error)
	// Connect opens a session. The error is sent as FATAL.
	Connect(ctx context.Context, c Startup, client Client) (Session, error)
}

// Startup is what a client said when it connected.
type Startup struct {
	User, Database string
	// Params are the other parameters, in the order given, options' -c settings included.
	Params [][2]string
	// Remote is the client's address; Local the server's.
	Remote, Local string
	TLS           bool
	PID           int32
	Started       time.Time
	// Reserved: the last places for sessions are left, which are for superusers.
	Reserved bool
}

// Client is a connection as its session may use it at any time while it runs a call.
type Client interface {
	// Notice sends a NoticeResponse; filtering by client_min_messages is the session's.
	Notice(n *pgerror.Error)
	// ParameterStatus reports a changed setting before the next ReadyForQuery.
	ParameterStatus(name, value string)
	// Cancel cancels the running call with cause, from any goroutine. A *pgerror.Error
	// cause becomes the call's error.
	Cancel(cause error)
	// Wake has an idle connection ask its session for Notifications soon, from any goroutine.
	Wake()
	// Terminate ends the connection with a FATAL report, from any goroutine.
	Terminate(reason *pgerror.Error)
}

// Notification is what NOTIFY sends.
type Notification struct {
	PID              int32 // of the session that has sent it
	Channel, Payload string
}

// Column describes a result column.
type Column struct {
	Name  string
	Type  types.T
	Table types.OID // the table column it is, if it is one
	Att   int16
	Len   int16 // pg_type.typlen
}

// Session is one client's state. Calls come one at a time. An error has ended
// the call and is sent to the client; the session has already moved its
// transaction to the state after the error.
type Session interface {
	// Query runs a simple-protocol query string.
	Query(ctx context.Context, sql string, out Sink) error

	// ClientEncoding converts to and from the client's encoding; nil when that is UTF8.
	ClientEncoding() types.Transcoder

	Parse(ctx context.Context, name, sql string, paramTypes []uint32) error
	// Bind makes a portal. The memory of formats and params is valid only during the call.
	Bind(ctx context.Context, portal, statement string, paramFormats []int16, params [][]byte, resultFormats []int16) error
	// DescribeStatement gives parameter types and result columns (nil: no rows).
	DescribeStatement(ctx context.Context, name string) ([]types.OID, []Column, error)
	DescribePortal(ctx context.Context, name string) ([]Column, []int16, error)
	// Execute runs a portal up to maxRows rows (0: all).
	Execute(ctx context.Context, portal string, maxRows int, out Sink) error
	CloseStatement(name string) error
	ClosePortal(name string) error
	// Sync ends a pipeline: commits the implicit transaction.
	Sync(ctx context.Context) error
	// Failed tells that an error of the protocol itself was sent (bad message): same effect as a failing call.
	Failed()

	// Status is ReadyForQuery's: 'I', 'T' or 'E'.
	Status() byte
	// Env is how values are shown now.
	Env() *types.Env
	// Notifications gives what has come for the session since it was last asked, nothing
	// while it is in a transaction.
	Notifications() []Notification
	// IdleTimeout is how long the client may stay silent now and what it is told
	// then; 0 without bound.
	IdleTimeout() (time.Duration, *pgerror.Error)
	// Busy is told when the connection starts and ends to wait for its client.
	SetIdle(idle bool)
	Close()
}

// RowSink is implemented by Sinks that take a single row as values.
type RowSink interface {
	// Row sends one row of the columns last described. The row may be longer.
	Row(row []types.Datum) error
}

// CodedSink is a Sink that takes batches with dictionary-coded text.
type CodedSink interface {
	Sink
	CodedRows()
}

// Sink takes what a statement produces. Errors mean the client is gone.
type Sink interface {
	// Describe announces rows: a RowDescription unless silent (extended protocol).
	// formats has no entry (all text), one (for all), or one per column.
	Describe(cols []Column, formats []int16, silent bool) error
	// Rows sends the batch's selected rows, of the columns last described. The batch may have
	// more columns than were described; those are not sent.
	Rows(b *vexec.Batch) error
	Complete(tag string) error
	Empty() error
	Suspended() error
	// CopyIn asks the client for COPY data and reads it. The reader returns a
	// *pgerror.Error (57014) on CopyFail. The session must read to the end or drain it.
	CopyIn(binary bool, columns int) (io.Reader, error)
	// CopyOut starts COPY data; every Write of the writer is one CopyData message. Close ends it.
	CopyOut(binary bool, columns int) (io.WriteCloser, error)
}
