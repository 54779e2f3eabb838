package feed

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// randomFeed returns lines of all kinds: valid, repeated and invalid ones, reserved values, groups, references to
// existing and missing groups, and items that the platform refuses or saves in part.
func randomFeed(random *rand.Rand, lines int) string {
	var b strings.Builder
	for range lines {
		n := random.IntN(lines)
		switch random.IntN(12) {
		case 0:
			b.WriteString("not JSON\n")
		case 1:
			b.WriteString(`{"type":"Address","summary":"10.0.0.1"}` + "\n")
		case 2:
			fmt.Fprintf(&b, `{"group":{"type":"Threat","name":"T%d","xid":"x%d"}}`+"\n", n%9, n%9)
		case 3:
			fmt.Fprintf(&b, `{"type":"Host","summary":"h%d.example","groups":["x%d","x%d"]}`+"\n", n, n%9, n%12)
		case 4:
			fmt.Fprintf(&b, `{"type":"Host","summary":"p%d.example","attributes":[{"type":"No Such Attribute","value":"v"}]}`+"\n", n)
		case 5:
			fmt.Fprintf(&b, `{"group":{"type":"Incident","name":"I%d","xid":"y%d","eventDate":"2026-01-02T03:04:05Z","attributes":[{"type":"No Such Attribute","value":"v"}]}}`+"\n", n, n)
		case 6:
			fmt.Fprintf(&b, `{"type":"Address","summary":"203.0.113.%d","attributes":[{"type":"Description","value":"%d"}]}`+"\n", n%250, n)
		default:
			fmt.Fprintf(&b, `{"type":"Host","summary":"h%d.example","rating":%d}`+"\n", n, n%5)
		}
	}
	return b.String()
}

// interruption calls a function while the client reads the response to a request.
type interruption struct {
	srv  *threatconnecttest.Server
	mu   sync.Mutex
	left int64 // requests; 0 means that there is no interruption
	stop func()
}

// after sets the number of the request, from 1, and the function.
func (i *interruption) after(requests int64, stop func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.left, i.stop = requests, stop
}

func (i *interruption) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.srv.ServeHTTP(w, r)
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.left--; i.left == 0 {
		_ = http.NewResponseController(w).Flush()
		i.stop()
	}
}

// Every entry of a feed has exactly one outcome, whatever the flags, faults and interruptions of the run.
func TestEveryEntryHasExactlyOneOutcome(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, 2))
			srv := threatconnecttest.NewT(t, threatconnecttest.WithBatchPolls(1))
			dir := t.TempDir()
			args := []string{"--input", "-", "--format", "jsonl", "--json", "--max-bytes", "2048", "--max-invalid", "50%"}
			for _, flags := range [][]string{
				{"--merge"}, {"--state", filepath.Join(dir, "state")}, {"--spool", filepath.Join(dir, "spool")}, {"--remove-stale", "--max-share", "1"}, {"--show-lines"},
			} {
				if random.IntN(2) == 0 {
					args = append(args, flags...)
				}
			}
			interruption := &interruption{srv: srv}
			e, feed := through(t, srv, interruption), ""
			for range 4 {
				if feed == "" || random.IntN(3) > 0 {
					feed = randomFeed(random, 20+random.IntN(200))
				}
				srv.ClearFaults()
				ctx, stop := context.WithCancelCause(t.Context())
				extra := args
				switch random.IntN(5) {
				case 0:
					interruption.after(1+random.Int64N(30), func() { stop(errors.New("interrupted")) })
				case 1: // an outage begins during the import
					require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Route: "/v2/batch", Skip: 1 + random.IntN(8), Times: -1, Probability: 1})) // with a Probability, it need not strike: there may be fewer jobs
					extra = append(extra, "--retry-for", "100ms")
				case 2:
					extra = append(extra, "--dry-run")
				default:
					require.NoError(t, srv.Inject(threatconnecttest.FaultMix(random.Uint64(), 0.05, threatconnecttest.FaultStatus, threatconnecttest.FaultReset, threatconnecttest.FaultLostReply, threatconnecttest.FaultHTML)))
				}
				outcomesOf(t, e.feed(feed).run(ctx, extra...), strings.Join(extra, " "))
				interruption.after(0, nil)
				stop(nil)
			}
			srv.ClearFaults()
			last := outcomesOf(t, e.feed(feed).run(t.Context(), args...), strings.Join(args, " "))
			assert.Zero(t, last.Unprocessed+last.Unknown, last.Message)
			assert.Empty(t, last.Cause, last)
		})
	}
}

// outcomesOf requires that the totals in the summary of a run equal its counts by type and by rule.
func outcomesOf(t *testing.T, r result, args string) report {
	t.Helper()
	s := reportOf(t, r) // checks the sum of the outcomes
	sum := kindSeen{}
	for _, k := range s.Types {
		sum.Sent += k.Sent
		sum.Failed += k.Failed
		sum.Unchanged += k.Unchanged
		sum.Skipped += k.Skipped
		assert.LessOrEqual(t, k.Failed, k.Sent, args)
	}
	byRule := int64(0)
	for _, rule := range s.Rules {
		if rule.Outcome == failed {
			byRule += rule.Count
		}
	}
	if s.Cause == "" && !s.DryRun {
		assert.Equal(t, s.Imported+s.Failed+s.Unprocessed+s.Unknown, sum.Sent, "%s\n%s", args, r.stdout)
		assert.Equal(t, s.Failed, sum.Failed, "%s\n%s", args, r.stdout)
		assert.Equal(t, s.Failed, byRule, "%s\n%s", args, r.stdout)
		assert.NotContains(t, r.stdout, "saved only a part of it", "the attribute type is named")
	}
	assert.LessOrEqual(t, sum.Failed, s.Failed, "%s\n%s", args, r.stdout)
	assert.Equal(t, s.Unchanged, sum.Unchanged, "%s\n%s", args, r.stdout)
	assert.LessOrEqual(t, len([]rune(s.Message)), 255)
	require.NotContains(t, s.Message, "h1", "no values")
	return s
}
