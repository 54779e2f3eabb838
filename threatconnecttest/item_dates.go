package threatconnecttest

import "time"

// itemDateNames are the dates of indicators and groups that only batch files set.
var itemDateNames = [...]string{"firstSeen", "lastSeen", "externalDateAdded", "externalDateExpires", "externalLastModified"}

// itemDates contains these dates in seconds since the year 1, so 0 is the zero time and means none.
type itemDates [len(itemDateNames)]int64

const yearOne = -62_135_596_800 // in seconds since 1970

func (d *itemDates) set(n int, at time.Time) { d[n] = at.Unix() - yearOne }

func (d *itemDates) at(n int) time.Time {
	if d[n] == 0 {
		return time.Time{}
	}
	return time.Unix(d[n]+yearOne, 0).UTC()
}

// read reads the dates of a batch item, which have been validated.
func (d *itemDates) read(f fields) {
	for n, name := range itemDateNames {
		if s, ok := f.text(name); ok {
			at, _ := parseBatchDate(s)
			d.set(n, at)
		}
	}
}

// hasDates reports whether a batch item has one of the dates.
func hasDates(f fields) bool {
	for _, name := range itemDateNames {
		if f.has(name) {
			return true
		}
	}
	return false
}

func (d *itemDates) write(w *jsonWriter) {
	for n, name := range itemDateNames {
		if d[n] != 0 {
			w.date(name, d[n]+yearOne)
		}
	}
}

// take and give copy the dates from and to the fields of a record, in the order of itemDateNames.
func (d *itemDates) take(from [len(itemDateNames)]*time.Time) {
	for n, t := range from {
		d.set(n, *t)
	}
}

func (d *itemDates) give(to [len(itemDateNames)]*time.Time) {
	for n, t := range to {
		*t = d.at(n)
	}
}
