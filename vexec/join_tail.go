package vexec

import "context"

// Joins that give out right rows by whether they matched (RIGHT, FULL, RIGHT_SEMI, RIGHT_ANTI) run in the workers of a
// Gather like others: each notes the matches of the parts of the left side it probes, and whoever is the last to end a
// part gives out the right rows, by what all have noted. No worker waits for another.

// sharesTail: parts of the left side are probed elsewhere, too.
func (j *hashJoinOp) sharesTail() bool {
	return j.w.pool != nil && j.w.parts > 1 && j.spec.tracksRight()
}

// takeMarks gives marks to note matches in.
func (s *sharedBuild) takeMarks() []bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.marks); n > 0 {
		m := s.marks[n-1]
		s.marks = s.marks[:n-1]
		return m
	}
	s.mem.add(int64(s.table.rows.N))
	return make([]bool, s.table.rows.N)
}

// endPart says that a part of the left side has been probed and gives the marks back. last: it was the last part;
// the table has the matches of all then.
func (s *sharedBuild) endPart(t *joinTable, parts int) (last bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.marks = append(s.marks, t.matched)
	if s.probed++; s.probed < parts {
		return false
	}
	for _, m := range s.marks[:len(s.marks)-1] {
		for i, hit := range m {
			if hit {
				t.matched[i] = true
			}
		}
	}
	s.marks = nil
	return true
}

// startTail begins with the right rows, where they are for this worker to give out.
func (j *hashJoinOp) startTail() joinPhase {
	if j.sharesTail() && !j.w.pool.build(j.rightPlan, j).endPart(j.table, j.w.parts) {
		return joinDone
	}
	j.tail = &tailScan{spec: &j.spec, t: j.table, size: rowsWithin(j.w.q.env.BatchSize, j.table.rows)}
	return joinTail
}

// graceShared is buildShared where the right side is on disk: the rows of all parts of the left side go to common files,
// which whoever ends the last part joins.
func (j *hashJoinOp) graceShared(ctx context.Context, s *sharedBuild) error {
	s.mu.Lock()
	if s.left == nil {
		s.left = make([]*spillFile, 1<<graceFanoutBits)
	}
	s.mu.Unlock()
	g := &graceJoin{j: j, right: s.files, left: s.left, at: len(s.left), facts: &s.facts, common: true}
	j.spilled = g
	j.tell(nil)
	if err := j.left.open(ctx); err != nil {
		return err
	}
	if err := splitAll(ctx, j.left, func(b *Batch) error {
		b = dense(flattened(b))
		s.mu.Lock()
		defer s.mu.Unlock()
		_, err := g.split(b, j.leftKeys, s.left, j.spec.leftTs)
		return err
	}); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.probed++; s.probed == j.w.parts {
		g.at = -1
		j.w.q.env.Stats.update(j.id, func(o *OpStats) { o.HashBatches += 1 << graceFanoutBits })
	}
	return nil
}
