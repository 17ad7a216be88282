package ch

import (
	"context"
	_ "embed"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/basaltdb/basalt/bench/tpcc"
)

//go:embed age.sql
var age string

// LoadAnswers loads the data of the recorded answers: a small population, aged by fixed statements that
// give every query something to find.
func LoadAnswers(ctx context.Context, conn *pgconn.PgConn) error {
	if _, err := tpcc.Load(ctx, conn, tpcc.Size{Warehouses: 2, Items: 10_000, Customers: 300}, 1, false, nil); err != nil {
		return err
	}
	if err := Load(ctx, conn, 1); err != nil {
		return err
	}
	if err := exec(ctx, conn, age); err != nil {
		return err
	}
	return exec(ctx, conn, "analyze")
}
