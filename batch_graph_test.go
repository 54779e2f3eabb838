package threatconnect_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
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

// graph is a random graph of groups and hosts: what each is linked to, by the names under which the
// server tells it.
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

// randomGraph makes the items of a graph in random order. Every link is written at either of its ends,
// at both, or as an association; some several times. There are circles, also of two.
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
		case 0: // group to group, at one end or both
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
		case 2: // written at the host
			if !slices.Contains(h.GroupXIDs, a.XID) {
				h.GroupXIDs = append(h.GroupXIDs, a.XID)
			}
			link(g.hosts, h.HostName, a.XID)
		case 3: // written at the group
			a.Associated = append(a.Associated, threatconnect.IndicatorRef{Type: threatconnect.TypeHost, Value: h.HostName})
			link(g.hosts, h.HostName, a.XID)
		case 4: // as an association
			items = append(items, &threatconnect.Association{From: hostEnd(h), To: threatconnect.GroupEnd(a.XID)})
			link(g.hosts, h.HostName, a.XID)
		default: // host to host, sometimes again and the other way round
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

// without takes hosts out of the graph.
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

// associations counts the associations that are uploaded, those that link the same two as one.
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

func TestRandomGraphsHold(t *testing.T) {
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
			assert.EqualValues(t, stats.Associations.Added+stats.Links.Added, len(sent.seen))
			duplicates += stats.Duplicates
		})
		if t.Failed() {
			return
		}
	}
	assert.Positive(t, duplicates)
}

// Whatever is excluded, all else goes in, nothing dangles, and the counts add up, also when the process
// ends and another one goes on.
func TestRandomGraphsHoldWithoutWhatIsExcluded(t *testing.T) {
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
				require.GreaterOrEqual(t, told, sum, "seed %d", seed) // some can be told again
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

func TestIndicatorsCarryTheGroupsOfTheirFileThatListThem(t *testing.T) {
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
			assert.Empty(t, sent.seen, "an older instance does not know the list of associations")
			assert.Zero(t, stats.Links.Added)
		})
		if t.Failed() {
			return
		}
	}
}
