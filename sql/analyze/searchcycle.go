package analyze

import (
	"github.com/basaltdb/basalt/sql/pgerror"
)

// cycleTypes and searchCycle are for WITH RECURSIVE's SEARCH and CYCLE.
func (ps *pstate) cycleTypes(c *cteState) {
	ps.unsupported(int(c.node.CycleClause.GetLocation()), "CYCLE clause")
}

func (ps *pstate) searchCycle(c *cteState) {
	if !c.recursive {
		ps.failAt(int(c.node.Location), pgerror.SyntaxError, "WITH query is not recursive")
	}
	ps.unsupported(int(c.node.Location), "SEARCH or CYCLE clause")
}
