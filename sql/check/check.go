package check

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/storage"
	"github.com/basaltdb/basalt/storage/table"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/expr"
)

// Problem is one broken invariant.
type Problem struct {
	// Database is the name of the database, "" for what belongs to none.
	Database string
	// Object is the relation, catalog or file.
	Object string
	Text   string
}

func (p Problem) String() string {
	s := p.Object + ": " + p.Text
	if p.Database != "" {
		s = "database " + p.Database + ": " + s
	}
	return s
}

// Result is what a check has looked at and found.
type Result struct {
	Problems                               []Problem
	Databases, Tables, Indexes, Rows, Keys int64
	// ColumnFiles is how many column files the directory of segments refers to.
	ColumnFiles int64
}

// Options of Run.
type Options struct {
	Store    *storage.Node
	Manager  *catalog.Manager
	Registry *expr.Registry // evaluates index expressions
	// Files verifies every block of every file too.
	Files bool
	// Databases to look into; none: all.
	Databases []string
}

// problemsMax bounds what is collected: a damaged catalog breaks everything that refers to it.
const problemsMax = 1000

type checker struct {
	Options
	Result
	tx  txn.Txn
	ids map[uint64]string // storage ids that belong to something
}

var errEnough = errors.New("enough problems")

func (c *checker) report(database, object, format string, args ...any) error {
	c.Problems = append(c.Problems, Problem{database, object, fmt.Sprintf(format, args...)})
	if len(c.Problems) >= problemsMax {
		return errEnough
	}
	return nil
}

// Run checks the store.
func Run(ctx context.Context, o Options) (*Result, error) {
	c := &checker{Options: o, ids: map[uint64]string{}}
	err := c.run(ctx)
	if errors.Is(err, errEnough) {
		err = nil
	}
	return &c.Result, err
}

func (c *checker) run(ctx context.Context) error {
	if c.Files {
		damaged, err := c.Store.Engine().VerifyFiles(ctx)
		if err != nil {
			return err
		}
		for _, d := range damaged {
			if err := c.report("", d.Path, "%v", d.Err); err != nil {
				return err
			}
		}
	}
	if cols := c.Store.Columns(); cols != nil {
		c.ColumnFiles = int64(len(cols.Files()))
		damaged, err := cols.Check(ctx, c.Files)
		if err != nil {
			return err
		}
		for _, d := range damaged {
			if err := c.report("", d.Path, "%v", d.Err); err != nil {
				return err
			}
		}
	}
	// What is there before the catalogs are read: a table made meanwhile is no problem.
	present, err := c.Store.StorageIDs()
	if err != nil {
		return err
	}
	c.tx = c.Store.DB().Begin(txn.Options{Isolation: txn.RepeatableRead, ReadOnly: true})
	defer c.tx.Rollback()
	c.tx.BeginStatement()
	shared := c.database(0, "")
	rows, err := shared.w.Lookup(ctx, "pg_database", "")
	if err != nil {
		return c.failed("", "pg_database", err)
	}
	first := true
	for _, r := range rows {
		d := c.database(r.OID("oid"), r.Str("datname"))
		if len(c.Options.Databases) > 0 && !slices.Contains(c.Options.Databases, d.name) {
			if err := d.storage(ctx); err != nil {
				return err
			}
			continue
		}
		c.Result.Databases++
		if err := d.check(ctx, first); err != nil {
			return err
		}
		first = false
	}
	waiting, err := c.Store.DroppedIDs()
	if err != nil {
		return err
	}
	for _, id := range waiting {
		c.ids[id] = "waits to be removed"
	}
	after, err := c.Store.StorageIDs()
	if err != nil {
		return err
	}
	for _, id := range present {
		// What has gone since waited to be removed.
		if _, still := slices.BinarySearch(after, id); still && c.ids[id] == "" {
			if err := c.report("", fmt.Sprintf("storage %d/%d", id>>32, uint32(id)), "has keys and belongs to no relation"); err != nil {
				return err
			}
		}
	}
	return nil
}

// failed turns an error met on the way into a problem, unless the check cannot go on.
func (c *checker) failed(database, object string, err error) error {
	e := pgerror.From(err)
	switch e.Code {
	case pgerror.QueryCanceled, pgerror.IoError, pgerror.OutOfMemory:
		return err
	}
	return c.report(database, object, "%s", e.Message)
}

// database is the check of one database.
type database struct {
	*checker
	oid  types.OID
	name string
	cat  *catalog.Transaction
	w    *catalog.Writer // only reads
	// objects by class, read when first asked for
	objects map[types.OID]map[types.OID]bool
}

func (c *checker) database(oid types.OID, name string) *database {
	d := &database{checker: c, oid: oid, name: name, objects: map[types.OID]map[types.OID]bool{}}
	d.cat = c.Manager.Transaction(c.tx, c.Store.Store(c.tx, nil), oid, name)
	d.w = d.cat.Writer()
	return d
}

// check verifies the database; those that all databases share only with the first.
func (d *database) check(ctx context.Context, first bool) error {
	if err := d.catalogs(ctx); err != nil {
		return err
	}
	classes, err := d.w.Lookup(ctx, "pg_class", "")
	if err != nil {
		return d.failed(d.name, "pg_class", err)
	}
	for _, r := range classes {
		switch r.Char("relkind") {
		case catalog.KindTable, catalog.KindMatView:
		default:
			continue
		}
		oid := r.OID("oid")
		if !first && catalog.SharedStorage(oid) {
			continue
		}
		if err := d.table(ctx, oid, r.Str("relname")); err != nil {
			return err
		}
	}
	return nil
}

// storage notes the storage of a database that is not looked into.
func (d *database) storage(ctx context.Context) error {
	classes, err := d.w.Lookup(ctx, "pg_class", "")
	if err != nil {
		return d.failed(d.name, "pg_class", err)
	}
	for _, r := range classes {
		if id := catalog.StorageOf(d.oid, r); id != 0 {
			d.ids[id] = r.Str("relname")
		}
	}
	return nil
}

// table verifies the rows and indexes of one table.
func (d *database) table(ctx context.Context, oid types.OID, name string) error {
	rel, err := d.cat.Reader().Relation(ctx, oid)
	if err != nil {
		return d.failed(d.name, name, err)
	}
	if rel == nil || rel.Storage == nil {
		return d.report(d.name, name, "has no descriptor")
	}
	d.Tables++
	d.ids[rel.Storage.StorageId] = name
	for _, x := range rel.Storage.Indexes {
		d.Indexes++
		d.ids[x.StorageId] = x.Name
	}
	env := *types.DefaultEnv()
	env.Resolver = catalog.NewResolver(d.cat.Reader(), 0, catalog.DefaultPath)
	eval, err := d.eval(ctx, rel, &env)
	if err != nil {
		return d.failed(d.name, name, err)
	}
	n, err := d.Store.Store(d.tx, &env).CheckCount(ctx, rel.Storage, eval)
	d.Rows += n.Rows
	d.Keys += n.Entries
	if err != nil {
		return d.failed(d.name, name, err)
	}
	return nil
}

// eval computes the columns that indexes need; nil for none.
func (d *database) eval(ctx context.Context, rel *catalog.Relation, env *types.Env) (table.Eval, error) {
	if len(rel.Storage.Computed) == 0 {
		return nil, nil
	}
	return vexec.NewExtender(&expr.Context{Ctx: ctx, Env: env}, d.Registry, rel.Storage.Computed)
}
