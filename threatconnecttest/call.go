package threatconnecttest

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// call is a request being processed. The server's lock is held.
type call struct {
	*world
	*settings
	req      *http.Request
	body     []byte
	now      time.Time
	path     string // escaped, with the base path
	rawQuery string
	route    *route // nil if no endpoint has this path
	params   params
	query    url.Values
	verified bool
	owner    *owner   // subject of the call; the API user's permission for it has been checked
	refusal  *Refusal // nil if verified or not checked
}

// seconds returns the time of the call in the stored form.
func (c *call) seconds() int64 { return c.now.Unix() }

// flag reports whether a query parameter is true, ignoring case.
func (c *call) flag(name string) bool { return strings.EqualFold(c.query.Get(name), "true") }

// include is a set of additional parts that a read requests.
type include uint8

const (
	withAdditional include = 1 << iota
	withTags
	withAttributes
	withLabels
)

// includes parses includeAdditional, includeTags, includeAttributes and the includes parameter,
// which can be repeated and can contain commas.
func (c *call) includes() include {
	var set include
	if c.flag("includeAdditional") {
		set |= withAdditional
	}
	if c.flag("includeTags") {
		set |= withTags
	}
	if c.flag("includeAttributes") {
		set |= withAttributes
	}
	for _, v := range c.query["includes"] {
		for name := range strings.SplitSeq(v, ",") {
			switch name {
			case "additional":
				set |= withAdditional
			case "tags":
				set |= withTags
			case "attributes":
				set |= withAttributes
			case "labels":
				set |= withLabels
			}
		}
	}
	return set
}

// writer returns a writer for the enabled oddities.
func (c *call) writer() *jsonWriter { return &jsonWriter{odd: c.oddities} }

// data responds with members in the platform's envelope.
func (c *call) data(status int, write func(*jsonWriter)) *answer {
	w := c.writer()
	w.open()
	w.str("status", "Success")
	w.object("data", write)
	w.close()
	return jsonAnswer(status, w.b)
}

// one responds with a single object under a key.
func (c *call) one(status int, key string, write func(*jsonWriter)) *answer {
	return c.data(status, func(w *jsonWriter) { w.object(key, write) })
}

// id parses a path segment as an ID. It returns 0 if the segment is not an ID.
func (c *call) id(name string) int64 {
	n, err := strconv.ParseInt(c.params.get(name), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// missing responds that the item does not exist.
func missing() *answer { return fail(http.StatusNotFound, msgNotFound) }
