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

// Handler responds to a route instead of the server. next is the server's own handler and accepts r
// or another request.
//
// The server verifies the signature first, and calls the Handler without holding its lock. A
// Handler may therefore call methods of [Server] and send requests. The body of r can be read,
// although the server has read it before. The path values of r are the segments that match the
// braces of the pattern. A panic with [http.ErrAbortHandler] resets the connection. In process, a
// Handler runs in the client's goroutine, and the client waits for it even after the request's
// context is done.
type Handler func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc)

// Handle registers h for a pattern: one of [Routes], such as "GET /v2/owners/{id}", or a new route.
// For a new route, the next argument of h responds that the endpoint does not exist. A nil h
// restores the server's own handler.
//
// A pattern is a method and a path relative to the base URL. A segment in braces matches any
// segment, but literal segments take precedence. Handle returns an error if the pattern is
// malformed or if an existing route has the same pattern in another spelling.
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

// validPattern reports whether a path is valid in a pattern.
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

// handlerOf returns the registered handler for a call, or nil.
func (s *Server) handlerOf(c *call) Handler {
	if len(s.handlers) == 0 || c.route == nil {
		return nil
	}
	return s.handlers[c.route.method+" "+c.route.pattern]
}

// runHandler responds to a call with a registered handler and releases the server's lock meanwhile.
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

// next responds to a request whose credentials have been verified.
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
	a.applyOddities(s.oddities)
	maps.Copy(w.Header(), a.header)
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
}
