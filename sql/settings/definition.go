package settings

import (
	"math"
	"sort"
	"strconv"
	"strings"

	"github.com/basaltdb/basalt/sql/catalog/facts"
)

// ServerVersion is what clients are told.
const (
	ServerVersion    = "16.4"
	ServerVersionNum = "160004"
)

// Kind of a parameter's values.
type Kind uint8

const (
	Bool Kind = iota
	Int
	Real
	String
	Enum
)

// Definition of a parameter.
type Definition struct {
	Name, Unit, Category, Short, Extra, Context string
	Kind                                        Kind
	Min, Max                                    float64
	Enum                                        []string
	Boot                                        string // canonical form
	// Hidden parameters are left out of SHOW ALL and pg_settings.
	Hidden bool
	// List parameters take several values (search_path).
	List bool
	// Quote: the values of a list are identifiers.
	Quote bool
	// Report: the client is told of every change (ParameterStatus).
	Report bool
	check  func(d *Definition, value string) (string, error)
}

// VarType is pg_settings.vartype.
func (d *Definition) VarType() string {
	return [...]string{"bool", "integer", "real", "string", "enum"}[d.Kind]
}

var definitions = load()

// sorted by name, without regard to case, as SHOW ALL lists them.
var sortedNames = func() []string {
	names := make([]string, 0, len(definitions))
	for k := range definitions {
		names = append(names, k)
	}
	sort.Strings(names)
	return names
}()

// Lookup finds a definition by name in any case; nil when there is none.
func Lookup(name string) *Definition {
	if d, ok := definitions[name]; ok {
		return d
	}
	name = strings.ToLower(name)
	if alias, ok := aliases[name]; ok {
		name = alias
	}
	return definitions[name]
}

var aliases = map[string]string{"sort_mem": "work_mem", "vacuum_mem": "maintenance_work_mem"}

var reported = map[string]bool{
	"application_name": true, "client_encoding": true, "datestyle": true, "default_transaction_read_only": true,
	"in_hot_standby": true, "integer_datetimes": true, "intervalstyle": true, "is_superuser": true,
	"server_encoding": true, "server_version": true, "session_authorization": true,
	"standard_conforming_strings": true, "timezone": true,
}

var listed = map[string]bool{
	"datestyle": true, "search_path": true, "temp_tablespaces": true, "local_preload_libraries": true,
	"session_preload_libraries": true, "shared_preload_libraries": true, "listen_addresses": true,
	"log_destination": true, "wal_consistency_checking": true, "unix_socket_directories": true,
	"synchronous_standby_names": true, "debug_io_direct": true, "createrole_self_grant": true,
}

// ours are values that differ from the PostgreSQL the facts were taken from.
var ours = map[string]string{
	"server_version": ServerVersion, "server_version_num": ServerVersionNum, "application_name": "",
	"timezone": "Etc/UTC", "log_timezone": "Etc/UTC", "config_file": "", "data_directory": "", "hba_file": "", "ident_file": "",
	"unix_socket_directories": "", "port": "5433", "max_connections": "1000", "krb_server_keyfile": "",
	"jit": "off", "ssl_library": "", "archive_command": "", "lc_messages": "C", "shared_buffers": "16384",
	"client_encoding": "UTF8", "wal_buffers": "512", "dynamic_shared_memory_type": "posix",
}

func load() map[string]*Definition {
	t := facts.Load("pg_settings")
	col := func(row []string, name string) string {
		if v := row[t.Column(name)]; v != facts.Null {
			return v
		}
		return ""
	}
	defs := make(map[string]*Definition, len(t.Rows)+8)
	for _, row := range t.Rows {
		d := &Definition{
			Name: col(row, "name"), Unit: col(row, "unit"), Category: col(row, "category"), Short: col(row, "short_desc"),
			Extra: col(row, "extra_desc"), Context: col(row, "context"), Boot: col(row, "reset_val"),
		}
		key := strings.ToLower(d.Name)
		switch col(row, "vartype") {
		case "bool":
			d.Kind = Bool
		case "integer":
			d.Kind = Int
		case "real":
			d.Kind = Real
		case "enum":
			d.Kind = Enum
			d.Enum = enumValues(col(row, "enumvals"))
		default:
			d.Kind = String
		}
		if d.Kind == Int || d.Kind == Real {
			d.Min, _ = strconv.ParseFloat(col(row, "min_val"), 64)
			d.Max, _ = strconv.ParseFloat(col(row, "max_val"), 64)
			if d.Max > 1e308 {
				d.Max = math.MaxFloat64
			}
		}
		if v, ok := ours[key]; ok {
			d.Boot = v
		}
		d.Report, d.List = reported[key], listed[key]
		d.Quote = d.List && (key == "search_path" || key == "temp_tablespaces" || strings.HasSuffix(key, "_preload_libraries"))
		d.check = checks[key]
		defs[key] = d
	}
	for _, d := range []*Definition{
		{Name: "is_superuser", Kind: Bool, Context: "internal", Boot: "on", Category: "Client Connection Defaults", Short: "Shows whether the current user is a superuser."},
		{Name: "role", Kind: String, Context: "user", Boot: "none", Hidden: true},
		{Name: "session_authorization", Kind: String, Context: "user", Hidden: true},
		{Name: "basalt.eager_aggregation", Kind: Enum, Context: "user", Boot: "on", Enum: []string{"on", "off", "always"}, Category: "Query Tuning / Planner Method Configuration",
			Short: "Lets groupings aggregate an operand of joins before it is joined."},
		{Name: "seed", Kind: Real, Context: "user", Min: -1, Max: 1, Boot: "0", Hidden: true},
	} {
		d.Report = reported[d.Name]
		d.Hidden = true
		defs[d.Name] = d
	}
	return defs
}

// enumValues reads an array literal of words.
func enumValues(s string) []string {
	s = strings.TrimSuffix(strings.TrimPrefix(s, "{"), "}")
	parts := strings.Split(s, ",")
	for i := range parts {
		parts[i] = strings.Trim(parts[i], `"`)
	}
	return parts
}
