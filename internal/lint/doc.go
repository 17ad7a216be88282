// Package lint holds the rules of the house as tests: who may import whom, a
// doc.go in every package, no dumping grounds, file sizes, and that every path
// docs/architecture.md names exists. There is no code here but the tests.
package lint
