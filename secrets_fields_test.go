package threatconnect_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func TestPrintedValuesShowNoSecret(t *testing.T) {
	t.Parallel()
	s := &spill{secrets: []string{secretKey, secretToken, proxyPassword, secretIndic, "p4th?q=1", secretRating, secretTrigger}}
	hmac, token := threatconnect.HMAC("access", secretKey), threatconnect.Token(secretToken)
	proxy := "http://user:" + url.QueryEscape(proxyPassword) + "@proxy.example:3128"
	for _, creds := range []threatconnect.Credentials{hmac, token} {
		for _, opts := range [][]threatconnect.Option{{threatconnect.WithProxy(proxy)}, {threatconnect.WithProxy("socks5://user:" + proxyPassword + "@proxy.example:1080"), threatconnect.WithOwner("Example Source")}} {
			c, err := threatconnect.NewClient("https://tc.example/api", creds, opts...)
			require.NoError(t, err)
			for _, v := range []any{creds, opts, c, c.Indicators, c.Indicators.Hosts, c.Batch, struct{ c *threatconnect.Client }{c}, []any{c, creds}, map[string]any{"x": creds}} {
				s.show(v)
			}
		}
	}
	trigger, err := threatconnect.NewPlaybookTrigger("https://tc.example/api/playbook/"+secretTrigger, &threatconnect.PlaybookTriggerOptions{Username: "user", Password: proxyPassword})
	require.NoError(t, err)
	s.show(trigger)
	s.show(*trigger)
	s.show(struct {
		t *threatconnect.PlaybookTrigger
	}{trigger})

	// Errors of invalid arguments.
	for _, f := range []func() error{
		func() error {
			_, err := threatconnect.NewClient("https://user:"+secretToken+"@tc.example", hmac)
			return err
		},
		func() error { _, err := threatconnect.NewClient("https://tc.example:"+secretToken, hmac); return err },
		func() error {
			_, err := threatconnect.NewClient("https://tc.example", threatconnect.HMAC("access", secretKey+"\n"))
			return err
		},
		func() error {
			_, err := threatconnect.NewClient("https://tc.example", threatconnect.Token("'"+secretToken+"'"))
			return err
		},
		func() error {
			_, err := threatconnect.NewClient("https://tc.example", hmac, threatconnect.WithProxy("ftp://user:"+proxyPassword+"@x"))
			return err
		},
		func() error {
			_, err := threatconnect.NewClient("https://tc.example", hmac, threatconnect.WithProxy("http://user:%zz"+proxyPassword+"@x"))
			return err
		},
		func() error { _, err := threatconnect.CanonicalHost(secretIndic + ":80"); return err },
		func() error { _, err := threatconnect.CanonicalURL(secretURL + "\x00"); return err },
		func() error { _, err := threatconnect.ParseIndicator(secretIndic + " and more"); return err },
		func() error {
			_, err := threatconnect.NewPlaybookTrigger("http://tc.example/api/playbook/"+secretTrigger, nil)
			return err
		},
	} {
		err := f()
		require.Error(t, err)
		s.show(err)
	}

	// An import with errors of all kinds, and its writer while it has items.
	srv := threatconnecttest.NewT(t)
	cfg := appendConfig()
	cfg.OnError = func(e threatconnect.BatchItemError) {
		s.show(e)
		s.show(&e)
		s.show([]threatconnect.BatchItemError{e})
	}
	w, err := srv.Client().Batch.NewWriter(t.Context(), cfg)
	require.NoError(t, err)
	host := threatconnect.NewHost(secretIndic)
	host.Attributes = []threatconnect.Attribute{{Type: "No Such Type", Value: secretRating}}
	host.GroupXIDs = []string{secretTrigger}
	addAll(t, w, host, threatconnect.NewURL(secretURL))
	s.show(w)
	refused := w.Add(t.Context(), threatconnect.NewHost(secretIndic+":80"))
	require.ErrorIs(t, refused, threatconnect.ErrValidation)
	s.show(refused)
	err = w.Close(t.Context())
	var b *threatconnect.BatchError
	require.ErrorAs(t, err, &b)
	require.Len(t, b.Items, 2)
	require.Contains(t, []string{b.Items[0].Ref, b.Items[1].Ref}, secretIndic, "the field has the value")
	s.show(err)
	s.show(*b)
	s.show(b.Items)
	s.show(w)
	s.show(w.Stats())

	// Panics in the caller's functions, with the stack that a recovering server logs.
	for name, f := range map[string]func(){
		"a transport": func() {
			c, err := threatconnect.NewClient("https://tc.example", hmac, threatconnect.WithTransport(wiretest.Func(func(*http.Request) (*http.Response, error) { panic("mine") })))
			require.NoError(t, err)
			_, _ = c.Indicators.Hosts.Get(t.Context(), secretIndic, nil)
		},
		"a token source": func() {
			c, err := threatconnect.NewClient("https://tc.example", threatconnect.TokenFunc(func(context.Context) (string, time.Time, error) { panic("mine") }))
			require.NoError(t, err)
			_, _ = c.Indicators.Hosts.Get(t.Context(), secretIndic, nil)
		},
		"a limiter": func() {
			c, err := threatconnect.NewClient("https://tc.example", token, threatconnect.WithLimiter(limiter(func(context.Context) error { panic("mine") })))
			require.NoError(t, err)
			_, _ = c.Indicators.URLs.Create(t.Context(), threatconnect.NewURL(secretURL))
		},
		"OnError": func() {
			cfg := appendConfig()
			cfg.OnError = func(threatconnect.BatchItemError) { panic("mine") }
			_, _ = srv.Client().Batch.Import(t.Context(), cfg, func(yield func(threatconnect.BatchItem, error) bool) {
				yield(threatconnect.NewHost(secretIndic+":80"), nil)
			})
		},
		"a loop": func() {
			for range srv.Client().Indicators.Hosts.All(t.Context(), &threatconnect.IndicatorListOptions{Filters: threatconnect.Filters{threatconnect.BySummary.Is(secretIndic)}}) {
				panic("mine")
			}
			panic("mine") // nothing was found
		},
	} {
		func() {
			defer func() {
				v := recover()
				require.Equal(t, "mine", v, name)
				s.show(v)
				s.out.Write(debug.Stack())
			}()
			f()
		}()
	}
	s.check(t)
}

// reachable calls visit with each string that can be reached from v without calling a function.
func reachable(v reflect.Value, seen map[uintptr]bool, visit func(string)) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() || seen[v.Pointer()] {
			return
		}
		seen[v.Pointer()] = true
		reachable(v.Elem(), seen, visit)
	case reflect.Interface:
		if !v.IsNil() {
			reachable(v.Elem(), seen, visit)
		}
	case reflect.Struct:
		for _, field := range v.Fields() {
			reachable(field, seen, visit)
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 && v.Kind() == reflect.Slice {
			visit(string(v.Bytes()))
			return
		}
		for i := range v.Len() {
			reachable(v.Index(i), seen, visit)
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			reachable(k, seen, visit)
			reachable(v.MapIndex(k), seen, visit)
		}
	case reflect.String:
		visit(v.String())
	}
}

func TestNoFieldHoldsACredential(t *testing.T) {
	t.Setenv("TC_BASE_URL", "https://tc.example/api")
	t.Setenv("TC_ACCESS_ID", "access")
	t.Setenv("TC_SECRET_KEY", secretKey)
	t.Setenv("TC_TOKEN", "")
	t.Setenv("TC_OWNER", "Example Source")
	script := &wiretest.Steps{Do: steps{wiretest.Answer(200, whoami)}}
	fromEnv, err := threatconnect.NewClientFromEnv(threatconnect.WithTransport(wiretest.Func(func(req *http.Request) (*http.Response, error) {
		return script.RoundTrip(req)
	})))
	require.NoError(t, err)

	// The environment is read once, so later changes have no effect.
	t.Setenv("TC_SECRET_KEY", "another")
	t.Setenv("TC_BASE_URL", "https://other.example")
	t.Setenv("TC_OWNER", "Another Source")
	_, err = fromEnv.Owners.Whoami(t.Context())
	require.NoError(t, err)
	sent := script.Sent[0]
	var unix int64
	_, err = fmt.Sscan(sent.Header.Get("Timestamp"), &unix)
	require.NoError(t, err)
	assert.Equal(t, "TC access:"+threatconnect.Sign(secretKey, "GET", "/api/v2/whoami", time.Unix(unix, 0)), sent.Header.Get("Authorization"))
	assert.Equal(t, "tc.example", sent.URL.Host)
	assert.Equal(t, "Example Source", fromEnv.Owner())

	proxied, err := threatconnect.NewClient("https://tc.example", threatconnect.Token(secretToken), threatconnect.WithProxy("http://user:"+proxyPassword+"@proxy.example"))
	require.NoError(t, err)
	trigger, err := threatconnect.NewPlaybookTrigger("https://tc.example/api/playbook/"+secretTrigger, &threatconnect.PlaybookTriggerOptions{Username: "user", Password: proxyPassword})
	require.NoError(t, err)
	for _, v := range []any{fromEnv, proxied, trigger, threatconnect.Token(secretToken), threatconnect.HMAC("access", secretKey)} {
		n := 0
		reachable(reflect.ValueOf(v), map[uintptr]bool{}, func(text string) {
			n++
			for _, secret := range []string{secretKey, secretToken, proxyPassword, secretTrigger} {
				assert.NotContains(t, text, secret, "%T", v)
			}
		})
		if _, ok := v.(*threatconnect.Client); ok {
			assert.Greater(t, n, 5, "hardly any strings were visited")
		}
	}
}
