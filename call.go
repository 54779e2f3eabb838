package threatconnect

import (
	"context"
	"errors"
	"hash/maphash"
	"iter"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"

	"github.com/google/go-querystring/query"

	"github.com/threatconnect-go/threatconnect/internal/sentence"
	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// copyOf returns a copy of opts, or the zero value if opts is nil. It also copies slices and pointers to
// numbers, strings and booleans, so later changes by the caller have no effect.
func copyOf[T any](opts *T) T {
	if opts == nil {
		var zero T
		return zero
	}
	o := *opts
	if v := reflect.ValueOf(&o).Elem(); v.Kind() == reflect.Struct {
		copyFields(v)
	}
	return o
}

func copyFields(v reflect.Value) {
	for i := range v.NumField() {
		switch f := v.Field(i); {
		case !f.CanSet() || f.IsZero():
		case f.Type() == reflect.TypeFor[CallOptions]():
			f.Set(reflect.ValueOf(f.Interface().(CallOptions).clone()))
		case f.Kind() == reflect.Struct:
			copyFields(f)
		case f.Kind() == reflect.Slice:
			c := reflect.MakeSlice(f.Type(), f.Len(), f.Len())
			reflect.Copy(c, f)
			f.Set(c)
		case f.Kind() == reflect.Pointer && f.Elem().Comparable() && f.Elem().Kind() != reflect.Struct:
			p := reflect.New(f.Type().Elem())
			p.Elem().Set(f.Elem())
			f.Set(p)
		}
	}
}

// ownerQuery returns a query with an owner only.
func ownerQuery(owner string) url.Values {
	if owner == "" {
		return nil
	}
	return url.Values{"owner": {owner}}
}

// optionQuery returns the query for options and an owner.
func optionQuery(opts any, owner string) (url.Values, error) {
	q, err := query.Values(opts)
	if err == nil && owner != "" {
		q.Set("owner", owner)
	}
	return q, err
}

// deferred returns an iterator that calls build when the loop begins, because build can send requests.
func deferred[T any](build func() iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) { build()(yield) }
}

// failing returns an iterator that yields only err.
func failing[T any](err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		yield(zero, err)
	}
}

// anyKey matches every key in data.
const anyKey = "*"

// one sends a call and reads the single item of its response. The item must match the last segment of the
// route.
func one[T any](ctx context.Context, c *Client, call *call, keys []string, read func(*wire.Reader) T) (T, error) {
	var v T
	call.requireItem = true
	_, err := c.exchange(ctx, call, keys, func(r *wire.Reader) {
		// Some responses contain the item in a list.
		n := 0
		v = *new(T)
		for r.Array(); r.NextElem(); n++ {
			call.route.checkID(r)
			v = read(r)
			if ind, ok := any(v).(Indicator); ok {
				call.route.checkIndicator(r, ind)
			}
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

// create posts the body of an object to a collection in the client's owner and returns the object as the platform
// stored it. It returns an error if of, the owner that the object was read from, is another one.
func create[T any](ctx context.Context, c *Client, collection route, of Owner, body []byte, keys []string, read func(*wire.Reader) T) (T, error) {
	owner := c.Owner()
	if of.Name != "" && of.Name != owner {
		var zero T
		return zero, &ValidationError{
			Field: "owner",
			Rule:  "is not the client's owner, in which things are created",
			Fix:   "create it with client.InOwner, or clear its Owner to create it in the client's owner",
		}
	}
	return one(ctx, c, &call{method: http.MethodPost, route: collection, query: ownerQuery(owner), body: jsonBody(body)}, keys, read)
}

// list sends a call and reads the page of its response. The platform's message for an empty list returns an
// empty page, except below a resource, where it can also mean that the resource does not exist.
func list[T any](ctx context.Context, c *Client, call *call, limit int, keys []string, read func(*wire.Reader) T) (*page[T], error) {
	p := &page[T]{Page: Page[T]{Items: []T{}, Total: -1}}
	start, _ := strconv.Atoi(call.query.Get("resultStart")) // set by this package, or absent
	size := sizeOf[T]()
	env, err := c.exchange(ctx, call, keys, func(r *wire.Reader) {
		p.Items = []T{}
		whole := *r
		for r.Array(); r.NextElem(); {
			if len(p.Items) == 0 {
				first := *r
				p.print = c.fingerprint(first.Raw(), &whole)
			}
			r.Spend(size)
			p.Items = append(p.Items, read(r))
		}
	})
	if isEmptyList(err, start) && !strings.Contains(call.route.template, "{}") {
		p.Items, p.Total = p.Items[:0], 0
		return p, nil
	}
	if err != nil {
		return nil, err
	}
	if !env.found {
		p.Items = p.Items[:0] // drop items of a truncated response before
	}
	if limit == 0 {
		limit = minPageCap
	}
	p.Total = env.count
	p.More = morePages(len(p.Items), limit, start, p.Total)
	return p, nil
}

// isEmptyList reports whether err is the message for an empty list of some versions of the platform, with
// status 404 or 200. It is valid for the first page only.
func isEmptyList(err error, start int) bool {
	api, ok := err.(*APIError)
	return ok && api.Message == sentence.NotFound && start == 0 && (api.StatusCode == http.StatusNotFound || api.StatusCode == http.StatusOK)
}

// fingerprint returns a hash that distinguishes pages. It depends on the ID of the first item only, because
// other members of an item can differ between responses. If items have no ID, it depends on all items.
func (c *Client) fingerprint(first []byte, whole *wire.Reader) uint64 {
	r := wire.NewReader(first)
	if r.Kind() == wire.Object {
		for r.Object(); r.NextKey(); {
			isID := string(r.Key()) == "id" && (r.Kind() == wire.Number || r.Kind() == wire.String)
			if raw := r.Raw(); isID {
				return maphash.Bytes(c.seed, raw)
			}
		}
	}
	return maphash.Bytes(c.seed, whole.Raw())
}

// remove sends a DELETE without a body whose response has only a status.
func (c *Client) remove(ctx context.Context, r route, owner string) error {
	_, err := c.exchange(ctx, &call{method: http.MethodDelete, route: r, query: ownerQuery(owner)}, nil, nil)
	return err
}

// listOn reads everything of one sort that is attached to t. what is the key of one item and, in the plural,
// the last segment of the path.
func listOn[T any](ctx context.Context, c *Client, t target, what string, read func(*wire.Reader) T) ([]T, error) {
	return listBelow(ctx, c, t, what+"s", []string{what}, read)
}

// listBelow reads all items of a list below t.
func listBelow[T any](ctx context.Context, c *Client, t target, branch string, keys []string, read func(*wire.Reader) T) ([]T, error) {
	return Collect(related(ctx, c, t, ListOptions{}, t.route.under(branch), keys, read))
}

// written returns the contents of w, or the error of a field of what that cannot be written.
func written(w *wire.Writer, what string) ([]byte, error) {
	if err, ok := errors.AsType[*wire.Error](w.Err()); ok {
		return nil, &ValidationError{Field: what, Rule: "has a field that cannot be sent: " + err.What}
	}
	return w.Buf, nil
}
