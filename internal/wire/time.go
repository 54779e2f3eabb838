package wire

import "time"

// ParseTime parses a date and time in the forms that the platform writes:
//
//	2017-07-13T17:50:17Z             in UTC
//	2017-07-13T17:50:17              without a zone, which means UTC
//	2017-07-13T17:50:17.123Z         with a fraction, truncated to nanoseconds
//	2017-07-13T17:50:17-05:00        with an offset, also -0500 and -05
//	2017-07-13T17:50:17-05:00Z       with an offset and a Z; the offset counts
//	2017-7-13T00:00:00-04:00         with a month, day or hour of one digit
//	2017-07-13T17:50                 without seconds
//	2017-07-13                       a date, which means midnight in UTC
//
// A space or t can replace the T, and a z the Z. Second 60, a leap second, is the second after 59.
// The result is in UTC, in the years 0 to 9999. Other input, including "", returns an [*Error].
func ParseTime(s string) (time.Time, error) {
	t, ok := parseTime([]byte(s))
	if !ok {
		return time.Time{}, &Error{What: wantTime}
	}
	return t, nil
}

// inRange reports whether the year of t has at most four digits.
func inRange(t time.Time) (time.Time, bool) {
	return t, t.Year() >= 0 && t.Year() <= 9999
}

func parseTime(b []byte) (time.Time, bool) {
	p := timeParser{b: b}
	year := p.number(4, 4, 9999)
	p.expect('-')
	month := p.number(1, 2, 12)
	p.expect('-')
	day := p.number(1, 2, 31)
	if p.bad || month == 0 || day == 0 || day > daysIn(year, month) {
		return time.Time{}, false
	}
	var hour, minute, second, nano, offset int
	if len(p.b) > 0 {
		if !p.accept('T') && !p.accept('t') {
			p.expect(' ')
		}
		hour = p.number(1, 2, 23)
		p.expect(':')
		minute = p.number(2, 2, 59)
		if p.accept(':') {
			second = p.number(2, 2, 60)
			if p.accept('.') || p.accept(',') {
				nano = p.fraction()
			}
		}
		offset = p.zone()
	}
	if p.bad || len(p.b) > 0 {
		return time.Time{}, false
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, nano, time.UTC)
	if offset == 0 && second < 60 {
		return t, true
	}
	return inRange(t.Add(-time.Duration(offset) * time.Second))
}

// timeParser parses b from the start. bad is set if b has another form.
type timeParser struct {
	b   []byte
	bad bool
}

// accept consumes c if it is next.
func (p *timeParser) accept(c byte) bool {
	if len(p.b) == 0 || p.b[0] != c {
		return false
	}
	p.b = p.b[1:]
	return true
}

func (p *timeParser) expect(c byte) {
	if !p.accept(c) {
		p.bad = true
	}
}

// number parses between fewest and most digits with a value of at most limit.
func (p *timeParser) number(fewest, most, limit int) int {
	v, n := 0, 0
	for n < most && n < len(p.b) && '0' <= p.b[n] && p.b[n] <= '9' {
		v = v*10 + int(p.b[n]-'0')
		n++
	}
	if n < fewest || v > limit {
		p.bad = true
	}
	p.b = p.b[n:]
	return v
}

// fraction parses the digits after the point as nanoseconds.
func (p *timeParser) fraction() int {
	n := scanDigits(p.b, 0)
	if n == 0 {
		p.bad = true
	}
	nano := 0
	for i := range 9 {
		nano *= 10
		if i < n {
			nano += int(p.b[i] - '0')
		}
	}
	p.b = p.b[n:]
	return nano
}

// zone parses the optional zone and returns it in seconds east of UTC.
func (p *timeParser) zone() int {
	if p.accept('Z') || p.accept('z') || len(p.b) == 0 {
		return 0
	}
	sign := 1
	if !p.accept('+') {
		p.expect('-')
		sign = -1
	}
	offset := p.number(2, 2, 23) * 3600
	if p.accept(':') || len(p.b) > 0 && '0' <= p.b[0] && p.b[0] <= '9' {
		offset += p.number(2, 2, 59) * 60
	}
	if !p.accept('Z') {
		p.accept('z')
	}
	return sign * offset
}

// daysIn returns the number of days in a month.
func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}
