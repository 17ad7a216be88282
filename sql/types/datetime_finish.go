package types

import "time"

// The end of decoding a date/time text: the parts are checked and the zone found.

// validateDate settles the year (two digits, BC), the day of year, and checks the ranges.
func (d *dtDecoder) validateDate() dtError {
	c := &d.clock
	if d.mask&mYear != 0 && !d.julian {
		switch {
		case d.bc:
			if c.Year <= 0 {
				return dtFieldOverflow
			}
			c.Year = -(c.Year - 1)
		case d.twoDigit:
			if c.Year < 0 {
				return dtFieldOverflow
			}
			if c.Year < 70 {
				c.Year += 2000
			} else if c.Year < 100 {
				c.Year += 1900
			}
		case c.Year <= 0:
			return dtFieldOverflow
		}
	}
	if d.mask&mDoy != 0 {
		c.Civil = CivilFromDays(DaysFromCivil(c.Year, 1, 1) + int64(d.yday) - 1)
	}
	if d.mask&mMonth != 0 && (c.Month < 1 || c.Month > 12) || d.mask&mDay != 0 && (c.Day < 1 || c.Day > 31) {
		return dtMDOverflow
	}
	if d.mask&mDate == mDate && c.Day > DaysInMonth(c.Year, c.Month) {
		return dtFieldOverflow
	}
	return dtOK
}

// finish checks that the parts make a whole and finds the zone's offset.
func (d *dtDecoder) finish() (dtError, error) {
	if d.prefix != unitNone {
		return dtBadFormat, nil
	}
	if d.special == dtFinite || d.timeOnly {
		if e := d.validateDate(); e != dtOK {
			return e, nil
		}
	}
	c := &d.clock
	switch {
	case d.ampm != 0 && c.Hour > 12:
		return dtFieldOverflow, nil
	case d.ampm == ampmAM && c.Hour == 12:
		c.Hour = 0
	case d.ampm == ampmPM && c.Hour != 12:
		c.Hour += 12
	}
	if d.special != dtFinite {
		return dtOK, nil
	}
	hasDate := d.mask&mDate == mDate
	if d.timeOnly {
		if c.overflows() {
			return dtFieldOverflow, nil
		}
		if d.mask&mTime != mTime || d.mask&mDate != 0 && !hasDate {
			return dtBadFormat, nil
		}
	} else if !hasDate {
		return dtBadFormat, nil
	}
	if d.mask&mDSTMod != 0 && (d.named != nil || d.dynamic != nil || d.mask&mZone == 0) {
		return dtBadFormat, nil
	}
	when := *c
	if !hasDate {
		if d.named != nil && !fixedZone(d.named) {
			return dtBadFormat, nil
		}
		when.Civil = d.now().Split().Civil
	}
	day := DaysFromCivil(when.Year, when.Month, when.Day)
	if !inDays(day) {
		day = 0 // out of range: reported by the caller
	}
	local := AtDay(day, when.timeMicros())
	switch {
	case d.named != nil:
		d.offset = LocalOffset(d.named, local)
	case d.dynamic != nil:
		d.offset = abbrevOffset(*d.dynamic, local)
	case d.mask&mZone == 0:
		d.offset = LocalOffset(d.env.TimeZone, local)
	}
	return dtOK, nil
}

// fixedZone reports a location that never changes its offset.
func fixedZone(loc *time.Location) bool {
	start, end := time.Unix(0, 0).In(loc).ZoneBounds()
	return start.IsZero() && end.IsZero()
}
