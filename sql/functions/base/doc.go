// Package base holds operators and casts of the scalar types.
package base
