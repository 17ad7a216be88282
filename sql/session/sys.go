package session

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/functions/sys"
	"github.com/basaltdb/basalt/sql/settings"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
)

// The session as the functions of sql/functions/sys see it. The workers of a
// statement may call these at once; the session's goroutine waits for them
// meanwhile, so that plain fields are safe to read.

var _ sys.Session = (*Session)(nil)

func (s *Session) CatalogReader() catalog.Reader    { return s.reader() }
func (s *Session) CatalogManager() *catalog.Manager { return s.node.Catalog }

func (s *Session) SchemaPath() []types.OID {
	path, err := s.searchPath(context.Background(), s.reader())
	if err != nil {
		return nil
	}
	return path
}

func (s *Session) CurrentUserOID() types.OID { return s.currentUser.OID }
func (s *Session) SessionUserOID() types.OID { return s.sessionUser.OID }

func (s *Session) Setting(name string) (string, bool) {
	_, v, err := s.showVariable(name)
	return v, err == nil
}

func (s *Session) ChangeSetting(ctx context.Context, name string, value *string, local bool) (string, error) {
	v := ""
	if value != nil {
		v = *value
	}
	if err := s.setVariable(ctx, name, v, value == nil, local); err != nil {
		return "", err
	}
	_, shown, err := s.showVariable(name)
	return shown, err
}

// text is a nullable text.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (s *Session) SettingRows() []sys.SettingRow {
	var out []sys.SettingRow
	for _, d := range s.settings.All() {
		value := s.settings.Get(strings.ToLower(d.Name))
		_, shown, _ := s.showVariable(d.Name)
		if strings.HasPrefix(d.Name, "transaction_") {
			value = shown
		}
		boot, reset := d.Boot, s.settings.ResetValue(d)
		r := sys.SettingRow{Name: d.Name, Setting: value, Unit: text(d.Unit), Category: d.Category, Short: d.Short, Extra: text(d.Extra),
			Context: d.Context, VarType: d.VarType(), Source: "default", Enum: d.Enum, Boot: &boot, Reset: &reset}
		switch {
		case value != reset:
			r.Source = "session"
		case reset != boot && reset == s.node.Parameters[strings.ToLower(d.Name)]:
			r.Source = "command line"
		case reset != boot:
			r.Source = "client"
		}
		if d.Kind == settings.Int || d.Kind == settings.Real {
			lo, hi := d.Limits()
			r.Min, r.Max = &lo, &hi
		}
		out = append(out, r)
	}
	return out
}

func (s *Session) BackendPID() int32 { return s.start.PID }

func (s *Session) CancelBackend(pid int32) bool {
	c := s.node.control.Load()
	return c != nil && (*c).Cancel(pid)
}

func (s *Session) TerminateBackend(pid int32) bool {
	c := s.node.control.Load()
	return c != nil && (*c).Terminate(pid)
}

func timestamp(t time.Time) *types.Timestamp {
	if t.IsZero() {
		return nil
	}
	ts := types.TimestampOf(t)
	return &ts
}

// TableAnalyzed implements sys.Session.
func (s *Session) TableAnalyzed(ctx context.Context, table types.OID) (sys.Analyzed, error) {
	rel, err := s.reader().Relation(ctx, table)
	if err != nil || rel == nil || rel.Storage == nil {
		return sys.Analyzed{}, err
	}
	return s.node.Storage.TableAnalyzed(rel.Storage.StorageId), nil
}

func (s *Session) Activities() []sys.Activity {
	var out []sys.Activity
	for _, o := range s.node.Sessions() {
		a := &o.activity
		host, port := o.ClientAddress()
		a.mu.Lock()
		out = append(out, sys.Activity{PID: o.start.PID, Database: o.db.OID, User: a.user, Application: a.application, ClientAddr: host,
			ClientPort: port, State: a.state, Query: a.query, BackendStart: timestamp(o.start.Started), QueryStart: timestamp(a.queryStart),
			XactStart: timestamp(a.xactStart), StateChange: timestamp(a.changed), Type: o.kind})
		a.mu.Unlock()
	}
	s.waitEvents(out)
	sort.Slice(out, func(i, j int) bool { return out[i].PID < out[j].PID })
	return out
}

// waitEvents fills in what sessions wait for: their client, a lock, a safe snapshot.
func (s *Session) waitEvents(rows []sys.Activity) {
	var locks map[int32]string // by process
	for i := range rows {
		a := &rows[i]
		if a.PID == s.start.PID {
			continue
		}
		if a.State != "active" {
			a.WaitEventType, a.WaitEvent = "Client", "ClientRead"
			continue
		}
		if locks == nil {
			locks = map[int32]string{}
			for _, l := range s.node.DB.Locks() {
				switch {
				case l.Granted:
				case l.Advisory != nil:
					locks[l.ProcessID] = "advisory"
				case l.Relation != 0:
					locks[l.ProcessID] = "relation"
				default:
					locks[l.ProcessID] = "transactionid"
				}
			}
		}
		if l := locks[a.PID]; l != "" {
			a.WaitEventType, a.WaitEvent = "Lock", l
		} else if len(s.node.DB.SafeSnapshotBlockers(a.PID)) > 0 {
			a.WaitEventType, a.WaitEvent = "IPC", "SafeSnapshot"
		}
	}
}

func (s *Session) LockRows(ctx context.Context) []sys.LockRow {
	var out []sys.LockRow
	backends := map[txn.ID]int32{} // of prepared transactions
	all, _ := s.node.prepared(ctx) // nodes that do not answer are left out below too
	for _, i := range all {
		backends[i.Txn] = i.Backend
	}
	relations := s.storages(ctx)
	for _, l := range s.node.DB.Locks() {
		r := sys.LockRow{Transaction: types.OID(l.Transaction), Virtual: fmt.Sprintf("%d/%d", l.ProcessID, l.Holder), PID: l.ProcessID,
			Mode: l.Mode, Granted: l.Granted, WaitStart: timestamp(l.Since)}
		if b, ok := backends[l.Holder]; ok && l.ProcessID == 0 {
			r.Virtual = fmt.Sprintf("%d/%d", b, l.Holder)
		}
		switch a := l.Advisory; {
		case a != nil:
			r.Database, r.Advisory = types.OID(a.Database), &sys.AdvisoryKey{Key: a.Key, Pair: a.Pair}
		case l.Storage != 0:
			r.Database, r.Relation, r.Tuple = types.OID(l.Storage>>32), relations(l.Storage), l.Key
		default:
			r.Database, r.Relation = types.OID(l.Relation>>32), types.OID(l.Relation)
		}
		out = append(out, r)
	}
	sort.Slice(out, func(i, j int) bool {
		a, b := &out[i], &out[j]
		return cmp.Or(cmp.Compare(a.PID, b.PID), cmp.Compare(b.Relation, a.Relation), cmp.Compare(a.Transaction, b.Transaction), cmp.Compare(a.Mode, b.Mode)) < 0
	})
	return out
}

// storages gives a function that finds whose storage it is; of what was dropped meanwhile, and in another
// database, it is the relation that the storage was made for.
func (s *Session) storages(ctx context.Context) func(id uint64) types.OID {
	var known map[uint64]types.OID
	return func(id uint64) types.OID {
		if known == nil {
			known = map[uint64]types.OID{}
			if r, ok := s.reader().(catalog.RowReader); ok {
				rows, _ := r.Rows(ctx, "pg_class", "")
				for _, c := range rows {
					known[catalog.StorageOf(s.reader().DatabaseOID(), c)] = c.OID("oid")
				}
			}
		}
		if oid, ok := known[id]; ok {
			return oid
		}
		return types.OID(id)
	}
}

func (s *Session) Blockers(pid int32) []int32 { return s.node.DB.Blockers(pid) }

func (s *Session) SafeSnapshotBlockers(pid int32) []int32 {
	return s.node.DB.SafeSnapshotBlockers(pid)
}

func (s *Session) TransactionID(assign bool) (uint64, bool) {
	if s.cur.tx == nil || !assign && !s.cur.tx.HasWrites() {
		return 0, false
	}
	return uint64(s.cur.tx.ID()), true
}

func (s *Session) SnapshotTimestamp() uint64 {
	if s.cur.tx == nil {
		return 0
	}
	return uint64(s.cur.tx.Snapshot())
}

func (s *Session) StartTime() types.Timestamp { return types.TimestampOf(s.start.Started) }
func (s *Session) ReadOnly() bool             { return s.cur.readOnly }

func (s *Session) ClientAddress() (string, int32) {
	host, port, err := net.SplitHostPort(s.start.Remote)
	if err != nil {
		return "", 0
	}
	n, _ := strconv.Atoi(port)
	return host, int32(n)
}

// LockSequence implements sys.Session. Where table locks are at another node, the lock would
// be a message for each transaction that takes a value; there ALTER SEQUENCE does not hold them back.
func (s *Session) LockSequence(ctx context.Context, oid types.OID) error {
	if s.cur.tx == nil || oid < types.FirstNormalOID || !s.node.DB.RelationLocksHere() {
		return nil
	}
	s.sequenceMu.Lock()
	defer s.sequenceMu.Unlock()
	return s.cur.tx.LockRelation(ctx, relationKey(s.db.OID, oid), txn.RowExclusive, txn.WaitBlock)
}

func (s *Session) Sequences() *sys.SequenceMemory { return &s.seq }

func (s *Session) StorageBytes(storageID uint64) int64 { return s.node.Storage.Bytes(storageID) }

func (s *Session) PreparedStatements() []sys.PreparedStatement {
	var out []sys.PreparedStatement
	for _, p := range s.prepared {
		if p.name != "" {
			out = append(out, sys.PreparedStatement{Name: p.name, Statement: p.text, Prepared: *timestamp(p.created), ParamTypes: p.params, FromSQL: p.fromSQL})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

func (s *Session) CursorRows() []sys.CursorRow {
	var out []sys.CursorRow
	for _, p := range s.portals {
		if p.cursor {
			out = append(out, sys.CursorRow{Name: p.name, Statement: p.text, Hold: p.hold, Binary: p.binary, Scrollable: p.scroll, Created: *timestamp(p.created)})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// Merges implements sys.Session.
func (s *Session) Merges() []sys.Merge { return s.node.Storage.Merges() }

// ClusterNodes implements sys.Session.
func (s *Session) ClusterNodes() []sys.ClusterNode {
	if c := s.node.Cluster; c != nil {
		return c.Nodes()
	}
	return nil
}

// ClusterFragments implements sys.Session.
func (s *Session) ClusterFragments() []sys.ClusterFragments {
	if s.node.Cluster == nil {
		return nil
	}
	return s.node.Cluster.Fragments()
}

// ClusterTablets implements sys.Session.
func (s *Session) ClusterTablets() []sys.ClusterTablet {
	if c := s.node.Cluster; c != nil {
		return c.Tablets()
	}
	return nil
}
