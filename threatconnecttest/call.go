package threatconnecttest

import (
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// call is one request while it is being answered. The server's lock is held.
type call struct {
	*world
	*settings
	req      *http.Request
	body     []byte
	now      time.Time
	path     string // escaped, with the base path
	rawQuery string
	route    *route // nil when no endpoint has this path
	params   params
	query    url.Values
	verified bool
	owner    *owner // that the call is about: its handler need not ask whether the API user may do this there
}

// seconds is the time of the call as it is stored.
func (c *call) seconds() int64 { return c.now.Unix() }

// flag reports whether a query parameter is true, in any case.
func (c *call) flag(name string) bool { return strings.EqualFold(c.query.Get(name), "true") }

// include is a set of what a read wants besides the object itself.
type include uint8

const (
	withAdditional include = 1 << iota
	withTags
	withAttributes
	withLabels
)

// includes reads includeAdditional, includeTags, includeAttributes and the includes parameter,
// which may be repeated and may hold commas.
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

const (
	defaultLimit = 100
	maxLimit     = 10_000
)

// window is the part of a list that a call asks for.
type window struct{ start, limit, seen int }

// window reads resultStart and resultLimit.
func (c *call) window() (*window, *answer) {
	w := &window{limit: defaultLimit}
	for name, to := range map[string]*int{"resultStart": &w.start, "resultLimit": &w.limit} {
		if !c.query.Has(name) {
			continue
		}
		n, err := strconv.Atoi(c.query.Get(name))
		if err != nil || n < 0 {
			return nil, fail(http.StatusBadRequest, msgPages)
		}
		*to = n
	}
	if w.limit > maxLimit || w.limit == 0 {
		return nil, fail(http.StatusBadRequest, msgPages)
	}
	return w, nil
}

// take counts an element of the list and reports whether it is in the window.
func (w *window) take() bool {
	i := w.seen
	w.seen++
	return i >= w.start && i-w.start < w.limit
}

// writer returns a writer of the server's shapes.
func (c *call) writer() *jsonWriter { return &jsonWriter{odd: c.oddities} }

// one answers a single object under a key.
func (c *call) one(status int, key string, write func(*jsonWriter)) *answer {
	w := c.writer()
	w.open()
	w.str("status", "Success")
	w.key("data")
	w.open()
	w.key(key)
	w.open()
	write(w)
	w.close()
	w.close()
	w.close()
	return jsonAnswer(status, w.b)
}

// page answers the part of a list that the call asks for. next must offer every element that
// matches and write those that it is told to.
func (c *call) page(key string, counted bool, offer func(take func() *jsonWriter)) *answer {
	win, bad := c.window()
	if bad != nil {
		return bad
	}
	items := c.writer()
	written := 0
	offer(func() *jsonWriter {
		if !win.take() {
			return nil
		}
		written++
		return items
	})
	if win.seen == 0 && c.odd(OddityEmptyAs404) {
		return fail(http.StatusNotFound, msgNotFound)
	}
	w := c.writer()
	w.b = make([]byte, 0, len(items.b)+len(key)+80)
	w.open()
	w.str("status", "Success")
	w.key("data")
	w.open()
	if counted && win.start == 0 && !c.odd(OddityMissingResultCount) {
		w.int("resultCount", int64(win.seen))
	}
	switch {
	case written == 0 && c.odd(OddityEmptyWithoutKey):
	case written == 1 && c.odd(OddityLoneObjects):
		w.key(key)
		w.b = append(w.b, items.b...)
	default:
		w.key(key)
		w.openArray()
		w.b = append(w.b, items.b...)
		w.closeArray()
	}
	w.close()
	w.close()
	return jsonAnswer(http.StatusOK, w.b)
}

// pageOf answers the part of a list that the call asks for.
func pageOf[T any](c *call, key string, all iter.Seq[T], write func(*jsonWriter, T)) *answer {
	return pageWith(c, key, true, all, write)
}

// uncounted is [pageOf] for the lists that never tell how long they are.
func uncounted[T any](c *call, key string, all iter.Seq[T], write func(*jsonWriter, T)) *answer {
	return pageWith(c, key, false, all, write)
}

func pageWith[T any](c *call, key string, counted bool, all iter.Seq[T], write func(*jsonWriter, T)) *answer {
	return c.page(key, counted, func(take func() *jsonWriter) {
		for e := range all {
			if w := take(); w != nil {
				w.open()
				write(w, e)
				w.close()
			}
		}
	})
}

// where iterates over the elements that fit.
func where[T any](all []T, fits func(T) bool) iter.Seq[T] {
	return func(yield func(T) bool) {
		for _, e := range all {
			if fits(e) && !yield(e) {
				return
			}
		}
	}
}

// id reads a path segment that must be an id; 0 is none.
func (c *call) id(name string) int64 {
	n, err := strconv.ParseInt(c.params.get(name), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// missing answers that something is not there.
func missing() *answer { return fail(http.StatusNotFound, msgNotFound) }

// remove returns s without the first e.
func remove[T comparable](s []T, e T) []T {
	if i := slices.Index(s, e); i >= 0 {
		return slices.Delete(s, i, i+1)
	}
	return s
}
