//go:build !mutants

package txn

// Planted bugs, for the test of the history checkers (compat/history/workload): with the build
// tag mutants, BASALT_MUTANT names the one that is in force (mutants_on.go). Without the tag
// they are constants, and nothing is left of them.
const (
	// mutantSharedSnapshot: a snapshot is the newest that somebody holds already.
	mutantSharedSnapshot = false
	// mutantEarlyUnlock: row locks go before the commit is visible.
	mutantEarlyUnlock = false
	// mutantEarlyAcknowledge: a commit is acknowledged before those before it are visible.
	mutantEarlyAcknowledge = false
	// mutantEarlyVisible: a commit counts as visible before it is applied.
	mutantEarlyVisible = false
	// mutantSecondUpdater: above READ COMMITTED a row may be changed that changed since the snapshot.
	mutantSecondUpdater = false
	// mutantStaleLock: a lock reports the version of the snapshot instead of the newest.
	mutantStaleLock = false
	// mutantNewestGet: single rows of a range or an index are read without regard to the snapshot.
	mutantNewestGet = false
	// mutantNewestScan: so are ranges.
	mutantNewestScan = false
	// mutantNewestColumns: so are the rows that lie over column segments.
	mutantNewestColumns = false
	// mutantNoPredicates: SERIALIZABLE notes no reads.
	mutantNoPredicates = false
	// mutantNoRanges: SERIALIZABLE notes no reads of ranges.
	mutantNoRanges = false
	// mutantKeptSavepoint: what a savepoint undoes stays.
	mutantKeptSavepoint = false
	// mutantNoFragmentNotes: over several nodes, SERIALIZABLE notes no reads of fragments.
	mutantNoFragmentNotes = false
	// mutantNoSerialPrepare: over several nodes, SERIALIZABLE has no last check before a commit.
	mutantNoSerialPrepare = false
)
