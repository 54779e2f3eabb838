package threatconnect_test

import (
	"context"
	"errors"
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
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

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
