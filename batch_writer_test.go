package threatconnect_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

const batchOwner = "Example Source"

var batchDay = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func appendJob() threatconnect.BatchJob {
	return threatconnect.BatchJob{Owner: batchOwner, Attributes: threatconnect.WriteAppend}
}

// itemError returns the first error of an item of an import.
func itemError(t testing.TB, err error) *threatconnect.BatchItemError {
	t.Helper()
	var b *threatconnect.BatchError
	require.ErrorAs(t, err, &b)
	require.NotEmpty(t, b.Items)
	return &b.Items[0]
}

// knows returns a BatchConfig.KnownGroup that reports whether an xid is one of xids.
func knows(xids ...string) func(string) bool {
	return func(xid string) bool { return slices.Contains(xids, xid) }
}

func appendConfig() threatconnect.BatchConfig {
	return threatconnect.BatchConfig{Owner: batchOwner, Attributes: threatconnect.WriteAppend}
}

// batchHost returns the nth host. The server has one attribute of it for each time that it was imported.
func batchHost(n int, xids ...string) *threatconnect.Host {
	h := threatconnect.NewHost(fmt.Sprintf("h%d.example", n))
	h.Rating = new(3.0)
	h.Attributes = []threatconnect.Attribute{{Type: "Description", Value: fmt.Sprintf("host %d", n)}}
	h.Tags = []threatconnect.Tag{{Name: "batch"}}
	h.GroupXIDs = xids
	return h
}

func batchGroup(xid string, to ...string) *threatconnect.Threat {
	g := threatconnect.NewThreat("threat " + xid)
	g.XID, g.GroupXIDs = xid, to
	g.Attributes = []threatconnect.Attribute{{Type: "Description", Value: "group"}}
	return g
}

func addAll(t *testing.T, w *threatconnect.BatchWriter, items ...threatconnect.BatchItem) {
	t.Helper()
	for _, item := range items {
		require.NoError(t, w.Add(t.Context(), item))
	}
}

func TestImportInOneJob(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	var items []threatconnect.BatchItem
	items = append(items, batchGroup("x-1"))
	for n := range 1000 {
		items = append(items, batchHost(n, "x-1"))
	}
	stats, err := srv.Client().Batch.Import(t.Context(), appendConfig(), threatconnect.BatchItems(slices.Values(items)))
	require.NoError(t, err)
	assert.Equal(t, threatconnect.BatchCounts{Added: 1000, Succeeded: 1000}, stats.Indicators)
	assert.Equal(t, threatconnect.BatchCounts{Added: 1, Succeeded: 1}, stats.Groups)
	assert.EqualValues(t, 1, stats.Jobs)
	assert.Equal(t, 1000, srv.Counts(batchOwner).Indicators)
	got, ok := srv.Indicator(batchOwner, "Host", "h7.example")
	require.True(t, ok)
	assert.Equal(t, []string{"x-1"}, got.Groups)
	assert.Equal(t, []string{"batch"}, got.Tags)
	assert.Len(t, got.Attributes, 1)
	assert.Len(t, srv.Requests(), 3, "create, upload, poll")
}

// failures returns the number, type, reference and code of each error of an item.
func failures(t *testing.T, err error) []string {
	t.Helper()
	var b *threatconnect.BatchError
	require.ErrorAs(t, err, &b)
	var all []string
	for _, e := range b.Items {
		what := string(e.Code)
		if e.Unprocessed {
			what = "unprocessed"
		}
		all = append(all, fmt.Sprintf("%d %s %s: %s", e.Seq, e.Type, e.Ref, what))
	}
	return all
}

func TestErrorsAreAttributedToTheirItems(t *testing.T) {
	t.Parallel()
	oddities := map[string]threatconnecttest.Oddity{
		"the usual shapes":           0,
		"every oddity":               threatconnecttest.OddityAll,
		"an error file of 20 s":      threatconnecttest.OddityStringNumbers,
		"plain text, missing counts": threatconnecttest.OddityPlainErrorFile | threatconnecttest.OddityMissingCounts,
	}
	late := map[string]int{"an error file of 20 s": 5}
	for name, odd := range oddities {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := threatconnecttest.NewT(t, threatconnecttest.WithOddities(odd), threatconnecttest.WithLateErrors(late[name]))
				cfg := appendConfig()
				var streamed []int64
				cfg.OnError = func(e threatconnect.BatchItemError) { streamed = append(streamed, e.Seq) }
				w, err := srv.Client().Batch.NewWriter(t.Context(), cfg)
				require.NoError(t, err)
				bad := []threatconnect.Attribute{{Type: "No Such Type", Value: "x"}}
				host := batchHost(1)
				host.Attributes = bad
				file := threatconnect.NewFile("d41d8cd98f00b204e9800998ecf8427e")
				file.SHA1 = "da39a3ee5e6b4b0d3255bfef95601890afd80709"
				file.Attributes = bad
				group := batchGroup("x-1")
				group.Attributes = bad
				addAll(t, w, batchHost(0), host, file, batchGroup("x-0"), group, batchHost(2, "x-nowhere"))
				err = w.Close(t.Context())
				want := []string{
					"1 Host h1.example: 0x2001",
					"2 File D41D8CD98F00B204E9800998ECF8427E : DA39A3EE5E6B4B0D3255BFEF95601890AFD80709: 0x2001",
					"4 Threat x-1: 0x2002",
					"5 Association : 0x1007",
				}
				assert.ElementsMatch(t, want, failures(t, err))
				assert.ElementsMatch(t, []int64{1, 2, 4, 5}, streamed)
				stats := w.Stats()
				assert.Equal(t, threatconnect.BatchCounts{Added: 4, Succeeded: 2, Failed: 2}, stats.Indicators)
				assert.Equal(t, threatconnect.BatchCounts{Added: 2, Succeeded: 1, Failed: 1}, stats.Groups)
				assert.Equal(t, threatconnect.BatchCounts{Added: 1, Failed: 1}, stats.Links)
				for _, secret := range []string{"h1.example", "D41D8CD9", "x-1", "x-nowhere", "No Such Type"} {
					assert.NotContains(t, err.Error(), secret)
				}
				_, ok := errors.AsType[*threatconnect.BatchItemError](err)
				assert.False(t, ok, "an arbitrary one of many errors must not match")
				item := itemError(t, err)
				assert.False(t, item.Fatal())
				assert.True(t, item.Code.Partial())
				assert.EqualValues(t, 1, item.JobID)
			})
		})
	}
}

// TestErrorsOfSimilarItemsAreNotConfused imports an item that the platform rejects in part, after
// one that looks like it. If the two cannot be distinguished, the error must name neither.
func TestErrorsOfSimilarItemsAreNotConfused(t *testing.T) {
	t.Parallel()
	bad := []threatconnect.Attribute{{Type: "No Such Type $[0]", Value: "'good.example' is not valid"}}
	host := func(name string) *threatconnect.Host {
		h := threatconnect.NewHost(name)
		h.Attributes = bad
		return h
	}
	url := threatconnect.NewURL("http://e.example/a")
	url.Attributes = bad
	mutex := threatconnect.NewMutex("foo bar")
	mutex.Attributes = bad
	subject := threatconnect.NewEmailSubject("it's you")
	subject.Attributes = bad
	incident := threatconnect.NewIncident("evil.example", batchDay)
	incident.XID, incident.Attributes = "i-1", bad
	group := threatconnect.NewThreat("a group")
	group.XID = "evil.example"
	coin := threatconnect.NewCustomIndicator("Coin", "btc", "2")
	coin.Attributes = bad
	for name, c := range map[string]struct {
		fine, bad      threatconnect.BatchItem
		typed, untyped string // the error if the platform names the type of the item, and if it does not
	}{
		"a value of another type":     {threatconnect.NewMutex("evil.example"), host("evil.example"), "1 Host evil.example: 0x2001", "-1  evil.example: 0x2001"},
		"letter case":                 {threatconnect.NewURL("http://e.example/A"), url, "1 URL http://e.example/a: 0x2001", "1 URL http://e.example/a: 0x2001"},
		"words that name another":     {threatconnect.NewHost("good.example"), host("evil.example"), "1 Host evil.example: 0x2001", "1 Host evil.example: 0x2001"},
		"a part of the value":         {threatconnect.NewMutex("foo"), mutex, "1 Mutex foo bar: 0x2001", "1 Mutex foo bar: 0x2001"},
		"an apostrophe":               {threatconnect.NewMutex("it"), subject, "1 Email Subject it's you: 0x2001", "1 Email Subject it's you: 0x2001"},
		"the name of a group":         {threatconnect.NewHost("evil.example"), incident, "1 Incident i-1: 0x2002", "1 Incident i-1: 0x2002"},
		"the xid of a group":          {group, host("evil.example"), "1 Host evil.example: 0x2001", "1 Host evil.example: 0x2001"},
		"the values of a custom type": {threatconnect.NewCustomIndicator("Coin", "btc", "1"), coin, "1 Coin btc : 2: 0x2001", "1 Coin btc : 2: 0x2001"},
	} {
		for oddity, want := range map[threatconnecttest.Oddity]string{threatconnecttest.OddityErrorObjects: c.typed, 0: c.untyped} {
			t.Run(fmt.Sprintf("%s, typed %t", name, oddity != 0), func(t *testing.T) {
				t.Parallel()
				srv := threatconnecttest.NewT(t, threatconnecttest.WithOddities(oddity))
				require.NoError(t, srv.Seed(&threatconnecttest.IndicatorType{
					Name: "Coin", Branch: "coins", Entity: "coin", Fields: []string{"Net", "Wallet"}}))
				w, err := srv.Client().Batch.NewWriter(t.Context(), appendConfig())
				require.NoError(t, err)
				addAll(t, w, c.fine, c.bad)
				assert.Equal(t, []string{want}, failures(t, w.Close(t.Context())))
			})
		}
	}
}

func TestInvalidItemsDoNotStopImport(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	w, err := srv.Client().Batch.NewWriter(t.Context(), appendConfig())
	require.NoError(t, err)
	require.NoError(t, w.Add(t.Context(), batchHost(0)))
	for name, item := range map[string]threatconnect.BatchItem{
		"nil":                     nil,
		"a nil host":              (*threatconnect.Host)(nil),
		"a host with a space":     threatconnect.NewHost("secret value.example"),
		"a group without xid":     threatconnect.NewThreat("secret value"),
		"a rating of 6":           &threatconnect.Host{HostName: "a.example", IndicatorMeta: threatconnect.IndicatorMeta{Rating: new(6.0)}},
		"an associated indicator": &threatconnect.Host{HostName: "a.example", IndicatorMeta: threatconnect.IndicatorMeta{Associated: []threatconnect.IndicatorRef{{}}}},
		"an untyped link":         &threatconnect.Association{From: threatconnect.IndicatorEnd(batchHost(1)), To: threatconnect.IndicatorEnd(batchHost(2))},
		"broken UTF-8":            &threatconnect.Host{HostName: "a.example", IndicatorMeta: threatconnect.IndicatorMeta{Description: "secret value\xff"}},
		"a date in year 12000":    &threatconnect.Host{HostName: "a.example", IndicatorMeta: threatconnect.IndicatorMeta{FirstSeen: time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC)}},
	} {
		err := w.Add(t.Context(), item)
		require.ErrorIs(t, err, threatconnect.ErrValidation, name)
		assert.NotContains(t, err.Error(), "secret value")
	}
	require.NoError(t, w.Add(t.Context(), batchHost(1)))
	require.NoError(t, w.Close(t.Context()), "Add has already returned these errors")
	assert.EqualValues(t, 9, w.Stats().Invalid)
	assert.Equal(t, threatconnect.BatchCounts{Added: 2, Succeeded: 2}, w.Stats().Indicators)
	assert.Equal(t, 2, srv.Counts(batchOwner).Indicators)
}

func TestImportNamesInvalidItems(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	broken := errors.New("feed broke off")
	stats, err := srv.Client().Batch.Import(t.Context(), appendConfig(), func(yield func(threatconnect.BatchItem, error) bool) {
		_ = yield(batchHost(0), nil) && yield(threatconnect.NewHost("no host"), nil) && yield(batchHost(2), nil) && yield(nil, broken)
	})
	require.ErrorIs(t, err, broken)
	require.ErrorIs(t, itemError(t, err), threatconnect.ErrValidation)
	assert.Equal(t, []string{"1 Host no host: "}, failures(t, err))
	assert.EqualValues(t, 1, stats.Invalid)
	assert.Equal(t, 2, srv.Counts(batchOwner).Indicators, "the items before the error are imported")
	assert.Equal(t, `threatconnect: batch import: 1 of 3 items failed: feed broke off`, err.Error())
}

func TestHaltOnErrorAccountsForEveryItem(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	cfg := appendConfig()
	cfg.HaltOnError, cfg.MaxItems = true, 5
	w, err := srv.Client().Batch.NewWriter(t.Context(), cfg)
	require.NoError(t, err)
	for n := range 4 {
		h := batchHost(n)
		if n == 2 {
			h.Attributes[0].Type = "No Such Type"
		}
		addAll(t, w, h)
	}
	require.NoError(t, w.Add(t.Context(), batchHost(4)))
	require.ErrorIs(t, w.Flush(t.Context()), threatconnect.ErrBatchHalted)
	require.ErrorIs(t, w.Add(t.Context(), batchHost(5)), threatconnect.ErrBatchHalted)
	err = w.Close(t.Context())
	assert.Equal(t, []string{"2 Host h2.example: 0x2001", "3 Host h3.example: unprocessed", "4 Host h4.example: unprocessed"}, failures(t, err))
	assert.Equal(t, threatconnect.BatchCounts{Added: 5, Succeeded: 2, Failed: 1, Unprocessed: 2}, w.Stats().Indicators)
}

func TestFullOwnerEndsTheImport(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t, threatconnecttest.WithIndicatorLimit(7))
	cfg := appendConfig()
	cfg.MaxItems = 5
	w, err := srv.Client().Batch.NewWriter(t.Context(), cfg)
	require.NoError(t, err)
	for n := range 20 {
		if err := w.Add(t.Context(), batchHost(n)); err != nil {
			require.ErrorIs(t, err, threatconnect.ErrBatchHalted)
		}
	}
	err = w.Close(t.Context())
	var b *threatconnect.BatchError
	require.ErrorAs(t, err, &b)
	assert.True(t, b.Items[0].Fatal())
	assert.Equal(t, threatconnect.CodeIndicatorLimit, b.Items[0].Code)
	s := w.Stats().Indicators
	assert.EqualValues(t, 7, s.Succeeded)
	assert.EqualValues(t, 1, s.Failed)
	assert.Equal(t, s.Added, s.Succeeded+s.Failed+s.Unprocessed)
}

func TestTooLargeBatchFilesAreSplit(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t, threatconnecttest.WithBatchLimit(3000))
	cfg := appendConfig()
	cfg.MaxItems = 60 // the second job is encoded when the limit is known, or split before it is sent
	w, err := srv.Client().Batch.NewWriter(t.Context(), cfg)
	require.NoError(t, err)
	huge := batchHost(50)
	for range 50 {
		huge.Attributes = append(huge.Attributes, threatconnect.Attribute{Type: "Source", Value: "a long text about where this comes from"})
	}
	for n := range 100 {
		if n == 50 {
			addAll(t, w, huge)
		} else {
			addAll(t, w, batchHost(n, "x-1"))
		}
	}
	addAll(t, w, batchGroup("x-1"))
	require.Error(t, w.Close(t.Context()))
	jobs := len(srv.Jobs())
	err = w.Close(t.Context())
	assert.Equal(t, []string{"50 Host h50.example: "}, failures(t, err))
	assert.ErrorIs(t, itemError(t, err), threatconnect.ErrRequestTooLarge)
	assert.Equal(t, threatconnect.BatchCounts{Added: 100, Succeeded: 99, Failed: 1}, w.Stats().Indicators)
	assert.Equal(t, 99, srv.Counts(batchOwner).Indicators)
	for _, h := range srv.Indicators(batchOwner) {
		assert.Len(t, h.Attributes, 1)
		assert.Equal(t, []string{"x-1"}, h.Groups)
	}
	refused := 0
	for _, r := range srv.Requests() {
		if r.Status == 400 {
			refused++
		}
	}
	assert.Equal(t, 2, refused, "the first file and the large item; the limit is learned at once")
	assert.Len(t, srv.Jobs(), jobs, "closing again sends nothing")
}

func TestCloseWithoutItemsSendsNothing(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	w, err := srv.Client().Batch.NewWriter(t.Context(), appendConfig())
	require.NoError(t, err)
	require.NoError(t, w.Close(t.Context()))
	require.NoError(t, w.Close(t.Context()))
	require.ErrorIs(t, w.Add(t.Context(), batchHost(1)), threatconnect.ErrBatchClosed)
	require.ErrorIs(t, w.Flush(t.Context()), threatconnect.ErrBatchClosed)
	assert.Empty(t, srv.Requests())
}

func TestAddWaitsWhenJobsPileUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := threatconnecttest.NewT(t, threatconnecttest.WithBatchDuration(time.Hour))
		cfg := appendConfig()
		cfg.MaxItems = 2
		w, err := srv.Client().Batch.NewWriter(t.Context(), cfg)
		require.NoError(t, err)
		addAll(t, w, batchHost(0), batchHost(1), batchHost(2), batchHost(3))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.ErrorIs(t, w.Add(ctx, batchHost(4)), context.DeadlineExceeded)
		assert.EqualValues(t, 4, w.Stats().Indicators.Added, "an item for which Add failed is not added")
		assert.Len(t, srv.Jobs(), 1, "one at a time")
		began := time.Now()
		require.NoError(t, w.Add(t.Context(), batchHost(4)))
		assert.Greater(t, time.Since(began), 50*time.Minute)
		require.NoError(t, w.Close(t.Context()))
		assert.Equal(t, 5, srv.Counts(batchOwner).Indicators)
	})
}

func TestCanceledCloseNamesUnfinishedJobs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := threatconnecttest.NewT(t, threatconnecttest.WithBatchDuration(time.Hour))
		cfg := appendConfig()
		cfg.MaxItems = 2
		w, err := srv.Client().Batch.NewWriter(t.Context(), cfg)
		require.NoError(t, err)
		addAll(t, w, batchHost(0), batchHost(1), batchHost(2), batchHost(3, "x-later"))
		time.Sleep(time.Minute)
		blocked := make(chan error)
		go func() { blocked <- w.Add(t.Context(), batchHost(4)) }()
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err = w.Close(ctx)
		require.ErrorIs(t, err, context.Canceled)
		var b *threatconnect.BatchError
		require.ErrorAs(t, err, &b)
		assert.Equal(t, []int64{1}, b.Jobs)
		assert.Contains(t, err.Error(), "look at jobs [1]")
		<-blocked
		s := w.Stats()
		assert.EqualValues(t, 2, s.Indicators.Unknown)
		assert.Equal(t, s.Indicators.Added, s.Indicators.Unknown+s.Indicators.Unprocessed)
		assert.Equal(t, threatconnect.BatchCounts{Added: 1, Unprocessed: 1}, s.Links)
		requests := len(srv.Requests())
		time.Sleep(time.Hour)
		assert.Len(t, srv.Requests(), requests, "no request is sent after Close")
	})
}

func TestPanicDuringImportLeaksNothing(t *testing.T) {
	t.Parallel()
	for name, wrong := range map[string]func(*threatconnect.BatchConfig, func(threatconnect.BatchItem, error) bool){
		"in the sequence": func(_ *threatconnect.BatchConfig, yield func(threatconnect.BatchItem, error) bool) { panic("mine") },
		"in OnError":      func(_ *threatconnect.BatchConfig, yield func(threatconnect.BatchItem, error) bool) { yield(nil, nil) },
		"in Exclude": func(_ *threatconnect.BatchConfig, yield func(threatconnect.BatchItem, error) bool) {
			yield(batchHost(1), nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { // which fails if a goroutine is left
				srv := threatconnecttest.NewT(t, threatconnecttest.WithBatchDuration(time.Hour))
				cfg := appendConfig()
				cfg.MaxItems = 1
				cfg.OnError = func(e threatconnect.BatchItemError) {
					if e.Err != nil {
						panic("mine")
					}
				}
				cfg.Exclude = func(_, value string) (string, bool) {
					if value == "h1.example" {
						panic("mine")
					}
					return "", false
				}
				assert.PanicsWithValue(t, "mine", func() {
					_, _ = srv.Client().Batch.Import(t.Context(), cfg, func(yield func(threatconnect.BatchItem, error) bool) {
						yield(batchHost(0), nil)
						time.Sleep(time.Minute)
						wrong(&cfg, yield)
					})
				})
				requests := len(srv.Requests())
				time.Sleep(2 * time.Hour)
				assert.Len(t, srv.Requests(), requests, "the import continued")
			})
		})
	}
}

func TestAddIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	cfg := appendConfig()
	cfg.MaxItems, cfg.Concurrency = 7, 3
	var asked []string // without a lock: calls of Exclude do not overlap
	cfg.Exclude = excluding(&asked, 399)
	w, err := srv.Client().Batch.NewWriter(t.Context(), cfg)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			assert.NoError(t, w.Add(t.Context(), batchGroup(fmt.Sprintf("x-%d", g))))
			for n := range 50 {
				assert.NoError(t, w.Add(t.Context(), batchHost(g*50+n, fmt.Sprintf("x-%d", (g+1)%8))))
				_ = w.Stats()
			}
			assert.NoError(t, w.Flush(t.Context()))
		})
	}
	wg.Wait()
	require.NoError(t, w.Close(t.Context()))
	assert.Len(t, asked, 400)
	assert.Equal(t, 399, srv.Counts(batchOwner).Indicators)
	for _, h := range srv.Indicators(batchOwner) {
		assert.Len(t, h.Groups, 1)
		assert.Len(t, h.Attributes, 1)
	}
}

func TestAZeroBatchWriterReturnsErrors(t *testing.T) {
	t.Parallel()
	for _, w := range []*threatconnect.BatchWriter{nil, new(threatconnect.BatchWriter)} {
		require.ErrorIs(t, w.Add(t.Context(), batchHost(1)), threatconnect.ErrValidation)
		require.ErrorIs(t, w.Flush(t.Context()), threatconnect.ErrValidation)
		require.ErrorContains(t, w.Close(t.Context()), "batch writer is the zero value; use the one from client.Batch.NewWriter")
		assert.Zero(t, w.Resumed())
		assert.Zero(t, w.Stats())
		assert.Zero(t, w.Watermark())
	}
}
