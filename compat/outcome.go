package compat

import (
	"fmt"
	"strings"
)

// Column is one result column.
type Column struct{ Name, Type string }

// Outcome is what a server answered to one statement.
type Outcome struct {
	HasRows bool
	Columns []Column
	Rows    [][]*string // nil: NULL
	Tag     string
	Err     *Failure
	Notices []string // "SEVERITY SQLSTATE: message"
}

// Failure is an ErrorResponse.
type Failure struct {
	Code, Message, Detail, Hint string
	Position                    int
}

// Record prints an outcome in the form of .out files:
//
//	= name type, name type        result columns (absent for commands)
//	value<TAB>value               rows, COPY text escapes, \N for NULL
//	* SELECT 2                    command tag
//	! 42P01 message               or an error, with "! detail …", "! hint …", "! position n"
//	~ NOTICE 00000: message       notices, first
//
// Lines of data start with a letter-free prefix of their own ("| ").
func (o *Outcome) Record() string {
	var b strings.Builder
	for _, n := range o.Notices {
		fmt.Fprintf(&b, "~ %s\n", escape(n))
	}
	if o.HasRows {
		b.WriteString("=")
		for i, c := range o.Columns {
			if i > 0 {
				b.WriteString(",")
			}
			fmt.Fprintf(&b, " %s %s", escape(c.Name), strings.ReplaceAll(c.Type, " ", "_"))
		}
		b.WriteString("\n")
		for _, r := range o.Rows {
			b.WriteString("| ")
			for i, v := range r {
				if i > 0 {
					b.WriteByte('\t')
				}
				if v == nil {
					b.WriteString("\\N")
				} else {
					b.WriteString(escape(*v))
				}
			}
			b.WriteByte('\n')
		}
	}
	if f := o.Err; f != nil {
		fmt.Fprintf(&b, "! %s %s\n", f.Code, escape(f.Message))
		if f.Detail != "" {
			fmt.Fprintf(&b, "! detail %s\n", escape(f.Detail))
		}
		if f.Hint != "" {
			fmt.Fprintf(&b, "! hint %s\n", escape(f.Hint))
		}
		if f.Position != 0 {
			fmt.Fprintf(&b, "! position %d\n", f.Position)
		}
	} else {
		fmt.Fprintf(&b, "* %s\n", o.Tag)
	}
	return b.String()
}

// Essence is the part of a recorded outcome that must agree: without notices,
// details, hints and positions.
func Essence(record string) string {
	var b strings.Builder
	for _, l := range strings.SplitAfter(record, "\n") {
		if strings.HasPrefix(l, "~ ") || strings.HasPrefix(l, "! detail ") || strings.HasPrefix(l, "! hint ") || strings.HasPrefix(l, "! position ") {
			continue
		}
		b.WriteString(l)
	}
	return b.String()
}

func escape(s string) string {
	return strings.NewReplacer("\\", "\\\\", "\n", "\\n", "\t", "\\t", "\r", "\\r").Replace(s)
}
