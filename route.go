package threatconnect

import (
	"fmt"
	"html"
	"net/url"
	"strconv"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// value is a path segment from outside the package, which is escaped; see [at].
type value string

// id is a numeric path segment.
type id int64

// route is the path of a request below the base URL.
type route struct {
	path     string // escaped
	template string // the path with {} in place of every value, for errors and logs
	err      error
	hasID    bool   // whether the path ends with an ID
	id       int64  // last segment, if it is an ID
	value    string // last segment before escaping, if it is a value
}

// at returns the route of the parts. A string is one literal segment or more; a [value] or an [id] is one
// segment, which is escaped once. Empty values and the values "." and ".." are errors, because a server
// could drop or resolve the segment.
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
				r.err = &ValidationError{Field: "path value", Rule: "is empty", Fix: "pass the name, value or id of the resource"}
			case ".", "..":
				// A server or proxy that unescapes %2E would resolve the segment: the deletion of a tag of a
				// group would delete the group.
				r.err = &ValidationError{Field: "path value", Rule: "is a . or .., which a server can take for a step in the path", Fix: "find it in a list, and write it with a batch import"}
			}
			p.WriteString(PathSegment(string(part)))
			t.WriteString("{}")
		}
	}
	r.path, r.template = p.String(), t.String()
	return r
}

// isStep reports whether a path segment is "." or "..", escaped or not.
func isStep(segment string) bool {
	plain, err := url.PathUnescape(segment)
	return err == nil && (plain == "." || plain == "..")
}

// under returns the route of the parts below r.
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

// join returns the route of other below r. The path of an association contains both of its ends.
func (r route) join(other route) route {
	const version = "/v2"
	other.path = strings.TrimPrefix(other.path, version)
	other.template = strings.TrimPrefix(other.template, version)
	other.path, other.template = r.path+other.path, r.template+other.template
	if r.err != nil {
		other.err = r.err
	}
	return other
}

// PathSegment escapes value as one path segment for [Client.Do]. It escapes every byte except letters,
// digits, '-', '_', '~' and '.'. A value of dots only is escaped as well.
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

// unreserved reports whether c is an unreserved character of RFC 3986, section 2.3.
func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.' || c == '~'
}

// encodeQuery encodes a query with sorted keys, spaces as %20, and unescaped commas between filters.
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

// The item of a response must be the one that the route names: a faulty cache or proxy may have answered
// with another one, and the next call may delete it.

const (
	wrongID    = "its id is not the one that was asked for"
	wrongValue = "its value is not the one that was asked for"
)

// checkID fails r if its current object has a negative ID, or an ID that differs from the last segment of
// the route. Objects without an ID pass.
func (route *route) checkID(r *wire.Reader) {
	if r.Kind() != wire.Object {
		return
	}
	peek := *r
	e := wire.NewReader(peek.Raw())
	e.Charge(r)
	for e.Object(); e.NextKey(); {
		if string(e.Key()) != "id" {
			e.Skip()
		} else if got := e.Int64Ptr(); got != nil && !route.names(*got) {
			r.Fail(wrongID)
			return
		}
	}
}

// names reports whether id can be the ID in the last segment of the route.
func (route *route) names(id int64) bool { return id >= 0 && (!route.hasID || route.id == id) }

// errWrongID is the error of a response with an unexpected ID.
var errWrongID error = &formError{fmt.Errorf("%w: %s", ErrBadResponse, wrongID)}

// checkIndicator fails r if ind differs from the value in the last segment of the route. The platform can
// return a value with different case, spaces, escapes or notation, and further hashes of a file; these
// pass. Custom indicator types pass as well, because their notations are unknown.
func (route *route) checkIndicator(r *wire.Reader, ind Indicator) {
	def := indicatorDefOf(ind.Type())
	if route.value == "" || def == nil || def.ownBranch() {
		return
	}
	if f, ok := ind.(*File); ok {
		known := false
		for _, hash := range []string{f.MD5, f.SHA1, f.SHA256} {
			if sameText(hash, route.value) {
				return
			}
			known = known || len(hash) == len(route.value)
		}
		if known {
			r.Fail(wrongValue)
		}
		return
	}
	got := ind.Summary()
	if got == "" || sameText(got, route.value) {
		return
	}
	if got, err := def.pathValue(got); err == nil {
		asked, err := def.pathValue(route.value)
		if err != nil || sameText(got, asked) {
			return
		}
	}
	r.Fail(wrongValue)
}

// sameText reports whether two texts are equal except for case, white space, HTML and URL escapes, and a
// trailing slash.
func sameText(a, b string) bool { return strings.EqualFold(plainText(a), plainText(b)) }

func plainText(s string) string {
	s = html.UnescapeString(s)
	if unescaped, err := url.PathUnescape(s); err == nil {
		s = unescaped
	}
	return strings.TrimSuffix(strings.Join(strings.Fields(s), " "), "/")
}

// isPlaybook reports whether p can be the playbook in the last segment of the route, an ID or xid.
func (route *route) isPlaybook(p *Playbook) bool {
	asked, err := strconv.ParseInt(route.value, 10, 64)
	return p.ID == 0 || p.ID > 0 && (err != nil || p.ID == asked || p.GroupXID == route.value)
}
