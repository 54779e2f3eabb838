package alert

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// faults makes requests fail: random ones, and all that contain a forbidden text.
type faults struct {
	mu        sync.Mutex
	random    *rand.Rand
	share     float64
	forbidden string // in the body of a request, or in its target
	bodies    bool   // only in the body
	how       int    // how requests with a forbidden text fail: 0 resets the connection, others are the status of an HTML page
}

// roundTrip sends a request to srv. It can fail before or after that.
func (f *faults) roundTrip(srv *threatconnecttest.Server, r *http.Request) (*http.Response, error) {
	if f == nil {
		return srv.RoundTrip(r)
	}
	if f.forbids(r) {
		return f.fail(r, f.how)
	}
	f.mu.Lock()
	kind := -1
	if f.random.Float64() < f.share {
		kind = f.random.IntN(7)
	}
	f.mu.Unlock()
	switch kind {
	case 0:
		return f.fail(r, 0)
	case 1:
		return f.fail(r, http.StatusServiceUnavailable)
	case 2:
		return f.fail(r, http.StatusTooManyRequests)
	case 3:
		return f.fail(r, http.StatusNotFound)
	}
	resp, err := srv.RoundTrip(r)
	if err == nil && kind > 3 {
		_ = resp.Body.Close()
		return f.fail(r, []int{0, http.StatusInternalServerError, http.StatusBadGateway}[kind-4])
	}
	return resp, err
}

// forbids reports whether the target or the body of a request contains the forbidden text.
func (f *faults) forbids(r *http.Request) bool {
	if f.forbidden == "" {
		return false
	}
	text := ""
	if !f.bodies {
		text = fmt.Sprint(r.URL.Path, r.URL.Query())
	}
	if r.GetBody != nil {
		if b, err := r.GetBody(); err == nil {
			all, _ := io.ReadAll(b)
			text += string(all)
		}
	}
	return strings.Contains(text, f.forbidden)
}

// fail returns an HTML page with a status, or a connection error for status 0.
func (*faults) fail(r *http.Request, status int) (*http.Response, error) {
	if status == 0 {
		return nil, errors.New("connection reset")
	}
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Request: r, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"text/html"}}, Body: io.NopCloser(strings.NewReader("<html>no</html>")),
	}, nil
}

// randomAlert returns an alert with values of all kinds, some of which contain a forbidden text. If it matters, it also
// has known, its own host or URL with a malicious rating.
func randomAlert(random *rand.Rand, n int, forbidden, inTitle string) (body string, known threatconnecttest.IndicatorRecord, matters bool) {
	pick := func(some ...string) string { return some[random.IntN(len(some))] }
	known = threatconnecttest.IndicatorRecord{Owner: "Example Source", Type: "Host", Summary: fmt.Sprintf("c2-%d.example", n), Rating: new(4.0)}
	matters = random.IntN(4) > 0
	values := []any{
		"a_b.example", "x.stix2", "1.3.4b1", "OpenSSH_6.4p1", "x@t6.php", "10.0.0.1", "unknown.example", "http://unknown.example/%",
		map[string]string{"type": "mutex", "value": "Body SHA-256: 0000\u2028Notification: sent"},
		map[string]string{"type": "nonsense", "value": "x"}, strings.Repeat("x", 3000), "http://unknown.example/" + forbidden,
		map[string]string{"type": "email-subject", "value": "[click](https://evil.example) <b>" + forbidden},
	}
	if random.IntN(2) == 0 {
		known.Type, known.Summary = "URL", "http://c2.example/"+strconv.Itoa(n)
	} else { // a host is looked up before values of foreign text, however many fail
		for i := range maxBroken {
			values = append(values, map[string]string{"type": "email-subject", "value": fmt.Sprint(forbidden, i)})
		}
	}
	if matters {
		values = append(values, known.Summary)
	}
	random.Shuffle(len(values), func(i, j int) { values[i], values[j] = values[j], values[i] })
	out, err := json.Marshal(map[string]any{
		"id":         pick("", "SOC-1", "SOC-1", fmt.Sprint("SOC-", n), "1) (2", strings.Repeat("i", 60)+fmt.Sprint(n), "\u202e", "SOC-2 "+inTitle),
		"title":      pick("", "C2 beacon", "Beacon, seen\n", "A (SOC-1)", "\u3164\u115f\ufe0f", "= ^ < > ! % * ' \" \\ / ? # & + ;", "😀", strings.Repeat("ü", 300), "x "+inTitle),
		"indicators": values, "n": n,
	})
	if err != nil {
		panic(err)
	}
	return string(out), known, matters
}

// Random alerts, some with equal IDs, meet faults before and after requests take effect, firewalls that block a text of
// the alert, and concurrent processes that die at random. Each alert is delivered several times. If a delivery
// succeeds, the users have been notified of the reason. Each repeated notification follows a warning in the log that
// the outcome of an earlier one is unknown.
func TestThreatAcceptedAlertsAlwaysNotify(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	alerts, repeated := 0, 0
	for seed := range uint64(120) { // two of each combination of how, forbidden and bodies
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			srv := newSampleServer(t)
			forbidden, inTitle := "", ""
			how := []int{http.StatusForbidden, 0, http.StatusBadRequest, http.StatusNotFound}[seed%4]
			if seed%3 > 0 {
				forbidden = "' OR 1=1 --"
			}
			if how == http.StatusForbidden || how == http.StatusBadRequest {
				inTitle = forbidden // with other values of how, it looks like an outage, and no event can be stored
			}
			newFaults := func(share float64) *faults {
				return &faults{random: rand.New(rand.NewPCG(seed, random.Uint64())), share: share, forbidden: forbidden, bodies: seed%5 == 0, how: how}
			}
			notified := func(known threatconnecttest.IndicatorRecord) (n int) {
				for _, notification := range srv.Notifications() {
					if strings.Contains(notification.Message, "- "+known.Type+" `"+known.Summary+"`, from `indicators`, ") {
						n++
					}
				}
				return n
			}
			for n := range 3 {
				body, known, matters := randomAlert(random, n, forbidden, inTitle)
				require.NoError(t, srv.Seed(&known))
				var processes []*process
				succeeded := false
				deliver := func(p *process) {
					a, err := parse([]byte(body), &fields{}, time.Now())
					assert.NoError(t, err)
					_, err = p.h.handle(p.ctx, a)
					mu.Lock()
					defer mu.Unlock()
					succeeded = succeeded || err == nil
					if err == nil && matters {
						assert.GreaterOrEqual(t, notified(known), 1, "seed %d, alert %d", seed, n)
					}
				}
				var all sync.WaitGroup
				for range 1 + random.IntN(3) {
					lives := -1
					if random.IntN(2) == 0 {
						lives = 5 + random.IntN(60)
					}
					p := newProcess(t, srv, lives, random.IntN(2) == 0)
					p.random, p.faulty = rand.New(rand.NewPCG(seed, random.Uint64())), newFaults(0.4*random.Float64())
					processes = append(processes, p)
					all.Go(func() { deliver(p) })
				}
				all.Wait()
				for last := range 3 { // no more random faults
					p := newProcess(t, srv, -1, false)
					p.faulty = newFaults(0)
					if last == 2 {
						p.faulty = nil // no firewall either
						assert.Equal(t, matters, notified(known) > 0, "seed %d, alert %d, firewall", seed, n)
					}
					processes = append(processes, p)
					deliver(p)
				}
				repetitions := 0
				for _, p := range processes {
					repetitions += p.repetitions()
				}
				assert.LessOrEqual(t, notified(known), 1+repetitions, "seed %d, alert %d", seed, n)
				assert.True(t, succeeded, "seed %d, alert %d: %s", seed, n, &processes[len(processes)-1].log)
				mu.Lock()
				alerts++
				repeated += max(notified(known)-1, 0)
				mu.Unlock()
			}
		})
	}
	assert.Equal(t, 360, alerts)
	assert.Positive(t, repeated, "some outcomes were unknown")
}
