package alert

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// newTestHandler returns a handler with the default flags.
func newTestHandler(t *testing.T, client *threatconnect.Client) *handler {
	t.Helper()
	c := &config{owner: sampleOwner}
	cmd := &cobra.Command{}
	c.register(&cli.Env{Getenv: func(string) string { return "" }}, cmd, cmd.Flags())
	require.NoError(t, c.check())
	h, err := newHandler(c, client, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	return h
}

// process simulates a process that handles alerts. It can die at a request, before or after the platform processes it.
type process struct {
	srv    *threatconnecttest.Server
	h      *handler
	log    bytes.Buffer
	ctx    context.Context
	kill   context.CancelFunc
	mu     sync.Mutex
	lives  int  // requests until it dies; never if negative
	late   bool // it dies after the last request was processed
	random *rand.Rand
	faulty *faults // of its connection; nil for none
}

func newProcess(t *testing.T, srv *threatconnecttest.Server, lives int, late bool) *process {
	t.Helper()
	p := &process{srv: srv, lives: lives, late: late}
	p.ctx, p.kill = context.WithCancel(t.Context())
	p.h = newTestHandler(t, srv.Client(threatconnect.WithTransport(p)))
	p.h.log = slog.New(slog.NewTextHandler(&p.log, nil))
	return p
}

func (p *process) RoundTrip(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	dies := p.lives == 0
	if p.lives > 0 {
		p.lives--
	}
	last := p.lives == 0
	p.mu.Unlock()
	p.pause()
	if dies {
		p.kill()
		return nil, errors.New("dead")
	}
	resp, err := p.faulty.roundTrip(p.srv, r)
	if last && p.late && err == nil {
		_ = resp.Body.Close()
		p.kill()
		return nil, errors.New("dead")
	}
	p.pause()
	return resp, err
}

// pause sleeps for a random time, so that the requests of processes interleave in many ways.
func (p *process) pause() {
	if p.random != nil {
		p.mu.Lock()
		d := time.Duration(p.random.IntN(1000)) * time.Millisecond
		p.mu.Unlock()
		time.Sleep(d)
	}
}

// handle handles an alert and reports whether that succeeded.
func (p *process) handle(t *testing.T, body string) bool {
	t.Helper()
	a, err := parse([]byte(body), &fields{}, time.Now())
	require.NoError(t, err)
	_, err = p.h.handle(p.ctx, a)
	return err == nil
}

func (p *process) repetitions() int { return strings.Count(p.log.String(), "sending it again") }

// dieWithNote lets processes die, each one request later, until one has written the note of the event.
func dieWithNote(t *testing.T, srv *threatconnecttest.Server) {
	t.Helper()
	for n := 1; len(srv.Groups(sampleOwner)) == 0 || len(srv.Groups(sampleOwner)[0].Attributes) == 0; n++ {
		newProcess(t, srv, n, true).handle(t, sampleAlert)
	}
}

// assertStored asserts that the owner has exactly one event, with one note, and each indicator once.
func assertStored(t *testing.T, srv *threatconnecttest.Server) {
	t.Helper()
	events := srv.Groups(sampleOwner)
	require.Len(t, events, 1)
	require.Len(t, events[0].Attributes, 1)
	assert.Contains(t, events[0].Attributes[0].Value, "\nNotification: sent\n")
	assert.Len(t, events[0].Indicators, 3)
	assert.Len(t, srv.Indicators(sampleOwner), 3)
}

// A process dies at its nth request, for each n. The next process completes the alert: the users are notified at least
// once, and each repetition is in the log.
func TestCrashes(t *testing.T) {
	t.Parallel()
	for _, late := range []bool{false, true} {
		once, twice, died := 0, 0, true
		for n := 1; died; n++ {
			synctest.Test(t, func(t *testing.T) {
				srv := newSampleServer(t)
				first := newProcess(t, srv, n, late)
				first.handle(t, sampleAlert)
				died = first.ctx.Err() != nil

				second := newProcess(t, srv, -1, false)
				require.True(t, second.handle(t, sampleAlert), "%s", &second.log)
				assertStored(t, srv)
				sent := len(srv.Notifications())
				assert.GreaterOrEqual(t, sent, 1, "died at request %d", n)
				assert.LessOrEqual(t, sent, 1+second.repetitions(), "died at request %d", n)
				assert.LessOrEqual(t, second.repetitions(), 1)
				once, twice = once+second.repetitions(), twice+sent-1

				third := newProcess(t, srv, -1, false)
				require.True(t, third.handle(t, sampleAlert))
				assert.Zero(t, third.repetitions())
				assert.Len(t, srv.Notifications(), sent)
			})
		}
		assert.GreaterOrEqual(t, once, 2, "some outcomes are unknown, such as that of the notification")
		assert.GreaterOrEqual(t, twice, 1, "at-least-once delivery needs a repetition after some crashes")
	}
}

// Requests fail in many ways, and the alert is sent until it succeeds.
func TestFaults(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			srv := newSampleServer(t)
			require.NoError(t, srv.Inject(threatconnecttest.FaultMix(seed, 0.3, threatconnecttest.FaultReset, threatconnecttest.FaultLostReply,
				threatconnecttest.FaultTruncate, threatconnecttest.FaultHTML, threatconnecttest.FaultStatus, threatconnecttest.FaultLateStatus)))
			repetitions, succeeded := 0, false
			for range 50 {
				p := newProcess(t, srv, -1, false)
				succeeded = p.handle(t, sampleAlert)
				repetitions += p.repetitions()
				if succeeded {
					break
				}
			}
			require.True(t, succeeded, "seed %d", seed)
			sent := len(srv.Notifications())
			assert.GreaterOrEqual(t, sent, 1, "seed %d", seed)
			assert.LessOrEqual(t, sent, 1+repetitions, "seed %d", seed)
		})
	}
}

// Several processes handle the same alert at the same time. The users are notified once.
func TestConcurrentProcesses(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			srv := newSampleServer(t)
			var all sync.WaitGroup
			for i := range 4 {
				p := newProcess(t, srv, -1, false)
				p.random = rand.New(rand.NewPCG(seed, uint64(i)))
				all.Go(func() {
					assert.True(t, p.handle(t, sampleAlert), "%s", &p.log)
					assert.Zero(t, p.repetitions())
				})
			}
			all.Wait()
			assertStored(t, srv)
			assert.Len(t, srv.Notifications(), 1, "seed %d", seed)
		})
	}
}

// Processes that handle the same alert at the same time die at random. Another process completes the alert.
func TestConcurrentCrashes(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			srv := newSampleServer(t)
			random := rand.New(rand.NewPCG(seed, 0))
			repetitions := 0
			var processes []*process
			var all sync.WaitGroup
			for i := range 3 {
				p := newProcess(t, srv, 10+random.IntN(40), random.IntN(2) == 0)
				p.random = rand.New(rand.NewPCG(seed, uint64(i)))
				processes = append(processes, p)
				all.Go(func() { p.handle(t, sampleAlert) })
			}
			all.Wait()
			last := newProcess(t, srv, -1, false)
			require.True(t, last.handle(t, sampleAlert), "%s", &last.log)
			for _, p := range append(processes, last) {
				repetitions += p.repetitions()
			}
			assert.GreaterOrEqual(t, len(srv.Notifications()), 1, "seed %d", seed)
			assert.LessOrEqual(t, len(srv.Notifications()), 1+repetitions, "seed %d", seed)
			assert.Len(t, srv.Indicators(sampleOwner), 3)
		})
	}
}

// If a process dies before it notifies the users, another takes over when the lease expires, and not earlier.
func TestLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := newSampleServer(t)
		dieWithNote(t, srv)
		require.Empty(t, srv.Notifications())
		start := time.Now()
		p := newProcess(t, srv, -1, false)
		require.True(t, p.handle(t, sampleAlert))
		assert.InDelta(t, lease+settle, time.Since(start), float64(pollTime))
		assert.Equal(t, 1, p.repetitions())
		assert.Len(t, srv.Notifications(), 1)
	})
}

// Several processes wait for a process that has died, or find that the platform has refused a notification. Exactly one
// of them sends it.
func TestConcurrentTakeOver(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			srv := newSampleServer(t)
			repetitions := 1
			if seed%2 == 0 {
				dieWithNote(t, srv)
			} else {
				repetitions = 0
				require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Route: "/v2/notifications", Status: 400, Body: "no"}))
				newProcess(t, srv, -1, false).handle(t, sampleAlert)
			}
			require.Empty(t, srv.Notifications())
			var processes []*process
			var all sync.WaitGroup
			for i := range 4 {
				p := newProcess(t, srv, -1, false)
				p.random = rand.New(rand.NewPCG(seed, uint64(i)))
				processes = append(processes, p)
				all.Go(func() { assert.True(t, p.handle(t, sampleAlert), "%s", &p.log) })
			}
			all.Wait()
			for _, p := range processes {
				repetitions -= p.repetitions()
			}
			assert.Zero(t, repetitions, "seed %d", seed)
			assert.Len(t, srv.Notifications(), 1, "seed %d", seed)
			assertStored(t, srv)
		})
	}
}

// firstNote returns the note with the lowest ID, whatever the order of the list.
func TestFirstNote(t *testing.T) {
	t.Parallel()
	a := &alert{digest: "d"}
	attribute := func(id int64, typ, state string) threatconnect.Attribute {
		return threatconnect.Attribute{ID: id, Type: typ, Value: "text\n" + digestPrefix + "d\n" + statePrefix + state + "\r\n"}
	}
	assert.Zero(t, firstNote(nil, "Description", a))
	got := firstNote([]threatconnect.Attribute{
		attribute(9, "Description", sent), attribute(7, "Description", notSent), attribute(8, "Description", sending),
		attribute(5, "Source", sent), {ID: 6, Type: "Description", Value: "of another alert"},
	}, "Description", a)
	assert.Equal(t, note{id: 7, text: "text", state: notSent}, got)
	assert.Equal(t, sending, firstNote([]threatconnect.Attribute{attribute(1, "Source", "sent?")}, "Source", a).state, "an unknown state counts as an unknown outcome")
}
