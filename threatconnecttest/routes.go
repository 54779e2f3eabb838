package threatconnecttest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// route is an endpoint: a method, a pattern as in the documentation, and a handler.
type route struct {
	method  string
	pattern string
	about   subject
	handle  func(*call) *answer
	when    func(params) bool // distinguishes patterns of the same shape; may be nil
	odd     Oddity            // oddity that enables the route; 0 for most routes

	segments []string
}

// allRoutes returns every endpoint of the server. Each resource adds its own here.
func allRoutes() []route {
	return slices.Concat(
		aboutInstance(tokenRoutes()),
		aboutInstance(ownerRoutes()),
		indicatorRoutes(),
		indicatorExtraRoutes(),
		occurrenceRoutes(),
		groupRoutes(),
		typeRoutes(),
		batchRoutes(),
		bulkRoutes(),
		contentRoutes(),
		aboutInstance(dataStoreRoutes()),
		aboutInstance(logRoutes()),
		aboutInstance(playbookRoutes()),
		associationRoutes(),
		tagRoutes(),
		labelRoutes(),
		resolutionRoutes(),
		metadataRoutes("/v2/groups/{type}/{id}", (*call).group),
		metadataRoutes("/v2/indicators/{type}/{indicator}", (*call).indicator),
		taskRoutes(),
		victimRoutes(),
		assetRoutes(),
		aboutInstance(metricRoutes()),
		aboutInstance(notificationRoutes()),
	)
}

// Routes returns the endpoints of the server, each as method and pattern:
// "GET /v2/owners/{id}". One of them requires [OddityBareIndicatorLinks].
func Routes() []string {
	var all []string
	for _, r := range allRoutes() {
		all = append(all, r.method+" "+r.pattern)
	}
	return all
}

// with converts a handler of an item in the path to a handler of a call. If find returns nil, the
// response is that the item does not exist.
func with[T comparable](find func(*call) T, do func(*call, T) *answer) func(*call) *answer {
	return func(c *call) *answer {
		var none T
		found := find(c)
		if found == none {
			return missing()
		}
		return do(c, found)
	}
}

// withBody converts a handler that also takes the members of the body. It refuses a body that is
// not a JSON object.
func withBody[T any](do func(*call, T, fields) *answer) func(*call, T) *answer {
	return func(c *call, t T) *answer {
		return fromBody(func(c *call, f fields) *answer { return do(c, t, f) })(c)
	}
}

// fromBody is [withBody] for a handler that takes only the members of the body.
func fromBody(do func(*call, fields) *answer) func(*call) *answer {
	return func(c *call) *answer {
		f, ok := readFields(c.body)
		if !ok {
			return fail(http.StatusBadRequest, msgMalformed)
		}
		return do(c, f)
	}
}

// params are the path segments that a pattern names, in order, each decoded once.
type params []param

type param struct{ name, value string }

func (p params) get(name string) string {
	for _, e := range p {
		if e.name == name {
			return e.value
		}
	}
	return ""
}

// router finds the route of a path. It groups routes by the number of segments, with literal
// segments before named ones.
type router struct {
	byLength map[int][]*route
}

// routes returns the default router, which all servers share.
var routes = sync.OnceValue(func() *router { return newRouter(allRoutes()) })

func newRouter(table []route) *router {
	r := &router{byLength: map[int][]*route{}}
	for i := range table {
		e := &table[i]
		e.segments = strings.Split(strings.Trim(e.pattern, "/"), "/")
		r.byLength[len(e.segments)] = append(r.byLength[len(e.segments)], e)
	}
	for _, routes := range r.byLength {
		slices.SortStableFunc(routes, func(a, b *route) int { return compareSegments(a.segments, b.segments) })
	}
	return r
}

func compareSegments(a, b []string) int {
	for i := range a {
		an, bn := named(a[i]), named(b[i])
		switch {
		case an != bn && bn:
			return -1
		case an != bn:
			return 1
		}
	}
	return 0
}

func named(segment string) bool { return strings.HasPrefix(segment, "{") }

// find returns the route of a decoded path, or the methods that the path supports.
func (r *router) find(odd Oddity, method string, path []string) (found *route, p params, allowed []string) {
	for _, e := range r.byLength[len(path)] {
		p, ok := e.match(path)
		if !ok || odd&e.odd != e.odd {
			continue
		}
		if e.method == method {
			return e, p, nil
		}
		if !slices.Contains(allowed, e.method) {
			allowed = append(allowed, e.method)
		}
	}
	return nil, nil, allowed
}

// has reports whether an endpoint has the method and the pattern. Empty arguments match any.
func (r *router) has(method, pattern string) bool {
	for _, routes := range r.byLength {
		for _, e := range routes {
			if (method == "" || method == e.method) && (pattern == "" || pattern == e.pattern) {
				return true
			}
		}
	}
	return false
}

// alike returns the route with the method that has the same literal segments as the pattern, or
// nil.
func (r *router) alike(method, pattern string) *route {
	segments := strings.Split(strings.Trim(pattern, "/"), "/")
	same := func(a, b string) bool { return a == b || named(a) && named(b) }
	return first(r.byLength[len(segments)], func(e *route) bool {
		return e.method == method && slices.EqualFunc(e.segments, segments, same)
	})
}

func (e *route) match(path []string) (params, bool) {
	for i, s := range e.segments {
		if !named(s) && s != path[i] {
			return nil, false
		}
	}
	var p params
	for i, s := range e.segments {
		if named(s) {
			p = append(p, param{strings.Trim(s, "{}"), path[i]})
		}
	}
	return p, e.when == nil || e.when(p)
}

// target is a parsed request target.
type target struct {
	path     string   // escaped, with the base path
	rawQuery string   // as received
	rest     string   // the path below the base, escaped
	segments []string // segments of rest, each decoded once
	outside  bool     // whether the path is not below the base
	broken   bool     // whether an escape is malformed
}

// split parses a request target.
func (s *settings) split(raw string) (t target) {
	if i := strings.Index(raw, "://"); i >= 0 && raw[0] != '/' { // absolute form, as sent to a proxy
		_, raw, _ = strings.Cut(raw[i+3:], "/")
		raw = "/" + raw
	}
	t.path, t.rawQuery, _ = strings.Cut(raw, "?")
	rest, inside := strings.CutPrefix(t.path, basePath+"/")
	if t.outside = !inside; t.outside {
		return t
	}
	t.rest = strings.TrimSuffix(rest, "/")
	for segment := range strings.SplitSeq(t.rest, "/") {
		decoded, err := url.PathUnescape(segment)
		if err != nil {
			t.broken = true
			return t
		}
		t.segments = append(t.segments, decoded)
	}
	if len(t.segments) == 5 && t.segments[1] == "indicators" && t.segments[4] == "dnsResolution" { // TcEx uses this spelling
		t.segments[4] = "dnsResolutions"
	}
	return t
}

// patternOf returns the pattern of a target without checking credentials, or "" if none matches.
func (s *settings) patternOf(oddities Oddity, method, raw string) string {
	t := s.split(raw)
	if t.outside || t.broken {
		return ""
	}
	if e, _, _ := s.router.find(oddities, method, t.segments); e != nil {
		return e.pattern
	}
	return ""
}

// parse finds the route of a target and parses the query. It returns the responses that the
// platform's front end sends by itself.
func (c *call) parse(raw string) *answer {
	t := c.split(raw)
	c.path, c.rawQuery = t.path, t.rawQuery
	switch {
	case t.outside:
		return notAnAPI()
	case t.broken:
		return fail(http.StatusBadRequest, msgMalformed)
	}
	var allowed []string
	c.route, c.params, allowed = c.router.find(c.oddities, c.req.Method, t.segments)
	if c.route == nil && len(allowed) > 0 {
		a := text(http.StatusMethodNotAllowed, "No resource method found for "+c.req.Method+", return 405 with Allow header")
		a.header.Set("Allow", strings.Join(allowed, ", "))
		return a
	}
	if c.route == nil {
		return c.noEndpoint()
	}
	var err error
	if c.query, err = url.ParseQuery(t.rawQuery); err != nil {
		return fail(http.StatusBadRequest, msgMalformed)
	}
	return nil
}

// noEndpoint responds that no endpoint has the path.
func (c *call) noEndpoint() *answer {
	rest := strings.TrimSuffix(strings.TrimPrefix(c.path, basePath), "/")
	return text(http.StatusInternalServerError, "Could not find resource for relative : "+rest+" of full path: "+inProcessBase+rest)
}

// notAnAPI is the page of a web server for a path outside the API.
func notAnAPI() *answer {
	return &answer{
		status: http.StatusNotFound,
		header: http.Header{"Content-Type": {"text/html;charset=utf-8"}},
		body:   []byte("<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head><body><h1>Not Found</h1></body></html>\n"),
	}
}
