package threatconnect

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"sync"

	"github.com/threatconnect-go/threatconnect/internal/parallel"
	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// ListOptions selects the part of a list to read. Nil and the zero value select all of it for All and
// the first page for List.
type ListOptions struct {
	CallOptions
	// Start is the offset of the first item, from 0. Offsets move when the data changes.
	Start int `url:"resultStart,omitempty"`
	// Limit is the number of items per page: 1 to 10,000, on old instances to 500. 0 means 500. If the
	// platform does not send the size of a list, All does not take a page of 100 items or more for the
	// last and sends one more request.
	Limit int `url:"resultLimit,omitempty"`
	// Ahead is how many pages All asks for at the same time, while the items before them are used:
	// 0 to 32. 0 means that a page is asked for when it is needed. The first page always comes
	// alone, because it says how long the list is; where the platform does not say that, up to Ahead
	// requests too many are sent at the end. That many pages are in memory, beside the one that is
	// used; a limiter still counts every request. List takes no notice of it.
	Ahead int `url:"-"`
}

const (
	maxPageSize     = 10_000
	minPageCap      = 100 // the platform's default: no version cuts pages to fewer items than this
	defaultPageSize = 500 // every version of the platform accepts it
	maxAhead        = 32
)

func (o ListOptions) check() error {
	switch {
	case o.Start < 0:
		return &ValidationError{Field: "list start", Rule: "must be 0 or more"}
	case o.Limit < 0 || o.Limit > maxPageSize:
		return &ValidationError{Field: "list limit", Rule: "must be from 1 to 10,000, or 0 for the default"}
	case o.Ahead < 0 || o.Ahead > maxAhead:
		return &ValidationError{Field: "list ahead", Rule: "must be from 0 to 32"}
	}
	return nil
}

// Page is one page of a list.
type Page[T any] struct {
	Items []T   // never nil
	Total int64 // size of the whole list; -1 if unknown, as on every page but the first
	More  bool  // whether there may be items after these
}

// Collect reads a sequence to its end and returns its items, in a slice that is not nil. If the
// sequence yields an error, Collect returns nil and the error. The slice grows with the sequence: range
// over a list of unknown size instead.
func Collect[T any](seq iter.Seq2[T, error]) ([]T, error) {
	items := []T{}
	for item, err := range seq {
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

// fetchPage asks for the page that begins at start and holds at most limit items. With pages ahead
// it is called from several goroutines.
type fetchPage[T any] func(ctx context.Context, start, limit int) (*page[T], error)

// page is a page with what is needed to know whether another one follows.
type page[T any] struct {
	Page[T]
	print uint64 // fingerprint, by which a repeated page is recognized
}

// onePage fetches the page that o selects.
func onePage[T any](ctx context.Context, o ListOptions, fetch fetchPage[T]) (*Page[T], error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	p, err := fetch(ctx, o.Start, cmp.Or(o.Limit, defaultPageSize))
	if err != nil {
		return nil, err
	}
	return &p.Page, nil
}

// lister reads a list of the platform: one page of it, or all.
type lister[T any] struct {
	client  *Client // with the options of the call
	options ListOptions
	route   route
	query   url.Values // without start and limit
	keys    []string   // under which the items can be
	read    func(*wire.Reader) T
	err     error // why the list cannot be read
}

func (l lister[T]) list(ctx context.Context) (*Page[T], error) {
	return onePage(ctx, l.options, l.page)
}

func (l lister[T]) all(ctx context.Context) iter.Seq2[T, error] { return pages(ctx, l.options, l.page) }

func (l lister[T]) page(ctx context.Context, start, limit int) (*page[T], error) {
	if l.err != nil {
		return nil, l.err
	}
	call := &call{method: http.MethodGet, route: l.route, query: pageQuery(l.query, start, limit)}
	return list(ctx, l.client.with(l.options.CallOptions), call, limit, l.keys, l.read)
}

// pageQuery returns a copy of the query of a list that selects one page.
func pageQuery(q url.Values, start, limit int) url.Values {
	q = maps.Clone(q)
	if q == nil {
		q = make(url.Values, 2)
	}
	q.Del("resultStart")
	if start > 0 {
		q.Set("resultStart", strconv.Itoa(start))
	}
	q.Set("resultLimit", strconv.Itoa(limit))
	return q
}

// pages iterates over all items from o.Start on. It asks for nothing before it is ranged over, and
// for a page only when the items before it were taken, or o.Ahead pages sooner. It can be ranged
// over any number of times.
func pages[T any](ctx context.Context, o ListOptions, fetch fetchPage[T]) iter.Seq2[T, error] {
	o.Limit = cmp.Or(o.Limit, defaultPageSize)
	return func(yield func(T, error) bool) {
		err := checkContext(ctx)
		if err == nil {
			err = o.check()
		}
		if err != nil {
			var zero T
			yield(zero, err)
			return
		}
		w := walk[T]{fetch: fetch, yield: yield, from: o.Start, start: o.Start, total: -1}
		if o.Ahead > 0 && !w.ahead(ctx, o.Ahead, o.Limit) {
			return
		}
		for w.next(ctx, o.Limit) {
		}
	}
}

// walk is a list that is being ranged over.
type walk[T any] struct {
	fetch fetchPage[T]
	yield func(T, error) bool
	from  int    // where the list begins
	start int    // where the next page begins
	total int64  // size of the list; -1 when it is not known
	last  uint64 // fingerprint of the page before
}

// next asks for the next page and yields its items. It reports whether the list goes on.
func (w *walk[T]) next(ctx context.Context, limit int) bool {
	p, err := w.fetch(ctx, w.start, limit)
	return w.take(ctx, p, err, limit)
}

// take yields the items of the next page. It reports whether the list goes on.
func (w *walk[T]) take(ctx context.Context, p *page[T], err error, limit int) bool {
	if err == nil && len(p.Items) == 0 && w.expectsMore(p) {
		p, err = w.askAgain(ctx, limit)
	}
	if err == nil && len(p.Items) > 0 && w.start > w.from && p.print == w.last {
		if err = w.checkRepeated(ctx, p); err == nil {
			return false
		}
	}
	if err != nil {
		var zero T
		w.yield(zero, err)
		return false
	}
	for _, item := range p.Items {
		if !w.yield(item, nil) {
			return false
		}
	}
	begin := w.start
	w.start += len(p.Items)
	w.total, w.last = max(w.total, p.Total), p.print
	total := w.total
	if int64(w.start) > total {
		total = -1 // the list has outgrown it
	}
	return goesOn(len(p.Items), limit, begin, total)
}

// goesOn reports whether there can be items after a page of n, which was asked for with a limit and
// begins at start. total is the size of the list, or -1 when it is not known.
func goesOn(n, limit, start int, total int64) bool {
	switch {
	case n == 0:
		return false
	case total >= 0:
		return int64(n) < total-int64(start)
	case n > limit && start == 0:
		return false // the platform does not page this list: this is all of it
	}
	return n >= min(limit, minPageCap)
}

// expectsMore reports whether the list goes on by the size that the platform named last, in p or
// before.
func (w *walk[T]) expectsMore(p *page[T]) bool {
	total := p.Total
	if total < 0 {
		total = w.total
	}
	return int64(w.start) < total
}

// askAgain is called for an empty page before the end of the list. It returns the page that is there
// by now, or an empty one when the list has become shorter, as its first page then says.
func (w *walk[T]) askAgain(ctx context.Context, limit int) (*page[T], error) {
	const times = 3 // somebody may add and delete items all the while
	for range times {
		p, err := w.fetch(ctx, 0, 1)
		if err != nil {
			return nil, err
		}
		if 0 <= p.Total && p.Total <= int64(w.start) {
			p.Items = nil
			return p, nil
		}
		if p, err = w.fetch(ctx, w.start, limit); err != nil || len(p.Items) > 0 {
			return p, err
		}
	}
	return nil, errShortList
}

// checkRepeated is called for a page that is the same as the one before it. It returns an error
// unless the list is one that the platform does not page: then it ignores the limit too, and its
// first page was all of it.
func (w *walk[T]) checkRepeated(ctx context.Context, p *page[T]) error {
	n := len(p.Items)
	if w.total >= 0 || p.Total >= 0 || w.start-w.from != n || n == 1 {
		return errRepeatedPage
	}
	again, err := w.fetch(ctx, w.from, n-1)
	if err == nil && len(again.Items) != n {
		err = errRepeatedPage
	}
	return err
}

var (
	errRepeatedPage = fmt.Errorf("%w: the platform sent the same page twice in a row, so that the end of the list cannot be found", ErrBadResponse)
	errShortList    = fmt.Errorf("%w: the platform sent an empty page, but by its resultCount the list goes on", ErrBadResponse)
)

// ahead reads the list with up to most pages requested beyond the page whose items the loop uses. It
// reports whether the list goes on; from there on pages are read one by one.
//
// Prefetching assumes that every page has as many items as the first. When one does not, because the
// list shrinks or grows meanwhile, the pages after it are dropped. When the loop ends, in whatever way,
// no goroutine is left. A panic of a request continues in the goroutine of the loop.
func (w *walk[T]) ahead(ctx context.Context, most, limit int) bool {
	p, err := w.fetch(ctx, w.start, limit)
	if err != nil || len(p.Items) == 0 || len(p.Items) > limit || len(p.Items) < limit && p.Total < 0 {
		return w.take(ctx, p, err, limit)
	}
	w.total = p.Total
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer func() {
		cancel()
		running.Wait()
	}()
	type answer struct {
		page *page[T]
		err  error
	}
	size := len(p.Items)                  // less than limit where the platform allows less
	begin := w.start + size               // of the next page that is requested
	var coming []*parallel.Future[answer] // in the order of the list
	for {
		if err == nil && len(p.Items) == size {
			for ; len(coming) < most && (w.total < 0 || int64(begin) < w.total); begin += size {
				at := begin
				coming = append(coming, parallel.Go(&running, func() answer {
					p, err := w.fetch(ctx, at, size)
					return answer{p, err}
				}))
			}
		}
		due := w.start + size
		if !w.take(ctx, p, err, size) {
			return false
		}
		if len(coming) == 0 || w.start != due {
			return true
		}
		a := coming[0].Wait()
		coming, p, err = coming[1:], a.page, a.err
	}
}
