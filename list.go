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

// ListOptions selects the part of a list to read. For nil and the zero value, All reads the whole list and
// List reads the first page.
type ListOptions struct {
	CallOptions
	// Start is the offset of the first item, from 0. Offsets change when the data changes. A field outside
	// its range returns a *ValidationError.
	Start int `url:"resultStart,omitempty"`
	// Limit is the number of items per page: 1 to 10,000, or 1 to 500 on old instances. 0 means 500. If
	// the platform does not send the size of the list, All sends one more request after a last page of
	// 100 items or more.
	Limit int `url:"resultLimit,omitempty"`
	// Ahead is the number of pages that All prefetches in parallel, 0 to 32. 0 means that a page is
	// requested when the loop reaches it. The first page is always requested alone, because it contains
	// the size of the list. If the platform does not send the size, up to Ahead surplus requests are
	// sent at the end. Memory grows by Ahead pages. A limiter applies to every request. List ignores
	// Ahead.
	Ahead int `url:"-"`
}

const (
	maxPageSize     = 10_000
	minPageCap      = 100 // the platform's default; no version limits pages to fewer items
	defaultPageSize = 500 // accepted by every version of the platform
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
	Total int64 // size of the whole list; -1 if unknown, as on all pages but the first
	More  bool  // whether further items may follow
}

// Collect returns all items of seq in a slice that is not nil. If seq yields an error, Collect returns nil
// and the error. Do not use it for long lists, because all items are in memory.
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

// fetchPage requests the page of at most limit items that begins at start. It must be safe for concurrent
// use.
type fetchPage[T any] func(ctx context.Context, start, limit int) (*page[T], error)

// page is a page with a fingerprint, which detects repeated pages.
type page[T any] struct {
	Page[T]
	print uint64
}

// onePage requests the page that o selects.
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

// lister reads one list of the platform.
type lister[T any] struct {
	client  *Client // with the options of the call
	options ListOptions
	route   route
	query   url.Values // without start and limit
	keys    []string   // possible keys of the items in the response
	read    func(*wire.Reader) T
	reader  func() func(*wire.Reader) T // if not nil, returns read for one page, because pages can be read concurrently
	err     error                       // invalid options
}

func (l lister[T]) list(ctx context.Context) (*Page[T], error) {
	return onePage(ctx, l.options, l.page)
}

func (l lister[T]) all(ctx context.Context) iter.Seq2[T, error] { return pages(ctx, l.options, l.page) }

func (l lister[T]) page(ctx context.Context, start, limit int) (*page[T], error) {
	if l.err != nil {
		return nil, l.err
	}
	read := l.read
	if l.reader != nil {
		read = l.reader()
	}
	call := &call{method: http.MethodGet, route: l.route, query: pageQuery(l.query, start, limit)}
	return list(ctx, l.client.with(l.options.CallOptions), call, limit, l.keys, read)
}

// pageQuery returns a copy of q that selects one page.
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

// pages returns an iterator over all items from o.Start. It requests a page when the loop reaches it, or up
// to o.Ahead pages earlier.
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

// walk is one loop over a list.
type walk[T any] struct {
	fetch fetchPage[T]
	yield func(T, error) bool
	from  int    // offset of the first page
	start int    // offset of the next page
	total int64  // size of the list; -1 if unknown
	last  uint64 // fingerprint of the page before
}

// next requests the next page and yields its items. It reports whether further items may follow.
func (w *walk[T]) next(ctx context.Context, limit int) bool {
	p, err := w.fetch(ctx, w.start, limit)
	return w.take(ctx, p, err, limit)
}

// take yields the items of the next page. It reports whether further items may follow.
func (w *walk[T]) take(ctx context.Context, p *page[T], err error, limit int) bool {
	if err == nil && len(p.Items) == 0 && w.expectsMore(p) {
		p, err = w.refetch(ctx, limit)
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
		total = -1 // the list has grown since
	}
	return morePages(len(p.Items), limit, begin, total)
}

// morePages reports whether items may follow a page of n items that was requested with start and limit. total
// is the size of the list, or -1 if unknown.
func morePages(n, limit, start int, total int64) bool {
	switch {
	case n == 0:
		return false
	case total >= 0:
		return int64(n) < total-int64(start)
	case n > limit && start == 0:
		return false // the platform does not page this list
	}
	return n >= min(limit, minPageCap)
}

// expectsMore reports whether further items follow by the latest known size of the list, in p or before.
func (w *walk[T]) expectsMore(p *page[T]) bool {
	total := p.Total
	if total < 0 {
		total = w.total
	}
	return int64(w.start) < total
}

// refetch is called for an empty page before the end of the list. It requests the page again, and returns an
// empty one if the list has become shorter by the size in its first page.
func (w *walk[T]) refetch(ctx context.Context, limit int) (*page[T], error) {
	const times = 3 // the list can change again meanwhile
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

// checkRepeated is called for a page that equals the one before. It returns an error unless the platform does
// not page the list. In that case the platform ignores the limit as well, and the first page was the whole
// list.
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

// ahead reads the list and prefetches up to most pages. It reports whether further items may follow, which
// the caller reads page by page.
//
// Prefetching assumes that every page has as many items as the first. If one does not, because the list has
// changed, the pages after it are dropped. When the loop ends for any reason, no goroutine is left. A panic
// in a request continues in the goroutine of the loop.
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
	size := len(p.Items)                  // less than limit if the platform allows less
	begin := w.start + size               // of the next page to request
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
