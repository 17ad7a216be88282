package settings

import (
	"strings"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

// Settings are one session's values.
type Settings struct {
	values     map[string]value  // by lower-case name; absent: the reset value
	server     map[string]string // what the server was started with; shared
	reset      map[string]string
	custom     map[string]*Definition // placeholders: names with a dot
	undo       []change
	generation uint64
}

type value struct {
	session  string
	hasSess  bool
	local    string
	hasLocal bool
}

type change struct {
	key     string
	old     value
	existed bool
}

// New makes the settings of a fresh session. server are values that the server was started
// with, in canonical form by lower-case name; they must not change any more.
func New(server map[string]string) *Settings {
	return &Settings{values: map[string]value{}, reset: map[string]string{}, server: server}
}

// Generation changes whenever a value may have.
func (s *Settings) Generation() uint64 { return s.generation }

func (s *Settings) lookup(name string) *Definition {
	if d := Lookup(name); d != nil {
		return d
	}
	return s.custom[strings.ToLower(name)]
}

// Find gives the definition of a known or custom parameter, or 42704.
func (s *Settings) Find(name string) (*Definition, error) {
	if d := s.lookup(name); d != nil {
		return d, nil
	}
	return nil, pgerror.New(pgerror.UndefinedObject, `unrecognized configuration parameter "%s"`, name)
}

// placeholder makes a custom parameter, whose name is two or more identifiers with dots.
func (s *Settings) placeholder(name string) (*Definition, error) {
	if !strings.Contains(name, ".") {
		_, err := s.Find(name)
		return nil, err
	}
	for _, part := range strings.Split(name, ".") {
		for i := 0; i < len(part) || i == 0; i++ {
			if i >= len(part) || !(part[i] >= 'a' && part[i] <= 'z' || part[i] >= 'A' && part[i] <= 'Z' || part[i] == '_' || part[i] >= 0x80 ||
				i > 0 && (part[i] >= '0' && part[i] <= '9' || part[i] == '$')) {
				return nil, pgerror.New(pgerror.InvalidName, `invalid configuration parameter name "%s"`, name).
					WithDetail("Custom parameter names must be two or more simple identifiers separated by dots.")
			}
		}
	}
	d := &Definition{Name: name, Kind: String, Context: "user", Category: "Customized Options", Short: ""}
	if s.custom == nil {
		s.custom = map[string]*Definition{}
	}
	s.custom[strings.ToLower(name)] = d
	return d, nil
}

// Writable checks that a session may change the parameter now.
func (d *Definition) Writable(name string, super bool) error {
	switch d.Context {
	case "internal":
		return pgerror.New(pgerror.CantChangeRuntimeParam, `parameter "%s" cannot be changed`, name)
	case "postmaster":
		return pgerror.New(pgerror.CantChangeRuntimeParam, `parameter "%s" cannot be changed without restarting the server`, name)
	case "sighup":
		return pgerror.New(pgerror.CantChangeRuntimeParam, `parameter "%s" cannot be changed now`, name)
	case "backend", "superuser-backend":
		return pgerror.New(pgerror.CantChangeRuntimeParam, `parameter "%s" cannot be set after connection start`, name)
	case "superuser":
		if !super {
			return pgerror.New(pgerror.InsufficientPrivilege, `permission denied to set parameter "%s"`, name)
		}
	}
	return nil
}

// Set gives a parameter a value the user wrote. local shadows the session value to the transaction's end.
func (s *Settings) Set(name, text string, local, super bool) (*Definition, error) {
	d := s.lookup(name)
	if d == nil {
		var err error
		if d, err = s.placeholder(name); err != nil {
			return nil, err
		}
	}
	if err := d.Writable(name, super); err != nil {
		return nil, err
	}
	v, err := s.parse(d, name, text)
	if err != nil {
		return nil, err
	}
	s.Assign(d, v, local)
	return d, nil
}

func (s *Settings) parse(d *Definition, name, text string) (string, error) {
	if d.Name == "DateStyle" {
		style, order, err := ParseDateStyle(s.Get("datestyle"), types.DateStyleISO, types.DateOrderMDY)
		if err != nil {
			return "", err
		}
		if style, order, err = ParseDateStyle(text, style, order); err != nil {
			return "", err
		}
		return FormatDateStyle(style, order), nil
	}
	return d.Parse(name, text)
}

// Assign stores a canonical value without any check.
func (s *Settings) Assign(d *Definition, v string, local bool) {
	key := strings.ToLower(d.Name)
	old, existed := s.values[key]
	s.undo = append(s.undo, change{key, old, existed})
	n := old
	if local {
		n.local, n.hasLocal = v, true
	} else {
		n = value{session: v, hasSess: true}
	}
	s.values[key] = n
	s.generation++
}

// Reset returns a parameter to its reset value.
func (s *Settings) Reset(name string, super bool) (*Definition, error) {
	d, err := s.Find(name)
	if err != nil {
		return nil, err
	}
	if err := d.Writable(name, super); err != nil {
		return nil, err
	}
	s.Assign(d, s.ResetValue(d), false)
	return d, nil
}

// ResetAll resets all parameters a session can change and returns those that were set.
func (s *Settings) ResetAll() []*Definition {
	var out []*Definition
	for key := range s.values {
		d := s.lookup(key)
		if d == nil || d.Hidden || d.Writable(d.Name, true) != nil || strings.HasPrefix(d.Name, "transaction_") {
			continue
		}
		s.Assign(d, s.ResetValue(d), false)
		out = append(out, d)
	}
	return out
}

// ResetValue is what RESET returns to.
func (s *Settings) ResetValue(d *Definition) string {
	return s.resetValue(strings.ToLower(d.Name), d)
}

func (s *Settings) resetValue(key string, d *Definition) string {
	if v, ok := s.reset[key]; ok {
		return v
	}
	if v, ok := s.server[key]; ok {
		return v
	}
	return d.Boot
}

// SetReset makes a canonical value the default of the session (start-up parameters).
func (s *Settings) SetReset(d *Definition, v string) {
	s.reset[strings.ToLower(d.Name)] = v
	s.generation++
}

// Startup takes a start-up parameter: it becomes the session's reset value.
func (s *Settings) Startup(name, text string, super bool) error {
	d := s.lookup(name)
	if d == nil {
		var err error
		if d, err = s.placeholder(name); err != nil {
			return err
		}
	}
	if d.Context != "backend" && d.Context != "superuser-backend" {
		if err := d.Writable(name, super); err != nil {
			return err
		}
	}
	v, err := s.parse(d, name, text)
	if err != nil {
		return err
	}
	s.SetReset(d, v)
	return nil
}

// Get is the canonical value in force; name in lower case. "" for unknown names.
func (s *Settings) Get(name string) string {
	if v, ok := s.values[name]; ok {
		if v.hasLocal {
			return v.local
		}
		if v.hasSess {
			return v.session
		}
	}
	if v, ok := s.reset[name]; ok {
		return v
	}
	if d := s.lookup(name); d != nil {
		return s.resetValue(name, d)
	}
	return ""
}

// Show is the value as SHOW prints it.
func (s *Settings) Show(name string) (d *Definition, shown string, err error) {
	if d, err = s.Find(name); err != nil {
		return nil, "", err
	}
	return d, d.Format(s.Get(strings.ToLower(d.Name))), nil
}

// All lists the parameters that SHOW ALL and pg_settings show, by name.
func (s *Settings) All() []*Definition {
	out := make([]*Definition, 0, len(sortedNames))
	for _, n := range sortedNames {
		if d := definitions[n]; !d.Hidden {
			out = append(out, d)
		}
	}
	return out
}

// Mark is a position in the log of changes; 0 is the transaction's begin.
func (s *Settings) Mark() int { return len(s.undo) }

// UndoTo takes back the changes after mark and returns the parameters concerned.
func (s *Settings) UndoTo(mark int) []*Definition {
	var out []*Definition
	for i := len(s.undo) - 1; i >= mark; i-- {
		c := s.undo[i]
		if c.existed {
			s.values[c.key] = c.old
		} else {
			delete(s.values, c.key)
		}
		out = append(out, s.lookup(c.key))
		s.generation++
	}
	s.undo = s.undo[:mark]
	return out
}

// Commit ends the transaction: session values stay, local ones go. It returns the parameters whose value changed by that.
func (s *Settings) Commit() []*Definition {
	if len(s.undo) == 0 {
		return nil
	}
	var out []*Definition
	for _, c := range s.undo {
		v, ok := s.values[c.key]
		if !ok || !v.hasLocal {
			continue
		}
		v.hasLocal, v.local = false, ""
		if v.hasSess {
			s.values[c.key] = v
		} else {
			delete(s.values, c.key)
		}
		out = append(out, s.lookup(c.key))
		s.generation++
	}
	s.undo = s.undo[:0]
	return out
}
