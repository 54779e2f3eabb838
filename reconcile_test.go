package threatconnect_test

import (
	"fmt"
	"iter"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// holding returns a server whose owner has indicators, each given as "Type|value".
func holding(t testing.TB, items ...string) *threatconnecttest.Server {
	t.Helper()
	srv := threatconnecttest.NewT(t, threatconnecttest.WithRecordedBodies(1<<16))
	require.NoError(t, srv.Seed(&threatconnecttest.IndicatorType{
		Name: "Coin", Branch: "coins", Entity: "coin", Fields: []string{"Net", "Wallet"}, CasePreference: "lower",
	}))
	hold(t, srv, items...)
	return srv
}

func hold(t testing.TB, srv *threatconnecttest.Server, items ...string) {
	t.Helper()
	for _, item := range items {
		typ, value, _ := strings.Cut(item, "|")
		require.NoError(t, srv.Seed(&threatconnecttest.IndicatorRecord{Owner: batchOwner, Type: typ, Summary: value}), item)
	}
}

// held returns the owner's indicators, each as "Type|value".
func held(srv *threatconnecttest.Server) []string {
	all := []string{}
	for _, i := range srv.Indicators(batchOwner) {
		all = append(all, i.Type+"|"+i.Summary)
	}
	slices.Sort(all)
	return all
}

func setOf(items ...threatconnect.BatchItem) iter.Seq2[threatconnect.BatchItem, error] {
	return threatconnect.BatchItems(slices.Values(items))
}

func sweep() threatconnect.ReconcileConfig {
	return threatconnect.ReconcileConfig{Owner: batchOwner, MaxShare: 1}
}

const (
	md5A    = "D41D8CD98F00B204E9800998ECF8427E"
	md5B    = "0CC175B9C0F1B6A831C399E269772661"
	md5C    = "92EB5FFEE6AE2FEC3AD71C777531578F"
	sha1A   = "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709"
	sha256A = "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"
)

// everyType has two indicators of each type: one in the feed, and one that is stale.
var everyType = []string{
	"Address|192.0.2.1", "Address|192.0.2.2", "EmailAddress|A.b@kept.example", "EmailAddress|a@gone.example",
	"File|" + md5A + " : " + sha1A + " : " + sha256A, "File|" + md5B, "Host|xn--bcher-kva.example", "Host|gone.example",
	"URL|http://kept.example/A", "URL|http://gone.example/A", "ASN|ASN1", "ASN|ASN2", "CIDR|192.0.2.0/24", "CIDR|198.51.100.0/24",
	"Mutex|Kept", "Mutex|gone", `Registry Key|HKEY_LOCAL_MACHINE\Kept : v : REG_SZ`, `Registry Key|HKEY_LOCAL_MACHINE\Kept : w : REG_SZ`,
	"User Agent|kept/1", "User Agent|gone/1", "Email Subject|kept", "Email Subject|gone", "Hashtag|#kept", "Hashtag|#gone",
	"Coin|btc : kept", "Coin|btc : gone",
}

// keptOfEveryType returns the indicators of everyType that are in the feed, in other spellings.
func keptOfEveryType() []threatconnect.BatchItem {
	return []threatconnect.BatchItem{
		threatconnect.NewAddress("192.0.2.1"), threatconnect.NewEmailAddress("a.b@Kept.example"), threatconnect.NewFile(strings.ToLower(sha1A)),
		threatconnect.NewHost("Bücher.example"), threatconnect.NewURL("HTTP://KEPT.example/A"), threatconnect.NewASN("AS 1"),
		threatconnect.NewCIDR("192.0.2.0/24"), threatconnect.NewMutex("Kept"), threatconnect.NewRegistryKey(`HKLM\Kept`, "v", "reg_sz"),
		threatconnect.NewUserAgent("kept/1"), threatconnect.NewEmailSubject("kept"), threatconnect.NewHashtag("#Kept"),
		threatconnect.NewCustomIndicator("Coin", "BTC", "Kept"),
	}
}

func TestReconcileRemovesStaleOfEveryType(t *testing.T) {
	t.Parallel()
	for name, odd := range map[string]threatconnecttest.Oddity{"as usual": 0, "every oddity": threatconnecttest.OddityAll, "a merged feed": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				feed := append(keptOfEveryType(), batchGroup("x"), &threatconnect.GroupContent{}, &threatconnect.Association{})
				if name == "a merged feed" {
					feed = merged(t, feed)
				}
				srv := holding(t, everyType...)
				srv.SetOddities(odd)
				var told []string
				cfg := sweep()
				cfg.Dir = t.TempDir()
				cfg.OnStale = func(typ threatconnect.IndicatorType, summary string) { told = append(told, string(typ)+"|"+summary) }
				cfg.OnError = func(e threatconnect.BatchItemError) { t.Error(e) }
				report, err := srv.Client().Batch.Reconcile(t.Context(), cfg, setOf(feed...))
				require.NoError(t, err)
				assert.EqualValues(t, 3, report.Ignored)
				var kept, gone []string
				for i, item := range everyType {
					if i%2 == 0 {
						kept = append(kept, item)
					} else {
						gone = append(gone, item)
					}
				}
				slices.Sort(kept)
				assert.Equal(t, kept, held(srv))
				assert.ElementsMatch(t, gone, told)
				assert.Equal(t, threatconnect.ReconcileCounts{Current: 13, Listed: 26, Stale: 13, Removed: 13}, report.Total)
				assert.Len(t, report.Types, 13)
				for typ, c := range report.Types {
					assert.Equal(t, threatconnect.ReconcileCounts{Current: 1, Listed: 2, Stale: 1, Removed: 1}, c, typ)
				}
				assert.InDelta(t, 0.5, report.Share, 0)
				assert.EqualValues(t, 12, report.Jobs, "one job per type, except for files")
				left, err := os.ReadDir(cfg.Dir)
				require.NoError(t, err)
				assert.Empty(t, left)
			})
		})
	}
}

func TestReconcileDeleteBodyIsMinimal(t *testing.T) {
	t.Parallel()
	srv := holding(t, "Host|a.example", "Host|b.example", "Coin|btc : x")
	cfg := sweep()
	cfg.Types = []threatconnect.IndicatorType{"Coin", "Host"}
	_, err := srv.Client().Batch.Reconcile(t.Context(), cfg, setOf(threatconnect.NewHost("a.example")))
	require.NoError(t, err)
	var bodies []string
	for _, q := range srv.Requests() {
		if q.Route == "/v2/batch/{id}" && q.Method == http.MethodPost {
			bodies = append(bodies, string(q.Body))
		}
	}
	assert.Equal(t, []string{
		`{"indicator":[{"type":"Coin","summary":"btc : x"}]}`,
		`{"indicator":[{"type":"Host","summary":"b.example"}]}`,
	}, bodies)
	assert.Equal(t, []string{"Host|a.example"}, held(srv))
	for _, j := range srv.Jobs() {
		assert.Equal(t, "Delete", j.Action)
	}
}

func TestReconcileKeepsOtherTypes(t *testing.T) {
	t.Parallel()
	srv := holding(t, "Host|a.example", "Host|b.example", "Address|192.0.2.1")
	client := srv.Client()
	report, err := client.Batch.Reconcile(t.Context(), sweep(), setOf(batchGroup("x-1"), threatconnect.NewHost("a.example"), &threatconnect.Association{}))
	require.NoError(t, err)
	assert.EqualValues(t, 2, report.Ignored)
	assert.Equal(t, []string{"Address|192.0.2.1", "Host|a.example"}, held(srv))

	hold(t, srv, "Email Subject|s", "Hashtag|#gone", "Coin|btc : x")
	_, err = client.Batch.Reconcile(t.Context(), sweep(), setOf(threatconnect.NewHashtag("#kept")))
	require.NoError(t, err)
	assert.Equal(t, []string{"Address|192.0.2.1", "Coin|btc : x", "Email Subject|s", "Host|a.example"}, held(srv), "including other types in the same list")

	srv = holding(t, "Host|a.example", "Address|192.0.2.1")
	client = srv.Client()
	cfg := sweep()
	cfg.Types = []threatconnect.IndicatorType{"Address", "Host", "Host"}
	report, err = client.Batch.Reconcile(t.Context(), cfg, setOf(threatconnect.NewHost("a.example"), threatconnect.NewMutex("m")))
	require.NoError(t, err)
	assert.EqualValues(t, 1, report.Ignored)
	assert.Equal(t, threatconnect.ReconcileCounts{Listed: 1, Stale: 1, Removed: 1}, report.Types["Address"], "the type is in Types")
	assert.Equal(t, []string{"Host|a.example"}, held(srv))
}

func TestReconcileLimitsDeletions(t *testing.T) {
	t.Parallel()
	var items []string
	for n := range 10 {
		items = append(items, fmt.Sprintf("Host|h%d.example", n))
	}
	feed := func(n int) iter.Seq2[threatconnect.BatchItem, error] {
		var all []threatconnect.BatchItem
		for n := range n {
			all = append(all, batchHost(n))
		}
		return setOf(all...)
	}
	for _, c := range []struct {
		share   float64
		feed    int
		refused bool
	}{{0, 8, false}, {0, 7, true}, {0.3, 7, false}, {0.3, 6, true}, {1, 1, false}, {0.01, 9, true}, {0.01, 10, false}} {
		srv := holding(t, items...)
		cfg := sweep()
		cfg.MaxShare = c.share
		report, err := srv.Client().Batch.Reconcile(t.Context(), cfg, feed(c.feed))
		require.NotNil(t, report)
		assert.EqualValues(t, 10-c.feed, report.Total.Stale)
		if !c.refused {
			require.NoError(t, err)
			assert.Len(t, held(srv), c.feed)
			continue
		}
		require.ErrorIs(t, err, threatconnect.ErrReconcileShare)
		require.ErrorContains(t, err, fmt.Sprintf("%d of the owner's 10 indicators", 10-c.feed))
		assert.Len(t, held(srv), 10)
		assert.Empty(t, srv.Jobs())
		assert.EqualValues(t, 10-c.feed, report.Total.Unprocessed)
	}
}

// TestReconcileLimitsDeletionsPerType checks that MaxShare applies to each type. The feed has lost a
// type that is a small part of the owner.
func TestReconcileLimitsDeletionsPerType(t *testing.T) {
	t.Parallel()
	var owner []string
	var hosts []threatconnect.BatchItem
	for n := range 100 {
		owner = append(owner, fmt.Sprintf("Host|h%d.example", n))
		hosts = append(hosts, batchHost(n))
	}
	for n := range 20 {
		owner = append(owner, fmt.Sprintf("File|%032X", n))
	}
	files := func(n int) (all []threatconnect.BatchItem) {
		for n := range n {
			all = append(all, threatconnect.NewFile(fmt.Sprintf("%032X", n)))
		}
		return all
	}
	types := []threatconnect.IndicatorType{threatconnect.TypeHost, threatconnect.TypeFile}
	for name, c := range map[string]struct {
		types   []threatconnect.IndicatorType
		files   int // in the feed
		share   float64
		spared  bool // whether half of the files were modified recently
		refused string
	}{
		"all files":                       {types, 0, 0, false, "20 of the owner's 20 indicators of the type File"},
		"all but one":                     {nil, 1, 0, false, "19 of the owner's 20 indicators of the type File"},
		"more than may go":                {nil, 15, 0, false, "5 of the owner's 20 indicators of the type File"},
		"as many as may go":               {nil, 16, 0, false, ""},
		"all files, and it is allowed":    {types, 0, 1, false, ""},
		"all files, and some are spared":  {types, 0, 0.6, true, "10 of the owner's 20 indicators of the type File"},
		"most files, and some are spared": {types, 1, 0.6, true, ""},
		"all files, not looked at":        {nil, 0, 0, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := threatconnecttest.NewT(t)
			before := time.Now().Add(-time.Hour)
			for n, item := range owner {
				typ, value, _ := strings.Cut(item, "|")
				record := threatconnecttest.IndicatorRecord{Owner: batchOwner, Type: typ, Summary: value, LastModified: before.Add(-time.Minute)}
				if c.spared && n >= 110 {
					record.LastModified = before.Add(time.Minute)
				}
				require.NoError(t, srv.Seed(&record))
			}
			cfg := threatconnect.ReconcileConfig{Owner: batchOwner, Types: c.types, MaxShare: c.share, ModifiedBefore: before}
			report, err := srv.Client().Batch.Reconcile(t.Context(), cfg, setOf(append(files(c.files), hosts...)...))
			if c.refused == "" {
				require.NoError(t, err)
				assert.Equal(t, report.Total.Stale, report.Total.Removed)
				return
			}
			require.ErrorIs(t, err, threatconnect.ErrReconcileShare)
			require.ErrorContains(t, err, c.refused)
			assert.Len(t, held(srv), 120, "nothing was removed")
		})
	}
}

func TestReconcileFiltersAndInactive(t *testing.T) {
	t.Parallel()
	srv := holding(t, "Host|a.example", "Host|b.example", "Host|c.test")
	require.NoError(t, srv.Seed(&threatconnecttest.IndicatorRecord{Owner: batchOwner, Type: "Host", Summary: "idle.example", Inactive: true}))
	client := srv.Client()
	cfg := sweep()
	cfg.Filters = threatconnect.Filters{threatconnect.BySummary.StartsWith("a")}
	_, err := client.Batch.Reconcile(t.Context(), cfg, setOf(threatconnect.NewHost("c.test")))
	require.NoError(t, err)
	assert.Equal(t, []string{"Host|b.example", "Host|c.test", "Host|idle.example"}, held(srv))
	cfg.Filters = nil
	_, err = client.Batch.Reconcile(t.Context(), cfg, setOf(threatconnect.NewHost("c.test")))
	require.NoError(t, err)
	assert.Equal(t, []string{"Host|c.test", "Host|idle.example"}, held(srv))
	cfg.Inactive = true
	_, err = client.Batch.Reconcile(t.Context(), cfg, setOf(threatconnect.NewHost("c.test")))
	require.NoError(t, err)
	assert.Equal(t, []string{"Host|c.test"}, held(srv))
}

func TestReconcileRejectsInvalidConfigurations(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*threatconnect.ReconcileConfig){
		"no owner":                          func(c *threatconnect.ReconcileConfig) { c.Owner = "" },
		"a share above 1":                   func(c *threatconnect.ReconcileConfig) { c.MaxShare = 20 },
		"a negative share":                  func(c *threatconnect.ReconcileConfig) { c.MaxShare = -0.1 },
		"too little memory":                 func(c *threatconnect.ReconcileConfig) { c.MaxBytes = 1 },
		"an empty type":                     func(c *threatconnect.ReconcileConfig) { c.Types = []threatconnect.IndicatorType{"Host", ""} },
		"a large page":                      func(c *threatconnect.ReconcileConfig) { c.PageSize = 10_001 },
		"a concurrency":                     func(c *threatconnect.ReconcileConfig) { c.Concurrency = 17 },
		"a retirement that changes nothing": func(c *threatconnect.ReconcileConfig) { c.Retire = &threatconnect.Retirement{} },
		"a retirement with a bad tag":       func(c *threatconnect.ReconcileConfig) { c.Retire = &threatconnect.Retirement{Tag: " "} },
		"filters and inactive": func(c *threatconnect.ReconcileConfig) {
			c.Inactive, c.Filters = true, threatconnect.Filters{threatconnect.ByRating.Above(1)}
		},
	} {
		cfg := sweep()
		change(&cfg)
		report, err := threatconnecttest.NewT(t).Client().Batch.Reconcile(t.Context(), cfg, setOf(threatconnect.NewHost("a.example")))
		require.ErrorIs(t, err, threatconnect.ErrValidation, name)
		assert.Nil(t, report, name)
	}
	many := func(yield func(threatconnect.BatchItem, error) bool) {
		for n := range 1000 {
			if !yield(threatconnect.NewCustomIndicator(threatconnect.IndicatorType(fmt.Sprint("T", n)), "x"), nil) {
				return
			}
		}
	}
	_, err := threatconnecttest.NewT(t).Client().Batch.Reconcile(t.Context(), sweep(), many)
	require.ErrorContains(t, err, "more than 100 types")
}

// TestReconcileCountsNotFoundAsRemoved checks that hosts that another user deletes during the run count as
// removed, although the job reports an error for each of them.
func TestReconcileCountsNotFoundAsRemoved(t *testing.T) {
	t.Parallel()
	const refused = `{"errorReason":"Error (0x1005): h2.example could not be deleted","errorSource":"h2.example"}`
	for name, c := range map[string]struct {
		errors   []string // of h1.example to h3.example
		want     threatconnect.ReconcileCounts
		failures []int64
		retire   *threatconnect.Retirement
	}{
		"all are gone":   {[]string{"h1.example", "h2.example", "h3.example"}, threatconnect.ReconcileCounts{Current: 1, Listed: 4, Stale: 3, Removed: 3}, nil, nil},
		"one is gone":    {[]string{"h3.example"}, threatconnect.ReconcileCounts{Current: 1, Listed: 4, Stale: 3, Removed: 3}, nil, nil},
		"one is refused": {[]string{"h1.example", refused}, threatconnect.ReconcileCounts{Current: 1, Listed: 4, Stale: 3, Removed: 2, Failed: 1}, []int64{1}, nil},
		"one is gone that was to be retired": {[]string{"h2.example"}, threatconnect.ReconcileCounts{Current: 1, Listed: 4, Stale: 3, Removed: 2, Failed: 1}, []int64{1},
			&threatconnect.Retirement{Tag: "Stale"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := holding(t, "Host|h0.example", "Host|h1.example", "Host|h2.example", "Host|h3.example")
				for i, e := range c.errors {
					if e != refused {
						c.errors[i] = fmt.Sprintf(`{"errorReason":"Error (0x1007): The Indicator %s was not found","errorSource":%q}`, e, e)
					}
				}
				client := srv.Client(threatconnect.WithTransport(wiretest.Func(func(req *http.Request) (*http.Response, error) {
					resp, err := srv.RoundTrip(req)
					says := ""
					switch {
					case err != nil || req.Method != http.MethodGet:
					case strings.HasSuffix(req.URL.Path, "/errors"):
						says = "[" + strings.Join(c.errors, ",") + "]"
					case strings.Contains(req.URL.Path, "/batch/"):
						says = fmt.Sprintf(`{"status":"Success","data":{"batchStatus":{"id":1,"status":"Completed","successCount":%d,"errorCount":%d,"unprocessCount":0}}}`, 3-len(c.errors), len(c.errors))
					}
					if says == "" {
						return resp, err
					}
					return httpmock.NewStringResponse(http.StatusOK, says), resp.Body.Close()
				})))
				var told []int64
				cfg := sweep()
				cfg.Retire = c.retire
				cfg.OnError = func(e threatconnect.BatchItemError) { told = append(told, e.Seq) }
				report, err := client.Batch.Reconcile(t.Context(), cfg, setOf(threatconnect.NewHost("h0.example")))
				assert.Equal(t, c.want, report.Total)
				assert.Equal(t, c.failures, told)
				if c.failures == nil {
					require.NoError(t, err)
					return
				}
				var b *threatconnect.BatchError
				require.ErrorAs(t, err, &b)
				require.Len(t, b.Items, 1)
				assert.Equal(t, "h2.example", b.Items[0].Ref)
				assert.Equal(t, threatconnect.BatchCounts{Added: 3, Succeeded: 2, Failed: 1}, b.Stats.Indicators)
			})
		})
	}
}

func TestReconcileRetires(t *testing.T) {
	t.Parallel()
	for name, retirement := range map[string]threatconnect.Retirement{
		"scores":     {ClearScores: true},
		"status":     {Deactivate: true},
		"tag":        {Tag: " Stale "},
		"everything": {ClearScores: true, Deactivate: true, Tag: "Stale"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := holding(t)
			want := map[string]threatconnecttest.IndicatorRecord{}
			for _, item := range []string{"Host|kept.example", "Host|gone.example", "Coin|btc : gone", "File|" + md5A + " : " + sha1A} {
				typ, value, _ := strings.Cut(item, "|")
				r := &threatconnecttest.IndicatorRecord{
					Owner: batchOwner, Type: typ, Summary: value, Rating: new(4.0), Confidence: new(90), Tags: []string{"Kept"}, Labels: []string{"TLP:AMBER"},
					Attributes: []threatconnecttest.AttributeRecord{{Type: "Description", Value: "mine"}},
				}
				require.NoError(t, srv.Seed(r))
				r.LastModified = time.Time{}
				if value != "kept.example" {
					if retirement.ClearScores {
						r.Rating, r.Confidence = new(0.0), new(0)
					}
					r.Inactive = retirement.Deactivate
					if retirement.Tag != "" {
						r.Tags = append(r.Tags, "Stale")
					}
				}
				want[item] = *r
			}
			cfg := sweep()
			cfg.Types, cfg.Retire = []threatconnect.IndicatorType{"Coin", "File", "Host"}, &retirement
			feed := setOf(threatconnect.NewHost("kept.example"))
			client := srv.Client()
			report, err := client.Batch.Reconcile(t.Context(), cfg, feed)
			require.NoError(t, err)
			assert.Equal(t, threatconnect.ReconcileCounts{Current: 1, Listed: 4, Stale: 3, Removed: 3}, report.Total)
			got := map[string]threatconnecttest.IndicatorRecord{}
			for _, r := range srv.Indicators(batchOwner) {
				r.LastModified = time.Time{}
				for i := range r.Attributes {
					r.Attributes[i].ID = want[r.Type+"|"+r.Summary].Attributes[i].ID
				}
				got[r.Type+"|"+r.Summary] = r
			}
			assert.Equal(t, want, got, "nothing else changed")
			for _, q := range srv.Requests() {
				assert.NotEqual(t, http.MethodDelete, q.Method)
			}

			jobs := len(srv.Jobs())
			srv.ResetRequests()
			report, err = client.Batch.Reconcile(t.Context(), cfg, feed)
			require.NoError(t, err)
			again := threatconnect.ReconcileCounts{Current: 1, Listed: 4, Retired: 3}
			if retirement.Deactivate {
				assert.Equal(t, threatconnect.ReconcileCounts{Current: 1, Listed: 1}, report.Total, "inactive indicators are not listed")
				cfg.Inactive = true
				report, err = client.Batch.Reconcile(t.Context(), cfg, feed)
				require.NoError(t, err)
			}
			assert.Equal(t, again, report.Total)
			assert.Len(t, srv.Jobs(), jobs, "retired indicators are not retired again")
			for _, q := range srv.Requests() {
				assert.Equal(t, http.MethodGet, q.Method)
			}
		})
	}
}

// TestReconcileLimitsRetirements checks that indicators that are already retired do not count toward the
// share.
func TestReconcileLimitsRetirements(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	for n := range 100 {
		require.NoError(t, srv.Seed(&threatconnecttest.IndicatorRecord{Owner: batchOwner, Type: "Host", Summary: fmt.Sprintf("h%d.example", n), Tags: []string{"Stale", "Other"}[n/90 : n/90+1]}))
	}
	cfg := threatconnect.ReconcileConfig{Owner: batchOwner, Retire: &threatconnect.Retirement{Tag: "stale"}}
	report, err := srv.Client().Batch.Reconcile(t.Context(), cfg, setOf(batchHost(90), batchHost(91)))
	require.ErrorIs(t, err, threatconnect.ErrReconcileShare)
	require.ErrorContains(t, err, "8 of the owner's 10 indicators")
	assert.Equal(t, threatconnect.ReconcileCounts{Current: 2, Listed: 100, Retired: 90, Stale: 8, Unprocessed: 8}, report.Total)
	assert.InDelta(t, 0.8, report.Share, 0)
}
