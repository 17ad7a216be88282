package vexec

// Tests build the tables of all but the smallest right sides together.
func init() { togetherRowsMin = 40 }
