package session

import "testing"

func TestNormalize(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"SELECT abalance FROM pgbench_accounts WHERE aid = 1234;", "SELECT abalance FROM pgbench_accounts WHERE aid = $1;"},
		{"UPDATE t1 SET a = a + -12 WHERE b = 7", "UPDATE t1 SET a = a + -$1 WHERE b = $2"},
		{"INSERT INTO h (a, b) VALUES (1, -2, CURRENT_TIMESTAMP);", "INSERT INTO h (a, b) VALUES ($1, -$2, CURRENT_TIMESTAMP);"},
		{"DELETE FROM t WHERE a=5", "DELETE FROM t WHERE a=$1"},
		{"SELECT * FROM t WHERE a < 5", ""},
		{"SELECT * FROM t WHERE a <= 5", ""},
		{"SELECT * FROM t ORDER BY 1", ""},
		{"SELECT a FROM t WHERE b = 1.5", ""},
		{"SELECT a FROM t WHERE b = 12345678901", ""},
		{"SELECT 'it''s', a FROM t WHERE b = 1", ""},
		{"SELECT a FROM t WHERE b = 1 -- c", ""},
		{"SELECT a FROM t WHERE b = 1; SELECT 2", ""},
		{"SELECT numeric(5) FROM t", ""},
		{"SELECT a::int FROM t WHERE b = 1", ""},
		{"INSERT INTO t SELECT a + 1 FROM t", ""},
		{"SELECT f(1) FROM t", ""},
		{"SELECT 1", ""},
		{"SELECT a FROM t WHERE b = $1 AND c = 2", ""},
	} {
		n, ok := normalize(c.in)
		if ok != (c.want != "") || ok && n.text != c.want {
			t.Errorf("%s: %v %q", c.in, ok, n.text)
		}
	}
}
