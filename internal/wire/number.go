package wire

import "strconv"

// parseInt returns the integer that s denotes in JSON's number syntax. It reports false if s is not
// an integer or does not fit.
func parseInt(s []byte) (int64, bool) {
	digits := s
	if len(s) > 0 && s[0] == '-' {
		digits = s[1:]
	}
	if len(digits) == 0 || len(digits) > 18 || digits[0] == '0' && len(digits) > 1 {
		return parseIntSlow(s)
	}
	var v int64
	for _, c := range digits {
		if c < '0' || c > '9' {
			return parseIntSlow(s)
		}
		v = v*10 + int64(c-'0')
	}
	if len(digits) < len(s) {
		v = -v
	}
	return v, true
}

// parseIntSlow handles every form: zero fractions, exponents, nineteen digits.
func parseIntSlow(s []byte) (int64, bool) {
	if end, what := scanNumber(s, 0); what != "" || end != len(s) {
		return 0, false
	}
	negative := s[0] == '-'
	if negative {
		s = s[1:]
	}
	// The number consists of the digits of s before its exponent, with the decimal point after the
	// first "point" digits.
	mantissa, exponent := s, 0
	for i, c := range s {
		if c|0x20 == 'e' {
			mantissa, exponent = s[:i], parseExponent(s[i+1:])
			break
		}
	}
	point := scanDigits(mantissa, 0) + exponent

	var (
		v    uint64
		n    int  // digits read
		some bool // a nonzero digit was read
	)
	for _, c := range mantissa {
		if c == '.' {
			continue
		}
		if c != '0' {
			some = true
			if n >= point {
				return 0, false // a fraction
			}
		}
		if n < point {
			if v > (1<<63)/10 {
				return 0, false
			}
			v = v*10 + uint64(c-'0')
		}
		n++
	}
	if !some {
		return 0, true
	}
	for ; n < point; n++ {
		if v > (1<<63)/10 {
			return 0, false
		}
		v *= 10
	}
	switch {
	case negative && v <= 1<<63:
		return -int64(v), true
	case !negative && v < 1<<63:
		return int64(v), true
	}
	return 0, false
}

// parseExponent parses the text after the e. It caps the value at a hundred million, which the
// digits of a text of that many bytes cannot compensate.
func parseExponent(s []byte) int {
	const most = 100_000_000
	negative := s[0] == '-'
	if negative || s[0] == '+' {
		s = s[1:]
	}
	v := 0
	for _, c := range s {
		if v = v*10 + int(c-'0'); v > most {
			v = most
			break
		}
	}
	if negative {
		return -v
	}
	return v
}

// tens are the powers of ten by which parseFloat divides.
var tens = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14}

// parseFloat returns the number that s denotes in JSON's number syntax. It reports false if s is
// not a number or does not fit.
func parseFloat(s []byte) (float64, bool) {
	// Without a fraction, only the conversion rounds. With a fraction, there are at most fifteen
	// digits; a float64 represents them and the power of ten exactly, so only the division rounds.
	if len(s) > 0 && len(s) <= 16 && '0' <= s[0] && s[0] <= '9' && (s[0] != '0' || len(s) == 1 || s[1] == '.') {
		var v uint64
		point := len(s)
		for i, c := range s {
			switch {
			case '0' <= c && c <= '9':
				v = v*10 + uint64(c-'0')
			case c == '.' && point == len(s) && i < len(s)-1:
				point = i
			default:
				return parseFloatSlow(s)
			}
		}
		if point < len(s) {
			return float64(v) / tens[len(s)-1-point], true
		}
		return float64(v), true
	}
	return parseFloatSlow(s)
}

func parseFloatSlow(s []byte) (float64, bool) {
	if end, what := scanNumber(s, 0); what != "" || end != len(s) {
		return 0, false
	}
	v, err := strconv.ParseFloat(string(s), 64)
	return v, err == nil
}
