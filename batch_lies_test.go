package threatconnect_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/scaletest"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// A server that makes its counts up cannot make the writer panic, wait for ever or lose an item:
// each is counted, as what is known of it.
func TestCountsThatAreMadeUp(t *testing.T) {
	t.Parallel()
	count := regexp.MustCompile(`("\w+Count":)\d+`)
	for _, lie := range []string{"-1", "-100", "1", "1000000", "2147483647", "2147483648", "9223372036854775807", "1.5", `"x"`, "null", "{}"} {
		t.Run(lie, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := threatconnecttest.NewT(t)
				p := &poisoning{srv: srv}
				c := srv.Client(threatconnect.WithTransport(wiretest.Func(func(req *http.Request) (*http.Response, error) {
					resp, err := p.RoundTrip(req)
					if err != nil || req.Method != http.MethodGet {
						return resp, err
					}
					text, err := io.ReadAll(resp.Body)
					resp.Body = io.NopCloser(bytes.NewReader(count.ReplaceAll(text, []byte("${1}"+lie))))
					resp.ContentLength = -1
					resp.Header.Del("Content-Length")
					return resp, err
				})))
				w, err := c.Batch.NewWriter(t.Context(), threatconnect.BatchConfig{Owner: "Example Source", Action: threatconnect.BatchCreate, Attributes: threatconnect.WriteAppend})
				require.NoError(t, err)
				for i := range 20 {
					h := threatconnect.NewHost(fmt.Sprintf("a%d.example", i))
					if i == 7 {
						h.Description = "poison"
					}
					require.NoError(t, w.Add(t.Context(), h))
				}
				_ = w.Close(t.Context()) // what it says depends on the lie
				n := w.Stats().Total()
				assert.EqualValues(t, 20, n.Added)
				assert.Equal(t, n.Added, n.Succeeded+n.Failed+n.Unprocessed+n.Unknown)
				assert.GreaterOrEqual(t, min(n.Succeeded, n.Failed, n.Unprocessed, n.Unknown), int64(0))
			})
		})
	}
}

// A platform that counts the item which halted a job among those that it has not processed does not make the item one
// of them.
func TestAnItemThatFailedIsNotCountedAsUnprocessed(t *testing.T) {
	t.Parallel()
	count := regexp.MustCompile(`("unprocessCount":)\d+`)
	srv := threatconnecttest.NewT(t)
	cfg := appendConfig()
	cfg.HaltOnError = true
	told := map[int64]int{}
	cfg.OnError = func(e threatconnect.BatchItemError) { told[e.Seq]++ }
	w, err := srv.Client(threatconnect.WithTransport(wiretest.Func(func(req *http.Request) (*http.Response, error) {
		resp, err := srv.RoundTrip(req)
		if err != nil || req.Method != http.MethodGet || strings.HasSuffix(req.URL.Path, "/errors") {
			return resp, err
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body = io.NopCloser(bytes.NewReader(count.ReplaceAll(text, []byte("${1}10"))))
		resp.ContentLength = -1
		resp.Header.Del("Content-Length")
		return resp, err
	}))).Batch.NewWriter(t.Context(), cfg)
	require.NoError(t, err)
	for n := range 10 {
		h := batchHost(n)
		if n == 0 {
			h.Attributes[0].Type = "No Such Type"
		}
		addAll(t, w, h)
	}
	require.Error(t, w.Close(t.Context()))
	assert.Equal(t, threatconnect.BatchCounts{Added: 10, Failed: 1, Unprocessed: 9}, w.Stats().Indicators)
	for n := range int64(10) {
		assert.Equal(t, 1, told[n], "item %d", n)
	}
}

// refusedFeed makes the items of a feed in which some are refused, whole or in part, and some look like others. bad are
// the indexes of those that the platform does not take as they are.
func refusedFeed(random *rand.Rand, n int) (items []threatconnect.BatchItem, bad map[int64]bool) {
	bad = map[int64]bool{}
	var last threatconnect.Indicator
	for len(items) < n {
		seq := len(items)
		name := fmt.Sprintf("h%d.example", seq)
		attributes := []threatconnect.Attribute{{Type: "Description", Value: name}}
		var ind threatconnect.Indicator
		switch random.IntN(10) {
		case 0:
			g := batchGroup(fmt.Sprintf("x-%d", seq))
			if random.IntN(4) == 0 {
				g.Attributes[0].Type = "No Such Type"
				bad[int64(seq)] = true
			}
			items = append(items, g)
			continue
		case 1: // the name of the one before, as another type
			ind = threatconnect.NewMutex(name)
			if host, ok := last.(*threatconnect.Host); ok {
				ind = threatconnect.NewMutex(host.HostName)
			}
		case 2:
			ind = threatconnect.NewURL(fmt.Sprintf("http://e.example/%d/$[0]", seq))
		case 3:
			ind = threatconnect.NewUserAgent(fmt.Sprintf("the host %d is not valid", seq))
		case 4: // there is no such type
			ind = threatconnect.NewCustomIndicator("Wallet", name)
			bad[int64(seq)] = true
		default:
			ind = threatconnect.NewHost(name)
		}
		m := ind.Meta()
		m.Attributes = attributes
		switch random.IntN(12) {
		case 0:
			m.Attributes[0].Type = "No Such Type"
			bad[int64(seq)] = true
		case 1:
			m.Description = "poison"
			bad[int64(seq)] = true
		case 2:
			m.GroupXIDs = []string{"x-nowhere"}
			bad[int64(seq)] = true
		case 3:
			m.GroupXIDs = []string{"x-nowhere", "x-nowhere-else", "x-0"}
			bad[int64(seq)] = true
		}
		last = ind
		items = append(items, ind)
	}
	return items, bad
}

// importWithRefusals imports a random feed whose items are refused here and there, on a platform that answers in one of
// many ways, hides now and then which item it means, and fails in about a fifth of the requests of every other seed. No
// item is named that the platform did not refuse, none is sent twice, and the counts add up. whole are the indicators
// that are on the platform with everything they carry.
func importWithRefusals(t *testing.T, seed uint64, check func(t *testing.T, stats threatconnect.BatchStats, whole int64)) {
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(seed, 11))
		oddities := []threatconnecttest.Oddity{0, threatconnecttest.OddityAll, threatconnecttest.OddityErrorObjects | threatconnecttest.OddityPlainErrorFile,
			threatconnecttest.OddityPlainErrorFile, threatconnecttest.OddityAssociationsApart, threatconnecttest.OddityMissingCounts}
		srv := threatconnecttest.NewT(t, threatconnecttest.WithOddities(oddities[random.IntN(len(oddities))]),
			threatconnecttest.WithBatchDuration(time.Duration(random.IntN(5))*time.Second), threatconnecttest.WithLateErrors(random.IntN(3)))
		if seed%2 == 0 {
			require.NoError(t, srv.Inject(threatconnecttest.FaultMix(seed, 0.2, threatconnecttest.FaultReset, threatconnecttest.FaultLostReply, threatconnecttest.FaultCutBody,
				threatconnecttest.FaultTruncate, threatconnecttest.FaultHTML, threatconnecttest.FaultEmpty)))
		}
		p := &poisoning{srv: srv}
		switch random.IntN(3) {
		case 0:
			p.hide = regexp.MustCompile(` Last known JSON path[^"]*`)
		case 1:
			p.hide = regexp.MustCompile(`h[1-5][^ ",]*`)
		}
		items, bad := refusedFeed(random, 10+random.IntN(80))
		cfg := appendConfig()
		cfg.MaxItems, cfg.Concurrency, cfg.HaltOnError = 3+random.IntN(40), 1+random.IntN(3), random.IntN(5) == 0
		if random.IntN(2) == 0 {
			cfg.KnownGroup = knows("x-nowhere", "x-nowhere-else") // they are not
		}
		cfg.OnError = func(e threatconnect.BatchItemError) {
			assert.True(t, e.Seq < 0 || e.Unprocessed || bad[e.Seq], "item %d is named: %s %s: %s", e.Seq, e.Type, e.Ref, e.Code)
		}
		w, err := srv.Client(threatconnect.WithTransport(p)).Batch.NewWriter(t.Context(), cfg)
		require.NoError(t, err)
		for _, item := range items {
			if err := w.Add(t.Context(), item); err != nil {
				require.ErrorIs(t, err, threatconnect.ErrBatchHalted)
			}
		}
		err = w.Close(t.Context())
		stats := w.Stats()
		for _, c := range []threatconnect.BatchCounts{stats.Indicators, stats.Groups, stats.Associations, stats.Links} {
			assert.Equal(t, c.Added, c.Succeeded+c.Failed+c.Unprocessed+c.Unknown+c.Excluded)
			assert.GreaterOrEqual(t, min(c.Succeeded, c.Failed, c.Unprocessed, c.Unknown), int64(0))
		}
		whole := int64(0)
		for _, ind := range srv.Indicators(batchOwner) {
			assert.LessOrEqual(t, len(ind.Attributes), 1, "%s was imported once", ind.Summary)
			whole += int64(len(ind.Attributes))
		}
		check(t, stats, whole)
		if t.Failed() {
			t.Logf("seed %d: %v", seed, err)
		}
	})
}

func TestNoItemIsNamedThatWasNotRefused(t *testing.T) {
	t.Parallel()
	failed := int64(0)
	for seed := uint64(0); seed < scaletest.N(uint64(200)) && !t.Failed(); seed++ {
		importWithRefusals(t, seed, func(_ *testing.T, stats threatconnect.BatchStats, _ int64) { failed += stats.Total().Failed })
	}
	assert.Greater(t, failed, scaletest.N(int64(1000)))
}
