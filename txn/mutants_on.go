//go:build mutants

package txn

import (
	"log/slog"
	"os"
)

var (
	mutantSharedSnapshot   = mutant("shared-snapshot")
	mutantEarlyUnlock      = mutant("early-unlock")
	mutantEarlyAcknowledge = mutant("early-acknowledge")
	mutantEarlyVisible     = mutant("early-visible")
	mutantSecondUpdater    = mutant("second-updater")
	mutantStaleLock        = mutant("stale-lock")
	mutantNewestGet        = mutant("newest-get")
	mutantNewestScan       = mutant("newest-scan")
	mutantNewestColumns    = mutant("newest-columns")
	mutantNoPredicates     = mutant("no-predicates")
	mutantNoRanges         = mutant("no-ranges")
	mutantKeptSavepoint    = mutant("kept-savepoint")
	mutantNoFragmentNotes  = mutant("no-fragment-notes")
	mutantNoSerialPrepare  = mutant("no-serial-prepare")
)

func mutant(name string) bool {
	on := os.Getenv("BASALT_MUTANT") == name
	if on {
		slog.Warn("this binary has a bug on purpose", "mutant", name)
	}
	return on
}
