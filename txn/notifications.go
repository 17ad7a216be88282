package txn

import (
	"context"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// NOTIFY over several nodes. This file is the contract; notification_service.go is the
// first node's queue, coordinator.Feed what brings it to a gateway.
//
// What a transaction has sent travels with the call that draws its commit timestamp and
// waits at the first node until the commit is visible; then it enters a queue, in the order
// of commit timestamps. Gateways whose sessions listen read the queue, each from its own
// place, and say with every call how far they have come: what all have read goes. With each
// snapshot comes the newest commit that has sent something, so a gateway knows what it
// has yet to hear of.

// Notification is what NOTIFY sends.
type Notification struct {
	Database         uint32
	PID              int32 // of the session that has sent it
	Channel, Payload string
}

// Bounds of queues of notifications.
const (
	notificationOverheadBytes = 64
	// NotificationQueueBytesMax bounds a queue, and what one transaction sends.
	NotificationQueueBytesMax = 64 << 20
	// notificationBatchBytes is how much one answer has, or a single notification.
	notificationBatchBytes = 1 << 20
)

// Bytes is what a notification counts for in a queue.
func (n *Notification) Bytes() int {
	return len(n.Channel) + len(n.Payload) + notificationOverheadBytes
}

// ErrNotificationsFull is the report of a transaction that sends more than there is room for.
func ErrNotificationsFull() error {
	return pgerror.New(pgerror.ProgramLimitExceeded, "too many notifications in the NOTIFY queue")
}

// Notifier is a Txn whose notifications go to other processes.
type Notifier interface {
	Txn
	// Notify says what the transaction sends if it commits. It is called once, before Commit,
	// which then may fail with 54000.
	Notify(notes []Notification)
}

// NotificationSource is a DB whose transactions are Notifiers.
type NotificationSource interface {
	DB
	// NotificationFeed makes what brings everybody's notifications to this process. There
	// is one at most.
	NotificationFeed(to NotificationSink) NotificationFeed
}

// NotificationFeed brings notifications while somebody follows it. Safe for concurrent use.
type NotificationFeed interface {
	// Follow has the sink get what is sent by transactions that commit from now on: the
	// notifications with places from on. generation names the time for which that holds,
	// until Release gives it back, or NotificationSink.Lost ends it.
	Follow(ctx context.Context) (from, generation uint64, err error)
	// Release gives one Follow back.
	Release(generation uint64)
	// CatchUp waits, not for long, until the sink has what was sent by the commits that
	// this process has seen, its own ones and those in snapshots.
	CatchUp(ctx context.Context)
	// Usage is the part of the first node's queue that is in use.
	Usage(ctx context.Context) (float64, error)
}

// NotificationSink takes what a feed brings.
type NotificationSink interface {
	// Deliver takes the notifications of a generation with ascending places. It waits while
	// there is no room; an error (the context's) leaves them to the feed.
	Deliver(ctx context.Context, generation, from uint64, notes []Notification) error
	// Lost tells that who follows up to and including a generation has missed some, perhaps.
	Lost(generation uint64)
}

// NotificationHost is the first node as the gateways see it.
type NotificationHost interface {
	// CommitNotifications is BeginCommit and FinishCommit of a transaction that has
	// written nothing.
	CommitNotifications(ctx context.Context, r CommitRequest) (Timestamp, error)
	// Subscribe keeps what is sent from now on for a gateway, whose subscription this makes
	// if there is none of the name. Errors: NotificationsLost, when it has ended.
	Subscribe(ctx context.Context, s Subscription) (SubscriptionStart, error)
	// Unsubscribe ends a subscription, whether it has begun or not.
	Unsubscribe(ctx context.Context, s Subscription) error
	// AwaitNotifications gives what comes from a place on, and waits if there is nothing, for
	// some time. What is before is not needed any more. Errors: NotificationsLost.
	AwaitNotifications(ctx context.Context, s Subscription, from uint64) (NotificationBatch, error)
	// NotificationUsage is the part of the queue that is in use.
	NotificationUsage(ctx context.Context) (float64, error)
}

// Subscription names a gateway's listening by a number that it draws. Epoch is the host's
// when it began, 0 before.
type Subscription struct {
	Gateway NodeID
	Number  uint64
	Epoch   uint64
}

// SubscriptionStart is where a subscription begins: at the notification with the number
// Place, all commits up to Through being before.
type SubscriptionStart struct {
	Epoch, Place uint64
	Through      Timestamp
}

// NotificationBatch is an answer: notifications from the place asked for on. What commits up to
// Through have sent is in it or before it.
type NotificationBatch struct {
	Notes   []Notification
	Through Timestamp
}

// NotificationsLost is the SQLSTATE of a subscription that has ended.
const NotificationsLost = pgerror.CrashShutdown

// ErrNotificationsLost is its report, and that of the sessions that have listened.
func ErrNotificationsLost() error {
	return pgerror.New(NotificationsLost, "terminating connection because notifications may be lost").
		WithDetail("The first node of the cluster has restarted, or the gateway was without contact to it.").
		WithHint("Connect anew, LISTEN, and look at what has changed meanwhile.")
}
