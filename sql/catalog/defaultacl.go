package catalog

import "context"

var defaultACLKinds = map[byte]string{'r': "relations", 'S': "sequences", 'f': "functions", 'T': "types", 'n': "schemas"}

// DescribeDefaultACL says for people what a row of pg_default_acl is.
func DescribeDefaultACL(ctx context.Context, r Reader, row *Row) string {
	text := "default privileges on new " + defaultACLKinds[row.Char("defaclobjtype")] + " belonging to role "
	if role, err := r.Role(ctx, row.OID("defaclrole")); err == nil && role != nil {
		text += role.Name
	}
	if ns, err := r.Namespace(ctx, row.OID("defaclnamespace")); err == nil && ns != nil {
		text += " in schema " + ns.Name
	}
	return text
}
