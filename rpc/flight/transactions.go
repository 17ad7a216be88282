package flight

import (
	"context"
	"strings"

	"github.com/apache/arrow/go/v17/arrow/flight/flightsql"

	"github.com/basaltdb/basalt/sql/pgerror"
)

var errNoTransaction = pgerror.New(pgerror.InvalidTransactionState, "unknown transaction: it has ended, or was not begun here")

// transaction finds one by its identifier. It serves only the user who began it.
func (s *Server) transaction(who *identity, id []byte) (*conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.transactions[string(id)]
	if c == nil || c.who.user != who.user {
		return nil, errNoTransaction
	}
	return c, nil
}

// simple runs a statement without result. REQUIRES: within a call of c.
func (c *conn) simple(ctx context.Context, text string) (tag string, err error) {
	k := &sink{session: c.session}
	err = c.session.Query(ctx, text, k)
	return k.tag, err
}

// BeginTransaction implements flightsql.Server.
func (s *Server) BeginTransaction(ctx context.Context, _ flightsql.ActionBeginTransactionRequest) ([]byte, error) {
	who := identityOf(ctx)
	c, err := s.connect(ctx, who, who.database)
	if err != nil {
		return nil, statusOf(err)
	}
	if err := c.call(ctx, func(ctx context.Context) error { _, err := c.simple(ctx, "BEGIN"); return err }); err != nil {
		c.close(errEnded)
		return nil, statusOf(err)
	}
	id := newID()
	s.mu.Lock()
	closing := s.closing
	if closing == nil {
		s.transactions[string(id[:])] = c
	}
	s.mu.Unlock()
	if closing != nil {
		c.close(errEnded)
		return nil, statusOf(closing)
	}
	return id[:], nil
}

// EndTransaction implements flightsql.Server. Whatever comes back, the transaction has ended.
func (s *Server) EndTransaction(ctx context.Context, req flightsql.ActionEndTransactionRequest) error {
	command := ""
	switch req.GetAction() {
	case flightsql.EndTransactionCommit:
		command = "COMMIT"
	case flightsql.EndTransactionRollback:
		command = "ROLLBACK"
	default:
		return statusOf(pgerror.New(pgerror.InvalidParameterValue, "unknown end of a transaction"))
	}
	c, err := s.transaction(identityOf(ctx), req.GetTransactionId())
	if err != nil {
		return statusOf(err)
	}
	err = c.call(ctx, func(ctx context.Context) error {
		if c.session.Status() == 'I' {
			return errNoTransaction
		}
		tag, err := c.simple(ctx, command)
		if err == nil && tag != command {
			err = pgerror.New(pgerror.InFailedSQLTransaction, "the transaction had failed and was rolled back")
		}
		return err
	})
	if pgerror.Is(err, pgerror.ObjectInUse) { // it did not get its turn: nothing has happened
		return statusOf(err)
	}
	s.mu.Lock()
	delete(s.transactions, string(req.GetTransactionId()))
	s.mu.Unlock()
	c.close(errEnded)
	return statusOf(err)
}

// A savepoint's identifier is its transaction's followed by its name.
const transactionIDBytes = 16

func quoteIdent(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// BeginSavepoint implements flightsql.Server.
func (s *Server) BeginSavepoint(ctx context.Context, req flightsql.ActionBeginSavepointRequest) ([]byte, error) {
	name := req.GetName()
	if name == "" || strings.ContainsRune(name, 0) {
		return nil, statusOf(pgerror.New(pgerror.InvalidParameterValue, "a savepoint needs a name"))
	}
	if err := s.savepoint(ctx, req.GetTransactionId(), "SAVEPOINT "+quoteIdent(name)); err != nil {
		return nil, statusOf(err)
	}
	return append(append([]byte(nil), req.GetTransactionId()...), name...), nil
}

// EndSavepoint implements flightsql.Server.
func (s *Server) EndSavepoint(ctx context.Context, req flightsql.ActionEndSavepointRequest) error {
	id := req.GetSavepointId()
	if len(id) <= transactionIDBytes {
		return statusOf(pgerror.New(pgerror.InvalidSavepointSpecification, "unknown savepoint"))
	}
	name := quoteIdent(string(id[transactionIDBytes:]))
	switch req.GetAction() {
	case flightsql.EndSavepointRelease:
		return statusOf(s.savepoint(ctx, id[:transactionIDBytes], "RELEASE SAVEPOINT "+name))
	case flightsql.EndSavepointRollback: // ends the savepoint too
		return statusOf(s.savepoint(ctx, id[:transactionIDBytes], "ROLLBACK TO SAVEPOINT "+name, "RELEASE SAVEPOINT "+name))
	}
	return statusOf(pgerror.New(pgerror.InvalidParameterValue, "unknown end of a savepoint"))
}

func (s *Server) savepoint(ctx context.Context, txn []byte, commands ...string) error {
	c, err := s.transaction(identityOf(ctx), txn)
	if err != nil {
		return err
	}
	return c.call(ctx, func(ctx context.Context) error {
		for _, q := range commands {
			if _, err := c.simple(ctx, q); err != nil {
				return err
			}
		}
		return nil
	})
}
