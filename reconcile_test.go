package threatconnect_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
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

func TestReconcileDryRunRemovesNothing(t *testing.T) {
	t.Parallel()
	srv := holding(t, "Host|a.example", "Host|b.example", "File|"+md5A)
	cfg := sweep()
	cfg.DryRun = true
	cfg.Types = []threatconnect.IndicatorType{"File", "Host"}
	var told []string
	cfg.OnStale = func(typ threatconnect.IndicatorType, summary string) { told = append(told, string(typ)+"|"+summary) }
	report, err := srv.Client().Batch.Reconcile(t.Context(), cfg, setOf(threatconnect.NewHost("a.example")))
	require.NoError(t, err)
	assert.Equal(t, []string{"Host|b.example", "File|" + md5A}, told)
	assert.Equal(t, threatconnect.ReconcileCounts{Current: 1, Listed: 3, Stale: 2, Unprocessed: 2}, report.Total)
	assert.Len(t, held(srv), 3)
	assert.Empty(t, srv.Jobs())

	cfg.MaxShare = 0.5
	_, err = srv.Client().Batch.Reconcile(t.Context(), cfg, setOf(threatconnect.NewHost("a.example")))
	require.ErrorIs(t, err, threatconnect.ErrReconcileShare, "a dry run returns the same error")
	assert.Len(t, told, 4, "and reports the same indicators")
}

func TestReconcileMatchesFilesByAnyHash(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		feed []*threatconnect.File
		want []string
	}{
		"the second hash":    {[]*threatconnect.File{{SHA1: sha1A}}, []string{"File|" + md5A + " : " + sha1A}},
		"a hash that is new": {[]*threatconnect.File{{MD5: md5A, SHA256: sha256A}}, []string{"File|" + md5A + " : " + sha1A}},
		"two files in one":   {[]*threatconnect.File{{MD5: md5B, SHA1: sha1A}}, []string{"File|" + md5B, "File|" + md5A + " : " + sha1A}},
		"none":               {[]*threatconnect.File{{SHA256: sha256A}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := holding(t, "File|"+md5A+" : "+sha1A, "File|"+md5B, "File|"+md5C)
			_, err := srv.Client().Batch.Reconcile(t.Context(), sweep(), threatconnect.BatchItems(slices.Values(c.feed)))
			require.NoError(t, err)
			slices.Sort(c.want)
			assert.ElementsMatch(t, c.want, held(srv))
		})
	}
}

func TestReconcileRemovesNothingOnAnyError(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken feed")
	after := func(items ...threatconnect.BatchItem) iter.Seq2[threatconnect.BatchItem, error] {
		return func(yield func(threatconnect.BatchItem, error) bool) {
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			yield(nil, broken)
		}
	}
	var nilHost *threatconnect.Host
	kept := threatconnect.NewHost("h0.example")
	lost := func(route string, skip int) threatconnecttest.Fault {
		return threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Status: http.StatusForbidden, Route: route, Skip: skip, Times: -1}
	}
	for name, c := range map[string]struct {
		feed  iter.Seq2[threatconnect.BatchItem, error]
		fault threatconnecttest.Fault
		want  error
	}{
		"the feed breaks off":                   {after(kept), threatconnecttest.Fault{}, broken},
		"the feed is empty":                     {setOf(), threatconnecttest.Fault{}, threatconnect.ErrValidation},
		"the feed holds groups only":            {setOf(batchGroup("x-1")), threatconnecttest.Fault{}, threatconnect.ErrValidation},
		"a value has no canonical form":         {setOf(kept, threatconnect.NewHost("a b")), threatconnecttest.Fault{}, threatconnect.ErrValidation},
		"an item is nil":                        {setOf(kept, nil), threatconnecttest.Fault{}, threatconnect.ErrValidation},
		"an item is a nil pointer":              {setOf(kept, nilHost), threatconnecttest.Fault{}, threatconnect.ErrValidation},
		"a custom type has no name":             {setOf(kept, threatconnect.NewCustomIndicator("", "x")), threatconnecttest.Fault{}, threatconnect.ErrValidation},
		"there is no set":                       {nil, threatconnecttest.Fault{}, threatconnect.ErrValidation},
		"the list cannot be read":               {setOf(kept), lost("/v2/indicators/{type}", 0), threatconnect.ErrForbidden},
		"the list breaks off on its third page": {setOf(kept), lost("/v2/indicators/{type}", 2), threatconnect.ErrForbidden},
		"the second list breaks off":            {setOf(kept, threatconnect.NewHashtag("#x")), lost("/v2/indicators", 1), threatconnect.ErrForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := holding(t)
				for n := range 30 {
					hold(t, srv, fmt.Sprintf("Host|h%d.example", n))
				}
				if c.fault.Kind != 0 {
					require.NoError(t, srv.Inject(c.fault))
				}
				cfg := sweep()
				cfg.PageSize, cfg.Dir = 10, t.TempDir()
				cfg.OnStale = func(threatconnect.IndicatorType, string) { t.Error("nothing is stale") }
				_, err := srv.Client().Batch.Reconcile(t.Context(), cfg, c.feed)
				require.ErrorIs(t, err, c.want)
				srv.ClearFaults()
				assert.Len(t, held(srv), 30)
				assert.Empty(t, srv.Jobs())
				left, err := os.ReadDir(cfg.Dir)
				require.NoError(t, err)
				assert.Empty(t, left)
			})
		})
	}
}

// TestReconcileRejectsTwoSpellingsOfType checks that a type has the same letter case in Types and in the
// whole feed. In batch files, the platform ignores the case.
func TestReconcileRejectsTwoSpellingsOfType(t *testing.T) {
	t.Parallel()
	coin := threatconnect.NewCustomIndicator("Coin", "btc", "kept")
	for name, c := range map[string]struct {
		types []threatconnect.IndicatorType
		feed  []threatconnect.BatchItem
	}{
		"of Types":            {[]threatconnect.IndicatorType{"Coin", "Host"}, []threatconnect.BatchItem{threatconnect.NewCustomIndicator("coin", "btc", "a")}},
		"of the feed":         {nil, []threatconnect.BatchItem{coin, threatconnect.NewCustomIndicator("COIN", "btc", "a")}},
		"of a built-in type":  {nil, []threatconnect.BatchItem{threatconnect.NewHost("kept.example"), threatconnect.NewCustomIndicator("host", "a.example")}},
		"the other way round": {nil, []threatconnect.BatchItem{threatconnect.NewCustomIndicator("host", "a.example"), threatconnect.NewHost("kept.example")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := holding(t, "Coin|btc : a", "Host|a.example")
			cfg := sweep()
			cfg.Types = c.types
			_, err := srv.Client().Batch.Reconcile(t.Context(), cfg, setOf(append(c.feed, coin)...))
			require.ErrorIs(t, err, threatconnect.ErrValidation)
			require.ErrorContains(t, err, "letter case elsewhere")
			assert.Len(t, held(srv), 2)
		})
	}
}

func TestReconcileOnInvalidSkipsItems(t *testing.T) {
	t.Parallel()
	srv := holding(t, "Host|a.example", "Host|b.example")
	cfg := sweep()
	invalid := 0
	cfg.OnInvalid = func(item threatconnect.BatchItem, err error) error {
		assert.ErrorIs(t, err, threatconnect.ErrValidation)
		invalid++
		return nil
	}
	feed := setOf(threatconnect.NewHost("a b"), threatconnect.NewHost("a.example"), nil)
	report, err := srv.Client().Batch.Reconcile(t.Context(), cfg, feed)
	require.NoError(t, err)
	assert.Equal(t, 2, invalid)
	assert.EqualValues(t, 2, report.Invalid)
	assert.Equal(t, []string{"Host|a.example"}, held(srv))

	// Exclude does not change which items are valid.
	unsummarizable := setOf(threatconnect.NewRegistryKey(`HKLM\a`, "b : c", "REG_SZ"), threatconnect.NewHost("a.example"))
	for _, exclude := range []func(string, string) (string, bool){nil, func(string, string) (string, bool) { return "", false }} {
		cfg.Exclude = exclude
		report, err := srv.Client().Batch.Reconcile(t.Context(), cfg, unsummarizable)
		require.NoError(t, err)
		assert.EqualValues(t, 1, report.Invalid)
		assert.EqualValues(t, 1, report.Total.Current)
	}

	enough := errors.New("enough")
	cfg.OnInvalid = func(threatconnect.BatchItem, error) error { return enough }
	_, err = srv.Client().Batch.Reconcile(t.Context(), cfg, feed)
	require.ErrorIs(t, err, enough)
}

// Excluded indicators are not in the feed. Those that an earlier import without the exclusion added are
// removed.
func TestReconcileRemovesExcludedItems(t *testing.T) {
	t.Parallel()
	owner := []string{"Host|a.example", "Host|bad.example", "Host|good.example", "File|" + md5A + " : " + sha1A + " : " + sha256A, "Address|10.0.0.1"}
	feed := setOf(threatconnect.NewHost("A.example"), threatconnect.NewHost("Good.example"), threatconnect.NewHost("bad.example"), threatconnect.NewHost("other.example"),
		threatconnect.NewFile(strings.ToLower(sha1A)), threatconnect.NewFile(md5B), threatconnect.NewAddress("10.0.0.1"), batchGroup("x-1"))
	all := threatconnect.ReconcileCounts{Current: 4, Listed: 4, Stale: 2, Removed: 2}
	for name, test := range map[string]struct {
		change func(*threatconnect.ReconcileConfig)
		err    error
		gone   []string
		total  threatconnect.ReconcileCounts
	}{
		"of the types that are left": {func(*threatconnect.ReconcileConfig) {}, nil, []string{"Host|good.example", owner[3]}, all},
		"of a type that is named": {func(c *threatconnect.ReconcileConfig) {
			c.Types = []threatconnect.IndicatorType{threatconnect.TypeAddress, threatconnect.TypeHost}
		}, nil, []string{"Address|10.0.0.1", "Host|good.example"}, threatconnect.ReconcileCounts{Current: 3, Listed: 4, Stale: 2, Removed: 2}},
		"up to the largest share": {func(c *threatconnect.ReconcileConfig) { c.MaxShare = 0.4 }, threatconnect.ErrReconcileShare, nil,
			threatconnect.ReconcileCounts{Current: 4, Listed: 4, Stale: 2, Unprocessed: 2}},
		"not if all is excluded": {func(c *threatconnect.ReconcileConfig) {
			c.Exclude = func(string, string) (string, bool) { return "", true }
		}, threatconnect.ErrValidation, nil, threatconnect.ReconcileCounts{}},
		"not if Exclude panics": {func(c *threatconnect.ReconcileConfig) {
			c.Exclude = func(string, string) (string, bool) { panic("mine") }
		}, nil, nil, threatconnect.ReconcileCounts{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := holding(t, owner...)
			before := held(srv)
			cfg := sweep()
			var asked []string
			cfg.Exclude = func(typ, value string) (string, bool) {
				asked = append(asked, typ+"|"+value)
				return map[string]string{"Host": "allowed"}[typ], slices.Contains([]string{"good.example", sha1A, "10.0.0.1"}, value)
			}
			test.change(&cfg)
			reconcile := func() {
				report, err := srv.Client().Batch.Reconcile(t.Context(), cfg, feed)
				require.ErrorIs(t, err, test.err)
				assert.Equal(t, test.total, report.Total)
				if len(asked) == 0 {
					assert.EqualValues(t, 7, report.Excluded)
					assert.Equal(t, map[string]int64{"no reason given": 7}, report.ExclusionReasons)
					return
				}
				assert.Equal(t, []string{"Host|a.example", "Host|good.example", "Host|bad.example", "Host|other.example", "File|" + sha1A, "File|" + md5B, "Address|10.0.0.1"}, asked)
				assert.EqualValues(t, 1, report.ExclusionReasons["allowed"])
				assert.Equal(t, report.Excluded-1, report.ExclusionReasons["no reason given"])
			}
			if name == "not if Exclude panics" {
				assert.PanicsWithValue(t, "mine", reconcile)
			} else {
				reconcile()
			}
			for _, item := range held(srv) {
				before = slices.DeleteFunc(before, func(s string) bool { return s == item })
			}
			assert.ElementsMatch(t, test.gone, before)
		})
	}
}

func TestReconcileSparesRecentlyModified(t *testing.T) {
	t.Parallel()
	srv := holding(t)
	begin := time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)
	for name, at := range map[string]time.Time{"old.example": begin.Add(-time.Second), "same.example": begin, "new.example": begin.Add(time.Hour)} {
		require.NoError(t, srv.Seed(&threatconnecttest.IndicatorRecord{Owner: batchOwner, Type: "Host", Summary: name, LastModified: at}))
	}
	cfg := sweep()
	cfg.ModifiedBefore = begin
	report, err := srv.Client().Batch.Reconcile(t.Context(), cfg, setOf(threatconnect.NewHost("other.example")))
	require.NoError(t, err)
	assert.Equal(t, []string{"Host|new.example", "Host|same.example"}, held(srv))
	assert.Equal(t, threatconnect.ReconcileCounts{Current: 1, Listed: 3, Spared: 2, Stale: 1, Removed: 1}, report.Total)
}

// TestReconcileSparesSameSecondAsModifiedBefore checks an indicator that another user adds 300 ms
// after ModifiedBefore. The platform's dates have no fraction of a second, and its clock may differ.
func TestReconcileSparesSameSecondAsModifiedBefore(t *testing.T) {
	t.Parallel()
	for _, offset := range []time.Duration{0, -10 * time.Minute, 10 * time.Minute} {
		t.Run(offset.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := threatconnecttest.NewT(t)
				srv.SetClockOffset(offset)
				hold(t, srv, "Host|gone.example")
				time.Sleep(20*time.Minute + 300*time.Millisecond)
				cfg := sweep()
				cfg.ModifiedBefore = time.Now()
				time.Sleep(300 * time.Millisecond)
				hold(t, srv, "Host|analyst.example")
				report, err := srv.Client().Batch.Reconcile(t.Context(), cfg, setOf(threatconnect.NewHost("kept.example")))
				require.NoError(t, err)
				assert.Equal(t, []string{"Host|analyst.example"}, held(srv))
				assert.EqualValues(t, 1, report.Total.Spared)
			})
		})
	}
}

func TestReconcileSparesUndatedWithModifiedBefore(t *testing.T) {
	t.Parallel()
	client := listing(t, `{"resultCount":2,"host":[{"hostName":"undated.example"},{"hostName":"old.example","lastModified":"2020-01-01T00:00:00Z"}]}`)
	cfg := sweep()
	cfg.DryRun, cfg.ModifiedBefore = true, time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)
	var stale []string
	cfg.OnStale = func(_ threatconnect.IndicatorType, summary string) { stale = append(stale, summary) }
	report, err := client.Batch.Reconcile(t.Context(), cfg, setOf(threatconnect.NewHost("kept.example")))
	require.NoError(t, err)
	assert.Equal(t, []string{"old.example"}, stale)
	assert.EqualValues(t, 1, report.Total.Spared)
}

// TestReconcileSparesOtherSpellings checks values that the instance may have stored in another spelling.
func TestReconcileSparesOtherSpellings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		listed string
		item   threatconnect.Indicator
	}{
		"space at the end":       {"User Agent|Mozilla/4.0", threatconnect.NewUserAgent("Mozilla/4.0 ")},
		"space inside":           {"User Agent|Mozilla/4.0 (x)", threatconnect.NewUserAgent("Mozilla/4.0  (x)")},
		"space at the start":     {`Mutex|Global\A`, threatconnect.NewMutex(` Global\A`)},
		"case of a mutex":        {`Mutex|global\a`, threatconnect.NewMutex(`Global\A`)},
		"case of a subject":      {"Email Subject|STRASSE", threatconnect.NewEmailSubject("Strasse")},
		"case of a registry key": {`Registry Key|HKEY_LOCAL_MACHINE\SOFTWARE\A : v : REG_SZ`, threatconnect.NewRegistryKey(`HKLM\Software\A`, "v", "REG_SZ")},
		"case of a path":         {"URL|http://e.example/A", threatconnect.NewURL("http://e.example/a")},
		"escape of a letter":     {"URL|http://e.example/%7Ea", threatconnect.NewURL("http://e.example/~a")},
		"escape of an escape":    {"URL|http://e.example/%257Ea", threatconnect.NewURL("http://e.example/~a")},
		"escape of UTF-8":        {"URL|http://e.example/%c3%a9", threatconnect.NewURL("http://e.example/é")},
		"default port":           {"URL|http://e.example:80/a", threatconnect.NewURL("http://e.example/a")},
		"default port of TLS":    {"URL|https://e.example/?q", threatconnect.NewURL("https://e.example:443/?q")},
		"slash behind the host":  {"URL|http://e.example", threatconnect.NewURL("http://e.example/")},
		"slash behind the path":  {"URL|http://e.example/a?q=/", threatconnect.NewURL("http://e.example/a/?q=/")},
		"host bits of a block":   {"CIDR|10.0.0.1/8", threatconnect.NewCIDR("10.0.0.0/8")},
		"another port":           {"URL|http://e.example:443/a", threatconnect.NewURL("http://e.example/a")},
		"another path":           {"URL|http://e.example/a/b", threatconnect.NewURL("http://e.example/a/")},
		"another query":          {"URL|http://e.example/?a/", threatconnect.NewURL("http://e.example/?a")},
		"another block":          {"CIDR|10.0.0.0/9", threatconnect.NewCIDR("10.0.0.0/8")},
		"another mutex":          {"Mutex|a:", threatconnect.NewMutex("a")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := holding(t, c.listed)
			cfg := sweep()
			var spared []string
			cfg.OnSpared = func(typ threatconnect.IndicatorType, summary, reason string) {
				spared = append(spared, string(typ)+"|"+summary+": "+reason)
			}
			report, err := srv.Client().Batch.Reconcile(t.Context(), cfg, setOf(c.item))
			require.NoError(t, err)
			if strings.HasPrefix(name, "another") {
				assert.Equal(t, threatconnect.ReconcileCounts{Current: 1, Listed: 1, Stale: 1, Removed: 1}, report.Total)
				assert.Empty(t, spared)
				return
			}
			const reason = "is in the current set in another spelling"
			assert.Equal(t, threatconnect.ReconcileCounts{Current: 1, Listed: 1, Spared: 1}, report.Total)
			assert.Equal(t, map[string]int64{reason: 1}, report.SparedReasons)
			assert.Equal(t, []string{c.listed + ": " + reason}, spared)
			assert.Equal(t, []string{c.listed}, held(srv))
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

// listing returns a client that gets body as the data of each list of indicators, and cannot create jobs.
func listing(t *testing.T, body string) *threatconnect.Client {
	t.Helper()
	m := httpmock.NewMockTransport()
	m.RegisterResponder(http.MethodGet, `=~/v2/indicators/\w+`, httpmock.NewStringResponder(http.StatusOK, `{"status":"Success","data":`+body+`}`).HeaderSet(http.Header{"Content-Type": {"application/json"}}))
	c, err := threatconnect.NewClient("https://tc.example/api", threatconnect.HMAC("1", "s"), threatconnect.WithTransport(m))
	require.NoError(t, err)
	return c
}

func TestReconcileOddLists(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body  string
		feed  threatconnect.BatchItem
		stale []string
		want  threatconnect.ReconcileCounts
	}{
		"values without a canonical form are compared as they are": {
			`{"resultCount":3,"host":[{"hostName":"a b"},{"hostName":"A.Example"},{"hostName":"-x-"}]}`, threatconnect.NewHost("a.example"),
			[]string{"a b", "-x-"}, threatconnect.ReconcileCounts{Current: 1, Listed: 3, Stale: 2, Unprocessed: 2},
		},
		"indicators listed twice are counted once": {
			`{"resultCount":4,"host":[{"hostName":"b.example"},{"hostName":"a.example"},{"hostName":"b.example"},{"hostName":"a.example"}]}`, threatconnect.NewHost("a.example"),
			[]string{"b.example"}, threatconnect.ReconcileCounts{Current: 1, Listed: 2, Stale: 1, Unprocessed: 1},
		},
		"two spellings of one host are two": {
			`{"resultCount":2,"host":[{"hostName":"b.example"},{"hostName":"B.example"}]}`, threatconnect.NewHost("a.example"),
			[]string{"B.example", "b.example"}, threatconnect.ReconcileCounts{Current: 1, Listed: 2, Stale: 2, Unprocessed: 2},
		},
		"an indicator without a value": {
			`{"resultCount":1,"host":[{"id":7}]}`, threatconnect.NewHost("a.example"),
			nil, threatconnect.ReconcileCounts{Current: 1, Listed: 1, Spared: 1},
		},
		"files that share a hash are spared": {
			`{"resultCount":4,"file":[{"md5":"` + md5A + `"},{"md5":"` + md5A + `","sha1":"` + sha1A + `"},{"sha1":"` + sha1A + `","md5":"` + md5B + `"},{"md5":"` + md5C + `"}]}`, threatconnect.NewFile(sha256A),
			[]string{md5C}, threatconnect.ReconcileCounts{Current: 1, Listed: 4, Spared: 3, Stale: 1, Unprocessed: 1},
		},
		"a file that shares a hash with one that is kept": {
			`{"resultCount":2,"file":[{"md5":"` + md5A + `"},{"md5":"` + md5A + `","sha1":"` + sha1A + `"}]}`, threatconnect.NewFile(sha1A),
			nil, threatconnect.ReconcileCounts{Current: 1, Listed: 2, Spared: 1},
		},
		"a file without a valid hash": {
			`{"resultCount":2,"file":[{"md5":"12"},{}]}`, threatconnect.NewFile(sha1A),
			nil, threatconnect.ReconcileCounts{Current: 1, Listed: 2, Spared: 2},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := sweep()
			cfg.DryRun = true
			var stale []string
			cfg.OnStale = func(_ threatconnect.IndicatorType, summary string) { stale = append(stale, summary) }
			report, err := listing(t, c.body).Batch.Reconcile(t.Context(), cfg, setOf(c.feed))
			require.NoError(t, err)
			assert.Equal(t, c.stale, stale)
			assert.Equal(t, c.want, report.Total)
		})
	}
	for _, dates := range [][2]string{{"2026-03-01T00:00:00Z", "2026-05-01T00:00:00Z"}, {"2026-05-01T00:00:00Z", "2026-03-01T00:00:00Z"}} {
		cfg := sweep()
		cfg.DryRun, cfg.ModifiedBefore = true, batchDay.AddDate(0, 1, 0)
		report, err := listing(t, fmt.Sprintf(`{"resultCount":2,"host":[{"hostName":"b.example","lastModified":%q},{"hostName":"b.example","lastModified":%q}]}`, dates[0], dates[1])).
			Batch.Reconcile(t.Context(), cfg, setOf(threatconnect.NewHost("a.example")))
		require.NoError(t, err)
		assert.EqualValues(t, 1, report.Total.Spared, "changed while the list was read")
	}
	_, err := listing(t, `{"resultCount":1,"host":[{"hostName":"b.example","ownerName":"Somebody Else"}]}`).
		Batch.Reconcile(t.Context(), sweep(), setOf(threatconnect.NewHost("a.example")))
	require.ErrorIs(t, err, threatconnect.ErrBadResponse)
	require.ErrorContains(t, err, "another")
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

func TestReconcileEndsWithItsContext(t *testing.T) {
	t.Parallel()
	t.Run("while the feed is read", func(t *testing.T) {
		t.Parallel()
		srv := holding(t, "Host|a.example")
		ctx, cancel := context.WithCancel(t.Context())
		_, err := srv.Client().Batch.Reconcile(ctx, sweep(), func(yield func(threatconnect.BatchItem, error) bool) {
			cancel()
			for yield(threatconnect.NewHost("x.example"), nil) {
			}
		})
		require.ErrorIs(t, err, context.Canceled)
		assert.Len(t, held(srv), 1)
	})
	t.Run("while it removes", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			srv := threatconnecttest.NewT(t, threatconnecttest.WithBatchDuration(time.Hour))
			hold(t, srv, "Address|192.0.2.1", "Host|a.example", "Host|b.example", "Mutex|m")
			ctx, cancel := context.WithTimeout(t.Context(), 90*time.Minute)
			defer cancel()
			cfg := sweep()
			cfg.Types = []threatconnect.IndicatorType{"Address", "Host", "Mutex", "URL"}
			report, err := srv.Client().Batch.Reconcile(ctx, cfg, setOf(threatconnect.NewURL("http://a.example/")))
			require.ErrorIs(t, err, context.DeadlineExceeded)
			var b *threatconnect.BatchError
			require.ErrorAs(t, err, &b)
			assert.Len(t, b.Jobs, 1, "the error names the job that is still running")
			assert.Equal(t, threatconnect.ReconcileCounts{Current: 1, Listed: 4, Stale: 4, Removed: 2, Unknown: 1, Unprocessed: 1}, report.Total)
		})
	})
}

func TestReconcileReportsItemsItCannotRemove(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := holding(t, "Host|h0.example", "Host|h1.example", "Mutex|m")
		require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Status: http.StatusForbidden, Method: http.MethodPost, Route: "/v2/batch", Skip: 1, Times: -1}))
		var told []int64
		cfg := sweep()
		cfg.Types = []threatconnect.IndicatorType{"Host", "Mutex"}
		cfg.OnError = func(e threatconnect.BatchItemError) { told = append(told, e.Seq) }
		report, err := srv.Client().Batch.Reconcile(t.Context(), cfg, setOf(threatconnect.NewHost("h0.example")))
		require.ErrorIs(t, err, threatconnect.ErrForbidden)
		var b *threatconnect.BatchError
		require.ErrorAs(t, err, &b)
		assert.EqualValues(t, 2, b.Stats.Indicators.Added)
		assert.Equal(t, []int64{1}, told, "counted over all types")
		assert.Equal(t, threatconnect.ReconcileCounts{Current: 1, Listed: 3, Stale: 2, Removed: 1, Unprocessed: 1}, report.Total)
	})
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

// meanwhile is a transport that calls do once, after the lists were read and before the next request.
func meanwhile(srv *threatconnecttest.Server, do func()) http.RoundTripper {
	var once sync.Once
	return wiretest.Func(func(req *http.Request) (*http.Response, error) {
		if req.Method != http.MethodGet || strings.Contains(req.URL.Path, "/files/") {
			once.Do(do)
		}
		return srv.RoundTrip(req)
	})
}

// TestReconcileRereadsFilesBeforeRemoval checks files that change after the list was read.
func TestReconcileRereadsFilesBeforeRemoval(t *testing.T) {
	t.Parallel()
	begin := time.Now().Add(-time.Hour)
	ok := threatconnect.ReconcileCounts{Current: 1, Listed: 2, Stale: 1, Removed: 1}
	spared := threatconnect.ReconcileCounts{Current: 1, Listed: 2, Spared: 1}
	for name, c := range map[string]struct {
		change func(ctx context.Context, c *threatconnect.Client) error
		left   []string
		want   threatconnect.ReconcileCounts
		reason string
	}{
		"it stays as it was": {func(context.Context, *threatconnect.Client) error { return nil },
			[]string{"File|" + sha256A}, ok, ""},
		"it merges with a file of the set": {func(ctx context.Context, c *threatconnect.Client) error {
			_, err := c.Batch.Import(ctx, appendConfig(), setOf(&threatconnect.File{MD5: md5A, SHA256: sha256A}))
			return err
		}, []string{"File|" + md5A + " : " + sha256A}, spared, "has another hash since it was listed"},
		"it gets a hash": {func(ctx context.Context, c *threatconnect.Client) error {
			_, err := c.Indicators.Files.Create(ctx, &threatconnect.File{MD5: md5A, SHA1: sha1A})
			return err
		}, []string{"File|" + md5A + " : " + sha1A, "File|" + sha256A}, spared, "has another hash since it was listed"},
		"it is rated": {func(ctx context.Context, c *threatconnect.Client) error {
			_, err := c.Indicators.Files.Update(ctx, md5A, threatconnect.IndicatorUpdate{Rating: new(5.0)})
			return err
		}, []string{"File|" + md5A, "File|" + sha256A}, spared, "was modified lately, or at an unknown time"},
		"it is deleted": {func(ctx context.Context, c *threatconnect.Client) error {
			return c.Indicators.Files.Delete(ctx, md5A)
		}, []string{"File|" + sha256A}, ok, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := threatconnecttest.NewT(t)
			for _, hash := range []string{md5A, sha256A} {
				require.NoError(t, srv.Seed(&threatconnecttest.IndicatorRecord{Owner: batchOwner, Type: "File", Summary: hash, LastModified: begin.Add(-time.Hour)}))
			}
			other := srv.Client(threatconnect.WithOwner(batchOwner))
			client := srv.Client(threatconnect.WithTransport(meanwhile(srv, func() { assert.NoError(t, c.change(t.Context(), other)) })))
			cfg := sweep()
			cfg.ModifiedBefore = begin
			reason := ""
			cfg.OnSpared = func(_ threatconnect.IndicatorType, summary, why string) {
				assert.Equal(t, md5A, summary)
				reason = why
			}
			report, err := client.Batch.Reconcile(t.Context(), cfg, setOf(threatconnect.NewFile(sha256A)))
			require.NoError(t, err)
			assert.ElementsMatch(t, c.left, held(srv))
			assert.Equal(t, c.want, report.Total)
			assert.Equal(t, c.reason, reason)
		})
	}
}

// TestReconcileReportsFilesItCannotRemove checks the report if the third of five requests fails.
func TestReconcileReportsFilesItCannotRemove(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault threatconnecttest.Fault
		err   error
		want  threatconnect.ReconcileCounts
	}{
		"the platform refuses it": {threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Status: http.StatusBadRequest}, threatconnect.ErrBadRequest,
			threatconnect.ReconcileCounts{Removed: 4, Failed: 1}},
		"a permission is missing": {threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Status: http.StatusForbidden}, threatconnect.ErrForbidden,
			threatconnect.ReconcileCounts{Removed: 2, Unprocessed: 3}},
		"the response is lost": {threatconnecttest.Fault{Kind: threatconnecttest.FaultReset}, threatconnect.ErrOutcomeUnknown,
			threatconnect.ReconcileCounts{Removed: 2, Unknown: 1, Unprocessed: 2}},
		"the response is lost and the file is gone": {threatconnecttest.Fault{Kind: threatconnecttest.FaultLostReply}, nil,
			threatconnect.ReconcileCounts{Removed: 5}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := threatconnecttest.NewT(t)
				for n := range 5 {
					hold(t, srv, fmt.Sprintf("File|%032X", n))
				}
				c.fault.Method, c.fault.Skip, c.fault.Times = http.MethodDelete, 2, 1
				if c.fault.Kind == threatconnecttest.FaultReset {
					c.fault.Times = -1
				}
				require.NoError(t, srv.Inject(c.fault))
				var told []int64
				cfg := sweep()
				cfg.Concurrency = 1
				cfg.OnError = func(e threatconnect.BatchItemError) { told = append(told, e.Seq) }
				report, err := srv.Client().Batch.Reconcile(t.Context(), cfg, setOf(threatconnect.NewFile(sha256A)))
				if c.want.Failed > 0 {
					require.ErrorIs(t, itemError(t, err), c.err)
				} else {
					require.ErrorIs(t, err, c.err)
				}
				c.want.Current, c.want.Listed, c.want.Stale = 1, 5, 5
				assert.Equal(t, c.want, report.Total)
				if c.want.Failed > 0 {
					assert.Equal(t, []int64{2}, told)
				} else {
					assert.Empty(t, told)
				}
			})
		})
	}
}

// TestReconcileRemovesFilesConcurrently checks that Concurrency limits the number of requests at a time.
func TestReconcileRemovesFilesConcurrently(t *testing.T) {
	t.Parallel()
	for concurrency, want := range map[int]int{0: 16, 1: 1, 3: 3} {
		synctest.Test(t, func(t *testing.T) {
			srv := threatconnecttest.NewT(t)
			for n := range 40 {
				hold(t, srv, fmt.Sprintf("File|%032X", n))
			}
			var mu sync.Mutex
			running, most := 0, 0
			add := func(n int) {
				mu.Lock()
				defer mu.Unlock()
				running += n
				most = max(most, running)
			}
			client := srv.Client(threatconnect.WithTransport(wiretest.Func(func(req *http.Request) (*http.Response, error) {
				if req.Method == http.MethodDelete {
					add(1)
					defer add(-1)
					time.Sleep(time.Second)
				}
				return srv.RoundTrip(req)
			})))
			cfg := sweep()
			cfg.Concurrency = concurrency
			report, err := client.Batch.Reconcile(t.Context(), cfg, setOf(threatconnect.NewFile(sha256A)))
			require.NoError(t, err)
			assert.EqualValues(t, 40, report.Total.Removed)
			assert.Equal(t, want, most)
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

// TestReconcileReadsHashesInAnyLetterCase checks that hashes in lower case are recognized.
func TestReconcileReadsHashesInAnyLetterCase(t *testing.T) {
	t.Parallel()
	for name, written := range map[string]string{"always": "/files", "when one file is read": "/files/"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := holding(t, "File|"+md5A+" : "+sha1A, "File|"+sha256A)
			client := srv.Client(threatconnect.WithTransport(wiretest.Func(func(req *http.Request) (*http.Response, error) {
				resp, err := srv.RoundTrip(req)
				if err != nil || req.Method != http.MethodGet || !strings.Contains(req.URL.Path, written) {
					return resp, err
				}
				text, err := io.ReadAll(resp.Body)
				for _, hash := range []string{md5A, sha1A, sha256A} {
					text = bytes.ReplaceAll(text, []byte(hash), []byte(strings.ToLower(hash)))
				}
				resp.Body = io.NopCloser(bytes.NewReader(text))
				return resp, err
			})))
			report, err := client.Batch.Reconcile(t.Context(), sweep(), setOf(threatconnect.NewFile(sha256A)))
			require.NoError(t, err)
			assert.Equal(t, threatconnect.ReconcileCounts{Current: 1, Listed: 2, Stale: 1, Removed: 1}, report.Total)
			assert.Equal(t, []string{"File|" + sha256A}, held(srv))
		})
	}
}
