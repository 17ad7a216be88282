package plan

import "github.com/basaltdb/basalt/sql/query"

func (p *planner) passSimplify(r rel, need ColSet) rel { return r }

func (p *planner) simplify(e query.Expr) query.Expr { return e }

func (p *planner) rejectsNull(q query.Expr, cols ColSet) bool { return false }
