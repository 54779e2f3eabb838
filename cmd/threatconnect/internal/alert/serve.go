package alert

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
)

// Limits of --listen.
const (
	maxWaiting    = 64               // alerts that are handled or wait for their turn
	handleTimeout = 90 * time.Second // for one alert, including the wait
	stopTimeout   = 30 * time.Second // for the alerts that were received before the command ends
	retryAfter    = "30"             // seconds
)

// serve handles alerts until ctx ends, and then those that it has received.
func (h *handler) serve(ctx context.Context, env *cli.Env) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", h.listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	scheme := "http"
	if h.tlsCert != "" {
		scheme = "https"
	}
	if !isLoopback(l.Addr()) {
		if h.user == "" {
			env.Printf("Everybody who reaches %s can send alerts: set ALERT_USER and ALERT_PASSWORD.", l.Addr())
		} else if scheme == "http" {
			env.Printf("The password travels to %s in clear text: set --tls-cert and --tls-key.", l.Addr())
		}
	}
	handling, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	srv := &http.Server{
		Handler:           h.webhook(handling),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      handleTimeout + 30*time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(h.log.Handler(), slog.LevelWarn),
	}
	env.Printf("Waiting for alerts on %s://%s. They are stored in %q.", scheme, l.Addr(), h.owner)
	ended := make(chan error, 1)
	go func() {
		if h.tlsCert != "" {
			ended <- srv.ServeTLS(l, h.tlsCert, h.tlsKey)
		} else {
			ended <- srv.Serve(l)
		}
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	env.Printf("Stopping after the alerts that were received.")
	stop, cancelStop := context.WithTimeout(handling, stopTimeout)
	defer cancelStop()
	if err := srv.Shutdown(stop); err != nil {
		cancel()
		return errors.Join(fmt.Errorf("alerts were cut off: %w", err), srv.Close())
	}
	return nil
}

func isLoopback(a net.Addr) bool {
	ap, err := netip.ParseAddrPort(a.String())
	return err == nil && ap.Addr().IsLoopback()
}

// webhook returns the handler of --listen. An alert that was received is handled even if its sender hangs
// up, as long as ctx goes on.
func (h *handler) webhook(ctx context.Context) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	waiting := make(chan struct{}, maxWaiting)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		status, result := h.answer(ctx, waiting, r)
		switch status {
		case http.StatusUnauthorized:
			w.Header().Set("WWW-Authenticate", `Basic realm="alerts", charset="UTF-8"`)
		case http.StatusMethodNotAllowed:
			w.Header().Set("Allow", http.MethodPost)
		case http.StatusServiceUnavailable:
			w.Header().Set("Retry-After", retryAfter)
		}
		if err, failed := result.(error); failed {
			h.log.WarnContext(ctx, "alert not accepted", "status", status)
			result = map[string]string{"error": cli.Explain(err)}
		}
		reply(w, status, result)
	})
	return mux
}

// answer handles a request and returns the status and the body of the answer, a report or an error.
func (h *handler) answer(ctx context.Context, waiting chan struct{}, r *http.Request) (status int, result any) {
	if !h.allows(r) {
		return http.StatusUnauthorized, errors.New("the user name or the password is wrong")
	}
	if r.Method != http.MethodPost {
		return http.StatusMethodNotAllowed, errors.New("send an alert with POST")
	}
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return http.StatusUnsupportedMediaType, errors.New("send an alert as application/json")
	}
	select {
	case waiting <- struct{}{}:
		defer func() { <-waiting }()
	default:
		return http.StatusServiceUnavailable, errBusy
	}
	body, err := readBody(r.Body, h.maxBody)
	if errors.Is(err, errTooLarge) {
		return http.StatusRequestEntityTooLarge, err
	}
	var a *alert
	if err == nil {
		a, err = parse(body, &h.fields, time.Now())
	}
	if err != nil {
		return http.StatusBadRequest, err
	}
	ctx, cancel := context.WithTimeout(ctx, handleTimeout)
	defer cancel()
	report, err := h.handle(ctx, a)
	switch {
	case errors.Is(err, errBusy):
		return http.StatusServiceUnavailable, errBusy
	case err != nil:
		return http.StatusBadGateway, err
	}
	return http.StatusOK, report
}

// allows checks user name and password in constant time.
func (h *handler) allows(r *http.Request) bool {
	if h.user == "" {
		return true
	}
	user, password, ok := r.BasicAuth()
	given, want := sha256.Sum256([]byte(user+"\x00"+password)), sha256.Sum256([]byte(h.user+"\x00"+h.password))
	return subtle.ConstantTimeCompare(given[:], want[:]) == 1 && ok
}

// reply writes an answer. Its errors are ignored: the sender has hung up and has to send the alert again.
func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = cli.WriteJSON(w, body)
}
