package ddl

import (
	"context"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
)

func truncate(ctx context.Context, c *Context, s *pg_query.TruncateStmt) (string, error) {
	cascade := s.Behavior == pg_query.DropBehavior_DROP_CASCADE
	var rels []*catalog.Relation
	have := map[types.OID]bool{}
	check := func(rel *catalog.Relation) error {
		if rel.Kind != catalog.KindTable {
			return pgerror.New(pgerror.WrongObjectType, "%q is not a table", rel.Name)
		}
		if err := catalog.CheckPrivilege(ctx, c.reader(), c.User, rel, catalog.PrivTruncate, nil); err != nil {
			return err
		}
		if rel.OID < types.FirstNormalOID {
			return pgerror.New(pgerror.InsufficientPrivilege, "permission denied: %q is a system catalog", rel.Name)
		}
		return c.refuseOtherTemp(rel, "truncate")
	}
	add := func(rel *catalog.Relation) error {
		if have[rel.OID] {
			return nil
		}
		if err := check(rel); err != nil {
			return err
		}
		have[rel.OID] = true
		rels = append(rels, rel)
		return nil
	}
	for _, n := range s.Relations {
		// Who may not truncate a table does not wait for it.
		rel, err := findRelation(ctx, c, n.GetRangeVar(), 0, false)
		if err == nil {
			err = check(rel)
		}
		if err != nil {
			return "", err
		}
		if rel, err = findRelation(ctx, c, n.GetRangeVar(), txn.AccessExclusive, false); err != nil {
			return "", err
		}
		if err := add(rel); err != nil {
			return "", err
		}
	}
	for i := 0; i < len(rels); i++ {
		for _, k := range rels[i].ReferencedBy {
			if have[k.Relation] {
				continue
			}
			if !cascade {
				later := false
				for _, r := range rels {
					later = later || r.OID == k.Relation
				}
				if later {
					continue
				}
				fk, err := c.reader().Relation(ctx, k.Relation)
				if err != nil {
					return "", err
				}
				return "", pgerror.New(pgerror.FeatureNotSupported, "cannot truncate a table referenced in a foreign key constraint").
					WithDetail("Table %q references %q.", fk.Name, rels[i].Name).
					WithHint("Truncate table %q at the same time, or use TRUNCATE ... CASCADE.", fk.Name)
			}
			if err := c.lock(ctx, k.Relation, txn.AccessExclusive); err != nil {
				return "", err
			}
			fk, err := c.reader().Relation(ctx, k.Relation)
			if err != nil {
				return "", err
			}
			c.notice(notice(pgerror.SuccessfulCompletion, "truncate cascades to table %q", fk.Name))
			if err := add(fk); err != nil {
				return "", err
			}
		}
	}
	for _, rel := range rels {
		cur, err := c.reader().Relation(ctx, rel.OID)
		if err != nil {
			return "", err
		}
		if err := c.newStorage(ctx, cur); err != nil {
			return "", err
		}
		if !s.RestartSeqs {
			continue
		}
		for _, col := range cur.Columns {
			if col.Sequence == 0 {
				continue
			}
			seq, err := c.reader().Sequence(ctx, col.Sequence)
			if err != nil {
				return "", err
			}
			if err := c.restartSequence(ctx, col.Sequence, catalog.SequenceState{Last: seq.Start}); err != nil {
				return "", err
			}
		}
	}
	return "", nil
}
