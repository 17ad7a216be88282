package ddl_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/basaltdb/basalt/sql/server/servertest"
)

// concurrentTime is how long the sessions of TestConcurrentDDL run.
const concurrentTime = 4 * time.Second

// allowedCodes are what statements may end with when the object under them
// changes: the errors PostgreSQL gives in the same place.
var allowedCodes = map[string]bool{
	"40P01": true, // deadlock_detected
	"40001": true, // serialization_failure
	"42P01": true, // undefined_table
	"42P07": true, // duplicate_table
	"42703": true, // undefined_column
	"42701": true, // duplicate_column
	"42704": true, // undefined_object
	"23505": true, // unique_violation, of the catalog's own indexes too
	"57014": true, // query_canceled
	"2BP01": true, // dependent_objects_still_exist
	"22P02": true,
}

// TestConcurrentDDL has sessions write rows, build and drop indexes, alter,
// truncate, drop and make tables, analyse and cancel each other, all on the same
// few tables. Every error must be one of those that PostgreSQL gives there, the
// store must be consistent at the end, and no goroutine may be left behind.
func TestConcurrentDDL(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("sessions", concurrentSessions)
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		n := runtime.NumGoroutine()
		if n <= before {
			break
		}
		if time.Now().After(deadline) {
			b := make([]byte, 1<<20)
			t.Fatalf("%d goroutines before, %d after the node was closed:\n%s", before, n, b[:runtime.Stack(b, true)])
		}
	}
}

func concurrentSessions(t *testing.T) {
	n := servertest.Start(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	c := n.Connect(t)
	make1 := func(i int) string {
		return fmt.Sprintf("CREATE TABLE t%d (id int PRIMARY KEY, v int, s text)", i)
	}
	for i := range 3 {
		exec(t, c, make1(i))
	}
	ctx, cancel := context.WithTimeout(context.Background(), concurrentTime)
	defer cancel()
	var wg sync.WaitGroup
	var mu sync.Mutex
	done := map[string]int{}
	var pids []uint32
	session := func(k int, statement func(rng *rand.Rand) string) {
		conn := n.Connect(t)
		mu.Lock()
		pids = append(pids, conn.PgConn().PID())
		mu.Unlock()
		wg.Add(1)
		go func() {
			defer wg.Done()
			rng := rand.New(rand.NewPCG(seed, uint64(k)))
			for ctx.Err() == nil {
				sql := statement(rng)
				mode := pgx.QueryExecModeSimpleProtocol
				if !strings.Contains(sql, ";") && rng.IntN(2) == 0 {
					mode = pgx.QueryExecModeCacheStatement // the plan cache, too
				}
				_, err := conn.Exec(context.Background(), sql, mode)
				verb, _, _ := strings.Cut(sql, " ")
				mu.Lock()
				if err == nil {
					done[verb]++
				}
				mu.Unlock()
				if err == nil {
					continue
				}
				conn.Exec(context.Background(), "ROLLBACK", pgx.QueryExecModeSimpleProtocol)
				// A prepared statement's result may change its shape: 0A000, as in PostgreSQL.
				if s := code(err); !allowedCodes[s] && !strings.Contains(err.Error(), "cached plan must not change result type") {
					t.Errorf("%s: %v", sql, err)
					return
				}
			}
		}()
	}
	for k := range 3 {
		session(k, func(rng *rand.Rand) string {
			tb, id := rng.IntN(3), rng.IntN(2000)
			switch rng.IntN(6) {
			case 0:
				return fmt.Sprintf("UPDATE t%d SET v = v + 1, s = s || 'x' WHERE id = %d", tb, id)
			case 1:
				return fmt.Sprintf("DELETE FROM t%d WHERE id = %d", tb, id)
			case 2:
				return fmt.Sprintf("SELECT count(*) FROM t%d WHERE v = %d", tb, rng.IntN(10))
			case 3:
				return fmt.Sprintf("BEGIN; INSERT INTO t%d (id, v, s) VALUES (%d, 1, 'b') ON CONFLICT DO NOTHING; UPDATE t%d SET v = 3 WHERE id = %d; COMMIT", tb, id, rng.IntN(3), id)
			}
			return fmt.Sprintf("INSERT INTO t%d (id, v, s) SELECT i, i %% 10, 'row ' || i FROM generate_series(%d, %d) i ON CONFLICT DO NOTHING", tb, id, id+20)
		})
	}
	session(10, func(rng *rand.Rand) string {
		tb := rng.IntN(3)
		switch rng.IntN(4) {
		case 0:
			return fmt.Sprintf("CREATE INDEX IF NOT EXISTS t%d_s ON t%d (lower(s)) WHERE v > 2", tb, tb)
		case 1:
			return fmt.Sprintf("DROP INDEX IF EXISTS t%d_s, t%d_v", tb, tb)
		}
		return fmt.Sprintf("CREATE INDEX IF NOT EXISTS t%d_v ON t%d (v)", tb, tb)
	})
	session(11, func(rng *rand.Rand) string {
		tb := rng.IntN(3)
		switch rng.IntN(7) {
		case 0:
			return fmt.Sprintf("ALTER TABLE t%d ADD COLUMN IF NOT EXISTS x int DEFAULT 5", tb)
		case 1:
			return fmt.Sprintf("ALTER TABLE t%d DROP COLUMN IF EXISTS x", tb)
		case 2:
			return fmt.Sprintf("TRUNCATE t%d", tb)
		case 3:
			return fmt.Sprintf("BEGIN; DROP TABLE t%d; %s; COMMIT", tb, make1(tb))
		case 4:
			return fmt.Sprintf("BEGIN; ALTER TABLE t%d ALTER COLUMN v TYPE bigint; SAVEPOINT a; TRUNCATE t%d; ROLLBACK TO a; COMMIT", tb, tb)
		case 5:
			return fmt.Sprintf("BEGIN; ALTER TABLE t%d ALTER COLUMN v TYPE int; INSERT INTO t%d (id) VALUES (5000); ROLLBACK", tb, tb)
		}
		return fmt.Sprintf("ALTER TABLE t%d ALTER COLUMN v TYPE int", tb)
	})
	session(12, func(rng *rand.Rand) string {
		if rng.IntN(3) == 0 {
			mu.Lock()
			pid := pids[rng.IntN(len(pids))]
			mu.Unlock()
			return fmt.Sprintf("SELECT pg_cancel_backend(%d)", pid)
		}
		return fmt.Sprintf("ANALYZE t%d", rng.IntN(3))
	})
	wg.Wait()
	t.Logf("statements that succeeded: %v", done)
	for _, verb := range []string{"CREATE", "ALTER", "INSERT", "UPDATE", "ANALYZE"} {
		if done[verb] == 0 {
			t.Errorf("no %s succeeded", verb)
		}
	}
	n.Check(t, "end", "postgres")
}
