package settings

import (
	"errors"
	"testing"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// Values and messages recorded from PostgreSQL.
func TestSet(t *testing.T) {
	for _, c := range []struct{ name, value, shown, errText, hint string }{
		{"work_mem", "abc", "", `invalid value for parameter "work_mem": "abc"`, ""},
		{"work_mem", "1", "", `1 kB is outside the valid range for parameter "work_mem" (64 .. 2147483647)`, ""},
		{"work_mem", "10XB", "", `invalid value for parameter "work_mem": "10XB"`, `Valid units for this parameter are "B", "kB", "MB", "GB", and "TB".`},
		{"work_mem", "1.5MB", "1536kB", "", ""},
		{"work_mem", "2TB", "", `invalid value for parameter "work_mem": "2TB"`, "Value exceeds integer range."},
		{"statement_timeout", "-5", "", `-5 ms is outside the valid range for parameter "statement_timeout" (0 .. 2147483647)`, ""},
		{"statement_timeout", "1.5min", "90s", "", ""},
		{"enable_seqscan", "maybe", "", `parameter "enable_seqscan" requires a Boolean value`, ""},
		{"enable_seqscan", "of", "off", "", ""},
		{"enable_seqscan", "o", "", `parameter "enable_seqscan" requires a Boolean value`, ""},
		{"foo", "1", "", `unrecognized configuration parameter "foo"`, ""},
		{"foo.bar", "x", "x", "", ""},
		{"intervalstyle", "foo", "", `invalid value for parameter "intervalstyle": "foo"`, "Available values: postgres, postgres_verbose, sql_standard, iso_8601."},
		{"datestyle", "german, dmy", "German, DMY", "", ""},
		{"datestyle", "ymd", "ISO, YMD", "", ""},
		{"datestyle", "iso, mdy, ymd", "", `invalid value for parameter "DateStyle": "iso, mdy, ymd"`, ""},
		{"timezone", "Foo/Bar", "", `invalid value for parameter "TimeZone": "Foo/Bar"`, ""},
		{"timezone", "-5", "<-05>+05", "", ""},
		{"timezone", "europe/berlin", "Europe/Berlin", "", ""},
		{"server_version", "1", "", `parameter "server_version" cannot be changed`, ""},
		{"max_connections", "1", "", `parameter "max_connections" cannot be changed without restarting the server`, ""},
		{"fsync", "off", "", `parameter "fsync" cannot be changed now`, ""},
		{"seq_page_cost", "1e10", "1e+10", "", ""},
		{"seq_page_cost", "-1", "", `-1 is outside the valid range for parameter "seq_page_cost" (0 .. 1.79769e+308)`, ""},
		{"geqo_threshold", "1.6", "2", "", ""},
		{"client_encoding", "utf-8", "UTF8", "", ""},
		{"idle_in_transaction_session_timeout", "1h", "1h", "", ""},
		{"basalt.eager_aggregation", "maybe", "", `invalid value for parameter "basalt.eager_aggregation": "maybe"`, "Available values: on, off, always."},
		{"basalt.eager_aggregation", "Always", "always", "", ""},
		{"extra_float_digits", "4", "", `4 is outside the valid range for parameter "extra_float_digits" (-15 .. 3)`, ""},
	} {
		s := New(nil)
		_, err := s.Set(c.name, c.value, false, true)
		var pe *pgerror.Error
		if errors.As(err, &pe) {
			if pe.Message != c.errText || pe.Hint != c.hint {
				t.Errorf("%s = %q: %s (hint %s)", c.name, c.value, pe.Message, pe.Hint)
			}
			continue
		}
		if _, shown, err := s.Show(c.name); err != nil || shown != c.shown || c.errText != "" {
			t.Errorf("%s = %q: shown %q, %v", c.name, c.value, shown, err)
		}
	}
}

func TestTransactions(t *testing.T) {
	s := New(nil)
	set := func(v string, local bool) {
		if _, err := s.Set("work_mem", v, local, true); err != nil {
			t.Fatal(err)
		}
	}
	want := func(v string) {
		t.Helper()
		if _, got, _ := s.Show("work_mem"); got != v {
			t.Fatalf("work_mem is %s, want %s", got, v)
		}
	}
	want("4MB")
	set("1MB", false)
	s.Commit()
	set("2MB", true)
	want("2MB")
	m := s.Mark()
	set("3MB", false)
	want("3MB")
	s.UndoTo(m)
	want("2MB")
	s.Commit()
	want("1MB")
	set("5MB", false)
	set("6MB", true)
	s.Commit()
	want("5MB")
	set("7MB", false)
	s.UndoTo(0)
	want("5MB")
	s.ResetAll()
	want("4MB")
}
