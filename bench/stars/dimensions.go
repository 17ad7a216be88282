package stars

import (
	"fmt"
	"strings"
)

// id is a business key of 16 letters.
func id(n int64) string {
	var b [16]byte
	for i := range b {
		b[i] = 'A' + byte(n%16)
		n /= 16
	}
	return string(b[:])
}

func addDate(_ *sizes, _ random, unit int64, o *row) {
	d := epoch.AddDate(0, 0, int(unit))
	flag := func(b bool) string {
		if b {
			return "Y"
		}
		return "N"
	}
	quarter := int64(d.Month()-1)/3 + 1
	o.int(firstDate + unit)
	o.text(d.Format("2006-01-02"))
	o.int(int64(d.Year()))
	o.int(quarter)
	o.int(int64(d.Month()))
	o.int(int64(d.Day()))
	o.int(int64(d.Weekday()))
	o.int(5100 + (unit+4)/7) // 1998-01-01 is a Thursday: weeks begin on Sunday
	o.int(1176 + int64(d.Year()-1998)*12 + int64(d.Month()) - 1)
	o.int(392 + int64(d.Year()-1998)*4 + quarter - 1)
	o.text(d.Weekday().String())
	o.text(fmt.Sprintf("%dQ%d", d.Year(), quarter))
	o.text(flag(d.Month() == 12 && d.Day() == 25 || d.Month() == 1 && d.Day() == 1 || d.Month() == 7 && d.Day() == 4))
	o.text(flag(d.Weekday() == 0 || d.Weekday() == 6))
	o.end()
}

func addItem(_ *sizes, r random, unit int64, o *row) {
	n := unit + 1
	category := r.skewed(10)
	class := 1 + r.Int64N(5) + (category-1)*4
	brand := category*1000 + class*10 + r.between(1, 9)
	manufacturer := r.skewed(1000)
	price := 50 + r.skewed(9900)
	maybe := func(permille int64, f func()) { // NULL in so many of 1000 cases
		if r.chance(permille) {
			o.null()
			return
		}
		f()
	}
	o.int(n)
	o.text(id(1 + unit/2)) // two versions of each
	maybe(20, func() { o.text(r.sentence(r.between(3, 25))) })
	maybe(5, func() { o.cents(price) })
	maybe(5, func() { o.cents(price * r.between(40, 90) / 100) })
	maybe(10, func() { o.int(brand) })
	maybe(10, func() { o.text(syllables(class) + " #" + fmt.Sprint(brand%10)) })
	maybe(10, func() { o.int(class) })
	maybe(10, func() { o.text(words["classes"][(class-1)%int64(len(words["classes"]))]) })
	maybe(10, func() { o.int(category) })
	maybe(10, func() { o.text(words["categories"][category-1]) })
	maybe(10, func() { o.int(manufacturer) })
	maybe(10, func() { o.text(syllables(manufacturer)) })
	maybe(30, func() { o.text(r.pick(words["sizes"])) })
	maybe(30, func() { o.text(r.pick(words["colors"])) })
	maybe(30, func() { o.text(r.pick(words["units"])) })
	maybe(10, func() { o.int(r.between(1, 100)) })
	maybe(10, func() { o.text(syllables(n)) })
	o.end()
}

func addAddress(_ *sizes, r random, unit int64, o *row) {
	o.int(unit + 1)
	o.text(fmt.Sprint(r.between(1, 999)))
	o.text(r.pick(words["streets"]))
	o.text(r.pick(words["streettypes"]))
	if r.chance(30) {
		o.null()
	} else {
		o.text(r.pickSkewed(words["cities"]))
	}
	o.text(r.pickSkewed(words["counties"]))
	if r.chance(30) {
		o.null()
	} else {
		o.text(r.pickSkewed(words["states"]))
	}
	o.text(fmt.Sprintf("%05d", 10000+r.skewed(900)*97))
	o.text("United States")
	o.cents(-100 * r.between(5, 8))
	o.text([]string{"apartment", "condo", "single family"}[r.IntN(3)])
	o.end()
}

func addDemographics(_ *sizes, _ random, unit int64, o *row) {
	o.int(unit + 1)
	o.text([]string{"M", "F"}[unit%2])
	o.text(words["marital"][unit/2%5])
	o.text(words["education"][unit/10%7])
	o.text(words["credit"][unit/70%4])
	o.int(unit / 280 % 7)
	o.end()
}

func addHousehold(_ *sizes, _ random, unit int64, o *row) {
	o.int(unit + 1)
	o.int(1 + unit%20)
	o.text(words["buy"][unit/20%6])
	o.int(unit / 120 % 10)
	o.int(unit/1200%6 - 1)
	o.end()
}

func addCustomer(g *sizes, r random, unit int64, o *row) {
	o.int(unit + 1)
	o.text(id(unit + 1))
	o.key(r.reference(demographics, 35))
	o.key(r.reference(households, 35))
	o.int(r.between(1, g.addresses))
	o.key(firstDate + r.Int64N(salesDays))
	first, last := r.pickSkewed(words["first"]), r.pickSkewed(words["last"])
	if r.chance(30) {
		o.null()
	} else {
		o.text(r.pick(words["salutations"]))
	}
	if r.chance(30) {
		o.null()
	} else {
		o.text(first)
	}
	if r.chance(30) {
		o.null()
	} else {
		o.text(last)
	}
	if r.chance(30) {
		o.null()
	} else {
		o.text([]string{"Y", "N"}[r.IntN(2)])
	}
	o.key(r.reference(28, 30))
	o.key(r.reference(12, 30))
	o.int(r.between(1924, 1992))
	o.text(r.pick(words["countries"]))
	if r.chance(300) {
		o.null()
	} else {
		o.text(strings.ToLower(first + "." + last + fmt.Sprint(unit) + "@example.org"))
	}
	o.end()
}

// reference is a key in [1, n], or 0 in so many of 1000 cases.
func (r random) reference(n, nullPermille int64) int64 {
	k := r.between(1, n)
	if r.chance(nullPermille) {
		return 0
	}
	return k
}

func addStore(_ *sizes, r random, unit int64, o *row) {
	o.int(unit + 1)
	o.text(id(1 + unit/2))
	o.text(syllables(1 + unit/2))
	o.int(r.between(200, 300))
	o.int(r.between(5_000_000, 9_999_999))
	o.int(r.between(1, 10))
	o.text(r.pickSkewed(words["cities"]))
	o.text(r.pickSkewed(words["counties"]))
	o.text(words["states"][r.IntN(9)])
	o.cents(-100 * r.between(5, 6))
	if r.chance(700) {
		o.null()
	} else {
		o.int(firstDate + r.Int64N(salesDays))
	}
	o.end()
}

func addCallCenter(_ *sizes, r random, unit int64, o *row) {
	o.int(unit + 1)
	o.text(id(unit + 1))
	o.text([]string{"NY Metro", "Mid Atlantic", "North Midwest", "California", "Pacific Northwest", "Central"}[unit%6])
	o.text(r.pick(words["counties"]))
	o.text(r.pick(words["states"]))
	o.end()
}

func addWebSite(_ *sizes, _ random, unit int64, o *row) {
	o.int(unit + 1)
	o.text(id(1 + unit/2))
	o.text(fmt.Sprintf("site_%d", unit/6))
	o.text([]string{"pri", "able", "ought", "ese", "anti", "cally"}[unit%6])
	o.end()
}

func addWarehouse(_ *sizes, r random, unit int64, o *row) {
	o.int(unit + 1)
	if unit == 3 {
		o.null()
	} else {
		o.text(r.sentence(3))
	}
	o.int(r.between(50_000, 990_000))
	o.text(r.pick(words["cities"]))
	o.text(r.pick(words["counties"]))
	o.text(words["states"][r.IntN(12)])
	o.end()
}

func addShipMode(_ *sizes, _ random, unit int64, o *row) {
	o.int(unit + 1)
	o.text(words["shiptypes"][unit%6])
	o.text(words["carriers"][unit%10])
	o.end()
}

func addReason(_ *sizes, _ random, unit int64, o *row) {
	o.int(unit + 1)
	o.text(words["reasons"][unit%int64(len(words["reasons"]))])
	o.end()
}

func addPromotion(g *sizes, r random, unit int64, o *row) {
	start := r.Int64N(salesDays - 60)
	flag := func(permille int64) string {
		if r.chance(permille) {
			return "Y"
		}
		return "N"
	}
	o.int(unit + 1)
	o.text(id(unit + 1))
	o.int(firstDate + start)
	o.int(firstDate + start + r.between(1, 60))
	o.int(r.between(1, g.items))
	o.cents(100_000)
	o.text(flag(500))
	o.text(flag(100))
	o.text(flag(100))
	o.text(flag(100))
	o.end()
}
