package threatconnect_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/scaletest"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// graph contains the links of a random graph of groups and hosts, by the names that the server
// reports.
type graph struct {
	groups, hosts map[string]map[string]bool // xid or host -> xids
	pairs         map[string]map[string]bool // host -> hosts
}

func link(m map[string]map[string]bool, from, to string) {
	if m[from] == nil {
		m[from] = map[string]bool{}
	}
	m[from][to] = true
}

// randomGraph returns a graph and its items in random order. Each link is in the item at one end, in
// both, or in an association, and some are in several. There are cycles, also of length two.
func randomGraph(random *rand.Rand, groups, hosts, links int) (graph, []threatconnect.BatchItem) {
	g := graph{map[string]map[string]bool{}, map[string]map[string]bool{}, map[string]map[string]bool{}}
	var items []threatconnect.BatchItem
	threats, indicators := make([]*threatconnect.Threat, groups), make([]*threatconnect.Host, hosts)
	for n := range threats {
		threats[n] = batchGroup(fmt.Sprintf("x-%d", n))
		items = append(items, threats[n])
	}
	for n := range indicators {
		indicators[n] = batchHost(n)
		items = append(items, indicators[n])
	}
	hostEnd := func(h *threatconnect.Host) threatconnect.AssociationEnd { return threatconnect.IndicatorEnd(h) }
	for range links {
		a, b := threats[random.IntN(groups)], threats[random.IntN(groups)]
		h, i := indicators[random.IntN(hosts)], indicators[random.IntN(hosts)]
		switch random.IntN(6) {
		case 0: // group to group, in one item or both
			if a == b {
				continue
			}
			if !slices.Contains(a.GroupXIDs, b.XID) {
				a.GroupXIDs = append(a.GroupXIDs, b.XID)
			}
			if random.IntN(2) == 0 && !slices.Contains(b.GroupXIDs, a.XID) {
				b.GroupXIDs = append(b.GroupXIDs, a.XID)
			}
			link(g.groups, a.XID, b.XID)
			link(g.groups, b.XID, a.XID)
		case 1: // group to group, as an association
			if a == b {
				continue
			}
			items = append(items, &threatconnect.Association{From: threatconnect.GroupEnd(a.XID), To: threatconnect.GroupEnd(b.XID)})
			link(g.groups, a.XID, b.XID)
			link(g.groups, b.XID, a.XID)
		case 2: // in the host
			if !slices.Contains(h.GroupXIDs, a.XID) {
				h.GroupXIDs = append(h.GroupXIDs, a.XID)
			}
			link(g.hosts, h.HostName, a.XID)
		case 3: // in the group
			a.Associated = append(a.Associated, threatconnect.IndicatorRef{Type: threatconnect.TypeHost, Value: h.HostName})
			link(g.hosts, h.HostName, a.XID)
		case 4: // as an association
			items = append(items, &threatconnect.Association{From: hostEnd(h), To: threatconnect.GroupEnd(a.XID)})
			link(g.hosts, h.HostName, a.XID)
		default: // host to host, sometimes also in the other direction
			if h == i {
				continue
			}
			items = append(items, &threatconnect.Association{From: hostEnd(h), To: hostEnd(i), Type: "Host to Indicators"})
			if random.IntN(3) == 0 {
				items = append(items, &threatconnect.Association{From: hostEnd(i), To: hostEnd(h), Type: "Host to Indicators"})
			}
			link(g.pairs, h.HostName, "Host: "+i.HostName)
			link(g.pairs, i.HostName, "Host: "+h.HostName)
		}
	}
	random.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
	return g, items
}

// without removes hosts from the graph.
func (g *graph) without(hosts map[string]bool) {
	for h := range hosts {
		for other := range g.pairs[h] {
			delete(g.pairs[strings.TrimPrefix(other, "Host: ")], "Host: "+h)
		}
		delete(g.hosts, h)
		delete(g.pairs, h)
	}
}

func names(m map[string]bool) []string {
	if len(m) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(m))
}

func sorted(s []string) []string {
	if len(s) == 0 {
		return nil
	}
	return slices.Sorted(slices.Values(s))
}

// associations is a transport that counts uploaded associations by their ends, in either order, and type.
type associations struct {
	srv  http.RoundTripper
	mu   sync.Mutex
	seen map[[3]string]int
}

func (a *associations) RoundTrip(req *http.Request) (*http.Response, error) {
	if isUpload(req) {
		text, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		var file struct {
			Association []struct {
				Ref1 string `json:"ref_1"`
				Ref2 string `json:"ref_2"`
				Type string `json:"associationType"`
			}
		}
		if err := json.Unmarshal(text, &file); err != nil {
			return nil, err
		}
		a.mu.Lock()
		for _, e := range file.Association {
			a.seen[[3]string{min(e.Ref1, e.Ref2), max(e.Ref1, e.Ref2), e.Type}]++
		}
		a.mu.Unlock()
		req = req.Clone(req.Context())
		req.Body = io.NopCloser(bytes.NewReader(text))
	}
	return a.srv.RoundTrip(req)
}

func TestRandomGraphsAreImportedCompletely(t *testing.T) {
	t.Parallel()
	duplicates := int64(0)
	for seed := range scaletest.N(uint64(40)) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 3))
			srv := threatconnecttest.NewT(t, threatconnecttest.WithBatchDuration(time.Duration(random.IntN(5))*time.Second))
			want, items := randomGraph(random, 3+random.IntN(12), 3+random.IntN(30), random.IntN(150))
			cfg := appendConfig()
			cfg.MaxItems, cfg.Concurrency = 1+random.IntN(12), 1+random.IntN(4)
			sent := &associations{srv: srv, seen: map[[3]string]int{}}
			stats, err := srv.Client(threatconnect.WithTransport(sent)).Batch.Import(t.Context(), cfg, sequence(items))
			require.NoError(t, err, "seed %d: %+v", seed, stats)
			for _, g := range srv.Groups(batchOwner) {
				require.Equal(t, names(want.groups[g.XID]), sorted(g.Groups), "seed %d, %s", seed, g.XID)
				require.Len(t, g.Attributes, 1)
			}
			for _, h := range srv.Indicators(batchOwner) {
				require.Equal(t, names(want.hosts[h.Summary]), sorted(h.Groups), "seed %d, %s", seed, h.Summary)
				require.Equal(t, names(want.pairs[h.Summary]), sorted(h.Associated), "seed %d, %s", seed, h.Summary)
				require.Len(t, h.Attributes, 1)
			}
			for _, c := range []threatconnect.BatchCounts{stats.Indicators, stats.Groups, stats.Associations, stats.Links} {
				require.Equal(t, c.Added, c.Succeeded)
			}
			for pair, times := range sent.seen {
				assert.Equal(t, 1, times, "seed %d: %v was sent more than once", seed, pair)
			}
			assert.Len(t, sent.seen, int(stats.Associations.Added+stats.Links.Added))
			duplicates += stats.Duplicates
		})
		if t.Failed() {
			return
		}
	}
	assert.Positive(t, duplicates)
}

// Exclusions must not affect other items: these are imported, no link dangles, and the counts add up,
// even if the process dies and another one resumes.
func TestRandomGraphsWithExclusionsAreImported(t *testing.T) {
	t.Parallel()
	total, deaths := int64(0), 0
	for seed := range scaletest.N(uint64(40)) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 5))
			srv := threatconnecttest.NewT(t, threatconnecttest.WithBatchDuration(time.Duration(random.IntN(5))*time.Second))
			hosts := 3 + random.IntN(30)
			want, items := randomGraph(random, 3+random.IntN(12), hosts, random.IntN(150))
			excluded := map[string]bool{}
			for n := range hosts {
				if random.IntN(3) == 0 {
					excluded[fmt.Sprintf("h%d.example", n)] = true
				}
			}
			want.without(excluded)
			told := int64(0)
			cfg := appendConfig()
			cfg.MaxItems, cfg.Concurrency = 1+random.IntN(12), 1+random.IntN(4)
			cfg.Exclude = func(_, value string) (string, bool) { return value[:2], excluded[value] }
			cfg.OnEvent = func(e threatconnect.BatchEvent) {
				if e.Phase == threatconnect.BatchExcluded {
					told++
				}
			}
			died := seed%2 == 1
			if died {
				cfg.Spool, cfg.Run = newMemSpool(), "today"
				ctx, kill := context.WithCancel(t.Context())
				defer kill()
				d := &death{moments: random.IntN(40), srv: srv, kill: kill}
				_, err := srv.Client(threatconnect.WithTransport(d)).Batch.Import(ctx, cfg, sequence(items))
				died = err != nil
			}
			stats, err := srv.Client().Batch.Import(t.Context(), cfg, sequence(items))
			require.NoError(t, err, "seed %d: %+v", seed, stats)
			for _, g := range srv.Groups(batchOwner) {
				require.Equal(t, names(want.groups[g.XID]), sorted(g.Groups), "seed %d, %s", seed, g.XID)
			}
			for _, h := range srv.Indicators(batchOwner) {
				require.False(t, excluded[h.Summary], "seed %d, %s", seed, h.Summary)
				require.Equal(t, names(want.hosts[h.Summary]), sorted(h.Groups), "seed %d, %s", seed, h.Summary)
				require.Equal(t, names(want.pairs[h.Summary]), sorted(h.Associated), "seed %d, %s", seed, h.Summary)
			}
			counts := []threatconnect.BatchCounts{stats.Indicators, stats.Groups, stats.Associations, stats.Links}
			sum, reasons := int64(0), int64(0)
			for _, c := range counts {
				require.Equal(t, c.Added, c.Succeeded+c.Excluded, "seed %d", seed)
				sum += c.Excluded
			}
			for _, n := range stats.ExclusionReasons {
				reasons += n
			}
			require.EqualValues(t, len(excluded), stats.Indicators.Excluded, "seed %d", seed)
			require.Zero(t, stats.Groups.Excluded)
			require.Equal(t, sum, stats.Total().Excluded+stats.Links.Excluded)
			require.Equal(t, sum, reasons)
			if died {
				deaths++
				require.GreaterOrEqual(t, told, sum, "seed %d", seed) // events can be repeated
			} else {
				require.Equal(t, sum, told)
			}
			total += sum
		})
		if t.Failed() {
			return
		}
	}
	assert.Positive(t, total)
	assert.Positive(t, deaths)
}

func TestIndicatorsCarryGroupsThatListThem(t *testing.T) {
	t.Parallel()
	for seed := range scaletest.N(uint64(20)) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 4))
			srv := threatconnecttest.NewT(t, threatconnecttest.WithBatchDuration(time.Duration(random.IntN(5))*time.Second))
			var items []threatconnect.BatchItem
			for n := range 20 {
				items = append(items, batchHost(n))
			}
			random.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
			want := map[string]map[string]bool{}
			for n := range 10 {
				g := batchGroup(fmt.Sprintf("x-%d", n))
				for range random.IntN(4) {
					host := fmt.Sprintf("h%d.example", random.IntN(20))
					g.Associated = append(g.Associated, threatconnect.IndicatorRef{Type: threatconnect.TypeHost, Value: host})
					link(want, host, g.XID)
				}
				items = append(items, g)
			}
			sent := &associations{srv: srv, seen: map[[3]string]int{}}
			cfg := appendConfig()
			cfg.Concurrency, cfg.Run = 1+random.IntN(4), "today"
			cfg.Spool = newMemSpool()
			stats, err := srv.Client(threatconnect.WithTransport(sent)).Batch.Import(t.Context(), cfg, sequence(items))
			require.NoError(t, err, "seed %d", seed)
			for _, h := range srv.Indicators(batchOwner) {
				require.Equal(t, names(want[h.Summary]), sorted(h.Groups), "seed %d, %s", seed, h.Summary)
			}
			assert.Empty(t, sent.seen, "older instances do not support the list of associations")
			assert.Zero(t, stats.Links.Added)
		})
		if t.Failed() {
			return
		}
	}
}

// TestDeferredAssociationsAreKeptBeyondMemory imports more associations than the writer keeps in memory. They are sent at
// the end, and the first flush is canceled midway.
func TestDeferredAssociationsAreKeptBeyondMemory(t *testing.T) { // not in parallel: it measures memory
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir)
	n := scaletest.Size(40_000)
	var platform acceptor
	client, err := threatconnect.NewClient(batchBase, threatconnect.Token("token"), threatconnect.WithTransport(&platform))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cfg := appendConfig()
	cfg.MaxBytes = 200_000
	cfg.OnEvent = func(e threatconnect.BatchEvent) {
		if e.Stats.Associations.Succeeded > 0 {
			cancel()
		}
	}
	w, err := client.Batch.NewWriter(t.Context(), cfg)
	require.NoError(t, err)
	padding := strings.Repeat("0", 8_000_000/n)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range n {
		item := &threatconnect.Association{From: threatconnect.IndicatorEnd(threatconnect.NewMutex(fmt.Sprint(i, padding))), To: threatconnect.AssociationEnd{GroupType: threatconnect.GroupThreat, ID: 1}}
		require.NoError(t, w.Add(t.Context(), item))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	assert.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(5<<20), "heap growth, for 10 MB of associations")

	require.ErrorIs(t, w.Flush(ctx), context.Canceled)
	require.NoError(t, w.Close(t.Context()))
	assert.Equal(t, threatconnect.BatchCounts{Added: int64(n), Succeeded: int64(n)}, w.Stats().Associations)
	seen := map[string]bool{}
	for _, text := range platform.all().Association {
		var item struct {
			Ref string `json:"ref_1"`
		}
		require.NoError(t, json.Unmarshal(text, &item))
		require.False(t, seen[item.Ref], "%s is sent once", item.Ref)
		seen[item.Ref] = true
	}
	assert.Equal(t, n, len(seen)) //nolint:testifylint // Len would print them
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left, "no file is left behind")
}

func TestDuplicateAssociationsAreSentOnce(t *testing.T) {
	t.Parallel()
	host := func(id int64) threatconnect.AssociationEnd {
		return threatconnect.AssociationEnd{Indicator: threatconnect.TypeHost, ID: id}
	}
	url := func(id int64) threatconnect.AssociationEnd {
		return threatconnect.AssociationEnd{Indicator: threatconnect.TypeURL, ID: id}
	}
	group := func(typ threatconnect.GroupType, xid string) threatconnect.AssociationEnd {
		return threatconnect.AssociationEnd{GroupType: typ, GroupXID: xid}
	}
	named := threatconnect.IndicatorEnd(threatconnect.NewHost("a.example"))
	others := []threatconnect.BatchItem{
		&threatconnect.Association{From: threatconnect.GroupEnd("x-1"), To: threatconnect.GroupEnd("x-3")},
		&threatconnect.Association{From: threatconnect.AssociationEnd{GroupType: threatconnect.GroupThreat, ID: 1}, To: threatconnect.GroupEnd("x-2")},
		&threatconnect.Association{From: threatconnect.IndicatorEnd(threatconnect.NewMutex("a.example")), To: threatconnect.GroupEnd("x-1")},
		&threatconnect.Association{From: host(7), To: url(9), Type: "Address to Indicators"},
	}
	for name, same := range map[string][]*threatconnect.Association{
		"groups": {
			{From: threatconnect.GroupEnd("x-1"), To: threatconnect.GroupEnd("x-2")}, {From: threatconnect.GroupEnd("x-2"), To: threatconnect.GroupEnd("x-1")},
			{From: group(threatconnect.GroupThreat, "x-1"), To: group(threatconnect.GroupIncident, "x-2")},
		},
		"a group and an indicator": {{From: named, To: threatconnect.GroupEnd("x-1")}, {From: group(threatconnect.GroupThreat, "x-1"), To: named}},
		"indicators":               {{From: host(7), To: url(9), Type: "URL Host"}, {From: url(9), To: host(7), Type: "URL Host"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			items := append([]threatconnect.BatchItem{}, others...)
			for _, a := range same {
				items = append(items, a)
			}
			file, stats := uploaded(t, appendConfig(), items...)
			assert.EqualValues(t, len(same)-1, stats.Duplicates)
			assert.Len(t, file.Association, len(others)+1)
			first, _ := encoded(t, threatconnect.BatchCreate, same[0])
			assert.Contains(t, file.Association, json.RawMessage(first), "the first of equal associations is sent")
		})
	}
}

func TestOverlongAssociationEndIsRejectedAlone(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	w, err := srv.Client().Batch.NewWriter(t.Context(), appendConfig())
	require.NoError(t, err)
	long := strings.Repeat("\x01", 64<<10) // six times as long in JSON
	mutex := threatconnect.NewMutex("m")
	mutex.GroupXIDs = []string{long + "1"}
	listing := batchGroup("x-1")
	listing.Associated = []threatconnect.IndicatorRef{{Type: threatconnect.TypeMutex, Value: "a" + strings.Repeat("b", 64<<10)}}
	for _, in := range []threatconnect.BatchItem{mutex, listing,
		&threatconnect.Association{From: threatconnect.GroupEnd(strings.Repeat("x", 64<<10+1)), To: threatconnect.GroupEnd("x-2")}} {
		require.ErrorIs(t, w.Add(t.Context(), in), threatconnect.ErrValidation)
	}
	longest := strings.Repeat("é", 32<<10)
	addAll(t, w, &threatconnect.Association{From: threatconnect.GroupEnd(longest), To: threatconnect.GroupEnd(longest)}, batchHost(1))
	require.Error(t, w.Close(t.Context()), "there is no such group")
	assert.EqualValues(t, 3, w.Stats().Invalid)
	assert.EqualValues(t, 1, w.Stats().Indicators.Succeeded, "the rest is imported")
}

// TestFlushFailureEndsImport removes the directory for temporary files after the writer holds
// more associations than fit in memory.
func TestFlushFailureEndsImport(t *testing.T) {
	temporary := os.TempDir()
	setTemporary := func(dir string) {
		t.Setenv("TMPDIR", dir)
		t.Setenv("TMP", dir)
	}
	srv := threatconnecttest.NewT(t)
	cfg := appendConfig()
	cfg.Spool, cfg.Run = newMemSpool(), "today"
	host := batchHost(0)
	items := []threatconnect.BatchItem{host}
	const n = 1_500 // with more than 1 MiB of associations
	for i := range n {
		xid := fmt.Sprintf("x-%0900d", i)
		host.GroupXIDs = append(host.GroupXIDs, xid)
		group := batchGroup(xid)
		group.Name = "a group"
		items = append(items, group)
	}
	w, err := srv.Client().Batch.NewWriter(t.Context(), cfg)
	require.NoError(t, err)
	addAll(t, w, host)
	require.NoError(t, w.Flush(t.Context()), "no group was added, so all links keep waiting")
	setTemporary(filepath.Join(t.TempDir(), "is not there"))
	require.ErrorIs(t, w.Flush(t.Context()), fs.ErrNotExist)
	setTemporary(temporary)
	require.ErrorIs(t, w.Add(t.Context(), items[1]), threatconnect.ErrBatchHalted)
	var b *threatconnect.BatchError
	require.ErrorAs(t, w.Close(t.Context()), &b)
	require.ErrorIs(t, b.Err, fs.ErrNotExist)
	assert.True(t, b.Kept)

	stats, err := srv.Client().Batch.Import(t.Context(), cfg, sequence(items))
	require.NoError(t, err)
	assert.Equal(t, threatconnect.BatchCounts{Added: n, Succeeded: n}, stats.Links)
}
