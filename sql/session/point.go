package session

import (
	"context"
	"strconv"

	"github.com/basaltdb/basalt/sql/pgwire"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
)

// pointSource is what a point statement (vexec.Point) has delivered: it has done
// its work when its result is made, and needs no snapshot any more.
type pointSource struct {
	p   *vexec.Point
	row []types.Datum // nil: none, or read already
}

// Next gives the row as a batch.
func (p *pointSource) Next(context.Context) (*vexec.Batch, error) {
	if p.row == nil {
		return nil, nil
	}
	b := p.p.Batch(p.row)
	p.row = nil
	return b, nil
}

func (p *pointSource) Close() { p.row = nil }

// send gives the row to a client; it returns how many there were.
func (p *pointSource) send(out pgwire.Sink) (int64, error) {
	row := p.row
	if row == nil {
		return 0, nil
	}
	p.row = nil
	if d, ok := out.(pgwire.RowSink); ok {
		return 1, d.Row(row)
	}
	return 1, out.Rows(p.p.Batch(row))
}

// pointResult is a result with its source in one piece.
type pointResult struct {
	result
	source pointSource
}

// runPoint runs a compiled point statement.
func (s *Session) runPoint(ctx context.Context, c *compiled, store vexec.RowStore, params []types.Datum) (*result, error) {
	row, affected, err := c.point.Run(ctx, store, s.exec(ctx, params))
	if err != nil {
		return nil, err
	}
	r := &pointResult{source: pointSource{p: c.point, row: row}}
	r.cols, r.src, r.tag = c.cols, &r.source, selectTag
	if c.command != query.CmdSelect {
		r.tag = pointTags[c.command][affected]
	}
	if c.writes != "" {
		r.finish = s.settle
	}
	return &r.result, nil
}

// selectTag is the tag of SELECT.
func selectTag(rows int64) string {
	if rows == 1 {
		return "SELECT 1"
	}
	return "SELECT " + strconv.FormatInt(rows, 10)
}

// pointTags are the tags of changes of no row and of one.
var pointTags = map[query.CommandType][2]func(int64) string{
	query.CmdInsert: {fixedTag("INSERT 0 0"), fixedTag("INSERT 0 1")},
	query.CmdUpdate: {fixedTag("UPDATE 0"), fixedTag("UPDATE 1")},
	query.CmdDelete: {fixedTag("DELETE 0"), fixedTag("DELETE 1")},
}

func fixedTag(tag string) func(int64) string { return func(int64) string { return tag } }
