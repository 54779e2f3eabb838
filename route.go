package threatconnect

import (
	"fmt"
	"html"
	"net/url"
	"strconv"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/wire"
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

// join returns the route of other's place below r: associations name both ends in one path.
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

// What an answer holds must be what the route names: the next call may delete it, and a confused cache or
// proxy may have answered with another thing.

const (
	wrongID    = "its id is not the one that was asked for"
	wrongValue = "its value is not the one that was asked for"
)

// checkID fails r if the object that it is at has an id below 0, or another one than the route ends with. An
// object without an id passes, and so does the 0 that the organization of the API user has: no call can name
// it.
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

// names reports whether a thing with an id can be the one that the route ends with.
func (route *route) names(id int64) bool { return id >= 0 && (!route.hasID || route.id == id) }

// errWrongID is an answer with the id of another thing.
var errWrongID error = &formError{fmt.Errorf("%w: %s", ErrBadResponse, wrongID)}

// checkIndicator fails r if an indicator that it has read is another one than the route ends with.
// The platform can write a value in another case, with other spaces or escapes and in another form of its type, and
// can know other hashes of a file: these pass. So do types of the instance's own, whose forms are not known.
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

// sameText reports whether two texts are the same but for case, white space, escapes of HTML and URLs, and a
// slash at the end.
func sameText(a, b string) bool { return strings.EqualFold(plainText(a), plainText(b)) }

func plainText(s string) string {
	s = html.UnescapeString(s)
	if unescaped, err := url.PathUnescape(s); err == nil {
		s = unescaped
	}
	return strings.TrimSuffix(strings.Join(strings.Fields(s), " "), "/")
}

// isPlaybook reports whether a playbook can be the one that a route names by its id or xid.
func (route *route) isPlaybook(p *Playbook) bool {
	asked, err := strconv.ParseInt(route.value, 10, 64)
	return p.ID == 0 || p.ID > 0 && (err != nil || p.ID == asked || p.GroupXID == route.value)
}
