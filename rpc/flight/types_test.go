package flight_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/flight"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// TestTypes reads a value, a NULL and an odd value of every type through Flight.
// want is the Arrow type and the values as Arrow's text.
func TestTypes(t *testing.T) {
	f := start(t, nil)
	c := f.client(t, nil)
	f.exec(t, "CREATE TYPE mood AS ENUM ('sad', 'ok')", "CREATE TYPE pair AS (a int, b text)")
	const uuid = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
	for _, x := range []struct{ typ, a, b, want, va, vb string }{
		{"bool", "true", "false", "bool", "true", "false"},
		{"int2", "1", "-32768", "int16", "1", "-32768"},
		{"int4", "1", "-2147483648", "int32", "1", "-2147483648"},
		{"int8", "1", "-9223372036854775808", "int64", "1", "-9223372036854775808"},
		{"float4", "1.5", "NaN", "float32", "1.5", "NaN"},
		{"float8", "1e-300", "-Infinity", "float64", "1e-300", "-Inf"},
		{"numeric(10,2)", "1.5", "-12345678.99", "decimal(10, 2)", "1.5", "-12345678.99"},
		{"numeric(18,18)", "0.123456789012345678", "-0.999999999999999999", "decimal(18, 18)", "0.123456789012345678", "-0.999999999999999999"},
		{"numeric(38,10)", "1234567890123456789012345678.0123456789", "-1", "decimal(38, 10)", "1234567890123456789012345678.0123456789", "-1"},
		{"numeric(39,1)", "1.5", "-7", "utf8", "1.5", "-7.0"},
		{"numeric(3,-2)", "1234", "-50", "utf8", "1200", "-100"},
		{"numeric(2,4)", "0.0012", "-0.0099", "utf8", "0.0012", "-0.0099"},
		{"numeric", "1.50", "NaN", "utf8", "1.50", "NaN"},
		{"text", "abc", "", "utf8", "abc", ""},
		{"varchar(5)", "abc", "é", "utf8", "abc", "é"},
		{"char(3)", "a", "", "utf8", "a  ", "   "},
		{`"char"`, "x", "", "utf8", "x", ""},
		{"bit(4)", "1010", "xf", "utf8", "1010", "1111"},
		{"bit varying", "101", "", "utf8", "101", ""},
		{"bit(2)[]", "{10,NULL}", "{}", "list<item: utf8, nullable>", `["10",null]`, "[]"},
		{"name", "abc", "", "utf8", "abc", ""},
		{"bytea", `\x00ff`, "", "binary", "AP8=", ""},
		{"json", `{"a": 1}`, "null", "utf8", `{"a": 1}`, "null"},
		{"jsonb", `{"a":1}`, "[]", "utf8", `{"a": 1}`, "[]"},
		{"date", "2024-02-29", "1969-12-31", "date32", "2024-02-29", "1969-12-31"},
		{"time", "12:34:56.789", "24:00:00", "time64[us]", "12:34:56.789000", "00:00:00.000000"},
		{"timetz", "12:34:56+02", "00:00:00-11:30", "utf8", "12:34:56+02", "00:00:00-11:30"},
		{"timestamp", "2024-02-29 12:00:00.5", "1900-01-01 00:00:00", "timestamp[us]", "2024-02-29 12:00:00.5Z", "1900-01-01 00:00:00Z"},
		{"timestamp", "294247-01-10 04:00:54.775806", "4714-11-24 00:00:00 BC", "timestamp[us]", "294247-01-10 04:00:54.775806Z", "-4713-11-24 00:00:00Z"},
		{"timestamptz[]", "{1970-01-01 00:00:00+00,NULL,1999-12-31 23:59:59.999999+00}", "{}", "list<item: timestamp[us, tz=UTC], nullable>", `["1970-01-01 00:00:00Z",null,"1999-12-31 23:59:59.999999Z"]`, "[]"},
		{"timestamptz", "2024-02-29 12:00:00+02", "1900-01-01 00:00:00+00", "timestamp[us, tz=UTC]", "2024-02-29 10:00:00Z", "1900-01-01 00:00:00Z"},
		{"interval", "1 year 2 mons 3 days 04:05:06.5", "-1 day", "month_day_nano_interval", `{"months":14,"days":3,"nanoseconds":14706500000000}`, `{"months":0,"days":-1,"nanoseconds":0}`},
		{"uuid", uuid, "00000000-0000-0000-0000-000000000000", "fixed_size_binary[16]", "oO68mZwLTvi7bWu5vTgKEQ==", "AAAAAAAAAAAAAAAAAAAAAA=="},
		{"oid", "1", "4294967295", "uint32", "1", "4294967295"},
		{"regclass", "pg_class", "0", "utf8", "pg_class", "-"},
		{"regtype", "integer", "0", "utf8", "integer", "-"},
		{"pg_lsn", "16/B374D848", "0/0", "utf8", "16/B374D848", "0/0"},
		{"mood", "sad", "ok", "utf8", "sad", "ok"},
		{"pair", "(1,x)", "(,)", "utf8", "(1,x)", "(,)"},
		{"int4[]", "{1,NULL,3}", "{}", "list<item: int32, nullable>", "[1,null,3]", "[]"},
		{"text[]", `{"a b",""}`, "{}", "list<item: utf8, nullable>", `["a b",""]`, "[]"},
		{"mood[]", "{ok,sad}", "{}", "list<item: utf8, nullable>", `["ok","sad"]`, "[]"},
		{"numeric(6,2)[]", "{1.5,NULL}", "{}", "list<item: decimal(6, 2), nullable>", `["1.5",null]`, "[]"},
		{"interval[]", "{1 day}", "{}", "list<item: month_day_nano_interval, nullable>", `[{"months":0,"days":1,"nanoseconds":0}]`, "[]"},
		{"date[]", "{2024-02-29}", "{}", "list<item: date32, nullable>", `["2024-02-29"]`, "[]"},
	} {
		// The casts are of parameters of one table, so that vectors are what scans yield.
		f.exec(t, "DROP TABLE IF EXISTS tt", fmt.Sprintf("CREATE TABLE tt (id int PRIMARY KEY, v %s)", x.typ),
			fmt.Sprintf("INSERT INTO tt VALUES (1, '%s'), (2, NULL), (3, '%s')", x.a, x.b))
		for _, q := range []string{"SELECT v FROM tt ORDER BY id", "SELECT v FROM tt WHERE id <> 17", fmt.Sprintf("VALUES ('%s'::%s), (NULL), ('%s'::%[2]s)", x.a, x.typ, x.b)} {
			if strings.HasPrefix(q, "VALUES") && strings.Contains(x.typ, ",") {
				continue // a NULL beside it takes the modifier away
			}
			ctx := ctxOf(t)
			info, err := c.Execute(ctx, q)
			if err != nil {
				t.Errorf("%s: %v", q, err)
				continue
			}
			promised, err := flight.DeserializeSchema(info.Schema, memory.DefaultAllocator)
			if err != nil {
				t.Fatal(err)
			}
			got, recs, err := fetch(ctx, c, info)
			if err != nil {
				t.Errorf("%s of %s: %v", q, x.typ, err)
				continue
			}
			if !got.Equal(promised) || got.Metadata().String() != promised.Metadata().String() {
				t.Errorf("%s: promised %s, got %s", x.typ, promised, got)
			}
			if s := typeText(got.Field(0).Type); s != x.want {
				t.Errorf("%s: type %s, want %s", x.typ, s, x.want)
			}
			var vs []string
			for _, r := range texts(recs) {
				vs = append(vs, r[0])
			}
			if len(vs) != 3 || vs[0] != x.va || vs[1] != "(null)" || vs[2] != x.vb {
				t.Errorf("%s of %s: got %q, want %q, NULL, %q", q, x.typ, vs, x.va, x.vb)
			}
		}
	}
}

func typeText(d arrow.DataType) string {
	switch d := d.(type) {
	case *arrow.TimestampType:
		if d.TimeZone != "" {
			return "timestamp[us, tz=" + d.TimeZone + "]"
		}
		return "timestamp[us]"
	case *arrow.ListType:
		return "list<item: " + typeText(d.Elem()) + ", nullable>"
	}
	return d.String()
}

// TestColumnMetadata: what Flight SQL names, and the extension of uuid.
func TestColumnMetadata(t *testing.T) {
	f := start(t, nil)
	c := f.client(t, nil)
	info, err := c.Execute(ctxOf(t), "SELECT 1.5::numeric(7,3) AS n, NULL::uuid AS u, 'x'::varchar(9) AS v")
	if err != nil {
		t.Fatal(err)
	}
	s, _ := flight.DeserializeSchema(info.Schema, memory.DefaultAllocator)
	for i, want := range []map[string]string{
		{"ARROW:FLIGHT:SQL:TYPE_NAME": "numeric", "ARROW:FLIGHT:SQL:PRECISION": "7", "ARROW:FLIGHT:SQL:SCALE": "3"},
		{"ARROW:extension:name": "arrow.uuid", "ARROW:extension:metadata": "", "ARROW:FLIGHT:SQL:TYPE_NAME": "uuid"},
		{"ARROW:FLIGHT:SQL:TYPE_NAME": "character varying", "ARROW:FLIGHT:SQL:PRECISION": "9"},
	} {
		m := s.Field(i).Metadata
		for k, v := range want {
			if got, ok := m.GetValue(k); !ok || got != v {
				t.Errorf("column %d: %s is %q, want %q", i, k, got, v)
			}
		}
	}
}

// TestWithoutArrowForm: values that Arrow's types do not hold.
func TestWithoutArrowForm(t *testing.T) {
	f := start(t, nil)
	c := f.client(t, nil)
	for _, x := range []struct{ sql, state string }{
		{"SELECT 'NaN'::numeric(5,2)", "22003"},
		{"SELECT ARRAY['NaN'::numeric(5,2)]::numeric(5,2)[]", "22003"},
		{"SELECT '2562047788:00:00'::interval", "22015"},
		{"SELECT '{{1,2},{3,4}}'::int[]", "0A000"},
		{"SELECT '294247-01-10 04:00:54.775807'::timestamp", "22008"},
		{"SELECT '294276-12-31 23:59:59.999999+00'::timestamptz", "22008"},
		{"SELECT ARRAY['294276-12-31'::timestamp]", "22008"},
	} {
		_, err := query(ctxOf(t), c, x.sql)
		wantState(t, err, x.state)
	}
}

// TestThereAndBack: what a query yields can be bound as it is.
func TestThereAndBack(t *testing.T) {
	f := start(t, nil)
	c := f.client(t, nil)
	for _, x := range [][2]string{{"date", "infinity"}, {"date", "-infinity"}, {"date", "0044-03-15 BC"}, {"date", "12345-02-28"}, {"date", "0001-01-01"},
		{"timestamp", "infinity"}, {"timestamp", "294247-01-10 04:00:54.775806"}, {"timestamptz", "4714-11-24 00:00:00+00 BC"},
		{"timestamp[]", "{1970-01-01,infinity,1999-12-31 23:59:59.999999}"}, {"timestamp", "0044-03-15 12:00:00.000001 BC"}, {"timestamptz", "-infinity"}, {"timestamptz", "12345-12-31 23:59:59+00"},
		{"interval", "-1 mons +3 days -04:05:06.000007"}, {"numeric(38,37)", "-9.9999999999999999999999999999999999999"}, {"float8", "-Infinity"}, {"float4", "3.4028235e+38"},
		{"time", "00:00:00.000001"}, {"timetz", "12:00:00+02"}, {"jsonb", `{"a": [1, null]}`}, {"bytea", `\x00`}, {"oid", "4294967295"}} {
		ctx := ctxOf(t)
		info, err := c.Execute(ctx, "SELECT '"+x[1]+"'::"+x[0])
		if err != nil {
			t.Fatal(err)
		}
		_, recs, err := fetch(ctx, c, info)
		if err != nil {
			t.Fatal(err)
		}
		p, err := c.Prepare(ctx, "SELECT $1::"+x[0]+" = '"+x[1]+"'::"+x[0])
		if err != nil {
			t.Fatal(err)
		}
		p.SetParameters(recs[0])
		if info, err = p.Execute(ctx); err != nil {
			t.Errorf("%s: %v", x, err)
			continue
		}
		_, recs, err = fetch(ctx, c, info)
		if got := texts(recs); err != nil || len(got) != 1 || got[0][0] != "true" {
			t.Errorf("%s: %q, %v", x, got, err)
		}
	}
}

// TestParameters binds values of many Arrow types and reads them back as text.
func TestParameters(t *testing.T) {
	f := start(t, nil)
	c := f.client(t, nil)
	for _, x := range []struct {
		typ, json, want string
		arrow           arrow.DataType
	}{
		{"int2", `[7]`, "7", arrow.PrimitiveTypes.Int8},
		{"int8", `[7]`, "7", arrow.PrimitiveTypes.Uint16},
		{"float8", `[0.1]`, "0.1", arrow.PrimitiveTypes.Float64},
		{"float4", `[0.1]`, "0.1", arrow.PrimitiveTypes.Float32},
		{"numeric", `["1.25"]`, "1.25", &arrow.Decimal128Type{Precision: 10, Scale: 2}},
		{"bool", `[true]`, "true", arrow.FixedWidthTypes.Boolean},
		{"text", `["é\"\\"]`, `é"\`, arrow.BinaryTypes.LargeString},
		{"bytea", `["AP8="]`, `\x00ff`, arrow.BinaryTypes.Binary},
		{"uuid", `["oO68mZwLTvi7bWu5vTgKEQ=="]`, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", &arrow.FixedSizeBinaryType{ByteWidth: 16}},
		{"date", `["2024-02-29"]`, "2024-02-29", arrow.FixedWidthTypes.Date32},
		{"time", `["12:34:56.5"]`, "12:34:56.5", arrow.FixedWidthTypes.Time64us},
		{"timestamp", `["2024-02-29 12:00:00.25"]`, "2024-02-29 12:00:00.25", arrow.FixedWidthTypes.Timestamp_ns},
		{"timestamptz", `["2024-02-29 12:00:00Z"]`, "2024-02-29 12:00:00+00", arrow.FixedWidthTypes.Timestamp_us},
		{"timestamp", `[-1]`, "1969-12-31 23:59:59.999999", arrow.FixedWidthTypes.Timestamp_ns},
		{"timestamp", `[9224318015]`, "2262-04-22 22:33:35", arrow.FixedWidthTypes.Timestamp_s},
		{"timestamptz", `[9224318015999]`, "2262-04-22 22:33:35.999+00", arrow.FixedWidthTypes.Timestamp_ms},
		{"timestamp", `[9224318015999]`, "294276-12-31 23:59:59", arrow.FixedWidthTypes.Timestamp_s},
		{"timestamp", `[-210866803200000]`, "4714-11-24 00:00:00 BC", arrow.FixedWidthTypes.Timestamp_ms},
		{"interval", `[{"months": 14, "days": -3, "nanoseconds": 5000000}]`, "1 year 2 mons -3 days +00:00:00.005", arrow.FixedWidthTypes.MonthDayNanoInterval},
		{"int4[]", `[[1,null,3]]`, "{1,NULL,3}", arrow.ListOf(arrow.PrimitiveTypes.Int64)},
		{"text[]", `[["a\"b","c\\", ""]]`, `{"a\"b","c\\",""}`, arrow.ListOf(arrow.BinaryTypes.String)},
		{"text", `[null]`, "(null)", arrow.Null},
	} {
		ctx := ctxOf(t)
		p, err := c.Prepare(ctx, "SELECT $1::"+x.typ+"::text")
		if err != nil {
			t.Fatal(err)
		}
		p.SetParameters(recordOf(t, x.arrow, x.json))
		info, err := p.Execute(ctx)
		if err != nil {
			t.Errorf("%s: %v", x.typ, err)
			continue
		}
		_, recs, err := fetch(ctx, c, info)
		if got := texts(recs); err != nil || len(got) != 1 || got[0][0] != x.want {
			t.Errorf("%s from %s: got %q, %v; want %q", x.typ, x.arrow, got, err, x.want)
		}
	}
}

// TestTimestampParameters: what PostgreSQL has no timestamp for is refused.
func TestTimestampParameters(t *testing.T) {
	f := start(t, nil)
	c := f.client(t, nil)
	for _, x := range []struct {
		v   arrow.Timestamp
		typ arrow.DataType
	}{
		{9224318016000, arrow.FixedWidthTypes.Timestamp_s},
		{9223372036854775806, arrow.FixedWidthTypes.Timestamp_s},
		{9224318016000000, arrow.FixedWidthTypes.Timestamp_ms},
		{-210866803200000001, arrow.FixedWidthTypes.Timestamp_us},
	} {
		p, err := c.Prepare(ctxOf(t), "SELECT $1::timestamp::text")
		if err != nil {
			t.Fatal(err)
		}
		b := array.NewTimestampBuilder(memory.DefaultAllocator, x.typ.(*arrow.TimestampType))
		b.Append(x.v)
		p.SetParameters(array.NewRecord(arrow.NewSchema([]arrow.Field{{Name: "p", Type: x.typ}}, nil), []arrow.Array{b.NewArray()}, 1))
		info, err := p.Execute(ctxOf(t))
		if err == nil {
			var recs []arrow.Record
			if _, recs, err = fetch(ctxOf(t), c, info); err == nil {
				t.Errorf("%d as %s: %q", x.v, x.typ, texts(recs))
				continue
			}
		}
		wantState(t, err, "22008")
	}
}
