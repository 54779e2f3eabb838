package threatconnect

import (
	"net/url"
	"strconv"
	"strings"
)

// value is a part of a path that came from outside and is escaped; see [at].
type value string

// id is a number in a path.
type id int64

// route is the path of a request below the base URL, escaped, and the template that stands for it
// in errors and logs.
type route struct {
	path     string
	template string
	err      error
	hasID    bool   // whether the path ends with an id
	id       int64  // that the path ends with
	value    string // that the path ends with, before it is escaped; empty for none
}

// at builds a route. A string is a literal segment or several; a [value] or an [id] is one segment,
// escaped exactly once. An empty value is an error, because the segment would vanish, and so is one
// that is a step.
func at(parts ...any) route {
	var r route
	var p, t strings.Builder
	for _, part := range parts {
		p.WriteByte('/')
		t.WriteByte('/')
		r.hasID, r.value = false, ""
		switch part := part.(type) {
		case string:
			p.WriteString(part)
			t.WriteString(part)
		case id:
			p.WriteString(strconv.FormatInt(int64(part), 10))
			t.WriteString("{}")
			r.hasID, r.id = true, int64(part)
		case value:
			r.value = string(part)
			switch part {
			case "":
				r.err = &ValidationError{Field: "path value", Rule: "is empty", Fix: "give the name, value or id of what the call is about"}
			case ".", "..":
				// A server or proxy that takes %2E for a dot would step up: what was to be the deletion of a
				// tag would be that of the group.
				r.err = &ValidationError{Field: "path value", Rule: "is a . or .., which a server can take for a step in the path", Fix: "find it in a list, and write it with a batch import"}
			}
			p.WriteString(PathSegment(string(part)))
			t.WriteString("{}")
		}
	}
	r.path, r.template = p.String(), t.String()
	return r
}

// isStep reports whether a segment of a path is a step, also when it is escaped.
func isStep(segment string) bool {
	plain, err := url.PathUnescape(segment)
	return err == nil && (plain == "." || plain == "..")
}

// under returns the route of something below r.
func (r route) under(parts ...any) route {
	below := at(parts...)
	err := r.err
	if err == nil {
		err = below.err
	}
	return route{
		path:     r.path + below.path,
		template: r.template + below.template,
		err:      err,
		hasID:    below.hasID,
		id:       below.id,
		value:    below.value,
	}
}

// PathSegment escapes value so that it is one segment of a path, whatever is in it: every byte but
// letters, digits, '-', '_', '~' and '.', and also the dots when there is nothing else. It is what
// the paths given to [Client.Do] need.
func PathSegment(value string) string {
	const hex = "0123456789ABCDEF"
	dots := strings.Trim(value, ".") == ""
	n := 0
	for i := range len(value) {
		if !unreserved(value[i]) || dots {
			n++
		}
	}
	if n == 0 {
		return value
	}
	b := make([]byte, 0, len(value)+2*n)
	for i := range len(value) {
		if c := value[i]; unreserved(c) && !dots {
			b = append(b, c)
		} else {
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(b)
}

// unreserved reports whether c needs no escaping anywhere in a URL (RFC 3986, section 2.3).
func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.' || c == '~'
}

// encodeQuery writes a query with its keys in order, a space as %20, and the commas between
// filters bare.
func encodeQuery(q url.Values) string {
	if len(q) == 0 {
		return ""
	}
	s := strings.ReplaceAll(q.Encode(), "+", "%20")
	if !q.Has(filtersKey) {
		return s
	}
	parts := strings.Split(s, "&")
	for i, p := range parts {
		if strings.HasPrefix(p, filtersKey+"=") {
			parts[i] = strings.ReplaceAll(p, "%2C", ",")
		}
	}
	return strings.Join(parts, "&")
}
