// Package e2e holds tests of the built binary as its users meet it: what `basalt
// start` refuses and how it stops (binary_test.go), and what hostile or unlucky
// clients may do to it without harm to other sessions (hostile_test.go,
// cancel_test.go, memory_test.go), who may log in and over what (login_test.go), several
// processes that are one database, some of them killed (cluster_test.go, bank_test.go), their
// statements ended in every way (cluster_cancel_test.go) and pulled in parts (flight_parts_test.go); kills while segments
// are written and swapped (column_kills_test.go). Each test has a process of its own or shares one that it only
// reads from; the processes end with the test. Nothing here is imported.
package e2e
