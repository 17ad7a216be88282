package node

import "fmt"

// Role is what a node does (numbered as on the wire).
type Role uint8

const (
	All     Role = iota // serves sessions and holds tablets
	Gateway             // serves sessions
	Storage             // holds tablets
)

func (r Role) String() string {
	switch r {
	case Gateway:
		return "gateway"
	case Storage:
		return "storage"
	}
	return "all"
}

// ParseRole reads a role's name.
func ParseRole(s string) (Role, error) {
	for r := All; r <= Storage; r++ {
		if r.String() == s {
			return r, nil
		}
	}
	return 0, fmt.Errorf("role %q: want gateway, storage or all", s)
}
