package threatconnecttest

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
)

// Handler answers a route in place of the server. next calls the server's own handler, with r or
// with another request.
//
// It runs after the signature was checked and without the server's lock, so that it may call the
// methods of [Server] and send requests. The body of r has been read and can be read again, and the
// segments in the braces of the pattern are r's path values. A panic with [http.ErrAbortHandler]
// resets the connection. In the process, a Handler runs in the goroutine of the client, which waits
// for it even if the request's context is done.
type Handler func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc)

// Handle answers a route with h: one of [Routes], as in "GET /v2/owners/{id}", or one that the
// server does not have, whose next answers that there is no such endpoint. A nil h gives the route
// back to the server.
//
// A pattern is a method and a path without the path of the base URL, in which a segment in braces
// matches any segment. Literal segments win over those in braces. Handle returns an error for
// anything else, and for another spelling of a route's pattern.
func (s *Server) Handle(pattern string, h Handler) error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("threatconnecttest: Handle: %q "+format, append([]any{pattern}, args...)...)
	}
	method, path, ok := strings.Cut(pattern, " ")
	if !ok || strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" || method == "" || !validPattern(path) {
		return fail(`is not a method and a path; write it as in "GET /v2/owners/{id}"`)
	}
	if strings.HasPrefix(path+"/", basePath+"/") {
		return fail("begins with the path of the base URL; leave out %s", basePath)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.router.alike(method, path); e != nil && !s.router.has(method, path) {
		return fail("is another spelling of a route that the server has; write it as %q", method+" "+e.pattern)
	}
	if h == nil {
		delete(s.handlers, pattern)
	} else {
		s.handlers[pattern] = h
	}
	table := allRoutes()
	for p := range s.handlers {
		if method, path, _ := strings.Cut(p, " "); !routes().has(method, path) {
			table = append(table, route{method: method, pattern: path, about: instance, handle: (*call).noEndpoint})
		}
	}
	s.router = newRouter(table)
	return nil
}

// validPattern reports whether a path is one that a pattern may have.
func validPattern(path string) bool {
	rest, ok := strings.CutPrefix(strings.TrimSuffix(path, "/"), "/")
	if !ok {
		return false
	}
	var names []string
	for segment := range strings.SplitSeq(rest, "/") {
		name := strings.TrimSuffix(strings.TrimPrefix(segment, "{"), "}")
		switch {
		case name == "" || strings.ContainsAny(name, "{}") || slices.Contains(names, name):
			return false
		case segment == name:
			if strings.ContainsAny(name, " ?#") {
				return false
			}
		case segment != "{"+name+"}":
			return false
		default:
			names = append(names, name)
		}
	}
	return true
}

// handlerOf is the user's handler of a call; nil when there is none.
func (s *Server) handlerOf(c *call) Handler {
	if len(s.handlers) == 0 || c.route == nil {
		return nil
	}
	return s.handlers[c.route.method+" "+c.route.pattern]
}

// runHandler answers a call with a user's handler. It gives the server's lock away meanwhile.
func (s *Server) runHandler(h Handler, c *call) (a *answer, err error) {
	s.mu.Unlock()
	defer s.mu.Lock()
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			err = errReset("read")
		default:
			panic(p)
		}
	}()
	r := c.req.Clone(c.req.Context())
	for _, p := range c.params {
		r.SetPathValue(p.name, p.value)
	}
	r.Body = io.NopCloser(bytes.NewReader(c.body))
	w := httptest.NewRecorder()
	h(w, r, s.next)
	return &answer{status: w.Code, header: w.Result().Header, body: w.Body.Bytes()}, nil
}

// next answers a request whose sender is known.
func (s *Server) next(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.newCall(r, body)
	a := c.parse(r.URL.RequestURI())
	if a == nil {
		a = c.answer()
	}
	a.distort(s.oddities)
	maps.Copy(w.Header(), a.header)
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
}
