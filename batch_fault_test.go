package threatconnect_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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

// sawtooth imports groups, and hosts that refer to earlier and later groups, in several small jobs,
// and returns the stats.
func sawtooth(t *testing.T, client *threatconnect.Client, cfg threatconnect.BatchConfig, hosts int) threatconnect.BatchStats {
	t.Helper()
	w, err := client.Batch.NewWriter(t.Context(), cfg)
	require.NoError(t, err)
	group := func(n int) string { return fmt.Sprintf("x-%d", n) }
	for n := range hosts {
		addAll(t, w, batchHost(n, group(n/10), group((n/10+3)%(hosts/10))))
		if n%10 == 9 {
			addAll(t, w, batchGroup(group(n/10), group((n/10+1)%(hosts/10))))
		}
	}
	err = w.Close(t.Context())
	require.NoError(t, err, "%+v", err)
	return w.Stats()
}

// checkSawtooth checks that the server has each item and link of sawtooth exactly once.
func checkSawtooth(t *testing.T, srv *threatconnecttest.Server, hosts int) {
	t.Helper()
	require.Equal(t, hosts, srv.Counts(batchOwner).Indicators)
	groups := hosts / 10
	for _, h := range srv.Indicators(batchOwner) {
		require.Len(t, h.Attributes, 1, "%s was imported once", h.Summary)
		var n int
		_, err := fmt.Sscanf(h.Summary, "h%d.example", &n)
		require.NoError(t, err)
		require.ElementsMatch(t, []string{fmt.Sprintf("x-%d", n/10), fmt.Sprintf("x-%d", (n/10+3)%groups)}, h.Groups, h.Summary)
	}
	all := srv.Groups(batchOwner)
	require.Len(t, all, groups)
	for _, g := range all {
		require.Len(t, g.Attributes, 1, "%s was imported once", g.XID)
		var n int
		_, err := fmt.Sscanf(g.XID, "x-%d", &n)
		require.NoError(t, err)
		require.ElementsMatch(t, []string{fmt.Sprintf("x-%d", (n+1)%groups), fmt.Sprintf("x-%d", (n+groups-1)%groups)}, g.Groups, g.XID)
	}
	for _, j := range srv.Jobs() {
		if j.Status == "Created" {
			assert.Zero(t, j.ContentSize, "a duplicate job has no file")
		}
	}
}

func TestFaultsNeitherLoseNorRepeatItems(t *testing.T) {
	t.Parallel()
	kinds := []threatconnecttest.FaultKind{
		threatconnecttest.FaultReset, threatconnecttest.FaultLostReply, threatconnecttest.FaultCutBody, threatconnecttest.FaultTruncate,
		threatconnecttest.FaultHTML, threatconnecttest.FaultGarbage, threatconnecttest.FaultEmpty,
	}
	struck, imports := 0, 0
	for seed := uint64(0); struck < scaletest.N(10_000) && !t.Failed(); seed++ {
		imports++
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				oddities := threatconnecttest.Oddity(0)
				if seed%3 == 1 {
					oddities = threatconnecttest.OddityAll
				}
				srv := threatconnecttest.NewT(t, threatconnecttest.WithOddities(oddities), threatconnecttest.WithBatchDuration(time.Duration(seed)*time.Second))
				require.NoError(t, srv.Inject(
					threatconnecttest.FaultMix(seed, 0.3, kinds...),
					threatconnecttest.Fault{Kind: threatconnecttest.FaultLateStatus, Status: http.StatusBadGateway, Probability: 0.1, Seed: seed, Times: -1},
					threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Status: http.StatusInternalServerError, Probability: 0.1, Seed: seed + 1, Times: -1},
					threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Status: http.StatusTooManyRequests, Probability: 0.1, Seed: seed + 2, Times: -1,
						Header: http.Header{"Retry-After": {"7"}}},
					threatconnecttest.Fault{Kind: threatconnecttest.FaultLateStatus, Status: http.StatusServiceUnavailable, Probability: 0.1, Seed: seed + 3, Times: -1,
						Header: http.Header{"Retry-After": {"3"}}},
				))
				cfg := appendConfig()
				cfg.MaxItems, cfg.Concurrency = 6, 1+int(seed%3)
				stats := sawtooth(t, srv.Client(), cfg, 200)
				srv.ClearFaults()
				checkSawtooth(t, srv, 200)
				assert.Equal(t, threatconnect.BatchCounts{Added: 200, Succeeded: 200}, stats.Indicators)
				assert.Equal(t, threatconnect.BatchCounts{Added: 20, Succeeded: 20}, stats.Groups)
				assert.Equal(t, stats.Links.Added, stats.Links.Succeeded)
				assert.Len(t, srv.FaultCounts(), len(kinds)+2, "every kind of fault struck")
				for _, n := range srv.FaultCounts() {
					struck += n
				}
			})
		})
	}
	t.Logf("%d faults struck, in %d imports of 220 items", struck, imports)
}

func TestReferencesToLaterGroupsAreImported(t *testing.T) {
	t.Parallel()
	for _, concurrency := range []int{1, 2, 4} {
		synctest.Test(t, func(t *testing.T) {
			srv := threatconnecttest.NewT(t, threatconnecttest.WithBatchDuration(3*time.Second))
			cfg := appendConfig()
			cfg.MaxItems, cfg.Concurrency = 10, concurrency
			stats := sawtooth(t, srv.Client(), cfg, 200)
			checkSawtooth(t, srv, 200)
			assert.Positive(t, stats.Links.Added)
		})
	}
}

// killedDir and killedURL are environment variables that make a process of this test binary run
// beKilled. They contain its spool directory and the URL of the server.
const (
	killedDir = "THREATCONNECT_TEST_KILLED_DIR"
	killedURL = "THREATCONNECT_TEST_KILLED_URL"
)

const killedHosts = 120

// beKilled imports with a directory spool, like a program that is restarted until it succeeds. It
// returns the exit code.
func beKilled() int {
	srv := threatconnecttest.New() // for its credentials only
	client, err := threatconnect.NewClient(os.Getenv(killedURL), threatconnect.HMAC(srv.AccessID(), srv.SecretKey()),
		threatconnect.WithRetry(threatconnect.RetryPolicy{BaseDelay: time.Millisecond, MaxDelay: 10 * time.Millisecond}))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	cfg := appendConfig()
	cfg.MaxItems, cfg.Concurrency, cfg.Spool, cfg.Run = 8, 2, threatconnect.NewDirSpool(os.Getenv(killedDir)), "today"
	cfg.RetryFor = 200 * time.Millisecond
	items := slices.Insert(feed(killedHosts), killedHosts/2, threatconnect.BatchItem(threatconnect.NewMutex(killedPoison)))
	_, err = client.Batch.Import(context.Background(), cfg, threatconnect.BatchItems(slices.Values(items)))
	b, ok := errors.AsType[*threatconnect.BatchError](err)
	switch {
	case ok && b.Err == nil && len(b.Items) == killedHosts/10+1:
		return 0
	case ok && b.Kept:
		fmt.Fprintln(os.Stderr, err)
		return killedAgain
	}
	fmt.Fprintf(os.Stderr, "want the items that break a rule, the one that ends jobs, and nothing else: %v\n", err)
	return 1
}

const (
	killedPoison = "ends its job" // the value of an item that makes the platform give up its job
	killedAgain  = 3              // the exit code of a process whose import can be resumed
)

// killer is a server that kills its client before or after it processes a request, or a little later,
// while the client writes to disk.
type killer struct {
	srv http.Handler

	mu    sync.Mutex
	down  int // requests until an outage; -outage for none
	after int // requests until the kill; negative for never
	how   int
	wait  time.Duration
	kill  func()
}

func (k *killer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	k.after--
	k.down--
	now, how, wait, kill, down := k.after == 0, k.how, k.wait, k.kill, k.down > -outage && k.down <= 0
	k.mu.Unlock()
	if r.Header.Get("Content-Type") == "application/octet-stream" {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		text = bytes.Replace(text, []byte(`"summary":"`+killedPoison+`"`), []byte(`"summary":"`+killedPoison+`","firstSeen":"not a date"`), 1)
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	}
	switch {
	case down && !now:
		http.Error(w, "down", http.StatusServiceUnavailable)
	case !now:
		k.srv.ServeHTTP(w, r)
	case how == 0:
		kill()
		panic(http.ErrAbortHandler)
	case how == 1:
		k.srv.ServeHTTP(httptest.NewRecorder(), r)
		kill()
		panic(http.ErrAbortHandler)
	default:
		k.srv.ServeHTTP(w, r)
		time.AfterFunc(wait, kill)
	}
}

// outage is the number of requests that an outage rejects. A process gives up after fewer.
const outage = 60

// TestAnImportSurvivesBeingKilled kills real processes, which cannot catch the signal, at 200 seeded moments of imports.
// One item makes the platform give up its job, so processes also die while they search for it. Every other import has an
// outage, in which processes exit by themselves. Every third import has many deaths, also right before its end. Many
// imports run at the same time, because the processes mostly wait for the server.
func TestAnImportSurvivesBeingKilled(t *testing.T) {
	t.Parallel()
	var killed, ended atomic.Int64
	kills, imports := scaletest.N(int64(200)), scaletest.N(uint64(16)) // imports at the same time
	var workers sync.WaitGroup
	for worker := range imports {
		workers.Go(func() {
			for seed := worker; killed.Load() < kills && !t.Failed(); seed += imports {
				killSeeded(t, seed, &killed)
				ended.Add(1)
			}
		})
	}
	workers.Wait()
	t.Logf("%d processes were killed, in %d imports", killed.Load(), ended.Load())
	assert.GreaterOrEqual(t, killed.Load(), kills)
}

// killSeeded imports in processes that are killed, until one succeeds, and counts those that were killed.
func killSeeded(t *testing.T, seed uint64, killed *atomic.Int64) {
	random := rand.New(rand.NewPCG(seed, 2))
	polls := 1
	if scaletest.Stride() > 1 {
		polls = 0 // no wait between two polls of a job
	}
	srv := threatconnecttest.NewT(t, threatconnecttest.WithBatchPolls(polls))
	k := &killer{srv: srv, down: -outage}
	if seed%2 == 1 {
		k.down = 10 + random.IntN(60)
	}
	moments := 25
	if seed%3 == 2 {
		moments = 12
	}
	web := httptest.NewServer(k)
	defer web.Close()
	dir := filepath.Join(t.TempDir(), "spool")
	for range 200 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), killedDir+"="+dir, killedURL+"="+web.URL+"/api")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		var shot atomic.Bool
		started := make(chan struct{})
		k.mu.Lock()
		k.after, k.how, k.wait = 1+random.IntN(moments), random.IntN(3), time.Duration(random.IntN(3000))*time.Microsecond
		k.kill = func() {
			<-started
			shot.Store(true)
			_ = cmd.Process.Kill() // it may have ended by itself
		}
		k.mu.Unlock()
		err := cmd.Start()
		close(started)
		if err == nil {
			err = cmd.Wait()
		}
		switch {
		case err == nil:
			checkFeed(t, srv, killedHosts)
			return
		case cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == killedAgain:
			continue
		case !shot.Load():
			assert.Fail(t, "the process failed", "seed %d: %v: %s", seed, err, &stderr)
			return
		}
		killed.Add(1)
	}
	assert.Fail(t, "the import does not end", "seed %d", seed)
}

// A server that invents counts must not make the writer panic, hang or lose an item: the stats
// include every item with its known outcome.
func TestBogusJobCountsLoseNoItem(t *testing.T) {
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
				_ = w.Close(t.Context()) // the error depends on the count
				n := w.Stats().Total()
				assert.EqualValues(t, 20, n.Added)
				assert.Equal(t, n.Added, n.Succeeded+n.Failed+n.Unprocessed+n.Unknown)
				assert.GreaterOrEqual(t, min(n.Succeeded, n.Failed, n.Unprocessed, n.Unknown), int64(0))
			})
		})
	}
}

// An item that halted a job has failed, even if the platform also counts it as unprocessed.
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

// refusedFeed returns a feed in which some items look like others. The platform rejects some of them, whole or in part:
// those with an index in bad.
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
		case 1: // the name of the previous item, with another type
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

// importWithRefusals imports a random feed in which some items are rejected. The platform responds in one of several
// styles, sometimes hides the item of an error, and fails in about a fifth of the requests of every other seed. Only
// rejected items may be reported, none may be sent twice, and the counts must add up. whole is the number of indicators
// that are complete on the platform.
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
			cfg.KnownGroup = knows("x-nowhere", "x-nowhere-else") // which is wrong
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

func TestOnlyRejectedItemsAreReported(t *testing.T) {
	t.Parallel()
	failed := int64(0)
	for seed := uint64(0); seed < scaletest.N(uint64(200)) && !t.Failed(); seed++ {
		importWithRefusals(t, seed, func(_ *testing.T, stats threatconnect.BatchStats, _ int64) { failed += stats.Total().Failed })
	}
	assert.Greater(t, failed, scaletest.N(int64(1000)))
}
