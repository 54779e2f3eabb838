package threatconnect

import (
	"fmt"
	"html"
	"net/url"
	"strconv"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

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
