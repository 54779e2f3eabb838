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

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// copyOf returns a copy of opts, or the zero value when it is nil. Its slices and its pointers to
// numbers, texts and booleans are copied too, so that later changes by the caller have no effect.
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

// ownerQuery is the query of a call that takes nothing but an owner.
func ownerQuery(owner string) url.Values {
	if owner == "" {
		return nil
	}
	return url.Values{"owner": {owner}}
}

// optionQuery turns the options of a call into a query for an owner.
func optionQuery(opts any, owner string) (url.Values, error) {
	q, err := query.Values(opts)
	if err == nil && owner != "" {
		q.Set("owner", owner)
	}
	return q, err
}

// deferred returns a sequence that is built when it is ranged over, because building it can send
// requests.
func deferred[T any](build func() iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) { build()(yield) }
}

// failing returns a sequence of nothing but an error.
func failing[T any](err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		yield(zero, err)
	}
}

// anyKey stands for whatever key there is under data.
const anyKey = "*"

// one sends a call and reads the one thing that its answer holds. It must be the one that the route ends
// with.
func one[T any](ctx context.Context, c *Client, call *call, keys []string, read func(*wire.Reader) T) (T, error) {
	var v T
	call.requireItem = true
	_, err := c.exchange(ctx, call, keys, func(r *wire.Reader) {
		// Some answers hold one thing as a list of one.
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

// list sends a call and reads the page that its answer holds. The platform's own word that nothing is
// there is an empty page, except below a resource, where it can also mean that the resource is not
// there.
func list[T any](ctx context.Context, c *Client, call *call, limit int, keys []string, read func(*wire.Reader) T) (*page[T], error) {
	p := &page[T]{Page: Page[T]{Items: []T{}, Total: -1}}
	start, _ := strconv.Atoi(call.query.Get("resultStart")) // written by this package, or absent
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
	if nothingThere(err, start) && !strings.Contains(call.route.template, "{}") {
		p.Items, p.Total = p.Items[:0], 0
		return p, nil
	}
	if err != nil {
		return nil, err
	}
	if !env.found {
		p.Items = p.Items[:0] // of an attempt before, whose answer broke off
	}
	if limit == 0 {
		limit = minPageCap
	}
	p.Total = env.count
	p.More = goesOn(len(p.Items), limit, start, p.Total)
	return p, nil
}

// nothingThere reports whether err is how some versions of the platform say that a list is empty: 404
// or a failure in the platform's own form and words. It can be believed of the first page only.
func nothingThere(err error, start int) bool {
	api, ok := err.(*APIError)
	return ok && api.Message == sentenceNotFound && start == 0 && (api.StatusCode == http.StatusNotFound || api.StatusCode == http.StatusOK)
}

// fingerprint tells a page from others: by the id of its first item, because the rest of the same
// item can differ from one answer to the next, or by the whole list where items have no id.
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

// write sends a call that has no body and whose answer holds nothing but its success.
func (c *Client) write(ctx context.Context, method string, r route, owner string) error {
	_, err := c.exchange(ctx, &call{method: method, route: r, query: ownerQuery(owner)}, nil, nil)
	return err
}

// listOn reads all that hangs on something: what is the key of one of them, and its plural is where
// they are.
func listOn[T any](ctx context.Context, c *Client, t target, what string, read func(*wire.Reader) T) ([]T, error) {
	return listBelow(ctx, c, t, what+"s", []string{what}, read)
}

// listBelow reads all that there is below something.
func listBelow[T any](ctx context.Context, c *Client, t target, branch string, keys []string, read func(*wire.Reader) T) ([]T, error) {
	return Collect(related(ctx, c, t, ListOptions{}, t.route.under(branch), keys, read))
}

// written returns what w holds, or why a field of what cannot be written.
func written(w *wire.Writer, what string) ([]byte, error) {
	if err, ok := errors.AsType[*wire.Error](w.Err()); ok {
		return nil, &ValidationError{Field: what, Rule: "has a field that cannot be sent: " + err.What}
	}
	return w.Buf, nil
}
