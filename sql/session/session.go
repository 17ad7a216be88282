package session

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/basaltdb/basalt/sql/analyze"
	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/functions/sys"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/pgwire"
	"github.com/basaltdb/basalt/sql/ri"
	"github.com/basaltdb/basalt/sql/settings"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/sql/types/charset"
	"github.com/basaltdb/basalt/txn"
)

// Session is one client's session. It implements pgwire.Session.
type Session struct {
	node   *Node
	client pgwire.Client
	start  pgwire.Startup
	db     *catalog.Database

	sequenceMu sync.Mutex // of LockSequence: workers take values of sequences
	advisoryMu sync.Mutex // of advisory, which workers of a statement may make
	advisory   txn.SessionLocks

	sessionUser, currentUser *catalog.Role // SESSION_USER and CURRENT_USER
	loginSuper               bool          // the user who connected is a superuser

	// noParams: the statement being analysed came by the simple protocol, which has no $n.
	noParams bool
	// kind is pg_stat_activity.backend_type; "": a client's.
	kind string
	// codedRows: the result being started goes to a pgwire.CodedSink.
	codedRows bool

	settings *settings.Settings
	derived  derived
	env      envCache

	phase         phase
	cur           transaction
	ri            *ri.Queue
	settle        func(context.Context) error // ri's
	inQueryString bool                        // more than one statement in this simple query
	stmtTime      types.Timestamp

	textHeld int64 // bytes accounted for the statements of the running call
	prepared map[string]*prepared
	portals  map[string]*portal
	seq      sys.SequenceMemory

	temp     tempSpace
	said     said
	notified atomic.Bool // notifications have come
	listens  bool        // over several nodes: to some channel

	activity activity
}

// envCache keeps the environment of the running statement: most of its users ask
// for the same one.
type envCache struct {
	env        *types.Env
	reader     catalog.Reader
	user       *catalog.Role
	generation uint64
}

// derived is computed from the settings, once per generation.
type derived struct {
	generation uint64
	valid      bool
	env        types.Env // times and resolver are filled in per statement
	clientMin  int
	statement  time.Duration
	lock       time.Duration
	deadlock   time.Duration
	idleTx     time.Duration
	idle       time.Duration
	searchPath []string
	planKey    string
	workMem    int64
	// What transactions begin with.
	isolation                         txn.Isolation
	uncommitted, readOnly, deferrable bool
	application                       string
}

// activity is what pg_stat_activity shows; other sessions read it.
type activity struct {
	mu          sync.Mutex
	state       string
	query       string
	user        types.OID
	application string
	queryStart  time.Time
	xactStart   time.Time
	changed     time.Time
}

func (n *Node) newSession(ctx context.Context, st pgwire.Startup, client pgwire.Client, db *catalog.Database, role *catalog.Role) (*Session, error) {
	s := &Session{
		node: n, client: client, start: st, db: db, sessionUser: role, currentUser: role, loginSuper: role.Super,
		settings: settings.New(n.Parameters), prepared: map[string]*prepared{}, portals: map[string]*portal{},
	}
	s.ri = ri.New(riRunner{s})
	s.settle = s.ri.Settle
	s.stmtTime = now()
	s.settings.SetReset(settings.Lookup("session_authorization"), role.Name)
	s.settings.SetReset(settings.Lookup("is_superuser"), onOff(role.Super))
	if err := s.roleSettings(ctx, n.Catalog.Reader(db.OID, db.Name)); err != nil {
		return nil, err
	}
	for _, p := range st.Params {
		if err := s.settings.Startup(p[0], p[1], role.Super); err != nil {
			return nil, err
		}
	}
	for _, name := range []string{
		"application_name", "client_encoding", "DateStyle", "default_transaction_read_only", "in_hot_standby",
		"integer_datetimes", "IntervalStyle", "is_superuser", "server_encoding", "server_version",
		"session_authorization", "standard_conforming_strings", "TimeZone",
	} {
		s.reportOne(settings.Lookup(name))
	}
	s.activity.state, s.activity.user, s.activity.application = "idle", role.OID, s.settings.Get("application_name")
	s.activity.changed = time.Now()
	return s, nil
}

// reportOne tells the client of a setting if it is one of those clients are told of.
func (s *Session) reportOne(d *settings.Definition) {
	if d != nil && d.Report {
		_, v, _ := s.settings.Show(d.Name)
		s.client.ParameterStatus(d.Name, v)
	}
}

func (s *Session) report(ds []*settings.Definition) {
	for _, d := range ds {
		s.reportOne(d)
	}
}

// undoSettings takes back the changes of settings after mark.
func (s *Session) undoSettings(mark int) {
	changed := s.settings.UndoTo(mark)
	if len(changed) == 0 {
		return
	}
	s.report(changed)
	for _, d := range changed {
		if d != nil && (d.Name == "role" || d.Name == "session_authorization") {
			s.restoreUsers()
			break
		}
	}
}

var messageLevels = map[string]int{
	"debug5": 1, "debug4": 2, "debug3": 3, "debug2": 4, "debug1": 5, "DEBUG": 5, "log": 6, "LOG": 6,
	"notice": 7, "NOTICE": 7, "": 7, "warning": 8, "WARNING": 8, "error": 9,
}

// Notice sends a notice unless client_min_messages says otherwise.
func (s *Session) Notice(n *pgerror.Error) {
	d := s.current()
	if n.Severity == "INFO" || messageLevels[n.Severity] >= d.clientMin {
		s.client.Notice(n)
	}
}

func (s *Session) warn(code pgerror.Code, format string, args ...any) {
	s.Notice(pgerror.New(code, format, args...).WithSeverity("WARNING"))
}

// current is the derived settings, brought up to date.
func (s *Session) current() *derived {
	if s.derived.valid && s.derived.generation == s.settings.Generation() {
		return &s.derived
	}
	d := derived{generation: s.settings.Generation(), valid: true}
	get := s.settings.Get
	style, order, _ := settings.ParseDateStyle(get("datestyle"), types.DateStyleISO, types.DateOrderMDY)
	loc, name, err := settings.LoadZone(get("timezone"))
	if err != nil || strings.HasPrefix(get("timezone"), "<") {
		if l, ok := types.LoadZone(get("timezone")); ok {
			loc, name, err = l, get("timezone"), nil
		}
	}
	if err != nil {
		loc, name = time.UTC, "UTC"
	}
	d.env = types.Env{DateStyle: style, DateOrder: order, TimeZone: loc, TimeZoneName: name,
		ExtraFloatDigits: atoi(get("extra_float_digits")), ByteaEscape: get("bytea_output") == "escape"}
	if e := charset.Find(get("client_encoding")); e != nil && !e.IsUTF8() {
		d.env.ClientEncoding = e
	}
	switch get("intervalstyle") {
	case "postgres_verbose":
		d.env.IntervalStyle = types.IntervalStylePostgresVerbose
	case "sql_standard":
		d.env.IntervalStyle = types.IntervalStyleSQLStandard
	case "iso_8601":
		d.env.IntervalStyle = types.IntervalStyleISO8601
	}
	d.clientMin = messageLevels[get("client_min_messages")]
	ms := func(name string) time.Duration { return time.Duration(atoi(get(name))) * time.Millisecond }
	d.statement, d.lock, d.deadlock = ms("statement_timeout"), ms("lock_timeout"), ms("deadlock_timeout")
	d.idleTx, d.idle = ms("idle_in_transaction_session_timeout"), ms("idle_session_timeout")
	d.searchPath = splitIdentifiers(get("search_path"))
	d.planKey = s.planKey()
	if d.workMem = int64(atoi(get("work_mem"))) << 10; d.workMem == workMemBoot<<10 {
		d.workMem = 0 // workMem decides
	}
	switch get("default_transaction_isolation") {
	case "read uncommitted":
		d.uncommitted = true
	case "repeatable read":
		d.isolation = txn.RepeatableRead
	case "serializable":
		d.isolation = txn.Serializable
	}
	d.readOnly = get("default_transaction_read_only") == "on"
	d.deferrable = get("default_transaction_deferrable") == "on"
	d.application = get("application_name")
	s.derived = d
	return &s.derived
}

func atoi(s string) int {
	n, neg := 0, false
	for i := range len(s) {
		switch {
		case i == 0 && s[i] == '-':
			neg = true
		case s[i] >= '0' && s[i] <= '9':
			n = n*10 + int(s[i]-'0')
		default:
			return n
		}
	}
	if neg {
		return -n
	}
	return n
}

// planKey is what a plan depends on besides its text and parameter types.
func (s *Session) planKey() string {
	var b strings.Builder
	for _, n := range []string{"search_path", "timezone", "datestyle", "intervalstyle", "extra_float_digits", "bytea_output",
		"enable_hashagg", "enable_hashjoin", "enable_indexscan", "enable_seqscan", "enable_mergejoin", "enable_nestloop",
		"enable_sort", "basalt.eager_aggregation", "max_parallel_workers_per_gather", "transform_null_equals"} {
		b.WriteString(s.settings.Get(n))
		b.WriteByte(0)
	}
	return b.String()
}

func (s *Session) lockTimeout() time.Duration { return s.current().lock }

// Env implements pgwire.Session: how values are shown.
func (s *Session) Env() *types.Env { return s.typesEnv(s.reader()) }

// typesEnv is the environment of the running statement.
func (s *Session) typesEnv(r catalog.Reader) *types.Env {
	d := s.current()
	xact := s.stmtTime
	if s.phase != phaseIdle {
		xact = s.cur.start
	}
	c := &s.env
	if c.env != nil && c.env.StmtTime == s.stmtTime && c.env.XactTime == xact && c.reader == r && c.user == s.currentUser && c.generation == d.generation {
		return c.env
	}
	e := &struct {
		types.Env
		resolver sessionResolver
	}{Env: d.env}
	e.StmtTime, e.XactTime = s.stmtTime, xact
	if r != nil {
		e.resolver.Reader, e.resolver.s = r, s
		e.Resolver = &e.resolver
	}
	if r == nil || !r.Private() { // what a private reader finds changes as DDL goes on
		*c = envCache{&e.Env, r, s.currentUser, d.generation}
	}
	return &e.Env
}

// ClientEncoding implements pgwire.Session.
func (s *Session) ClientEncoding() types.Transcoder { return s.current().env.ClientEncoding }

// reader is the catalog as the next statement sees it.
func (s *Session) reader() catalog.Reader {
	if s.cur.cat != nil {
		return s.cur.cat.Reader()
	}
	return catalog.WithTemp(s.node.Catalog.Reader(s.db.OID, s.db.Name), s.temp.namespace)
}

// searchPath resolves search_path's names to the namespaces that exist and that
// the user has USAGE on.
func (s *Session) searchPath(ctx context.Context, r catalog.Reader) ([]types.OID, error) {
	path, _, err := s.creationPath(ctx, r)
	return path, err
}

// creationPath is searchPath that also tells whether new objects go to the session's
// temporary schema, which may not exist yet.
func (s *Session) creationPath(ctx context.Context, r catalog.Reader) (path []types.OID, tempFirst bool, err error) {
	names := s.current().searchPath
	out := make([]types.OID, 0, len(names))
	for _, n := range names {
		if n == "$user" {
			n = s.currentUser.Name
		}
		tempFirst = tempFirst || n == catalog.TempAlias && len(out) == 0
		ns, err := r.NamespaceByName(ctx, n)
		if err != nil {
			return nil, false, err
		}
		if ns == nil || slices.Contains(out, ns.OID) {
			continue
		}
		ok, err := catalog.HasPrivilege(ctx, r, s.currentUser.OID, catalog.ObjectSchema, ns.Owner, ns.ACL, catalog.PrivUsage)
		if err != nil {
			return nil, false, err
		}
		if ok {
			out = append(out, ns.OID)
		}
	}
	return out, tempFirst, nil
}

// analyzeEnv is what parse analysis gets.
func (s *Session) analyzeEnv(ctx context.Context, r catalog.Reader) (*analyze.Env, error) {
	path, tempFirst, err := s.creationPath(ctx, r)
	if err != nil {
		return nil, err
	}
	return &analyze.Env{Catalog: r, SearchPath: path, TempNamespace: catalog.TempNamespace(r), TempFirst: tempFirst, Types: s.typesEnv(r), CurrentUser: s.currentUser.OID, Notice: s.Notice, CurrentOf: s.currentOf, NoParams: s.noParams}, nil
}

// fix gives an error its final form: what a cancelled context stands for, and a copy of shared ones.
func (s *Session) fix(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	e := pgerror.From(err)
	if ctx.Err() != nil && (e.Code == pgerror.QueryCanceled || e.Code == pgerror.InternalError) {
		var cause *pgerror.Error
		if errors.As(context.Cause(ctx), &cause) {
			return cause
		}
	}
	return e
}

// Status implements pgwire.Session.
func (s *Session) Status() byte {
	switch s.phase {
	case phaseBlock:
		return 'T'
	case phaseFailed:
		return 'E'
	}
	return 'I'
}

// IdleTimeout implements pgwire.Session.
func (s *Session) IdleTimeout() (time.Duration, *pgerror.Error) {
	d := s.current()
	switch s.phase {
	case phaseBlock, phaseFailed:
		if d.idleTx > 0 {
			return d.idleTx, pgerror.New(pgerror.IdleInTransactionSessionTimeout, "terminating connection due to idle-in-transaction timeout").WithSeverity("FATAL")
		}
	default:
		if d.idle > 0 {
			return d.idle, pgerror.New(pgerror.IdleSessionTimeout, "terminating connection due to idle-session timeout").WithSeverity("FATAL")
		}
	}
	return 0, nil
}

// State is the session's state as in pg_stat_activity.
func (s *Session) State() string {
	s.activity.mu.Lock()
	defer s.activity.mu.Unlock()
	return s.activity.state
}

// SetIdle implements pgwire.Session.
func (s *Session) SetIdle(idle bool) {
	a := &s.activity
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case !idle:
		a.state = "active"
		return
	case s.phase == phaseBlock:
		a.state = "idle in transaction"
	case s.phase == phaseFailed:
		a.state = "idle in transaction (aborted)"
	default:
		a.state = "idle"
		a.xactStart = time.Time{}
		s.env = envCache{} // a session that waits for long keeps no old catalog
	}
	a.application, a.user = s.current().application, s.sessionUser.OID
	a.changed = time.Now()
}

// Failed implements pgwire.Session.
func (s *Session) Failed() { s.abort() }

// Close implements pgwire.Session.
func (s *Session) Close() {
	s.rollback()
	s.dropPortals(-1)
	s.dropAllPrepared()
	s.node.Notifications.leave(s)
	s.closeTemp()
	if s.advisory != nil {
		s.advisory.Close()
	}
	s.node.forget(s)
}

// splitIdentifiers reads a list of identifiers as search_path holds it: folded
// to lower case unless quoted.
func splitIdentifiers(s string) []string {
	var out []string
	for i := 0; i < len(s); {
		for i < len(s) && (s[i] == ' ' || s[i] == ',') {
			i++
		}
		if i >= len(s) {
			break
		}
		if s[i] == '"' {
			var b strings.Builder
			for i++; i < len(s); i++ {
				if s[i] == '"' {
					if i+1 < len(s) && s[i+1] == '"' {
						i++
					} else {
						break
					}
				}
				b.WriteByte(s[i])
			}
			i++
			out = append(out, b.String())
			continue
		}
		j := i
		for j < len(s) && s[j] != ',' {
			j++
		}
		out = append(out, strings.ToLower(strings.TrimSpace(s[i:j])))
		i = j
	}
	return out
}
