package threatconnect_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// hangs is a step of a script that blocks until the context of the request ends, like a stalled connection.
func hangs(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, context.Cause(req.Context())
}

// breath responds with a text and then hangs, like a stream whose server stops sending.
func breath(text, contentType string) func(*http.Request) (*http.Response, error) {
	return func(req *http.Request) (*http.Response, error) {
		resp := wiretest.Reply(200, "", "Content-Type", contentType)
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(text), &trickle{ctx: req.Context()}))
		resp.ContentLength = -1
		return resp, nil
	}
}

// slowJobs returns a writer whose jobs take an hour.
func slowJobs(t *testing.T) *threatconnect.BatchWriter {
	t.Helper()
	srv := threatconnecttest.NewT(t, threatconnecttest.WithBatchDuration(time.Hour))
	cfg := appendConfig()
	cfg.MaxItems = 1
	w, err := srv.Client().Batch.NewWriter(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		_ = w.Close(ended)
	})
	return w
}

// awaits has a call for every place where this package can block.
var awaits = map[string]func(t *testing.T, ctx context.Context) error{
	"a response": func(t *testing.T, ctx context.Context) error {
		_, err := clientOf(t, &wiretest.Steps{Do: steps{hangs}}).Owners.Whoami(ctx)
		return err
	},
	"the response to a POST": func(t *testing.T, ctx context.Context) error {
		return calls["POST"](ctx, clientOf(t, &wiretest.Steps{Do: steps{hangs}}))
	},
	"the body": func(t *testing.T, ctx context.Context) error {
		_, err := clientOf(t, &wiretest.Steps{Do: steps{breath("{", "application/json")}}).Owners.Whoami(ctx)
		return err
	},
	"the body of an error": func(t *testing.T, ctx context.Context) error {
		_, err := clientOf(t, &wiretest.Steps{Do: steps{trickling(400, "")}}).Owners.Whoami(ctx)
		return err
	},
	"the next attempt": func(t *testing.T, ctx context.Context) error {
		_, err := clientOf(t, &wiretest.Steps{Do: steps{wiretest.Answer(503, "", "Retry-After", "60")}}).Owners.Whoami(ctx)
		return err
	},
	"a limiter": func(t *testing.T, ctx context.Context) error {
		wait := limiter(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		_, err := clientOf(t, &wiretest.Steps{Do: steps{wiretest.Answer(200, whoami)}}, threatconnect.WithLimiter(wait)).Owners.Whoami(ctx)
		return err
	},
	"a token": func(t *testing.T, ctx context.Context) error {
		c, err := threatconnect.NewClient("https://tc.example", threatconnect.TokenFunc(func(ctx context.Context) (string, time.Time, error) {
			<-ctx.Done()
			return "", time.Time{}, ctx.Err()
		}), threatconnect.WithTransport(&wiretest.Steps{Do: steps{wiretest.Answer(200, whoami)}}))
		require.NoError(t, err)
		_, err = c.Owners.Whoami(ctx)
		return err
	},
	"the token that another call requests": func(t *testing.T, ctx context.Context) error {
		release := make(chan struct{})
		defer close(release)
		c, err := threatconnect.NewClient("https://tc.example", threatconnect.TokenFunc(func(context.Context) (string, time.Time, error) {
			<-release
			return "token", time.Time{}, nil
		}), threatconnect.WithTransport(&wiretest.Steps{Do: steps{wiretest.Answer(200, whoami)}}))
		require.NoError(t, err)
		go func() { _, _ = c.Owners.Whoami(t.Context()) }()
		synctest.Wait()
		_, err = c.Owners.Whoami(ctx)
		return err
	},
	"a page": func(t *testing.T, ctx context.Context) error {
		s := &wiretest.Steps{Do: steps{wiretest.Answer(200, `{"data":{"resultCount":3,"host":[{"id":1,"hostName":"a.example"}]}}`), hangs}}
		return lastError(clientOf(t, s).Indicators.Hosts.All(ctx, &threatconnect.IndicatorListOptions{ListOptions: threatconnect.ListOptions{Limit: 1}}))
	},
	"pages ahead": func(t *testing.T, ctx context.Context) error {
		s := &wiretest.Steps{Do: steps{wiretest.Answer(200, `{"data":{"resultCount":99,"host":[{"id":1,"hostName":"a.example"}]}}`), hangs}}
		err := lastError(clientOf(t, s).Indicators.Hosts.All(ctx, &threatconnect.IndicatorListOptions{ListOptions: threatconnect.ListOptions{Limit: 1, Ahead: 4}}))
		assert.Equal(t, 5, s.Count())
		return err
	},
	"the next indicator of a bulk report": func(t *testing.T, ctx context.Context) error {
		s := &wiretest.Steps{Do: steps{breath(`{"indicator":[{"type":"Host","summary":"a.example"},`, "application/json")}}
		return lastError(clientOf(t, s).InOwner("Example Source").Bulk.JSON(ctx))
	},
	"the next row of a bulk report": func(t *testing.T, ctx context.Context) error {
		s := &wiretest.Steps{Do: steps{breath("Type,Value\nHost,a.example\n"+strings.Repeat(" ", 8<<10), "text/csv")}}
		return lastError(clientOf(t, s).InOwner("Example Source").Bulk.CSV(ctx))
	},
	"the end of a bulk run": func(t *testing.T, ctx context.Context) error {
		_, err := clientOf(t, &wiretest.Steps{Do: steps{wiretest.Answer(200, `{"bulkStatus":{"name":"x","status":"Running"}}`)}}).InOwner("Example Source").Bulk.Wait(ctx, threatconnect.BulkStatus{})
		return err
	},
	"the next error of a job": func(t *testing.T, ctx context.Context) error {
		return lastError(clientOf(t, &wiretest.Steps{Do: steps{breath(`[{"code":"0x1005"},`, "application/octet-stream")}}).Batch.Errors(ctx, 7))
	},
	"the end of a job": func(t *testing.T, ctx context.Context) error {
		_, err := clientOf(t, &wiretest.Steps{Do: steps{wiretest.Answer(200, `{"status":"Running"}`)}}).Batch.Wait(ctx, 7)
		return err
	},
	"a download": func(t *testing.T, ctx context.Context) error {
		s := &wiretest.Steps{Do: steps{breath(strings.Repeat("x", 64<<10), "application/octet-stream")}}
		_, err := clientOf(t, s).Groups.Documents.Download(ctx, 1, io.Discard)
		return err
	},
	"the body of Client.Do": func(t *testing.T, ctx context.Context) error {
		resp, err := clientOf(t, &wiretest.Steps{Do: steps{breath("x", "text/plain")}}).Do(ctx, threatconnect.Request{Method: "GET", Path: "/v2/owners"})
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, resp.Body)
		require.NoError(t, resp.Body.Close())
		return err
	},
	"room for another item": func(t *testing.T, ctx context.Context) error {
		w := slowJobs(t)
		addAll(t, w, batchHost(0), batchHost(1))
		return w.Add(ctx, batchHost(2))
	},
	"another Add": func(t *testing.T, ctx context.Context) error {
		w := slowJobs(t)
		addAll(t, w, batchHost(0), batchHost(1))
		other, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = w.Add(other, batchHost(2)) }()
		synctest.Wait()
		return w.Add(ctx, batchHost(3))
	},
	"a flush": func(t *testing.T, ctx context.Context) error {
		w := slowJobs(t)
		addAll(t, w, batchHost(0))
		return w.Flush(ctx)
	},
	"a close": func(t *testing.T, ctx context.Context) error {
		w := slowJobs(t)
		addAll(t, w, batchHost(0))
		return w.Close(ctx)
	},
	"an import": func(t *testing.T, ctx context.Context) error {
		srv := threatconnecttest.NewT(t, threatconnecttest.WithBatchDuration(time.Hour))
		_, err := srv.Client().Batch.Import(ctx, appendConfig(), func(yield func(threatconnect.BatchItem, error) bool) { yield(batchHost(0), nil) })
		return err
	},
	"a Flush of log entries": func(t *testing.T, ctx context.Context) error {
		h, err := clientOf(t, &wiretest.Steps{Do: steps{hangs}}).Logs.NewHandler(nil)
		require.NoError(t, err)
		require.NoError(t, h.Handle(ctx, logRecord("x")))
		return h.Flush(ctx)
	},
	"another Flush of log entries": func(t *testing.T, ctx context.Context) error {
		h, err := clientOf(t, &wiretest.Steps{Do: steps{hangs}}).Logs.NewHandler(nil)
		require.NoError(t, err)
		require.NoError(t, h.Handle(ctx, logRecord("x")))
		other, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = h.Flush(other) }()
		synctest.Wait()
		return h.Close(ctx)
	},
	"a playbook": func(t *testing.T, ctx context.Context) error {
		return fire(t, ctx, wiretest.Func(hangs))
	},
	"a playbook's body": func(t *testing.T, ctx context.Context) error {
		return fire(t, ctx, wiretest.Func(breath("x", "text/plain")))
	},
	"a connection to a playbook": func(t *testing.T, ctx context.Context) error {
		return fire(t, ctx, wiretest.Fail(&net.OpError{Op: "dial", Err: errors.New("refused")}))
	},
}

func fire(t *testing.T, ctx context.Context, rt http.RoundTripper) error {
	t.Helper()
	trigger, err := threatconnect.NewPlaybookTrigger("https://tc.example/api/playbook/x", &threatconnect.PlaybookTriggerOptions{
		HTTPClient: &http.Client{Transport: rt}, Retry: threatconnect.RetryPolicy{MaxAttempts: 1000},
	})
	require.NoError(t, err)
	_, err = trigger.Fire(ctx, nil)
	return err
}

// lastError ranges over a sequence and returns its last error.
func lastError[T any](seq func(func(T, error) bool)) error {
	var last error
	seq(func(_ T, err error) bool { last = err; return true })
	return last
}

func TestEveryWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	shutdown := errors.New("shutting down")
	for name, wait := range awaits {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { // which fails if a goroutine is left
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				var at time.Time
				time.AfterFunc(900*time.Millisecond, func() {
					at = time.Now()
					cancel(shutdown)
				})
				err := wait(t, ctx)
				require.False(t, at.IsZero(), "it did not wait: %v", err)
				assert.Zero(t, time.Since(at), "time passed after the end of the context")
				require.ErrorIs(t, err, context.Canceled)
				assert.NotErrorIs(t, err, threatconnect.ErrBadResponse)
			})
		})
	}
}

func TestCanceledContextSendsNothing(t *testing.T) {
	t.Parallel()
	shutdown := errors.New("shutting down")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(shutdown)
	asked := 0
	token := func(context.Context) (string, time.Time, error) { asked++; return "token", time.Time{}, nil }
	for name, call := range calls {
		s := &wiretest.Steps{Do: steps{wiretest.Answer(200, whoami)}} // which ignores the context
		c, err := threatconnect.NewClient("https://tc.example", threatconnect.TokenFunc(token), threatconnect.WithTransport(s))
		require.NoError(t, err)
		err = call(ctx, c)
		require.ErrorIs(t, err, context.Canceled, name)
		require.ErrorIs(t, err, shutdown, name)
		assert.Zero(t, s.Count(), name)
	}
	assert.Zero(t, asked, "no token is requested")
	require.ErrorIs(t, fire(t, ctx, wiretest.Answer(200, "")), context.Canceled)

	srv := threatconnecttest.NewT(t)
	w, err := srv.Client().Batch.NewWriter(t.Context(), appendConfig())
	require.NoError(t, err)
	require.ErrorIs(t, w.Add(ctx, batchHost(0)), context.Canceled)
	require.ErrorIs(t, w.Flush(ctx), context.Canceled)
	require.ErrorIs(t, w.Close(ctx), context.Canceled)
	assert.Empty(t, srv.Requests())
}

func logRecord(message string) slog.Record {
	return slog.NewRecord(time.Now(), slog.LevelInfo, message, 0)
}

// TestNilContextIsRejected calls every method that takes a context with nil.
func TestNilContextIsRejected(t *testing.T) {
	t.Parallel()
	var missing context.Context
	s := &wiretest.Steps{Do: steps{wiretest.Answer(200, whoami)}}
	client, err := threatconnect.NewClient("https://tc.example/api", threatconnect.Token("tok3n"), threatconnect.WithTransport(s))
	require.NoError(t, err)
	refused := func(t *testing.T, err error) {
		t.Helper()
		require.ErrorIs(t, err, threatconnect.ErrValidation)
		assert.ErrorContains(t, err, "context")
		assert.ErrorContains(t, err, "is nil; use context.Background() if there is no other")
	}
	for name, call := range shapeCalls {
		t.Run(name, func(t *testing.T) {
			_, err := call(missing, client)
			refused(t, err)
		})
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) { refused(t, call(missing, client)) })
	}

	// Methods whose other arguments are also invalid must not panic either.
	services := reflect.ValueOf(client).Elem()
	n := 0
	for _, service := range services.Fields() {
		if !service.CanInterface() {
			continue
		}
		for m := range service.NumMethod() {
			method := service.Method(m)
			typ := method.Type()
			if typ.NumIn() == 0 || typ.In(0) != reflect.TypeFor[context.Context]() {
				continue
			}
			n++
			var args []reflect.Value
			for a := range typ.NumIn() {
				if a < typ.NumIn()-1 || !typ.IsVariadic() {
					args = append(args, reflect.Zero(typ.In(a)))
				}
			}
			name := service.Type().String() + "." + service.Type().Method(m).Name
			require.NotPanics(t, func() {
				out := method.Call(args)
				if seq := out[len(out)-1]; seq.Kind() == reflect.Func {
					for _, err := range seq.Seq2() {
						require.ErrorIs(t, err.Interface().(error), threatconnect.ErrValidation, name)
					}
					return
				}
				if err, _ := reflect.TypeAssert[error](out[len(out)-1]); !strings.HasSuffix(name, "LogsService.Send") { // nothing to send is no error
					require.ErrorIs(t, err, threatconnect.ErrValidation, name)
				}
			}, name)
		}
	}
	assert.Greater(t, n, 80)
	assert.Zero(t, s.Count(), "nothing is sent")

	none := func(func(threatconnect.BatchItem, error) bool) {}
	_, err = client.Batch.Import(missing, appendConfig(), none)
	refused(t, err)
	_, err = client.Batch.NewWriter(missing, appendConfig())
	refused(t, err)
	_, err = client.Batch.Reconcile(missing, threatconnect.ReconcileConfig{Owner: "Example Source"}, none)
	refused(t, err)
	for _, err := range threatconnect.MergeItems(missing, none, nil) {
		refused(t, err)
	}
	for _, err := range client.Indicators.All(missing, &threatconnect.IndicatorListOptions{ListOptions: threatconnect.ListOptions{Ahead: 3}}) {
		refused(t, err)
	}
	w, err := client.Batch.NewWriter(t.Context(), appendConfig())
	require.NoError(t, err)
	refused(t, w.Add(missing, threatconnect.NewHost("www.example.com")))
	refused(t, w.Flush(missing))
	refused(t, w.Close(missing))
	require.NoError(t, w.Close(t.Context()), "the writer is still usable")
	h, err := client.Logs.NewHandler(nil)
	require.NoError(t, err)
	refused(t, h.Start(missing, 0))
	refused(t, h.Flush(missing))
	refused(t, h.Close(missing))
	require.NoError(t, h.Close(t.Context()))
	trigger, err := threatconnect.NewPlaybookTrigger("https://tc.example/api/playbook/x", nil)
	require.NoError(t, err)
	_, err = trigger.Fire(missing, nil)
	refused(t, err)
}

// TestConcurrentCallsOfEveryKind shares one client, whose clock is wrong at first, on
// a platform that sometimes fails.
func TestConcurrentCallsOfEveryKind(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	srv.SetClockOffset(time.Hour)
	for n := range 30 {
		require.NoError(t, srv.Seed(&threatconnecttest.IndicatorRecord{Type: "Host", Owner: batchOwner, Summary: fmt.Sprintf("seed%d.example", n)}))
	}
	require.NoError(t, srv.Inject(threatconnecttest.FaultMix(1, 0.05, threatconnecttest.FaultReset, threatconnecttest.FaultTruncate, threatconnecttest.FaultHTML)))
	client := srv.Client(threatconnect.WithOwner(batchOwner), threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 12, BaseDelay: 1, MaxDelay: 1}))
	document := &threatconnecttest.GroupRecord{Type: "Document", Owner: batchOwner, Name: "Example", XID: "x", Fields: map[string]string{"fileName": "x.bin"}}
	require.NoError(t, srv.Seed(document))
	content := bytes.Repeat([]byte("x"), 10_000)
	require.NoError(t, client.Groups.Documents.Upload(t.Context(), document.ID, threatconnect.BytesContent(content), nil))
	all := client.Indicators.Hosts.All(t.Context(), &threatconnect.IndicatorListOptions{
		Filters: threatconnect.Filters{threatconnect.BySummary.StartsWith("seed")}, ListOptions: threatconnect.ListOptions{Limit: 7, Ahead: 2},
	})
	boom := errors.New("boom")
	calls := []func(n int) error{
		func(n int) error { // create
			h := threatconnect.NewHost(fmt.Sprintf("own%d.example", n))
			if _, err := client.Indicators.Hosts.Create(t.Context(), h); err != nil && !errors.Is(err, threatconnect.ErrBadResponse) && !strings.Contains(err.Error(), "reset") {
				return err // a POST is not retried
			}
			return nil
		},
		func(int) error {
			got, err := threatconnect.Collect(all)
			if err == nil && len(got) != 30 {
				err = fmt.Errorf("%d hosts", len(got))
			}
			return err
		},
		func(int) error { // leaves the loop early
			for _, err := range all {
				return err
			}
			return boom
		},
		func(int) error { // panics in the loop
			defer func() { _ = recover() }()
			for range all {
				panic("mine")
			}
			return boom
		},
		func(int) error {
			_, err := client.Indicators.Hosts.Get(t.Context(), "nowhere.example", nil)
			if errors.Is(err, threatconnect.ErrNotFound) {
				return nil
			}
			return errors.Join(boom, err)
		},
		func(int) error {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err := client.Owners.Whoami(ctx)
			if errors.Is(err, context.Canceled) {
				return nil
			}
			return errors.Join(boom, err)
		},
		func(int) error {
			_, err := client.Indicators.Hosts.Get(t.Context(), "not a host", nil)
			if errors.Is(err, threatconnect.ErrValidation) {
				return nil
			}
			return errors.Join(boom, err)
		},
		func(int) error {
			resp, err := client.Do(t.Context(), threatconnect.Request{Method: "GET", Path: "/v2/owners"})
			if err != nil {
				return err
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			return resp.Body.Close()
		},
		func(int) error {
			var w bytes.Buffer
			if _, err := client.Groups.Documents.Download(t.Context(), document.ID, &w); err != nil && !errors.Is(err, threatconnect.ErrBadResponse) {
				return err // an interrupted download is not retried
			}
			return nil
		},
		func(n int) error {
			return client.Tags.Add(t.Context(), threatconnect.IndicatorRef{Type: threatconnect.TypeHost, Value: fmt.Sprintf("seed%d.example", n%30)}, "Phishing")
		},
	}
	var wg sync.WaitGroup
	for n := range 1000 {
		wg.Go(func() { assert.NoError(t, calls[n%len(calls)](n), "call %d", n%len(calls)) })
	}
	wg.Wait()
}
