package alert

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/threatconnect-go/threatconnect/examples/internal/command"
)

// Limits of the listener.
const (
	waiting       = 16               // alerts that are handled or wait for it
	handleTimeout = 90 * time.Second // for one alert, the wait included
	stopTimeout   = 30 * time.Second // for what has come in when the command ends
)

// serve takes alerts until the context ends, and then handles those that have come in.
func (h *handler) serve(ctx context.Context, e *command.Env) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", h.listen)
	if err != nil {
		return fmt.Errorf("-listen: %w", err)
	}
	scheme := "http"
	if h.tlsCert != "" {
		scheme = "https"
	}
	if !isLoopback(l.Addr()) {
		if h.user == "" {
			e.Say(name, "everybody who reaches %s can send alerts: set ALERT_USER and ALERT_PASSWORD", l.Addr())
		} else if scheme == "http" {
			e.Say(name, "the password travels to %s in the clear: set -tls-cert and -tls-key", l.Addr())
		}
	}
	handling, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	srv := &http.Server{
		Handler:           h.webhook(handling, e),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      handleTimeout + 30*time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          log.New(e.Stderr, name+": ", 0),
	}
	e.Say(name, "waiting for alerts on %s://%s; they are stored in %q", scheme, l.Addr(), h.owner)
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
	e.Say(name, "stopping after the alerts that have come in")
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

// webhook answers every alert with what was decided. Who hangs up does not stop an alert half way:
// what was begun is finished, as long as ctx goes on.
func (h *handler) webhook(ctx context.Context, e *command.Env) http.Handler {
	slots := make(chan struct{}, waiting)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !h.allowed(r) {
			w.Header().Set("WWW-Authenticate", `Basic realm="alerts", charset="UTF-8"`)
			reject(w, http.StatusUnauthorized, "the user name or the password is wrong")
			return
		}
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			reject(w, http.StatusMethodNotAllowed, "send an alert with POST")
			return
		}
		if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
			reject(w, http.StatusUnsupportedMediaType, "send an alert as application/json")
			return
		}
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		default:
			w.Header().Set("Retry-After", "30")
			reject(w, http.StatusServiceUnavailable, "too many alerts at a time")
			return
		}
		a, err := readAlert(http.MaxBytesReader(w, r.Body, h.maxBody), h.maxBody, &h.fields, time.Now())
		if err != nil {
			status := http.StatusBadRequest
			if _, large := errors.AsType[*http.MaxBytesError](err); large {
				status, err = http.StatusRequestEntityTooLarge, fmt.Errorf("the alert is larger than %d bytes", h.maxBody)
			}
			reject(w, status, err.Error())
			return
		}
		ctx, cancel := context.WithTimeout(ctx, handleTimeout)
		defer cancel()
		report, err := h.handle(ctx, a)
		if err != nil {
			e.Say(name, "%s", command.Plain(err))
			reject(w, http.StatusBadGateway, command.Plain(err))
			return
		}
		e.Say(name, "%s", report.line())
		w.Header().Set("Content-Type", "application/json")
		_ = report.writeJSON(w) // who has hung up has lost it
	})
}

// allowed compares in a time that says nothing about the password.
func (h *handler) allowed(r *http.Request) bool {
	if h.user == "" {
		return true
	}
	user, password, ok := r.BasicAuth()
	given, want := sha256.Sum256([]byte(user+"\x00"+password)), sha256.Sum256([]byte(h.user+"\x00"+h.password))
	return subtle.ConstantTimeCompare(given[:], want[:]) == 1 && ok
}

// reject answers an alert that was not handled.
func reject(w http.ResponseWriter, status int, why string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": why}) // who has hung up has lost it
}
