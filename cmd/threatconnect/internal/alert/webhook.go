package alert

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"mime"
	"net/http"
	"os"
	"time"

	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/listen"
)

// webhook answers the requests to --listen.
type webhook struct {
	*handler
	ctx              context.Context // of alerts: they are handled even if their senders hang up
	names            listen.Names
	refused          *refusals
	reading, waiting chan struct{} // hold an element for each alert
}

func newWebhook(ctx context.Context, h *handler) *webhook {
	return &webhook{
		handler: h, ctx: ctx, names: listen.NewNames(append(h.hosts, h.listen)...), refused: newRefusals(h.log),
		reading: make(chan struct{}, maxReading), waiting: make(chan struct{}, maxWaiting),
	}
}

// mux returns the handler of all paths.
func (h *webhook) mux() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { // probes know neither names nor passwords
		reply(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("/", h.serveAlert)
	return mux
}

// refusal is an error about a request that was not an alert, or an alert that was not handled.
type refusal struct {
	status int
	error
}

var (
	errHost     = refusal{http.StatusForbidden, errors.New("the Host header does not name this listener: send alerts to its address, or start it with --host and the name")}
	errOrigin   = refusal{http.StatusForbidden, errors.New("the request comes from a web page: send alerts from a program")}
	errNobody   = refusal{http.StatusUnauthorized, errors.New("send the user name and the password of the listener (basic authentication)")}
	errPassword = refusal{http.StatusUnauthorized, errors.New("the user name or the password is wrong")}
	errMethod   = refusal{http.StatusMethodNotAllowed, errors.New("send an alert with POST")}
	errType     = refusal{http.StatusUnsupportedMediaType, errors.New("send an alert as application/json")}
	errSlow     = refusal{http.StatusRequestTimeout, errors.New("the alert did not arrive within 5 seconds: send it again")}
	errQueue    = refusal{http.StatusServiceUnavailable, errBusy}

	errHidden = errors.New("the alert was not handled: send it again; the log of the listener has the reason")
)

// serveAlert answers an alert with the report about it. Senders that have no password get no details: what
// an instance knows is not for everybody.
func (h *webhook) serveAlert(w http.ResponseWriter, r *http.Request) {
	result, err := h.answer(w, r)
	if err == nil {
		if h.noAuth {
			result = map[string]bool{"handled": true}
		}
		reply(w, http.StatusOK, result)
		return
	}
	status := http.StatusBadGateway
	switch refused, ok := errors.AsType[refusal](err); {
	case ok:
		status = refused.status
		h.wait(r, h.refused.add(listen.Peer(r.RemoteAddr), status, refused == errPassword))
	case errors.Is(err, errBusy):
		status, err = http.StatusServiceUnavailable, errBusy
	case h.noAuth:
		err = errHidden
	}
	switch status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Basic realm="alerts", charset="UTF-8"`)
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", http.MethodPost)
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", retryAfter)
	}
	w.Header().Set("Connection", "close") // the server would read the rest of the body
	reply(w, status, map[string]string{"error": cli.Explain(err)})
}

// wait waits before the answer to a request.
func (h *webhook) wait(r *http.Request, d time.Duration) {
	select {
	case <-time.After(d):
	case <-r.Context().Done():
	}
}

// answer handles the alert of a request and returns the report.
func (h *webhook) answer(w http.ResponseWriter, r *http.Request) (any, error) {
	if err := h.check(r); err != nil {
		return nil, err
	}
	a, err := h.receive(w, r)
	if err != nil {
		return nil, err
	}
	select {
	case h.waiting <- struct{}{}:
		defer func() { <-h.waiting }()
	default:
		return nil, errQueue
	}
	ctx, cancel := context.WithTimeout(h.ctx, handleTimeout)
	defer cancel()
	return h.handle(ctx, a)
}

// check refuses a request for anything that can be known before its body is read.
func (h *webhook) check(r *http.Request) error {
	t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case !h.names.Has(r):
		return errHost
	case !listen.IsSameOrigin(r):
		return errOrigin
	case !h.noAuth && r.Header.Get("Authorization") == "": // many clients send no password until they are asked for it
		return errNobody
	case !h.allows(r):
		return errPassword
	case r.Method != http.MethodPost:
		return errMethod
	case err != nil || t != "application/json":
		return errType
	}
	return nil
}

// allows checks user name and password in constant time.
func (h *webhook) allows(r *http.Request) bool {
	if h.noAuth {
		return true
	}
	user, password, ok := r.BasicAuth()
	given, want := sha256.Sum256([]byte(user+"\x00"+password)), sha256.Sum256([]byte(h.user+"\x00"+h.password))
	return subtle.ConstantTimeCompare(given[:], want[:]) == 1 && ok && h.password != ""
}

// receive reads and parses the alert of a request. An alert that arrives slowly takes no place of those that
// wait for their turn.
func (h *webhook) receive(w http.ResponseWriter, r *http.Request) (*alert, error) {
	select {
	case h.reading <- struct{}{}:
		defer func() { <-h.reading }()
	default:
		return nil, errQueue
	}
	out := http.NewResponseController(w)
	_ = out.SetReadDeadline(time.Now().Add(readTimeout)) // every server of net/http can
	body, err := readBody(r.Body, h.maxBody)
	_ = out.SetReadDeadline(time.Time{})
	var a *alert
	if err == nil {
		a, err = parse(body, &h.fields, time.Now())
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, errSlow
	case errors.Is(err, errTooLarge):
		return nil, refusal{http.StatusRequestEntityTooLarge, err}
	case err != nil:
		return nil, refusal{http.StatusBadRequest, err}
	}
	return a, nil
}

// reply writes an answer. Its errors are ignored: the sender has hung up and has to send the alert again.
func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = cli.WriteJSON(w, body)
}
