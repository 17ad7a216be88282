package txnrpc

import (
	"context"

	"github.com/basaltdb/basalt/rpc/proto/rpcpb"
	"github.com/basaltdb/basalt/rpc/wire"
	"github.com/basaltdb/basalt/txn"
)

func notificationsToProto(notes []txn.Notification) []*rpcpb.Notification {
	out := make([]*rpcpb.Notification, len(notes))
	for i, n := range notes {
		out[i] = &rpcpb.Notification{Database: n.Database, Pid: n.PID, Channel: []byte(n.Channel), Payload: []byte(n.Payload)}
	}
	return out
}

func notificationsFromProto(notes []*rpcpb.Notification) []txn.Notification {
	if len(notes) == 0 {
		return nil
	}
	out := make([]txn.Notification, len(notes))
	for i, n := range notes {
		out[i] = txn.Notification{Database: n.GetDatabase(), PID: n.GetPid(), Channel: string(n.GetChannel()), Payload: string(n.GetPayload())}
	}
	return out
}

func subscriptionToProto(s txn.Subscription) *rpcpb.Subscription {
	return &rpcpb.Subscription{Gateway: uint32(s.Gateway), Number: s.Number, Epoch: s.Epoch}
}

func subscriptionFromProto(s *rpcpb.Subscription) txn.Subscription {
	return txn.Subscription{Gateway: txn.NodeID(s.GetGateway()), Number: s.GetNumber(), Epoch: s.GetEpoch()}
}

// CommitNotifications implements txn.NotificationHost.
func (o *Oracle) CommitNotifications(ctx context.Context, c txn.CommitRequest) (txn.Timestamp, error) {
	r, err := o.c.CommitNotifications(ctx, commitToProto(c))
	return txn.Timestamp(r.GetTs()), wire.FromStatus(ctx, err)
}

// Subscribe implements txn.NotificationHost.
func (o *Oracle) Subscribe(ctx context.Context, s txn.Subscription) (txn.SubscriptionStart, error) {
	r, err := o.c.Subscribe(ctx, subscriptionToProto(s))
	return txn.SubscriptionStart{Epoch: r.GetEpoch(), Place: r.GetPlace(), Through: txn.Timestamp(r.GetThrough())}, wire.FromStatus(ctx, err)
}

// Unsubscribe implements txn.NotificationHost.
func (o *Oracle) Unsubscribe(ctx context.Context, s txn.Subscription) error {
	_, err := o.c.Unsubscribe(ctx, subscriptionToProto(s))
	return wire.FromStatus(ctx, err)
}

// AwaitNotifications implements txn.NotificationHost.
func (o *Oracle) AwaitNotifications(ctx context.Context, s txn.Subscription, from uint64) (txn.NotificationBatch, error) {
	r, err := o.c.AwaitNotifications(ctx, &rpcpb.AwaitNotificationsRequest{Subscription: subscriptionToProto(s), From: from})
	return txn.NotificationBatch{Notes: notificationsFromProto(r.GetNotifications()), Through: txn.Timestamp(r.GetThrough())}, wire.FromStatus(ctx, err)
}

// NotificationUsage implements txn.NotificationHost.
func (o *Oracle) NotificationUsage(ctx context.Context) (float64, error) {
	r, err := o.c.NotificationUsage(ctx, empty)
	return r.GetUsage(), wire.FromStatus(ctx, err)
}

func (s *oracleServer) CommitNotifications(ctx context.Context, q *rpcpb.BeginCommitRequest) (*rpcpb.TimestampReply, error) {
	ts, err := s.o.CommitNotifications(ctx, commitFromProto(q))
	return &rpcpb.TimestampReply{Ts: uint64(ts)}, err
}

func (s *oracleServer) Subscribe(ctx context.Context, q *rpcpb.Subscription) (*rpcpb.SubscribeReply, error) {
	r, err := s.o.Subscribe(ctx, subscriptionFromProto(q))
	return &rpcpb.SubscribeReply{Epoch: r.Epoch, Place: r.Place, Through: uint64(r.Through)}, err
}

func (s *oracleServer) Unsubscribe(ctx context.Context, q *rpcpb.Subscription) (*rpcpb.Empty, error) {
	return empty, s.o.Unsubscribe(ctx, subscriptionFromProto(q))
}

func (s *oracleServer) AwaitNotifications(ctx context.Context, q *rpcpb.AwaitNotificationsRequest) (*rpcpb.NotificationsReply, error) {
	b, err := s.o.AwaitNotifications(ctx, subscriptionFromProto(q.Subscription), q.From)
	return &rpcpb.NotificationsReply{Notifications: notificationsToProto(b.Notes), Through: uint64(b.Through)}, err
}

func (s *oracleServer) NotificationUsage(ctx context.Context, _ *rpcpb.Empty) (*rpcpb.NotificationUsageReply, error) {
	u, err := s.o.NotificationUsage(ctx)
	return &rpcpb.NotificationUsageReply{Usage: u}, err
}
