package ddl

import (
	"context"
	"slices"
	"strings"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

// What DDL has to do with WITH (distribute_by = …): the columns exist and are
// columns of the primary key. A table may name them before it has one, since
// dumps add keys after the rows; its rows lie by a hidden row id meanwhile.

// checkDistribution checks a table's distribute_by, but for the primary key, which
// is checked when it is made (keyHoldsDistribution).
func checkDistribution(rel *catalog.Relation) error {
	d, _, err := rel.Distribution()
	if err != nil {
		return err
	}
	for i, name := range d.Columns {
		if attnum(rel, name) == 0 {
			return pgerror.New(pgerror.UndefinedColumn, "column %q named in %s does not exist", name, catalog.DistributionOption)
		}
		if slices.Contains(d.Columns[:i], name) {
			return pgerror.New(pgerror.DuplicateColumn, "column %q appears twice in %s", name, catalog.DistributionOption)
		}
	}
	return nil
}

// noteNoKey says that distribute_by has to wait for a primary key.
func (c *Context) noteNoKey(ctx context.Context, oid types.OID) error {
	rel, err := c.reader().Relation(ctx, oid)
	if err != nil {
		return err
	}
	if d, _, err := rel.Distribution(); err != nil || len(d.Columns) == 0 || rel.PrimaryKey >= 0 {
		return err
	}
	c.notice(notice(pgerror.SuccessfulCompletion, "table %q has no primary key: its rows are distributed by a hidden row id until it has one", rel.Name))
	return nil
}

// keyHoldsDistribution refuses a primary key without the columns that the table is
// distributed by.
func keyHoldsDistribution(rel *catalog.Relation, key []int) error {
	d, _, err := rel.Distribution()
	if err != nil {
		return err
	}
	for _, name := range d.Columns {
		if n := attnum(rel, name); !slices.Contains(key, n) {
			return pgerror.New(pgerror.InvalidObjectDefinition, "primary key of table %q must contain column %q, which the table is distributed by", rel.Name, name).
				WithHint("Name columns of the primary key in %s, or all for a copy everywhere.", catalog.DistributionOption)
		}
	}
	return nil
}

// checkRedistribution checks new options of a table.
func checkRedistribution(rel *catalog.Relation, options []string) error {
	next := *rel
	next.Options = options
	if err := checkDistribution(&next); err != nil || rel.PrimaryKey < 0 {
		return err
	}
	var atts []int
	for _, k := range rel.Indexes[rel.PrimaryKey].Keys {
		atts = append(atts, k.AttNum)
	}
	return keyHoldsDistribution(&next, atts)
}

// redistribute writes a table anew if its options, which old does not have yet,
// say that rows lie elsewhere.
func (c *Context) redistribute(ctx context.Context, old *catalog.Relation, options []string) error {
	if distributionText(options) == distributionText(old.Options) {
		return nil
	}
	if err := c.noteNoKey(ctx, old.OID); err != nil {
		return err
	}
	has, err := c.hasRow(ctx, old, nil)
	if err != nil || !has {
		return err
	}
	return c.rewriteTable(ctx, old, old.OID, nil)
}

func distributionText(options []string) string {
	for _, o := range options {
		if v, ok := strings.CutPrefix(o, catalog.DistributionOption+"="); ok {
			return v
		}
	}
	return ""
}

// keepDistribution refuses to drop a column that the table is distributed by.
func keepDistribution(rel *catalog.Relation, column string) error {
	d, _, err := rel.Distribution()
	if err == nil && slices.Contains(d.Columns, column) {
		err = pgerror.New(pgerror.InvalidTableDefinition, "cannot drop column %q because relation %q is distributed by it", column, rel.Name).
			WithHint("Use ALTER TABLE ... RESET (%s) first.", catalog.DistributionOption)
	}
	return err
}

// renameDistribution follows the new name of a column.
func (c *Context) renameDistribution(ctx context.Context, rel *catalog.Relation, from, to string) error {
	d, _, err := rel.Distribution()
	if err != nil {
		return err
	}
	i := slices.Index(d.Columns, from)
	if i < 0 {
		return nil
	}
	d.Columns[i] = to
	opts := slices.Clone(rel.Options)
	for i, o := range opts {
		if strings.HasPrefix(o, catalog.DistributionOption+"=") {
			opts[i] = catalog.DistributionOption + "=" + d.String()
		}
	}
	row, err := c.class(ctx, rel.OID)
	if err != nil {
		return err
	}
	return c.writer().Update(ctx, row, catalog.Values{"reloptions": textArray(opts)})
}
