// Package table is tables over versioned keys: it implements vexec.Store for one
// transaction. It reads table schemas (planpb.Table) and nothing of SQL text.
//
// Vocabulary. A row's key is the table's storage id and its locator: the encoded
// primary key, or a hidden row id. An extended row is the table's columns and
// then the computed columns that indexes need. An index entry is either unique by
// its key columns (a unique index, no NULL among them or NULLS NOT DISTINCT): its
// key is the columns alone, its value the locator; or it has the locator behind
// the columns in its key and no value.
//
// Where keys lie. A table's spread (placement.go) says in which tablets: one, by the
// slot of the row's distribution columns, or a copy in each. A row's slot is
// computed from its locator. A unique entry lies by the slot of its own columns,
// another beside its row. Ranges of a scan name their tablets (ranges.go); ordered
// scans merge them (merge_iter.go), others read one after the other.
//
// Invariants. (1) At every timestamp a row has exactly one entry in every index
// (none in a partial index whose predicate is not true), and every entry has its
// row: Check verifies it. (2) Rows and unique entries are written under the lock
// of their key; row ids and other entries are private to the row. (3) A unique
// check sees the newest committed state and holds the key's lock to the end of
// the transaction.
//
// Threading: a Store belongs to one transaction; see vexec.Store. Shared holds
// what the transactions of a node have in common and is safe for concurrent use.
package table
