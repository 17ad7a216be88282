package plan

func (p *planner) parallelize(n *Node) *Node { return n }

func (p *planner) parallelizeLimited(n *Node, rows float64) *Node { return n }

func (p *planner) parallelAgg(x *relGroup, o *aggOp, base []Col, in *Node) *Node { return nil }
