package alert

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/listen"
)

// Limits of --listen.
const (
	maxConnections = 64               // of a peer; with HTTP/1, each has one request at a time
	maxReading     = 512              // alerts whose bodies are read
	maxWaiting     = 64               // alerts that are handled or wait for their turn
	readTimeout    = 5 * time.Second  // for the header of a request, and for its body
	handleTimeout  = 90 * time.Second // for one alert, including the wait
	stopTimeout    = 30 * time.Second // for the alerts that were received before the command ends
	retryAfter     = "30"             // seconds
)

// serve handles alerts until ctx ends, and then those that it has received.
func (h *handler) serve(ctx context.Context, env *cli.Env) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", h.listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	return h.serveOn(ctx, env, l)
}

// serveOn is serve with a listener, which it closes.
func (h *handler) serveOn(ctx context.Context, env *cli.Env, l net.Listener) error {
	scheme := "http"
	var config *tls.Config
	if h.tlsCert != "" {
		pair, err := tls.LoadX509KeyPair(h.tlsCert, h.tlsKey)
		if err != nil {
			return errors.Join(fmt.Errorf("--tls-cert and --tls-key: %w", err), l.Close())
		}
		scheme, config = "https", &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	}
	switch remote := !isLoopback(l.Addr()); {
	case remote && h.noAuth:
		env.Printf("Anybody who can reach %s can send alerts: leave out --no-auth.", l.Addr())
	case remote && scheme == "http":
		env.Printf("Passwords are sent to %s in clear text: set --tls-cert and --tls-key.", l.Addr())
	}
	if h.password == "" && !h.noAuth {
		h.user, h.password = "alert", rand.Text()
		env.Printf("Senders need the user name %s and the password %s. They are valid until this command ends; set ALERT_USER and ALERT_PASSWORD to choose others.", h.user, h.password)
	}
	handling, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	w := newWebhook(handling, h)
	defer w.refused.close()
	srv := &http.Server{
		Handler:           w.mux(),
		ReadHeaderTimeout: readTimeout,
		ReadTimeout:       2 * readTimeout, // for bodies that are not read
		WriteTimeout:      handleTimeout + 30*time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(h.log.Handler(), slog.LevelWarn),
		Protocols:         new(http.Protocols),
		TLSConfig:         config,
	}
	srv.Protocols.SetHTTP1(true)
	l = listen.Limit(l, maxConnections, func(peer netip.Prefix) { w.refused.add(peer, http.StatusServiceUnavailable, false) })
	env.Printf("Waiting for alerts on %s://%s. They are stored in %q.", scheme, l.Addr(), h.owner)
	ended := make(chan error, 1)
	go func() {
		if config != nil {
			ended <- srv.ServeTLS(l, "", "")
		} else {
			ended <- srv.Serve(l)
		}
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	env.Printf("Stopping after the received alerts are handled.")
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
