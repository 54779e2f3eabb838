package sandbox

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/listen"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

const (
	controlPath   = "/__sandbox/"
	largestBody   = 64 << 20         // bytes of a request to the control API
	largestUpload = 256 << 20        // bytes of a request to the API
	silentBody    = 30 * time.Second // timeout of each read of a body
	mostPages     = 16               // concurrent event streams
)

// control is the page and the control API of a sandbox. Requests to other paths go to the test server.
type control struct {
	srv     *threatconnecttest.Server
	guard   guard
	about   about
	setUp   func() error // applies the flags again after a reset
	started time.Time
	boot    string          // differs in every run
	done    <-chan struct{} // closed when the sandbox ends
	pages   chan struct{}   // contains an element for each event stream
	resets  atomic.Int64    // number of times that the jobs were cleared
	clears  atomic.Int64    // number of times that the log was cleared
	mux     *http.ServeMux
	settings
}

// newControl returns the control of a sandbox that listens on addr, the value of --addr.
func newControl(srv *threatconnecttest.Server, setUp func() error, addr string, done <-chan struct{}) *control {
	c := &control{
		srv:     srv,
		guard:   guard{names: listen.NewNames(addr), token: rand.Text()},
		setUp:   setUp,
		started: time.Now(),
		boot:    rand.Text(),
		done:    done,
		pages:   make(chan struct{}, mostPages),
	}
	c.settings.forget()
	return c
}

// endpoint is a call of the control API.
type endpoint struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	About  string `json:"about"`
	handle func(*http.Request) (any, error)
}

func (c *control) endpoints() []endpoint {
	return []endpoint{
		{"GET", "info", "the base URL, and the names of routes, types, faults and oddities", c.getInfo},
		{"POST", "seed", "adds the records of a body like that of data", c.postSeed},
		{"POST", "update", "changes records to those of the body", c.change(c.srv.Update)},
		{"POST", "delete", "deletes the records of the body", c.change(c.srv.Delete)},
		{"GET", "data", "all data of the server", c.getData},
		{"GET", "owners", "the owners and their sizes", c.getOwners},
		{"GET", "search", "indicators or groups: ?owner= &kind= &type= &text= &start= &limit=", c.search},
		{"GET", "indicator", "an indicator: ?owner= &type= &summary=", c.getIndicator},
		{"GET", "group", "a group: ?xid=", c.getGroup},
		{"GET", "requests", "the requests to the API: ?after=ID &limit=", c.getRequests},
		{"DELETE", "requests", "forgets the requests", c.deleteRequests},
		{"GET", "requests/{id}", "a request with headers, bodies and the reason for its refusal", c.getRequest},
		{"GET", "jobs", "the batch jobs", c.getJobs},
		{"GET", "jobs/{id}", "a batch job with its errors", c.getJob},
		{"GET", "faults", "the faults and their numbers of uses", c.getFaults},
		{"POST", "faults", "adds a fault", c.postFault},
		{"PUT", "faults", "replaces all faults by a list", c.putFaults},
		{"DELETE", "faults", "removes all faults", c.deleteFaults},
		{"DELETE", "faults/{id}", "removes a fault", c.deleteFault},
		{"GET", "oddities", "the oddities, and which are on", c.getOddities},
		{"PUT", "oddities", `switches these on and all others off: {"on": ["emptyAs404"]}`, c.putOddities},
		{"GET", "clock", "the offset of the server's clock", c.getClock},
		{"PUT", "clock", `sets the clock: {"offset": "6m"}`, c.putClock},
		{"GET", "settings", "the duration of batch jobs and the rate limit", c.getSettings},
		{"PUT", "settings", `sets them: {"batchDuration": "2s", "rateLimit": {"requests": 10, "per": "1s"}}`, c.putSettings},
		{"POST", "expire-token", "expires the API token", c.postExpireToken},
		{"GET", "snapshots", "the snapshots", c.getSnapshots},
		{"POST", "snapshots", `takes a snapshot of data and jobs: {"name": "before"}`, c.postSnapshot},
		{"POST", "snapshots/{name}/restore", "restores data and jobs of a snapshot", c.restoreSnapshot},
		{"DELETE", "snapshots/{name}", "deletes a snapshot", c.deleteSnapshot},
		{"POST", "reset", "restores the state at the start", c.postReset},
	}
}

// handler returns the handler of all paths of the sandbox.
func (c *control) handler() http.Handler {
	c.mux = http.NewServeMux()
	list := c.endpoints()
	for _, e := range list {
		c.mux.HandleFunc(e.Method+" "+controlPath+e.Path, func(w http.ResponseWriter, r *http.Request) {
			v, err := e.handle(r)
			reply(w, v, err)
		})
	}
	c.mux.HandleFunc("GET "+controlPath+"events", c.events)
	c.mux.HandleFunc("GET "+controlPath+"{$}", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]any{"endpoints": list}, nil)
	})
	c.mux.HandleFunc(controlPath, func(w http.ResponseWriter, r *http.Request) {
		reply(w, nil, refusal{http.StatusNotFound, fmt.Errorf("%s %s is not an endpoint: GET %s lists them", r.Method, r.URL.Path, controlPath)})
	})
	return http.HandlerFunc(c.serve)
}

// serve sends a request to the page, to the control API or to the test server.
func (c *control) serve(w http.ResponseWriter, r *http.Request) {
	isPage, isControl := r.URL.Path == "/", strings.HasPrefix(r.URL.Path, controlPath)
	if r.URL.Path == "/favicon.ico" || strings.HasPrefix(r.URL.Path, "/.well-known/") {
		http.NotFound(w, r) // requested by browsers, not by clients of the API
		return
	}
	most := int64(largestBody)
	if !isPage && !isControl {
		most = largestUpload
	}
	r.Body = &limitedBody{http.MaxBytesReader(w, r.Body, most), http.NewResponseController(w)}
	if !isPage && !isControl {
		if r.ContentLength > most {
			http.Error(w, "The sandbox takes requests of up to 256 MiB", http.StatusRequestEntityTooLarge)
			return
		}
		c.srv.ServeHTTP(w, r)
		return
	}
	protect(w.Header())
	switch err := c.guard.local(r); {
	case err != nil:
		reply(w, nil, refusal{http.StatusForbidden, err})
	case isPage:
		servePage(w, r)
	default:
		c.serveControl(w, r)
	}
}

func (c *control) serveControl(w http.ResponseWriter, r *http.Request) {
	if !listen.IsSameOrigin(r) {
		reply(w, nil, refusal{http.StatusForbidden, errOrigin})
		return
	}
	if r.Method != http.MethodGet {
		if err := c.guard.mayWrite(r); err != nil {
			reply(w, nil, refusal{http.StatusUnauthorized, err})
			return
		}
	}
	c.mux.ServeHTTP(w, r)
}

// refusal is an error with a status other than 400.
type refusal struct {
	status int
	error
}

// notFound is the error of a record that is not there.
func notFound(format string, args ...any) error {
	return refusal{http.StatusNotFound, fmt.Errorf(format, args...)}
}

// reply writes a value, or an error as {"error": "..."}.
func reply(w http.ResponseWriter, v any, err error) {
	status := http.StatusOK
	if err != nil {
		status = http.StatusBadRequest
		if r, ok := errors.AsType[refusal](err); ok {
			status = r.status
		} else if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			status = http.StatusRequestEntityTooLarge
		}
		v = map[string]string{"error": strings.TrimPrefix(err.Error(), "threatconnecttest: ")}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = encode(w, v) // the client may have left
}

// encode writes JSON without escaping & and <, so URLs remain readable.
func encode(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// body reads the JSON of a request.
func body[T any](r *http.Request) (v T, err error) {
	text, err := io.ReadAll(r.Body)
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return v, fmt.Errorf("body: more than 64 MiB, send it in parts or give a file to --seed: %w", err)
	}
	if err == nil {
		v, err = parse[T](text)
	}
	if err != nil {
		return v, fmt.Errorf("body: %w", err)
	}
	return v, nil
}

// parse reads one JSON value. Unknown fields are errors.
func parse[T any](text []byte) (v T, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		return v, explain(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return v, errors.New("there is text after the JSON value: send only one value")
	}
	return v, nil
}

// explain returns an error of encoding/json without Go types.
func explain(err error) error {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		field := wrong.Field
		if field == "" {
			field = "the value"
		}
		return fmt.Errorf("%s: a JSON %s is not expected here, at byte %d", field, wrong.Value, wrong.Offset)
	}
	if wrong, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("not JSON: %w, at byte %d", wrong, wrong.Offset)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the JSON value is missing or ends early")
	}
	if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return fmt.Errorf("%s is not a field here: docs/sandbox.md lists the fields", field)
	}
	return err
}
