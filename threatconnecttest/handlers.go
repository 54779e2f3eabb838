package threatconnecttest

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
)

// Handler answers a route in place of the server. next is the server's own answer to a request,
// which may be another one than r.
//
// It runs after the signature was checked and without the server's lock, so that it may call the
// methods of [Server]. The body of r has been read and can be read again. A panic with
// [http.ErrAbortHandler] resets the connection.
type Handler func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc)

// Handle answers a route with h: one of [Routes], as in "GET /v2/owners/{id}", or one that the
// server does not have, whose next answers that there is no such endpoint. A nil h gives the route
// back to the server. A pattern that is not a method and a path is an error.
func (s *Server) Handle(pattern string, h Handler) error {
	method, path, ok := strings.Cut(pattern, " ")
	if !ok || method == "" || method != strings.ToUpper(method) || !strings.HasPrefix(path, "/") || strings.ContainsAny(path, " ?#") {
		return fmt.Errorf(`threatconnecttest: Handle: %q is not a method and a path; write it as in "GET /v2/owners/{id}"`, pattern)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
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
