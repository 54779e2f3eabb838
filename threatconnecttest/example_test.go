package threatconnecttest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func Example() {
	srv := threatconnecttest.New() // NewT(t) in a test
	client := srv.Client()
	ctx := context.Background()

	_, err := client.Indicators.Hosts.Get(ctx, "www.example.com", nil)
	fmt.Println(errors.Is(err, threatconnect.ErrNotFound))

	host := threatconnect.NewHost("www.example.com")
	host.Rating = new(4.0)
	_, err = client.Indicators.Create(ctx, host)
	fmt.Println(err)
	for _, in := range srv.Indicators("Example Organization") {
		fmt.Println(in.Type, in.Summary, *in.Rating)
	}
	// Output:
	// true
	// <nil>
	// Host www.example.com 4
}

// This test injects a network fault into a request that the code under test never sends. Without
// NewT, it would pass without testing anything.
func ExampleNewT() {
	test := func(t testing.TB) {
		srv := threatconnecttest.NewT(t)
		if err := srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultReset, Route: "/v2/owners/mine"}); err != nil {
			t.Error(err)
		}
		user, err := srv.Client().Owners.Whoami(context.Background())
		fmt.Println(user.UserName == srv.AccessID(), err)
	}
	runTest(test) // prints the errors of the test
	// Output:
	// true <nil>
	// threatconnecttest: fault 1, reset of /v2/owners/mine, never struck: it matched 0 requests and Skip is 0; correct its Method, Route or Skip, or remove it, or pass Allow(LapseUnusedFaults) to NewT
}

// A test of refused credentials allows them.
func ExampleAllow() {
	test := func(t testing.TB) {
		srv := threatconnecttest.NewT(t, threatconnecttest.Allow(threatconnecttest.LapseUnverified))
		client := srv.ClientAs(threatconnect.Token("another"))
		_, err := client.Owners.Whoami(context.Background())
		fmt.Println(errors.Is(err, threatconnect.ErrUnauthorized))
	}
	runTest(test)
	// Output: true
}

func ExampleServer_Seed() {
	srv := threatconnecttest.New()
	threat := &threatconnecttest.GroupRecord{Owner: "Example Source", Type: "Threat", Name: "Example Threat"}
	host := &threatconnecttest.IndicatorRecord{Owner: "Example Source", Type: "Host", Summary: "WWW.example.com", Rating: new(4.0)}
	fmt.Println(srv.Seed(threat, host))
	fmt.Println(threat.ID > 0, host.Summary) // as the server keeps them

	host.Rating = new(9.0)
	fmt.Println(srv.Update(host))
	// Output:
	// <nil>
	// true www.example.com
	// threatconnecttest: update: record 0, IndicatorRecord "Host: www.example.com": Rating: The rating for this Host is invalid, please enter a rating between 0-5
}

// The API user can read this owner, except for its groups.
func ExampleOwner() {
	srv := threatconnecttest.New()
	fmt.Println(srv.Seed(&threatconnecttest.Owner{Name: "Partner", ReadOnly: true, Denied: []string{"GET /v2/groups"}}))
	client, ctx := srv.Client(threatconnect.WithOwner("Partner")), context.Background()

	_, err := threatconnect.Collect(client.Indicators.All(ctx, nil))
	fmt.Println("read indicators:", err)
	_, err = threatconnect.Collect(client.Groups.All(ctx, nil))
	fmt.Println("read groups:", errors.Is(err, threatconnect.ErrUnauthorized))
	_, err = client.Indicators.Create(ctx, threatconnect.NewHost("www.example.com"))
	fmt.Println("create:", errors.Is(err, threatconnect.ErrUnauthorized))
	// Output:
	// <nil>
	// read indicators: <nil>
	// read groups: true
	// create: true
}

// The response to the second request for an owner is lost.
func ExampleServer_Inject() {
	srv := threatconnecttest.New()
	err := srv.Inject(threatconnecttest.Fault{
		Kind:   threatconnecttest.FaultLostReply,
		Method: http.MethodGet,
		Route:  "/v2/owners/{id}",
		Skip:   1,
	})
	fmt.Println(err)
	client := srv.Client(threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 1}))
	for range 3 {
		_, err := client.Owners.Get(context.Background(), 1)
		var broken *threatconnect.RequestError
		fmt.Println(errors.As(err, &broken))
	}
	fmt.Println(srv.FaultCounts())

	err = srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultReset, Route: "/v2/onwers"})
	fmt.Println(err)
	// Output:
	// <nil>
	// false
	// true
	// false
	// map[lostReply:1]
	// threatconnecttest: fault 0 of Inject: no endpoint has method "" and route "/v2/onwers"; spell both as in Routes, or leave them empty
}

// About every fifth request fails. Every run of the test has the same failures.
func ExampleFaultMix() {
	srv := threatconnecttest.New()
	err := srv.Inject(threatconnecttest.FaultMix(1, 0.2, threatconnecttest.FaultStatus, threatconnecttest.FaultHTML))
	fmt.Println(err)
	client := srv.Client(threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 1}))
	failed := 0
	for range 100 {
		if _, err := client.Owners.Whoami(context.Background()); err != nil {
			failed++
		}
	}
	struck := 0
	for _, n := range srv.FaultCounts() {
		struck += n
	}
	fmt.Println(failed == struck, failed > 10, failed < 30)
	// Output:
	// <nil>
	// true true true
}

// The first request for an owner succeeds, and all later ones are forbidden.
func ExampleServer_Handle() {
	srv := threatconnecttest.New()
	requests := 0
	err := srv.Handle("GET /v2/owners/{id}", func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
		if requests++; requests == 1 {
			next(w, r) // the server's own response
			return
		}
		w.WriteHeader(http.StatusForbidden)
	})
	fmt.Println(err)
	for range 2 {
		_, err := srv.Client().Owners.Get(context.Background(), 1)
		fmt.Println(errors.Is(err, threatconnect.ErrForbidden))
	}
	// Output:
	// <nil>
	// false
	// true
}

// The server refuses a client with a wrong clock. The client then corrects its timestamps.
func ExampleServer_SetClockOffset() {
	srv := threatconnecttest.New()
	srv.SetClockOffset(time.Hour)
	_, err := srv.Client().Owners.Whoami(context.Background())
	fmt.Println(err)
	refusal := srv.Requests()[0].Refusal
	fmt.Println(strings.Contains(refusal.Reason, "behind the server's clock, and 5m0s are allowed"))
	// Output:
	// <nil>
	// true
}

func ExampleWithRateLimit() {
	srv := threatconnecttest.New(threatconnecttest.WithRateLimit(2, time.Hour))
	client := srv.Client(threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 1}))
	for range 3 {
		_, err := client.Owners.Whoami(context.Background())
		if refused, ok := errors.AsType[*threatconnect.APIError](err); ok {
			fmt.Println(refused.StatusCode, refused.RetryAfter.Round(time.Minute))
		}
	}
	// Output: 429 1h0m0s
}

func ExampleServer_Requests() {
	srv := threatconnecttest.New(threatconnecttest.WithRecordedBodies(100))
	_, err := srv.Client().Indicators.Create(context.Background(), threatconnect.NewHost("www.example.com"))
	fmt.Println(err)
	for _, r := range srv.Requests() {
		fmt.Println(r.Method, r.Route, r.Status, string(r.Body))
	}
	// Output:
	// <nil>
	// POST /v2/indicators/{type} 201 {"hostName":"www.example.com"}
}

// This client signs the path without the path of the base URL.
func ExampleRefusal() {
	srv := threatconnecttest.New()
	req := httptest.NewRequest(http.MethodGet, "/api/v2/owners", nil)
	req.Header.Set("Timestamp", fmt.Sprint(time.Now().Unix()))
	req.Header.Set("Authorization", "TC "+srv.AccessID()+":"+sign(srv.SecretKey(), "/v2/owners:GET:"+req.Header.Get("Timestamp")))
	srv.ServeHTTP(httptest.NewRecorder(), req)

	refusal := srv.Requests()[0].Refusal
	fmt.Println(refusal)
	fmt.Println("sign:  ", strings.TrimRight(refusal.StringToSign, "0123456789")+"TIMESTAMP")
	fmt.Println("signed:", strings.TrimRight(refusal.Signed, "0123456789")+"TIMESTAMP")
	// Output:
	// the signature does not match: the path was signed without /api
	// sign:   /api/v2/owners:GET:TIMESTAMP
	// signed: /v2/owners:GET:TIMESTAMP
}

func ExampleServer_Listen() {
	test := func(t testing.TB) {
		srv := threatconnecttest.NewT(t)
		client, err := threatconnect.NewClient(srv.Listen(t), threatconnect.Token(srv.Token()))
		if err != nil {
			t.Error(err)
			return
		}
		user, err := client.Owners.Whoami(context.Background())
		fmt.Println(user.UserName == srv.AccessID(), err)
	}
	runTest(test)
	// Output: true <nil>
}

func ExampleWithOddities() {
	srv := threatconnecttest.New(threatconnecttest.WithOddities(threatconnecttest.OddityStringIDs | threatconnecttest.OddityErrorWord))
	threat, err := srv.Client().Groups.Threats.Create(context.Background(), threatconnect.NewThreat("Example Threat"))
	fmt.Println(threat.ID, err) // the client reads both shapes
	fmt.Println(strings.Contains(string(srv.Requests()[0].ResponseBody), `"id":"1001"`))
	// Output:
	// 1001 <nil>
	// true
}

func ExampleOddities() {
	for _, o := range threatconnecttest.Oddities()[:3] {
		fmt.Printf("%v: %s\n", o, o.Description())
	}
	// Output:
	// stringIDs: IDs are strings of digits
	// zonelessDates: dates have no time zone: 2026-01-02T03:04:05
	// offsetDates: dates have an offset: 2026-01-01T22:04:05-05:00
}

// Moving the server's clock by an hour completes a job that takes an hour. In a bubble of
// testing/synctest, an import that waits for such a job also takes no time.
func ExampleWithBatchDuration() {
	srv := threatconnecttest.New(threatconnecttest.WithBatchDuration(time.Hour))
	client := srv.ClientAs(threatconnect.Token(srv.Token())) // no timestamps
	ctx := context.Background()

	id, err := client.Batch.Create(ctx, threatconnect.BatchJob{Owner: "Example Source", Attributes: threatconnect.WriteReplace})
	fmt.Println(err)
	_, err = client.Batch.Upload(ctx, id, strings.NewReader(`{"indicator":[{"type":"Host","summary":"www.example.com"}]}`))
	fmt.Println(err)
	for range 2 {
		job, err := client.Batch.Status(ctx, id)
		fmt.Println(job.State, job.Success, err)
		srv.SetClockOffset(time.Hour)
	}
	// Output:
	// <nil>
	// <nil>
	// Queued 0 <nil>
	// Completed 1 <nil>
}

// An analyst deletes a host while a client reads the list page by page. Deleting moves the third host
// to the first page, so the client misses it.
func ExampleServer_Delete() {
	srv := threatconnecttest.New()
	hosts := []*threatconnecttest.IndicatorRecord{
		{Type: "Host", Summary: "a.example.com"}, {Type: "Host", Summary: "b.example.com"}, {Type: "Host", Summary: "c.example.com"},
	}
	fmt.Println(srv.Seed(hosts[0], hosts[1], hosts[2]))

	client, ctx := srv.Client(), context.Background()
	for host, err := range client.Indicators.Hosts.All(ctx, &threatconnect.IndicatorListOptions{ListOptions: threatconnect.ListOptions{Limit: 2}}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(host.HostName)
		if host.HostName == "b.example.com" { // the first page ends here
			fmt.Println(srv.Delete(hosts[0]))
		}
	}
	// Output:
	// <nil>
	// a.example.com
	// b.example.com
	// <nil>
}

// Two tests start with the same data.
func ExampleServer_Snapshot() {
	srv := threatconnecttest.New()
	fmt.Println(srv.Seed(&threatconnecttest.IndicatorRecord{Type: "Host", Summary: "www.example.com"}))
	start := srv.Snapshot()

	client, ctx := srv.Client(), context.Background()
	for _, rating := range []float64{3, 5} {
		srv.Restore(start)
		before, err := client.Indicators.Hosts.Get(ctx, "www.example.com", nil)
		fmt.Println(before.Rating, err)
		_, err = client.Indicators.Update(ctx, before, threatconnect.IndicatorUpdate{Rating: &rating})
		fmt.Println(err)
	}
	// Output:
	// <nil>
	// <nil> <nil>
	// <nil>
	// <nil> <nil>
	// <nil>
}
