package threatconnect_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func ExampleNewClient() {
	client, err := threatconnect.NewClient("https://app.threatconnect.com/api",
		threatconnect.HMAC("01234567890123456789", "the secret key"),
		threatconnect.WithOwner("Example Source"),
		threatconnect.WithUserAgent("acme-feed/1.4.2"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(client)

	_, err = threatconnect.NewClient("app.threatconnect.com/api", threatconnect.Token("the token"))
	fmt.Println(err)
	// Output:
	// threatconnect.Client(https://app.threatconnect.com/api, owner "Example Source")
	// threatconnect: base URL has no https:// scheme; write it like https://app.threatconnect.com/api
}

func ExampleNewClientFromEnv() {
	// The environment of a program, usually set outside of it.
	for name, value := range map[string]string{
		"TC_BASE_URL":   "https://app.threatconnect.com/api",
		"TC_ACCESS_ID":  "01234567890123456789",
		"TC_SECRET_KEY": "the secret key",
		"TC_OWNER":      "Example Source",
	} {
		if err := os.Setenv(name, value); err != nil {
			log.Fatal(err)
		}
		defer os.Unsetenv(name)
	}

	client, err := threatconnect.NewClientFromEnv(threatconnect.WithUserAgent("acme-feed/1.4.2"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(client.BaseURL(), "in", client.Owner())
	// Output: https://app.threatconnect.com/api in Example Source
}

// A token from another service is renewed before it expires.
func ExampleTokenFunc() {
	srv := threatconnecttest.New()
	client := srv.ClientAs(threatconnect.TokenFunc(func(ctx context.Context) (token string, expires time.Time, err error) {
		fmt.Println("asking for a token")
		return srv.Token(), time.Now().Add(time.Hour), nil // in production: a request with ctx
	}))

	for range 3 {
		if _, err := client.Owners.Whoami(context.Background()); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(len(srv.Requests()), "requests")
	// Output:
	// asking for a token
	// 3 requests
}

// Log each attempt at the level Debug. Records contain routes and never values or credentials.
func ExampleWithLogger() {
	handler := slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "duration" { // they differ in each run
				return slog.Attr{}
			}
			return a
		},
	})
	client := threatconnecttest.New().Client(threatconnect.WithLogger(slog.New(handler)))

	_, err := client.Indicators.Hosts.Get(context.Background(), "www.example.com", nil)
	fmt.Println(errors.Is(err, threatconnect.ErrNotFound))
	// Output:
	// level=DEBUG msg="threatconnect request" method=GET route=/v2/indicators/hosts/{} attempt=1 status=404
	// true
}

// Count calls and retries. Package otel has an observer for OpenTelemetry.
func ExampleWithObserver() {
	var calls, retries atomic.Int64
	srv := threatconnecttest.New()
	client := srv.Client(threatconnect.WithObserver(threatconnect.Observer{
		CallEnd: func(_ context.Context, c threatconnect.Call) {
			calls.Add(1)
			retries.Add(int64(c.Attempts - 1))
		},
	}))
	if err := srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Status: http.StatusServiceUnavailable}); err != nil {
		log.Fatal(err)
	}

	if _, err := client.Owners.Whoami(context.Background()); err != nil {
		log.Fatal(err)
	}
	fmt.Println(calls.Load(), "call,", retries.Load(), "retry")
	// Output: 1 call, 1 retry
}

// printRoutes prints the route of each request.
type printRoutes struct {
	next http.RoundTripper
}

func (p printRoutes) RoundTrip(r *http.Request) (*http.Response, error) {
	if route, ok := threatconnect.RouteFrom(r.Context()); ok {
		fmt.Println(r.Method, route)
	}
	return p.next.RoundTrip(r)
}

// A transport names requests by their routes, which contain no indicators.
func ExampleRouteFrom() {
	srv := threatconnecttest.New()
	client, err := threatconnect.NewClient(srv.BaseURL(),
		threatconnect.HMAC(srv.AccessID(), srv.SecretKey()), threatconnect.WithTransport(printRoutes{srv}))
	if err != nil {
		log.Fatal(err)
	}

	_, err = client.Indicators.URLs.Get(context.Background(), "https://evil.example/login", nil)
	fmt.Println(errors.Is(err, threatconnect.ErrNotFound))
	// Output:
	// GET /v2/indicators/urls/{}
	// true
}

// Tune the connection pool for many parallel lookups.
func ExampleWithTransport() {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 32

	client, err := threatconnect.NewClient("https://app.threatconnect.com/api",
		threatconnect.HMAC("01234567890123456789", "the secret key"),
		threatconnect.WithTransport(transport))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(client.BaseURL())
	// Output: https://app.threatconnect.com/api
}

// An interactive program fails fast: it retries once and waits for at most 2 seconds in between.
func ExampleWithRetry() {
	srv := threatconnecttest.New()
	client := srv.Client(threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 2, MaxDelay: 2 * time.Second, MaxWait: 2 * time.Second}))
	outage := threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Status: http.StatusServiceUnavailable, Times: -1}
	if err := srv.Inject(outage); err != nil {
		log.Fatal(err)
	}

	_, err := client.Owners.Whoami(context.Background())
	fmt.Println(errors.Is(err, threatconnect.ErrUnavailable), len(srv.Requests()), "attempts")
	// Output: true 2 attempts
}

// everyTick lets one request through per tick.
type everyTick struct {
	ticker *time.Ticker
}

func (e everyTick) Wait(ctx context.Context) error {
	select {
	case <-e.ticker.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A limiter keeps a client below the rate limit of its instance. A rate.Limiter from the module
// golang.org/x/time is one as well.
func ExampleLimiter() {
	srv := threatconnecttest.New()
	client := srv.Client(threatconnect.WithLimiter(everyTick{time.NewTicker(time.Millisecond)}))

	for range 3 {
		if _, err := client.Owners.Whoami(context.Background()); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(len(srv.Requests()), "requests, at most one per millisecond")
	// Output: 3 requests, at most one per millisecond
}

// Work in several owners with one client and one connection pool.
func ExampleClient_InOwner() {
	client := threatconnecttest.New().Client()
	ctx := context.Background()

	for _, owner := range []string{"Example Organization", "Example Source"} {
		host, err := client.InOwner(owner).Indicators.Hosts.Create(ctx, threatconnect.NewHost("evil.example"))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(host.HostName, "is in", host.Owner.Name)
	}
	// Output:
	// evil.example is in Example Organization
	// evil.example is in Example Source
}

// Turn retries off for calls whose methods take no options.
func ExampleClient_With() {
	srv := threatconnecttest.New()
	client := srv.Client()
	if err := srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultReset}); err != nil {
		log.Fatal(err)
	}

	once := client.With(threatconnect.CallOptions{Retry: &threatconnect.RetryPolicy{MaxAttempts: 1}})
	_, err := once.Owners.Whoami(context.Background())
	fmt.Println(err != nil, len(srv.Requests()), "request")
	// Output: true 1 request
}

func ExampleClient_Do() {
	client := threatconnecttest.New().Client()

	resp, err := client.Do(context.Background(), threatconnect.Request{
		Method: http.MethodGet,
		Path:   "/v2/indicators/hosts/" + threatconnect.PathSegment("www.example.com"),
	})
	if errors.Is(err, threatconnect.ErrNotFound) {
		fmt.Println("not there")
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	// Output: not there
}

func ExampleSign() {
	fmt.Println(threatconnect.Sign("secret", http.MethodGet, "/v2/owners", time.Unix(1700000000, 0)))
	// Output: 6jy36dIubhuo3RrR8Y/6qQjNuOdFNF49FeMrmB5dHYY=
}

func ExampleOwnersService_Whoami() {
	client := threatconnecttest.New().Client()

	_, err := client.Owners.Whoami(context.Background())
	fmt.Println("base URL and credentials are right:", err == nil)
	// Output: base URL and credentials are right: true
}

func ExampleAPIError() {
	srv := threatconnecttest.New()
	client := srv.Client()

	_, err := client.Indicators.Hosts.Get(context.Background(), "www.example.com", nil)
	fmt.Println(err)
	fmt.Println(errors.Is(err, threatconnect.ErrNotFound))
	if api, ok := errors.AsType[*threatconnect.APIError](err); ok {
		fmt.Println(api.StatusCode, api.Route)
	}
	// Output:
	// threatconnect: GET /v2/indicators/hosts/{}: 404 Not Found: "The requested resource was not found"
	// true
	// 404 /v2/indicators/hosts/{}
}

func ExampleValidationError() {
	client := threatconnecttest.New().Client()

	_, err := client.Indicators.Hosts.Create(context.Background(), threatconnect.NewHost("not a host"))
	fmt.Println(errors.Is(err, threatconnect.ErrValidation))
	if invalid, ok := errors.AsType[*threatconnect.ValidationError](err); ok {
		fmt.Println(invalid.Field)
	}
	// Output:
	// true
	// host name
}

// The connection breaks while a call waits for its response.
func ExampleRequestError() {
	srv := threatconnecttest.New()
	client := srv.Client(threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 1}))
	if err := srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultReset}); err != nil {
		log.Fatal(err)
	}

	_, err := client.Owners.Whoami(context.Background())
	if broken, ok := errors.AsType[*threatconnect.RequestError](err); ok {
		fmt.Println(broken.Method, broken.Route, "after", broken.Attempts, "attempt")
	}
	// Output: GET /v2/whoami after 1 attempt
}

// The response to a write is lost. The write may have taken effect, so look before repeating it.
func ExampleErrOutcomeUnknown() {
	srv := threatconnecttest.New()
	client := srv.Client()
	ctx := context.Background()
	if err := srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultLostReply, Method: http.MethodPost}); err != nil {
		log.Fatal(err)
	}

	_, err := client.Groups.Threats.Create(ctx, threatconnect.NewThreat("Example Threat"))
	if errors.Is(err, threatconnect.ErrOutcomeUnknown) {
		found, err := threatconnect.Collect(client.Groups.Threats.All(ctx, &threatconnect.GroupListOptions{
			Filters: threatconnect.Filters{threatconnect.ByName.Is("Example Threat")},
		}))
		fmt.Println("created:", len(found), err)
	}
	// Output: created: 1 <nil>
}
