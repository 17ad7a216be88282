package session

import (
	"context"
	"strconv"

	"github.com/basaltdb/basalt/sql/pgwire"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
)

// pointSource is what a point statement or one of a short range (vexec.Point,
// vexec.ShortRange) has delivered: it has done its work when its result is made, and needs no snapshot any more.
type pointSource struct {
	p interface {
		Batch(rows [][]types.Datum) *vexec.Batch
	}
	rows [][]types.Datum // not read yet
}

// Next gives the rows as a batch.
func (p *pointSource) Next(context.Context) (*vexec.Batch, error) {
	if len(p.rows) == 0 {
		return nil, nil
	}
	b := p.p.Batch(p.rows)
	p.rows = nil
	return b, nil
}

func (p *pointSource) Close() { p.rows = nil }

// send gives the rows to a client; it returns how many there were.
func (p *pointSource) send(out pgwire.Sink) (int64, error) {
	rows := p.rows
	p.rows = nil
	if len(rows) == 0 {
		return 0, nil
	}
	d, ok := out.(pgwire.RowSink)
	if !ok {
		return int64(len(rows)), out.Rows(p.p.Batch(rows))
	}
	for _, row := range rows {
		if err := d.Row(row); err != nil {
			return 0, err
		}
	}
	return int64(len(rows)), nil
}

// pointResult is a result with its source in one piece.
type pointResult struct {
	result
	source pointSource
	one    [1][]types.Datum
}

// runPoint runs a compiled point statement.
func (s *Session) runPoint(ctx context.Context, c *compiled, store vexec.RowStore, params []types.Datum) (*result, error) {
	row, affected, err := c.point.Run(ctx, store, s.exec(ctx, params))
	if err != nil {
		return nil, err
	}
	r := &pointResult{source: pointSource{p: c.point}}
	if row != nil {
		r.one[0] = row
		r.source.rows = r.one[:]
	}
	r.tag = selectTag
	if c.command != query.CmdSelect {
		r.tag = pointTags[c.command][affected]
	}
	return s.pointResult(c, r), nil
}

// runShort runs a compiled statement of a short range; nil: it is not that short.
func (s *Session) runShort(ctx context.Context, c *compiled, store vexec.RowStore, params []types.Datum) (*result, error) {
	rows, affected, done, err := c.short.Run(ctx, store, s.exec(ctx, params))
	if err != nil || !done {
		return nil, err
	}
	r := &pointResult{source: pointSource{p: c.short, rows: rows}}
	r.tag = selectTag
	if c.command != query.CmdSelect {
		if r.tag = func(int64) string { return commandNames[c.command] + " " + strconv.FormatInt(affected, 10) }; affected < 2 {
			r.tag = pointTags[c.command][affected]
		}
	}
	return s.pointResult(c, r), nil
}

func (s *Session) pointResult(c *compiled, r *pointResult) *result {
	r.cols, r.src = c.cols, &r.source
	if c.writes != "" {
		r.finish = s.settle
	}
	return &r.result
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
