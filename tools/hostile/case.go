package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/threatconnect-go/threatconnect"
)

// attempt is a call of a method on a platform whose responses are determined by the seed.
type attempt struct {
	Method string `json:"method"`
	Seed   uint64 `json:"seed"`
	Honest bool   `json:"honest,omitempty"` // nothing is changed
}

// outcome is the result of an attempt.
type outcome struct {
	attempt
	Problems []string      `json:"problems,omitempty"`
	Requests int           `json:"requests"`
	Failed   bool          `json:"failed"` // whether the method returned an error
	Heap     uint64        `json:"heap"`
	Took     time.Duration `json:"took"` // real time
}

const (
	maxItems = 3000 // items to read from an iterator
)

// inBubble makes the attempt in a bubble of testing/synctest. The memory is measured until the call has ended; the checks
// come after that, because they use memory too.
func (a attempt) inBubble(t *testing.T, b *bench) outcome {
	w := b.world
	w.server.Restore(w.snapshot)
	random := rand.New(rand.NewPCG(a.Seed, 3))
	timeout := pick(random, time.Second, time.Minute, 30*time.Minute)
	if random.IntN(8) == 0 {
		timeout = time.Duration(random.IntN(3000)) * time.Millisecond
	}
	if a.Honest {
		timeout = time.Hour
	}
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	p := newPlatform(w.server, a.Seed, w.server.BaseURL()+"/", cancel)
	if a.Honest {
		p.rate = 0
	}
	var logs bytes.Buffer
	r := &run{t: t, arguments: &arguments{world: w, random: random, dir: t.TempDir(), batch: &account{}}, platform: p, ctx: ctx, longest: time.Minute}
	var transport http.RoundTripper = p
	if random.IntN(4) == 0 {
		transport = newWire(ctx, p)
	}
	options := []threatconnect.Option{
		threatconnect.WithTransport(transport), threatconnect.WithMaxResponseBytes(maxResponse), threatconnect.WithUserAgent("hostile/1"), threatconnect.WithObserver(observer()),
		threatconnect.WithLogger(slog.New(slog.NewJSONHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug}))),
		threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: pick(random, 1, 2, 5)}),
		threatconnect.WithAttemptTimeout(pick(random, 0, 10*time.Second)),
	}
	var err error
	r.token, err = threatconnect.NewClient(w.server.BaseURL(), threatconnect.Token(token), options...)
	if err == nil {
		r.client, err = threatconnect.NewClient(w.server.BaseURL(), threatconnect.HMAC(accessID, secretKey), options...)
	}
	if err != nil {
		t.Fatal(err)
	}
	before := len(goroutines())
	err = r.do(b.calls[a.Method])
	if ended := r.ended(); ended > r.longest {
		r.problem("it returned %v after the end of its context", ended)
	}
	cancel()
	synctest.Wait()
	heap := b.heap.take()
	if left := goroutines(); len(left) > before {
		r.problem("%d goroutines are left:\n%s", len(left)-before, strings.Join(left, "\n\n"))
		time.Sleep(24 * time.Hour)
		if left := goroutines(); len(left) > before { // the process will panic because of them
			fmt.Fprintf(os.Stderr, "%+v: %s\n", a, strings.Join(r.problems, "\n"))
		}
	}
	secret := p.secrets.spellings()
	for _, err := range r.errors {
		r.checkError(err, secret)
	}
	if piece := secret.foundIn(logs.String()); piece != "" {
		r.problem("the log shows %q of a credential", piece)
	}
	for _, text := range r.batch.texts {
		if piece := secret.foundIn(text); piece != "" {
			r.problem("a field of an item's error shows %q of a credential: %s", piece, text)
		}
	}
	for _, broken := range p.broken {
		r.problem("%s", broken)
	}
	return outcome{attempt: a, Problems: r.problems, Requests: p.requests, Failed: err != nil, Heap: heap}
}

// goroutines returns the stacks of the goroutines of the bubble, the caller's first.
func goroutines() []string {
	stacks := make([]byte, 64<<10)
	all := strings.Split(string(stacks[:runtime.Stack(stacks, true)]), "\n\n")
	_, bubble, _ := strings.Cut(all[0][:strings.Index(all[0], "\n")], "synctest ")
	return slices.DeleteFunc(all, func(stack string) bool {
		first, _, _ := strings.Cut(stack, "\n")
		return !strings.HasSuffix(first, bubble)
	})
}

// run is an attempt while it runs.
type run struct {
	*arguments
	t             *testing.T
	ctx           context.Context
	client, token *threatconnect.Client
	platform      *platform
	longest       time.Duration // from the end of the context to the return of the call
	errors        []error       // to check, including those that the call does not return
	problems      []string
}

func (r *run) problem(format string, args ...any) {
	r.problems = append(r.problems, fmt.Sprintf(format, args...))
}

// ended returns the time since the end of the context of the call.
func (r *run) ended() time.Duration {
	deadline, _ := r.ctx.Deadline()
	if r.ctx.Err() == nil {
		return 0
	}
	return max(0, time.Since(deadline))
}

// do makes the call and returns its error.
func (r *run) do(do call) (err error) {
	defer func() {
		if p := recover(); p != nil {
			r.problem("panic: %v\n%s", p, debug.Stack())
		}
	}()
	if err = do(r); err != nil {
		r.errors = append(r.errors, err)
	}
	return err
}

// checkError checks that the text of an error can be published.
func (r *run) checkError(err error, secret spellings) {
	shown := map[string]string{"Error": err.Error(), "%+v": fmt.Sprintf("%+v", err), "%#v": fmt.Sprintf("%#v", err)}
	if b, jsonErr := json.Marshal(err); jsonErr == nil {
		shown["JSON"] = string(b)
	}
	var b bytes.Buffer
	slog.New(slog.NewJSONHandler(&b, nil)).Error("failed", "err", err)
	shown["slog"] = b.String()
	if api, ok := errors.AsType[*threatconnect.APIError](err); ok {
		shown["Foreign"] = string(api.Foreign)
	}
	for how, text := range shown {
		if piece := secret.foundIn(text); piece != "" {
			r.problem("%s of the error shows %q of a credential: %s", how, piece, text)
		}
	}
	text := err.Error()
	if i := strings.IndexFunc(text, func(c rune) bool { return c != '\n' && !unicode.IsPrint(c) }); !utf8.ValidString(text) || i >= 0 || len(text) > 4000 {
		r.problem("the error cannot be shown (%d bytes): %q", len(text), text[:min(len(text), 4000)])
	}
}

// call makes the call of an attempt. It reports problems of the result, and returns the error of the call.
type call func(r *run) error

// calls returns all calls by name: methods of services, and workflows.
func calls() map[string]call {
	all := map[string]call{}
	for _, m := range methods() {
		if m.name != "Indicators.Custom" { // it sends nothing; the methods of its result are listed as methods of services
			all[m.name] = m.call
		}
	}
	maps.Copy(all, workflows)
	return all
}

// call calls the method with valid arguments.
func (m method) call(r *run) error {
	c := r.client
	if m.is("DataStore.", "Logs.") || r.random.IntN(2) == 0 {
		c = r.token
	}
	if m.is("Bulk.") {
		c = c.InOwner(organization)
	}
	f := m.in(c)
	in := r.of(r.ctx, m, f.Type())
	results := f.Call(in)
	if last := results[len(results)-1]; last.Type() == reflect.TypeFor[error]() && last.IsNil() && len(results) == 2 {
		if asked, got := m.asked(in), idOf(results[0].Interface()); asked != 0 && got != 0 && asked != got {
			r.problem("the result has the id %d, and not %d", got, asked)
		}
	}
	return r.use(results)
}

// use checks the results of a method and reads iterators.
func (r *run) use(results []reflect.Value) error {
	var err error
	if last := results[len(results)-1]; last.Type() == reflect.TypeFor[error]() {
		err, _ = reflect.TypeAssert[error](last)
		results = results[:len(results)-1]
	}
	for _, result := range results {
		if k := result.Kind(); err == nil && (k == reflect.Pointer || k == reflect.Interface) && result.IsNil() {
			r.problem("the result is nil without an error")
		}
		switch v := result.Interface().(type) {
		case *threatconnect.BatchWriter:
			if err == nil {
				err = r.write(v)
			}
		case threatconnect.BatchStats:
			r.problems = append(r.problems, r.batch.ended(v, err)...)
		case *threatconnect.LogHandler:
			if err == nil {
				err = r.log(v)
			}
		default:
			if result.Kind() == reflect.Func {
				err = errors.Join(err, r.read(result))
			} else {
				r.show(v)
			}
		}
	}
	return err
}

// read reads an iterator, possibly not to its end.
func (r *run) read(seq reflect.Value) (err error) {
	most := pick(r.random, 1, maxItems, maxItems, maxItems)
	n := 0
	for v, e := range seq.Seq2() {
		if n++; n > most {
			break
		}
		if err != nil {
			r.problem("an iterator continues after an error")
		}
		if err, _ = reflect.TypeAssert[error](e); err == nil {
			if v.Kind() == reflect.Pointer && v.IsNil() || v.Kind() == reflect.Interface && v.IsNil() {
				r.problem("an item of a sequence is nil without an error")
			}
			if n < 5 {
				r.show(v.Interface())
			}
		} else if _, one := errors.AsType[*threatconnect.ValidationError](err); one && v.Type() == reflect.TypeFor[threatconnect.LookupResult]() {
			err = nil
		}
	}
	return err
}

// show writes a value as programs do, which must not panic.
func (r *run) show(v any) {
	_, _ = fmt.Fprintf(io.Discard, "%v %+v", v, v)
	if _, err := json.Marshal(v); err != nil {
		r.problem("a %T cannot be written as JSON: %v", v, err)
	}
}

// write imports items with a writer.
func (r *run) write(w *threatconnect.BatchWriter) error {
	var err error
	for item := range r.items() {
		if err = w.Add(r.ctx, item); err != nil {
			break
		}
		if r.random.IntN(10) == 0 {
			_ = w.Flush(r.ctx) // Close returns its errors again
		}
	}
	err = errors.Join(err, w.Close(r.ctx))
	r.problems = append(r.problems, r.batch.ended(w.Stats(), err)...)
	return err
}

// log sends log records.
func (r *run) log(h *threatconnect.LogHandler) error {
	err := h.Start(r.ctx, time.Second)
	for range 20 {
		slog.New(h).Info("hello")
	}
	return errors.Join(err, h.Flush(r.ctx), h.Close(r.ctx))
}

// take reads an iterator and ignores its values.
func take[T any](r *run, seq iter.Seq2[T, error]) error { return r.read(reflect.ValueOf(seq)) }
