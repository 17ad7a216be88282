package stars

import (
	_ "embed"
	"fmt"
	"math"
	"strings"
	"time"
)

//go:embed schema.sql
var schema string

// wideColumns is how many columns the table wide has.
const wideColumns = 300

// Schema is the CREATE TABLE statements, keys declared.
func Schema() string {
	var b strings.Builder
	b.WriteString(schema)
	b.WriteString("create table wide (\n  w_id integer primary key")
	for c := 1; c < wideColumns; c++ {
		fmt.Fprintf(&b, ",%sc%03d %s", map[bool]string{true: "\n  ", false: " "}[c%8 == 1], c, [...]string{"integer", "bigint", "decimal(12,2)", "date", "varchar(20)", "double precision", "boolean", "integer"}[c%8])
	}
	b.WriteString(");\n")
	return b.String()
}

// table says how a table is generated: so many units at a scale factor, written
// by add from a stream of their own per block of blockUnits.
type table struct {
	name   string
	stream int64 // of random values; sales and their returns share it
	units  func(g *sizes) int64
	add    func(g *sizes, r random, unit int64, out *row)
}

const blockUnits = 256

// sizes are the cardinalities that references need.
type sizes struct {
	sf                                                          float64
	items, customers, addresses, stores, promotions, warehouses int64
	documents, wide, events                                     int64
	storeOrders, catalogOrders, webOrders                       int64
}

func newSizes(sf float64) *sizes {
	linear := func(n float64) int64 { return max(int64(math.Round(n*sf)), 1) }
	slow := func(n float64) int64 { return max(int64(math.Round(n*math.Sqrt(sf))), 5) } // grows as the root
	return &sizes{sf: sf, items: slow(18000), customers: linear(100000), addresses: linear(50000), stores: slow(24), promotions: slow(300), warehouses: max(slow(6), 5),
		documents: linear(20000), wide: linear(100000), events: linear(10_000_000),
		storeOrders: linear(288000), catalogOrders: linear(160000), webOrders: linear(60000)}
}

const (
	firstDate    = 2450815 // 1998-01-01
	dateCount    = 2191    // to 2003-12-31
	salesDays    = 1826    // to 2002-12-31
	demographics = 2 * 5 * 7 * 4 * 7
	households   = 7200
	shipModes    = 20
	reasons      = 20
	callCenters  = 6
	webSites     = 30
	// inventory is taken every fourth week of half of the items.
	inventoryDates = salesDays / 28
)

var epoch = time.Date(1998, 1, 1, 0, 0, 0, 0, time.UTC)

// constant is a number of units that does not grow.
func constant(n int64) func(*sizes) int64 { return func(*sizes) int64 { return n } }

var tables = []table{
	{"date_dim", 1, constant(dateCount), addDate},
	{"item", 2, func(g *sizes) int64 { return g.items }, addItem},
	{"customer_address", 3, func(g *sizes) int64 { return g.addresses }, addAddress},
	{"customer_demographics", 4, constant(demographics), addDemographics},
	{"household_demographics", 5, constant(households), addHousehold},
	{"customer", 6, func(g *sizes) int64 { return g.customers }, addCustomer},
	{"store", 7, func(g *sizes) int64 { return g.stores }, addStore},
	{"call_center", 8, constant(callCenters), addCallCenter},
	{"web_site", 9, constant(webSites), addWebSite},
	{"warehouse", 10, func(g *sizes) int64 { return g.warehouses }, addWarehouse},
	{"ship_mode", 11, constant(shipModes), addShipMode},
	{"reason", 12, constant(reasons), addReason},
	{"promotion", 13, func(g *sizes) int64 { return g.promotions }, addPromotion},
	{"store_sales", 20, func(g *sizes) int64 { return g.storeOrders }, addStoreSales},
	{"store_returns", 20, func(g *sizes) int64 { return g.storeOrders }, addStoreReturns},
	{"catalog_sales", 21, func(g *sizes) int64 { return g.catalogOrders }, addCatalogSales},
	{"catalog_returns", 21, func(g *sizes) int64 { return g.catalogOrders }, addCatalogReturns},
	{"web_sales", 22, func(g *sizes) int64 { return g.webOrders }, addWebSales},
	{"web_returns", 22, func(g *sizes) int64 { return g.webOrders }, addWebReturns},
	{"inventory", 23, func(g *sizes) int64 { return inventoryDates * ((g.items + 1) / 2) }, addInventory},
	{"documents", 24, func(g *sizes) int64 { return g.documents }, addDocument},
	{"wide", 25, func(g *sizes) int64 { return g.wide }, addWide},
	{"events", 26, func(g *sizes) int64 { return g.events }, addEvent},
}

// Tables lists the names, dimensions before facts.
func Tables() (names []string) {
	for _, t := range tables {
		names = append(names, t.name)
	}
	return names
}
