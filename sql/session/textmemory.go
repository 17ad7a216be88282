package session

// Memory that a session takes for what its client sends it is accounted with the
// executor's, whose limit is the process's: the trees of long statements while they run,
// prepared statements until they go, and named portals with their parameters.

const (
	// textBytesLeast is from where on a statement's trees are accounted while it runs.
	textBytesLeast = 1 << 20
	// preparedBytes and portalBytes are about what a small one takes; the trees of its
	// text lie in the node's cache.
	preparedBytes = 1 << 10
	portalBytes   = 1 << 10
)

// reserveText accounts the memory of a statement's trees until the call ends or a
// prepared statement takes it over.
func (s *Session) reserveText(n int64) error {
	if n < textBytesLeast {
		return nil
	}
	if err := s.node.Executor.Reserve(n); err != nil {
		return err
	}
	s.textHeld += n
	return nil
}

// releaseText ends what reserveText began.
func (s *Session) releaseText() {
	if s.textHeld > 0 {
		s.node.Executor.Release(s.textHeld)
		s.textHeld = 0
	}
}

// keepPrepared puts a prepared statement into the session.
func (s *Session) keepPrepared(p *prepared) error {
	n := preparedBytes + int64(len(p.text))
	if err := s.node.Executor.Reserve(n); err != nil {
		return err
	}
	p.held, s.textHeld = n+s.textHeld, 0
	s.dropPrepared(p.name)
	s.prepared[p.name] = p
	return nil
}

// dropPrepared forgets a prepared statement, if there is one of the name.
func (s *Session) dropPrepared(name string) {
	if p := s.prepared[name]; p != nil {
		s.node.Executor.Release(p.held)
		delete(s.prepared, name)
	}
}

// dropAllPrepared forgets every prepared statement.
func (s *Session) dropAllPrepared() {
	for name := range s.prepared {
		s.dropPrepared(name)
	}
}

// keepPortal accounts a portal that may be one of many.
func (s *Session) keepPortal(p *portal, params [][]byte) error {
	if p.name == "" {
		return nil
	}
	n := int64(portalBytes)
	for _, v := range params {
		n += int64(len(v))
	}
	if err := s.node.Executor.Reserve(n); err != nil {
		return err
	}
	p.account, p.accounted = s.node.Executor, n
	return nil
}
