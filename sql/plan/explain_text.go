package plan

func explain(pl *Planned, o ExplainOptions) []string { return nil }

func (p *planner) labelInitPlans() {}
