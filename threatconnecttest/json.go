package threatconnecttest

import (
	"bytes"
	"strconv"
	"time"
)

// jsonWriter writes a response member by member, in the platform's order and shapes.
type jsonWriter struct {
	b   []byte
	odd Oddity
}

func (w *jsonWriter) sep() {
	if n := len(w.b); n > 0 {
		switch w.b[n-1] {
		case '{', '[', ':':
		default:
			w.b = append(w.b, ',')
		}
	}
}

func (w *jsonWriter) open()       { w.sep(); w.b = append(w.b, '{') }
func (w *jsonWriter) close()      { w.b = append(w.b, '}') }
func (w *jsonWriter) openArray()  { w.sep(); w.b = append(w.b, '[') }
func (w *jsonWriter) closeArray() { w.b = append(w.b, ']') }

func (w *jsonWriter) key(name string) {
	w.sep()
	w.value(name)
	w.b = append(w.b, ':')
}

// object writes an object with a name.
func (w *jsonWriter) object(name string, write func(*jsonWriter)) {
	w.key(name)
	w.open()
	write(w)
	w.close()
}

// value writes a string.
func (w *jsonWriter) value(s string) {
	plain := true
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			plain = false
			break
		}
	}
	if !plain {
		w.b = append(w.b, quoteJSON(s)...)
		return
	}
	w.b = append(w.b, '"')
	w.b = append(w.b, s...)
	w.b = append(w.b, '"')
}

func (w *jsonWriter) str(name, s string) {
	w.key(name)
	w.value(s)
}

// some writes a string unless it is empty.
func (w *jsonWriter) some(name, s string) {
	if s != "" {
		w.str(name, s)
	}
}

func (w *jsonWriter) int(name string, n int64) {
	w.key(name)
	w.b = strconv.AppendInt(w.b, n, 10)
}

func (w *jsonWriter) id(name string, n int64) {
	if w.odd&OddityStringIDs != 0 {
		w.str(name, strconv.FormatInt(n, 10))
		return
	}
	w.int(name, n)
}

// float writes a decimal with at least one digit after the point.
func (w *jsonWriter) float(name string, f float64) {
	var buf [24]byte
	s := strconv.AppendFloat(buf[:0], f, 'f', -1, 64)
	if bytes.IndexByte(s, '.') < 0 && w.odd&OddityIntegerRatings == 0 {
		s = append(s, ".0"...)
	}
	w.number(name, s)
}

// number writes digits, as a string if the oddity requires it.
func (w *jsonWriter) number(name string, digits []byte) {
	if w.odd&OddityStringNumbers != 0 {
		w.str(name, string(digits))
		return
	}
	w.key(name)
	w.b = append(w.b, digits...)
}

func (w *jsonWriter) bool(name string, v bool) {
	if w.odd&OddityStringBools != 0 {
		w.str(name, strconv.FormatBool(v))
		return
	}
	w.key(name)
	w.b = strconv.AppendBool(w.b, v)
}

// stringBool writes a boolean that the platform writes as a string.
func (w *jsonWriter) stringBool(name string, v bool) {
	if w.odd&OddityRealBools == 0 || w.odd&OddityStringBools != 0 {
		w.str(name, strconv.FormatBool(v))
		return
	}
	w.key(name)
	w.b = strconv.AppendBool(w.b, v)
}

func (w *jsonWriter) date(name string, seconds int64) {
	w.key(name)
	w.b = append(w.b, '"')
	w.b = appendDate(w.b, time.Unix(seconds, 0), w.odd)
	w.b = append(w.b, '"')
}

// observed writes the date of an observation, which the platform is known to write malformed.
func (w *jsonWriter) observed(name string, seconds int64) {
	if w.odd&OddityMalformedDates != 0 {
		w.str(name, formatDate(time.Unix(seconds, 0), OddityOffsetDates)+"Z")
		return
	}
	w.date(name, seconds)
}

// texts writes an array of strings.
func (w *jsonWriter) texts(name string, all []string) {
	w.key(name)
	w.openArray()
	for _, s := range all {
		w.sep()
		w.value(s)
	}
	w.closeArray()
}

// writeAll writes an array of objects.
func writeAll[T any](w *jsonWriter, name string, all []T, write func(T, *jsonWriter)) {
	w.key(name)
	w.openArray()
	for _, e := range all {
		w.open()
		write(e, w)
		w.close()
	}
	w.closeArray()
}

func formatDate(t time.Time, odd Oddity) string { return string(appendDate(nil, t, odd)) }

func appendDate(b []byte, t time.Time, odd Oddity) []byte {
	switch {
	case odd&OddityZonelessDates != 0:
		return t.UTC().AppendFormat(b, "2006-01-02T15:04:05")
	case odd&OddityOffsetDates != 0:
		return t.In(time.FixedZone("", -5*60*60)).AppendFormat(b, "2006-01-02T15:04:05-07:00")
	}
	return t.UTC().AppendFormat(b, time.RFC3339)
}

// parseDate parses the date formats that clients send: ISO 8601, with optional zone, seconds and
// time.
func parseDate(s string) (time.Time, bool) {
	for _, layout := range []string{
		time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02",
		"2006-1-2T15:04:05Z07:00", // documentation of creating an incident
	} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), hasYear(t)
		}
	}
	return time.Time{}, false
}

// hasYear reports whether the year has four digits, as in every response.
func hasYear(t time.Time) bool {
	year := t.UTC().Year()
	return 0 <= year && year <= 9999
}
