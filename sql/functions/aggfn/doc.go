// Package aggfn holds aggregate functions in the general, value-at-a-time form.
package aggfn
