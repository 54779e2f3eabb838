package threatconnect_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"path"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func TestLookupOfValuesOfAnyType(t *testing.T) {
	t.Parallel()
	forEveryOddity(t, func(t *testing.T, srv *threatconnecttest.Server, c *threatconnect.Client) {
		seedIndicators(t, srv,
			threatconnecttest.IndicatorRecord{Owner: "Example Organization", Type: "Host", Summary: "www.example.com"},
			threatconnecttest.IndicatorRecord{Owner: "Example Source", Type: "Host", Summary: "www.example.com"},
			threatconnecttest.IndicatorRecord{Owner: "Example Source", Type: "URL", Summary: "http://www.example.com/A"},
			threatconnecttest.IndicatorRecord{Owner: "Example Source", Type: "Mutex", Summary: "Global\\m"})
		values := []string{"www[.]example[.]com", "192.0.2.1", "not an indicator", "hxxp://www.example.com/A", "www.example.com"}
		for name, test := range map[string]struct {
			opts *threatconnect.LookupOptions
			want []string // owners in which each value is found
		}{
			"in the client's owner": {nil, []string{"Example Organization", "", "", "", "Example Organization"}},
			"in chosen owners": {&threatconnect.LookupOptions{Owners: []string{"Example Source", "Example Organization"}},
				[]string{"Example Source,Example Organization", "", "", "Example Source", "Example Source,Example Organization"}},
			"in all owners, one request at a time": {&threatconnect.LookupOptions{AllOwners: true, Parallel: 1},
				[]string{"Example Organization,Example Source", "", "", "Example Source", "Example Organization,Example Source"}},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				var got, given []string
				for r, err := range c.Indicators.Lookup(t.Context(), slices.Values(values), test.opts) {
					require.NoError(t, err)
					assert.Equal(t, len(got), r.Index)
					var owners []string
					for _, ind := range r.Found {
						owners = append(owners, ind.Meta().Owner.Name)
					}
					got, given = append(got, strings.Join(owners, ",")), append(given, r.Value)
					if r.Index == 2 {
						require.ErrorIs(t, r.Err, threatconnect.ErrValidation)
						assert.Zero(t, r.Ref)
						continue
					}
					require.NoError(t, r.Err)
					assert.NotZero(t, r.Ref)
				}
				assert.Equal(t, test.want, got)
				assert.Equal(t, values, given)
			})
		}
		t.Run("of a type that cannot be detected", func(t *testing.T) {
			t.Parallel()
			results := all(t, c.InOwner("Example Source").Indicators.Lookup(t.Context(), slices.Values([]string{"Global\\m", "www.example.com", " "}), &threatconnect.LookupOptions{Type: threatconnect.TypeMutex}))
			require.Len(t, results, 3)
			require.Len(t, results[0].Found, 1)
			assert.Equal(t, threatconnect.IndicatorRef{Type: threatconnect.TypeMutex, Value: "Global\\m"}, results[0].Ref)
			assert.Empty(t, results[1].Found)
			require.NoError(t, results[1].Err)
			require.ErrorIs(t, results[2].Err, threatconnect.ErrValidation)
		})
	})
}

func TestLookupUsesCallOptions(t *testing.T) {
	t.Parallel()
	var sent []string
	c := clientOf(t, wiretest.Func(func(req *http.Request) (*http.Response, error) {
		sent = append(sent, req.URL.RequestURI()+" "+req.Header.Get("X-Trace"))
		if strings.HasSuffix(req.URL.Path, "/owners") {
			return wiretest.Reply(200, `{"status":"Success","data":{"owner":[{"id":1,"name":"A"},{"id":2,"name":"B"}]}}`), nil
		}
		score := map[string]string{"A": `,"threatAssessScore":12`, "B": `,"threatAssessScore":700`}[req.URL.Query().Get("owner")]
		return wiretest.Reply(200, `{"status":"Success","data":{"host":{"id":1,"hostName":"www.example.com"`+score+`}}}`), nil
	}))
	opts := &threatconnect.LookupOptions{
		CallOptions: threatconnect.CallOptions{Header: http.Header{"X-Trace": {"7"}}},
		AllOwners:   true, Parallel: 1, Include: threatconnect.Include{Tags: true, OmitAdditional: true},
	}
	results := all(t, c.Indicators.Lookup(t.Context(), slices.Values([]string{"www.example.com"}), opts))
	assert.Equal(t, "/api/v2/indicators/hosts/www.example.com/owners?includes=additional 7", sent[0])
	assert.ElementsMatch(t, []string{
		"/api/v2/indicators/hosts/www.example.com?includeTags=true&owner=A 7",
		"/api/v2/indicators/hosts/www.example.com?includeTags=true&owner=B 7",
	}, sent[1:])
	score, ok := results[0].ThreatAssessScore()
	assert.True(t, ok)
	assert.Equal(t, 700, score)
	_, ok = threatconnect.LookupResult{Found: []threatconnect.Indicator{threatconnect.NewHost("a.example")}}.ThreatAssessScore()
	assert.False(t, ok)
}

func TestLookupSendsNothingForExcludedValues(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var sent []string
		var sending sync.Mutex
		c := clientOf(t, wiretest.Func(func(req *http.Request) (*http.Response, error) {
			sending.Lock()
			defer sending.Unlock()
			sent = append(sent, req.URL.EscapedPath())
			return wiretest.Reply(404, relatedMissing), nil
		}))
		var asked []string // needs no lock: calls are not concurrent
		exclude := func(typ, value string) (string, bool) {
			time.Sleep(time.Second)
			asked = append(asked, typ+" "+value)
			if value == "10.0.0.1" {
				return "private", true
			}
			return "", strings.Contains(value, "excluded")
		}
		values := []string{"10[.]0.0.1", "192.0.2.1", "not an indicator", "http://Excluded.example/A", sha256A + " : " + md5A, "Bücher.example"}
		began := time.Now()
		results := all(t, c.Indicators.Lookup(t.Context(), slices.Values(values), &threatconnect.LookupOptions{Exclude: exclude}))
		assert.Equal(t, 5*time.Second, time.Since(began), "one call at a time")
		assert.ElementsMatch(t, []string{"Address 10.0.0.1", "Address 192.0.2.1", "URL http://excluded.example/A", "File " + md5A + " : " + sha256A, "Host xn--bcher-kva.example"}, asked)
		assert.ElementsMatch(t, []string{"/api/v2/indicators/addresses/192.0.2.1", "/api/v2/indicators/files/" + sha256A, "/api/v2/indicators/hosts/xn--bcher-kva.example"}, sent)
		var got []string
		for _, r := range results {
			got = append(got, r.Excluded)
			assert.Empty(t, r.Found)
			assert.Equal(t, r.Index == 2, r.Err != nil)
			assert.Equal(t, r.Index == 2, r.Ref == threatconnect.IndicatorRef{})
		}
		assert.Equal(t, []string{"private", "", "", "no reason given", "", ""}, got)

		asked, sent = nil, nil
		opts := &threatconnect.LookupOptions{Type: threatconnect.TypeHost, AllOwners: true, Parallel: 1, Exclude: exclude}
		results = all(t, c.Indicators.Lookup(t.Context(), slices.Values([]string{"WWW.Excluded.example", "a b"}), opts))
		assert.Equal(t, []string{"Host www.excluded.example"}, asked, "invalid values are not passed to Exclude")
		assert.Empty(t, sent)
		assert.Equal(t, "no reason given", results[0].Excluded)
		require.ErrorIs(t, results[1].Err, threatconnect.ErrValidation)

		var calls atomic.Int64
		var left int64
		opts = &threatconnect.LookupOptions{Exclude: func(string, string) (string, bool) {
			time.Sleep(time.Second)
			calls.Add(1)
			return "", true
		}}
		for range c.Indicators.Lookup(t.Context(), countedHosts(20, new(atomic.Int64)), opts) {
			left = calls.Load()
			break
		}
		assert.LessOrEqual(t, calls.Load(), left+1, "no call starts after the loop is left")
	})
}

func TestLookupRejectsInvalidOptions(t *testing.T) {
	t.Parallel()
	s := &wiretest.Steps{Do: steps{wiretest.Answer(200, successes)}}
	c := clientOf(t, s)
	values := slices.Values([]string{"a.example"})
	for name, seq := range map[string]iter.Seq2[threatconnect.LookupResult, error]{
		"values are nil":   c.Indicators.Lookup(t.Context(), nil, nil),
		"lookup names":     c.Indicators.Lookup(t.Context(), values, &threatconnect.LookupOptions{Owners: []string{"A"}, AllOwners: true}),
		"lookup parallel ": c.Indicators.Lookup(t.Context(), values, &threatconnect.LookupOptions{Parallel: 65}),
		"owner ":           c.Indicators.Lookup(t.Context(), values, &threatconnect.LookupOptions{Owners: []string{"a\nb"}}),
		"header":           c.Indicators.Lookup(t.Context(), values, &threatconnect.LookupOptions{CallOptions: threatconnect.CallOptions{Header: http.Header{"Timestamp": {"1"}}}}),
	} {
		err := relatedErr(seq)
		require.ErrorIs(t, err, threatconnect.ErrValidation, name)
		assert.ErrorContains(t, err, "threatconnect: "+name)
	}
	assert.Empty(t, s.Sent)
}

// countedHosts yields n host names and counts them in taken.
func countedHosts(n int, taken *atomic.Int64) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range n {
			taken.Add(1)
			if !yield(fmt.Sprintf("h%d.example", i)) {
				return
			}
		}
	}
}

// One thousand values at 50 ms per request take 50 s one after another.
func TestLookupIsParallelInBoundedMemory(t *testing.T) {
	t.Parallel()
	for parallel, want := range map[int]time.Duration{0: 3150 * time.Millisecond, 1: 50 * time.Second, 64: 800 * time.Millisecond} {
		t.Run(strconv.Itoa(parallel), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const n = 1000
				var taken, inFlight, most atomic.Int64
				c := clientOf(t, wiretest.Func(func(*http.Request) (*http.Response, error) {
					now := inFlight.Add(1)
					for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
					}
					time.Sleep(50 * time.Millisecond)
					inFlight.Add(-1)
					return wiretest.Reply(404, relatedMissing), nil
				}))
				began := time.Now()
				i, limit := 0, parallel
				if limit == 0 {
					limit = 16
				}
				for r, err := range c.Indicators.Lookup(t.Context(), countedHosts(n, &taken), &threatconnect.LookupOptions{Parallel: parallel}) {
					require.NoError(t, err)
					require.NoError(t, r.Err)
					require.Empty(t, r.Found)
					require.Equal(t, fmt.Sprintf("h%d.example", i), r.Value)
					i++
					require.LessOrEqual(t, taken.Load(), int64(i+2*limit-1))
				}
				assert.Equal(t, n, i)
				assert.Equal(t, want, time.Since(began))
				assert.EqualValues(t, limit, most.Load())
			})
		})
	}
}

// A slow response delays later results, but not their requests.
func TestLookupContinuesBehindSlowResponse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var taken, answered atomic.Int64
		c := clientOf(t, wiretest.Func(func(req *http.Request) (*http.Response, error) {
			if strings.Contains(req.URL.Path, "/h0.") {
				time.Sleep(time.Second)
				assert.EqualValues(t, 6, answered.Load())
			} else {
				time.Sleep(100 * time.Millisecond)
				answered.Add(1)
			}
			return wiretest.Reply(404, relatedMissing), nil
		}))
		results := all(t, c.Indicators.Lookup(t.Context(), countedHosts(7, &taken), &threatconnect.LookupOptions{Parallel: 4}))
		assert.Len(t, results, 7)
	})
}

// With one request at a time, a result comes before the next value is taken. Otherwise it comes as soon
// as the next value does.
func TestLookupOfSlowValues(t *testing.T) {
	t.Parallel()
	for parallel, want := range map[int][]time.Duration{
		1: {time.Second, 11 * time.Second, 21 * time.Second},
		4: {10 * time.Second, 20 * time.Second, 21 * time.Second},
	} {
		t.Run(strconv.Itoa(parallel), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := clientOf(t, wiretest.Func(func(*http.Request) (*http.Response, error) {
					time.Sleep(time.Second)
					return wiretest.Reply(404, relatedMissing), nil
				}))
				began := time.Now()
				slowly := func(yield func(string) bool) {
					for i := range 3 {
						if i > 0 {
							time.Sleep(time.Until(began.Add(time.Duration(i) * 10 * time.Second)))
						}
						if !yield("a.example") {
							return
						}
					}
				}
				var got []time.Duration
				for _, err := range c.Indicators.Lookup(t.Context(), slowly, &threatconnect.LookupOptions{Parallel: parallel}) {
					require.NoError(t, err)
					got = append(got, time.Since(began))
				}
				assert.Equal(t, want, got)
			})
		})
	}
}

func TestLookupErrors(t *testing.T) {
	t.Parallel()
	const page = "<html>no</html>"
	for name, test := range map[string]struct {
		step func(*http.Request) (*http.Response, error)
		ends bool
		want error
	}{
		"bad request":                 {wiretest.Answer(400, `{"status":"Failure","message":"Please enter a valid Host"}`), false, threatconnect.ErrBadRequest},
		"failure with 200":            {wiretest.Answer(200, `{"status":"Failure","message":"Please enter a valid Host"}`), false, nil},
		"address too long":            {wiretest.Answer(414, page), false, nil},
		"server error":                {wiretest.Answer(500, `{"status":"Failure","message":"Internal error"}`), false, threatconnect.ErrServer},
		"broken answer":               {wiretest.Answer(200, `{"status":`), false, threatconnect.ErrBadResponse},
		"firewall":                    {wiretest.Answer(403, page), false, threatconnect.ErrForbidden},
		"no permission":               {wiretest.Answer(403, `{"status":"Failure","message":"Access Denied"}`), true, threatconnect.ErrForbidden},
		"wrong key":                   {wiretest.Answer(401, `{"status":"Failure","message":"Signature data did not match expected result"}`), true, threatconnect.ErrSignature},
		"owner":                       {wiretest.Answer(400, `{"status":"Failure","message":"The requested owner was not found"}`), true, threatconnect.ErrOwnerRefused},
		"no license":                  {wiretest.Answer(503, `{"status":"Failure","message":"API access has not been licensed for this system"}`), true, threatconnect.ErrNotLicensed},
		"rate limit":                  {wiretest.Answer(429, ""), true, threatconnect.ErrRateLimited},
		"unavailable":                 {wiretest.Answer(503, page), true, threatconnect.ErrUnavailable},
		"not the platform":            {wiretest.Answer(404, page), true, threatconnect.ErrNotFound},
		"redirect":                    {wiretest.Answer(302, "", "Location", "https://other.example/"), true, threatconnect.ErrRedirect},
		"no connection":               {wiretest.Fail(errors.New("no route to host")), true, nil},
		"no connection after a 500":   {inTurn(wiretest.Answer(500, ""), wiretest.Fail(errors.New("no route to host"))), true, threatconnect.ErrServer},
		"a broken answer after a 429": {inTurn(wiretest.Answer(429, ""), wiretest.Answer(200, `{"status":`)), false, threatconnect.ErrBadResponse},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := clientOf(t, wiretest.Func(func(req *http.Request) (*http.Response, error) {
					if !strings.Contains(req.URL.Path, "/h2.") {
						return wiretest.Reply(404, relatedMissing), nil
					}
					resp, err := test.step(req)
					if resp != nil {
						resp.Request = req
					}
					return resp, err
				}), threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 2}))
				var taken atomic.Int64
				var got []threatconnect.LookupResult
				var end error
				for r, err := range c.Indicators.Lookup(t.Context(), countedHosts(5, &taken), nil) {
					require.NoError(t, end, "a result after the error that ends the lookup")
					got, end = append(got, r), err
				}
				if test.ends {
					require.Len(t, got, 3)
					assert.Equal(t, "h2.example", got[2].Value)
					require.NoError(t, got[2].Err)
					require.Error(t, end)
				} else {
					require.NoError(t, end)
					require.Len(t, got, 5)
					end = got[2].Err
					require.Error(t, end)
				}
				if test.want != nil {
					require.ErrorIs(t, end, test.want)
				}
			})
		})
	}
}

// inTurn performs its steps in turn.
func inTurn(s ...wiretest.Func) wiretest.Func {
	return (&wiretest.Steps{Do: s}).RoundTrip
}

// However the loop ends, no goroutine outlives it and it waits for no request.
func TestLookupEndsCleanlyOnBreakOrPanic(t *testing.T) {
	t.Parallel()
	unanswered := wiretest.Func(func(req *http.Request) (*http.Response, error) {
		if strings.Contains(req.URL.Path, "/h0.") {
			return wiretest.Reply(404, relatedMissing), nil
		}
		<-req.Context().Done()
		return nil, req.Context().Err()
	})
	for name, leave := range map[string]func(t *testing.T, c *threatconnect.Client, values iter.Seq[string]){
		"by a break": func(t *testing.T, c *threatconnect.Client, values iter.Seq[string]) {
			for r := range c.Indicators.Lookup(t.Context(), values, &threatconnect.LookupOptions{Owners: []string{"A", "B"}, Parallel: 64}) {
				assert.Equal(t, 0, r.Index)
				break
			}
		},
		"by its context": func(t *testing.T, c *threatconnect.Client, values iter.Seq[string]) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			n := 0
			var last error
			for _, err := range c.Indicators.Lookup(ctx, values, &threatconnect.LookupOptions{Parallel: 64}) {
				n, last = n+1, err
				cancel()
			}
			assert.Equal(t, 2, n)
			require.ErrorIs(t, last, context.Canceled)
		},
		"by a panic": func(t *testing.T, c *threatconnect.Client, values iter.Seq[string]) {
			assert.PanicsWithValue(t, "the loop", func() {
				for range c.Indicators.Lookup(t.Context(), values, &threatconnect.LookupOptions{Parallel: 64}) {
					panic("the loop")
				}
			})
		},
		"by a panic of the values": func(t *testing.T, c *threatconnect.Client, _ iter.Seq[string]) {
			assert.PanicsWithValue(t, "the values", func() {
				for range c.Indicators.Lookup(t.Context(), func(yield func(string) bool) {
					yield("h1.example")
					panic("the values")
				}, nil) {
					t.Error("a result")
				}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { // fails if a goroutine leaks
				var taken atomic.Int64
				began := time.Now()
				leave(t, clientOf(t, unanswered), countedHosts(30, &taken)) // all requests run at the same time
				assert.Zero(t, time.Since(began))
			})
		})
	}
}

// A panic in a transport or in Exclude reaches the loop over the results, where the caller can recover
// it.
func TestLookupPropagatesTransportPanic(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]*threatconnect.LookupOptions{"in one owner": nil, "in all owners": {AllOwners: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := clientOf(t, wiretest.Func(func(req *http.Request) (*http.Response, error) {
				switch {
				case strings.Contains(req.URL.Path, "/h1.") && req.URL.Query().Get("includes") == "":
					panic("the transport")
				case strings.HasSuffix(req.URL.Path, "/owners"):
					return wiretest.Reply(200, `{"status":"Success","data":{"owner":[{"id":1,"name":"A"}]}}`), nil
				}
				return wiretest.Reply(404, relatedMissing), nil
			}))
			n := 0
			var taken atomic.Int64
			assert.PanicsWithValue(t, "the transport", func() {
				for range c.Indicators.Lookup(t.Context(), countedHosts(5, &taken), opts) {
					n++
				}
			})
			assert.Equal(t, 1, n)
		})
	}
	assert.PanicsWithValue(t, "the exclusions", func() {
		opts := &threatconnect.LookupOptions{Exclude: func(string, string) (string, bool) { panic("the exclusions") }}
		for r := range clientOf(t, &wiretest.Steps{}).Indicators.Lookup(t.Context(), countedHosts(5, new(atomic.Int64)), opts) {
			assert.Fail(t, "a result", r)
		}
	})
	c := clientOf(t, wiretest.Func(func(*http.Request) (*http.Response, error) {
		runtime.Goexit() // as t.FailNow does
		return nil, nil
	}))
	ended := make(chan bool)
	go func() {
		defer close(ended)
		for range c.Indicators.Lookup(t.Context(), slices.Values([]string{"h0.example"}), nil) {
			ended <- true
		}
		ended <- true
	}()
	assert.False(t, <-ended, "the loop continued")
}

func BenchmarkLookup(b *testing.B) {
	c := clientOf(b, wiretest.Func(func(req *http.Request) (*http.Response, error) {
		return wiretest.Reply(200, `{"status":"Success","data":{"host":{"id":1,"owner":{"id":1,"name":"A"},"hostName":"`+path.Base(req.URL.Path)+`","rating":3}}}`), nil
	}))
	ctx := b.Context()
	values := func(n int) iter.Seq[string] { return countedHosts(n, new(atomic.Int64)) }
	b.Run("Get in a loop", func(b *testing.B) {
		b.ReportAllocs()
		for v := range values(b.N) {
			if _, err := c.Indicators.Hosts.Get(ctx, v, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Lookup", func(b *testing.B) {
		b.ReportAllocs()
		for r, err := range c.Indicators.Lookup(ctx, values(b.N), nil) {
			if err != nil || r.Err != nil {
				b.Fatal(err, r.Err)
			}
		}
	})
}
