package threatconnect

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// copyOf returns what opts points to, or the zero value, so that what the caller does with it
// afterwards changes nothing.
func copyOf[T any](opts *T) T {
	if opts == nil {
		var zero T
		return zero
	}
	return *opts
}

// ownerQuery is the query of a call that takes nothing but an owner.
func ownerQuery(owner string) url.Values {
	if owner == "" {
		return nil
	}
	return url.Values{"owner": {owner}}
}

// anyKey stands for whatever key there is under data.
const anyKey = "*"

// one sends a call and reads the one thing that its answer holds.
func one[T any](ctx context.Context, c *Client, call *call, keys []string, read func(*wire.Reader) T) (T, error) {
	var v T
	call.must = true
	_, err := c.exchange(ctx, call, keys, func(r *wire.Reader) {
		// Some answers hold one thing as a list of one.
		n := 0
		for r.Array(); r.NextElem(); n++ {
			v = read(r)
		}
		if n != 1 {
			r.Fail("want one of them")
		}
	})
	if err != nil {
		var zero T
		return zero, err
	}
	return v, nil
}

// list sends a call and reads the page that its answer holds. Nothing found is an empty page,
// whichever way the platform says it.
func list[T any](ctx context.Context, c *Client, call *call, limit int, keys []string, read func(*wire.Reader) T) (*page[T], error) {
	p := &page[T]{Page: Page[T]{Items: []T{}, Total: -1}}
	env, err := c.exchange(ctx, call, keys, func(r *wire.Reader) {
		p.Items = p.Items[:0]
		for r.Array(); r.NextElem(); {
			p.Items = append(p.Items, read(r))
		}
	})
	if err != nil {
		// A collection cannot be missing: not found, as 404 or in a 200, is how some versions say that
		// it is empty. Below a resource it can also mean that the resource is not there, and stays an
		// error.
		if api, ok := errors.AsType[*APIError](err); ok && !strings.Contains(call.route.template, "{}") &&
			(api.StatusCode == http.StatusNotFound || api.StatusCode == http.StatusOK) &&
			slices.Contains(api.kinds, ErrNotFound) && api.Message != "" {
			p.Total = 0
			return p, nil
		}
		return nil, err
	}
	if !env.found {
		p.Items = p.Items[:0] // of an attempt before, whose answer broke off
	}
	p.print, p.Total = env.print, env.count
	if limit == 0 {
		limit = 100
	}
	p.More = len(p.Items) >= limit
	if p.Total >= 0 {
		start, _ := strconv.Atoi(call.query.Get("resultStart")) // written by this package, or absent
		p.More = len(p.Items) > 0 && int64(start) < p.Total-int64(len(p.Items))
	}
	return p, nil
}

// write sends a call that has no body and whose answer holds nothing but its success.
func (c *Client) write(ctx context.Context, method string, r route, owner string) error {
	_, err := c.exchange(ctx, &call{method: method, route: r, query: ownerQuery(owner)}, nil, nil)
	return err
}

// listAll reads a whole list that is short by nature, a page at a time.
func listAll[T any](ctx context.Context, c *Client, r route, owner string, keys []string, read func(*wire.Reader) T) ([]T, error) {
	return Collect(pages(ctx, ListOptions{}, func(ctx context.Context, start, limit int) (*page[T], error) {
		q := ownerQuery(owner)
		if q == nil {
			q = url.Values{}
		}
		if start > 0 {
			q.Set("resultStart", strconv.Itoa(start))
		}
		q.Set("resultLimit", strconv.Itoa(limit))
		return list(ctx, c, &call{method: http.MethodGet, route: r, query: q}, limit, keys, read)
	}))
}

// listOn reads all that hangs on something: what is the key of one of them, and its plural is where
// they are.
func listOn[T any](ctx context.Context, c *Client, t target, what string, read func(*wire.Reader) T) ([]T, error) {
	return listBelow(ctx, c, t, what+"s", []string{what}, read)
}

// listBelow reads all that there is below something. 404 means that nothing is on some versions of
// the platform, and that the thing itself is not there on all of them: a second request tells.
func listBelow[T any](ctx context.Context, c *Client, t target, branch string, keys []string, read func(*wire.Reader) T) ([]T, error) {
	items, err := listAll(ctx, c, t.route.under(branch), t.owner, keys, read)
	if err == nil || !errors.Is(err, ErrNotFound) {
		return items, err
	}
	_, missing := c.exchange(ctx, &call{method: http.MethodGet, route: t.route, query: ownerQuery(t.owner)}, nil, nil)
	switch {
	case missing == nil:
		return []T{}, nil
	case errors.Is(missing, ErrNotFound):
		return nil, err
	}
	return nil, missing
}

// written returns what w holds, or why a field of what cannot be written.
func written(w *wire.Writer, what string) ([]byte, error) {
	if err, ok := errors.AsType[*wire.Error](w.Err()); ok {
		return nil, &ValidationError{Field: what, Rule: "has a field that cannot be sent: " + err.What}
	}
	return w.Buf, nil
}

// pointer makes a reader of pointers out of a reader of values.
func pointer[T any](read func(*wire.Reader) T) func(*wire.Reader) *T {
	return func(r *wire.Reader) *T {
		v := read(r)
		return &v
	}
}
