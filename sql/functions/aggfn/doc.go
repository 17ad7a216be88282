// Package aggfn holds the built-in aggregates in the general form: one state per
// group, fed one row of Datums at a time. The executor has vectorized versions of
// the common ones and falls back to these.
//
// Ordered-set aggregates get their rows already sorted as WITHIN GROUP says, the
// directions in expr.Call.Order; they do not sort. Hypothetical-set aggregates
// (rank and its kin) place the direct arguments among those rows.
//
// Results are PostgreSQL's to the last digit: integer and numeric sums are exact,
// numeric averages and variances have its chosen scales, float averages and
// variances run by the Youngs-Cramer recurrence in the order the rows come.
package aggfn
