package catalog

import (
	"slices"
	"strings"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// DistributionOption is the storage parameter that says where a table's rows lie.
const DistributionOption = "distribute_by"

// Distribution is what distribute_by says: copies everywhere, or the columns
// whose values place a row.
type Distribution struct {
	All     bool
	Columns []string
}

// ParseDistribution reads the parameter's value: all, or names of columns.
// 22023 when it is neither.
func ParseDistribution(text string) (Distribution, error) {
	var d Distribution
	bad := func() (Distribution, error) {
		return Distribution{}, pgerror.New(pgerror.InvalidParameterValue, "invalid value for \"%s\": \"%s\"", DistributionOption, text).
			WithHint("Give names of columns, separated by commas, or all.")
	}
	if strings.EqualFold(strings.TrimSpace(text), "all") {
		return Distribution{All: true}, nil
	}
	for rest := text; ; {
		rest = strings.TrimLeft(rest, " \t\n")
		var name strings.Builder
		if strings.HasPrefix(rest, `"`) {
			rest = rest[1:]
			for {
				i := strings.IndexByte(rest, '"')
				if i < 0 {
					return bad()
				}
				name.WriteString(rest[:i])
				if rest = rest[i+1:]; !strings.HasPrefix(rest, `"`) {
					break
				}
				name.WriteByte('"')
				rest = rest[1:]
			}
		} else {
			i := strings.IndexAny(rest, ", \t\n\"")
			if i < 0 {
				i = len(rest)
			}
			name.WriteString(strings.ToLower(rest[:i]))
			rest = rest[i:]
		}
		if name.Len() == 0 {
			return bad()
		}
		d.Columns = append(d.Columns, name.String())
		rest = strings.TrimLeft(rest, " \t\n")
		if rest == "" {
			return d, nil
		}
		if rest[0] != ',' {
			return bad()
		}
		rest = rest[1:]
	}
}

// String is the parameter's value.
func (d Distribution) String() string {
	if d.All {
		return "all"
	}
	names := make([]string, len(d.Columns))
	for i, n := range d.Columns {
		plain := n != "" && !strings.EqualFold(n, "all")
		for j := range len(n) {
			c := n[j]
			plain = plain && (c >= 'a' && c <= 'z' || c == '_' || c >= 0x80 || j > 0 && (c >= '0' && c <= '9' || c == '$'))
		}
		if names[i] = n; !plain {
			names[i] = `"` + strings.ReplaceAll(n, `"`, `""`) + `"`
		}
	}
	return strings.Join(names, ", ")
}

// Distribution is the relation's distribute_by; ok is false when it has none.
func (r *Relation) Distribution() (d Distribution, ok bool, err error) {
	for _, o := range r.Options {
		if v, found := strings.CutPrefix(o, DistributionOption+"="); found {
			d, err = ParseDistribution(v)
			return d, err == nil, err
		}
	}
	return d, false, nil
}

// place says in p where the relation's rows lie.
func (r *Relation) place(p *planpb.Table) error {
	if r.OID < types.FirstNormalOID {
		p.Placement = planpb.Placement_SYSTEM
		return nil
	}
	d, ok, err := r.Distribution()
	if err != nil || !ok {
		return err
	}
	if d.All {
		p.Placement = planpb.Placement_ALL
		return nil
	}
	if len(p.PrimaryKey) == 0 {
		return nil // by the hidden row id until there is one
	}
	for _, name := range d.Columns {
		k := slices.IndexFunc(p.PrimaryKey, func(k *planpb.KeyPart) bool { return p.Columns[k.Ordinal].Name == name })
		if k < 0 {
			return pgerror.New(pgerror.DataCorrupted, "relation \"%s\" is distributed by column \"%s\", which its primary key lacks", r.Name, name)
		}
		p.Distribution = append(p.Distribution, uint32(k))
	}
	return nil
}
