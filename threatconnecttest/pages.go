package threatconnecttest

import (
	"iter"
	"net/http"
	"slices"
	"strconv"
)

const (
	defaultLimit = 100
	maxLimit     = 10_000
)

// window parses resultStart and resultLimit, which select a part of a list.
func (c *call) window() (start, limit int, bad *answer) {
	limit = defaultLimit
	for name, to := range map[string]*int{"resultStart": &start, "resultLimit": &limit} {
		if !c.query.Has(name) {
			continue
		}
		n, err := strconv.Atoi(c.query.Get(name))
		if err != nil || n < 0 {
			return 0, 0, fail(http.StatusBadRequest, msgPages)
		}
		*to = n
	}
	if limit > maxLimit || limit == 0 {
		return 0, 0, fail(http.StatusBadRequest, msgPages)
	}
	return start, limit, nil
}

// pageOf responds with the requested part of a list. The first page includes the number of
// elements.
func pageOf[T any](c *call, key string, all iter.Seq[T], write func(T, *jsonWriter)) *answer {
	return page(c, key, true, all, write)
}

// uncounted is [pageOf] for lists that never include the number of elements.
func uncounted[T any](c *call, key string, all iter.Seq[T], write func(T, *jsonWriter)) *answer {
	return page(c, key, false, all, write)
}

func page[T any](c *call, key string, counted bool, all iter.Seq[T], write func(T, *jsonWriter)) *answer {
	start, limit, bad := c.window()
	if bad != nil {
		return bad
	}
	counted = counted && start == 0 && !c.odd(OddityMissingResultCount)
	items := c.writer()
	seen, written := 0, 0
	for e := range all {
		if written == limit && !counted {
			break
		}
		seen++
		if seen > start && written < limit {
			written++
			items.open()
			write(e, items)
			items.close()
		}
	}
	if seen == 0 && c.odd(OddityEmptyAs404) {
		return missing()
	}
	return c.data(http.StatusOK, func(w *jsonWriter) {
		w.b = slices.Grow(w.b, len(items.b)+len(key)+80)
		if counted {
			w.int("resultCount", int64(seen))
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
	})
}
