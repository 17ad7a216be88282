package analyze

import "strconv"

// rowFieldName names field i (0-based) of an anonymous row.
func rowFieldName(i int) string { return "f" + strconv.Itoa(i+1) }
