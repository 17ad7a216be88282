package compat

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// statementTimeout bounds one statement: nothing in the corpus is slow.
const statementTimeout = 30 * time.Second

// RunFile runs a file's statements on the server at dsn, in a database made for
// it and dropped afterwards, and returns one record per statement. A lost
// connection becomes the outcome of the statement that lost it; the file goes on
// with a new one.
func RunFile(ctx context.Context, dsn string, f *File) ([]string, error) {
	admin, err := connect(ctx, dsn, "", nil)
	if err != nil {
		return nil, err
	}
	defer admin.Close(context.WithoutCancel(ctx))
	db := "compat_" + strings.NewReplacer("/", "_", ".sql", "", "-", "_").Replace(f.Name)
	for _, q := range []string{"DROP DATABASE IF EXISTS " + db, "CREATE DATABASE " + db} {
		if err := admin.Exec(ctx, q).Close(); err != nil {
			return nil, fmt.Errorf("%s: %w", q, err)
		}
	}
	var notices []string
	onNotice := func(_ *pgconn.PgConn, n *pgconn.Notice) {
		notices = append(notices, fmt.Sprintf("%s %s: %s", n.Severity, n.Code, n.Message))
	}
	conn, err := connect(ctx, dsn, db, onNotice)
	if err != nil {
		return nil, err
	}
	names := typeNames{}
	records := make([]string, 0, len(f.Statements))
	for _, s := range f.Statements {
		notices = nil
		sctx, cancel := context.WithTimeout(ctx, statementTimeout)
		o := execStatement(sctx, conn, s)
		cancel()
		if conn.IsClosed() {
			if conn, err = connect(ctx, dsn, db, onNotice); err != nil {
				return nil, fmt.Errorf("after %q: %w", headline(s), err)
			}
		}
		o.Notices = notices
		names.resolve(ctx, conn, o)
		records = append(records, o.Record())
	}
	if err := conn.Close(ctx); err != nil {
		return nil, err
	}
	return records, admin.Exec(ctx, "DROP DATABASE IF EXISTS "+db).Close()
}

func connect(ctx context.Context, dsn, db string, onNotice pgconn.NoticeHandler) (*pgconn.PgConn, error) {
	cfg, err := pgconn.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	if db != "" {
		cfg.Database = db
	}
	cfg.OnNotice = onNotice
	cfg.RuntimeParams["timezone"] = "UTC"
	cfg.RuntimeParams["application_name"] = "compat"
	return pgconn.ConnectConfig(ctx, cfg)
}

// execStatement runs one statement over the simple protocol. Of a text that turns out to
// hold several commands the last result counts.
func execStatement(ctx context.Context, conn *pgconn.PgConn, s string) *Outcome {
	o := &Outcome{}
	mrr := conn.Exec(ctx, s)
	for mrr.NextResult() {
		rr := mrr.ResultReader()
		*o = Outcome{}
		fds := rr.FieldDescriptions()
		o.HasRows = fds != nil
		for _, fd := range fds {
			o.Columns = append(o.Columns, Column{Name: fd.Name, Type: fmt.Sprint(fd.DataTypeOID)})
		}
		for rr.NextRow() {
			row := make([]*string, len(fds))
			for i, v := range rr.Values() {
				if v != nil {
					t := string(v)
					row[i] = &t
				}
			}
			o.Rows = append(o.Rows, row)
		}
		tag, err := rr.Close()
		o.Tag = tag.String()
		if err != nil {
			break
		}
	}
	if err := mrr.Close(); err != nil {
		var pe *pgconn.PgError
		if errors.As(err, &pe) {
			o.Err = &Failure{Code: pe.Code, Message: pe.Message, Detail: pe.Detail, Hint: pe.Hint, Position: int(pe.Position)}
			// Rows sent before an error are not part of the answer: how many come out
			// first depends on batch sizes.
			o.HasRows, o.Columns, o.Rows = false, nil, nil
		} else {
			o.Err = &Failure{Code: "-----", Message: "connection: " + err.Error()}
		}
	}
	return o
}

// typeNames turns type OIDs into names that do not depend on OIDs.
type typeNames map[string]string

func (t typeNames) resolve(ctx context.Context, conn *pgconn.PgConn, o *Outcome) {
	for i := range o.Columns {
		oid := o.Columns[i].Type
		name, ok := t[oid]
		if !ok {
			name = oid
			res := conn.ExecParams(ctx, "select t.typname from pg_catalog.pg_type t where t.oid = $1::oid", [][]byte{[]byte(oid)}, nil, nil, nil).Read()
			if res.Err == nil && len(res.Rows) == 1 {
				name = string(res.Rows[0][0])
				if len(oid) < 5 || oid < "16384" && len(oid) == 5 { // user types come and go under one OID
					t[oid] = name
				}
			}
		}
		o.Columns[i].Type = name
	}
}
