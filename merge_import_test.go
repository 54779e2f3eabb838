package threatconnect_test

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// repeating returns items of all types in random order, each several times with different tags and attributes.
func repeating(random *rand.Rand, times int) []threatconnect.BatchItem {
	var items []threatconnect.BatchItem
	for n := range times {
		more := fmt.Sprint("run ", n)
		for i, g := range everyGroup() {
			m := g.Meta()
			m.XID = threatconnect.XID("repeating", fmt.Sprint(i))
			m.Tags = []threatconnect.Tag{{Name: more}}
			m.Attributes = []threatconnect.Attribute{{Type: "Description", Value: "constant"}, {Type: "Description", Value: more}}
			m.GroupXIDs = []string{threatconnect.XID("repeating", fmt.Sprint((i+1+n)%16))}
			if m.GroupXIDs[0] == m.XID {
				m.GroupXIDs = nil
			}
			items = append(items, g)
		}
		for _, ind := range everyIndicator() {
			m := ind.Meta()
			m.Rating, m.Confidence = new(float64(n%6)), new(n%101)
			m.Tags = []threatconnect.Tag{{Name: more}}
			m.Attributes = []threatconnect.Attribute{{Type: "Description", Value: "constant"}, {Type: "Description", Value: more}}
			m.GroupXIDs = []string{threatconnect.XID("repeating", fmt.Sprint(n%16))}
			items = append(items, ind)
		}
		host, url := threatconnect.NewHost("www.example.com"), threatconnect.NewURL("http://example.com/a?b=c")
		items = append(items, &threatconnect.Association{From: threatconnect.IndicatorEnd(url), To: threatconnect.IndicatorEnd(host), Type: "URL Host"},
			&threatconnect.Association{From: threatconnect.IndicatorEnd(host), To: threatconnect.IndicatorEnd(url), Type: "URL Host"})
	}
	random.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
	return items
}

func itemsOf(items []threatconnect.BatchItem) iter.Seq2[threatconnect.BatchItem, error] {
	return func(yield func(threatconnect.BatchItem, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
	}
}

// merged returns the merged items.
func merged(t *testing.T, items []threatconnect.BatchItem) (all []threatconnect.BatchItem) {
	t.Helper()
	for item, err := range threatconnect.MergeItems(t.Context(), itemsOf(items), nil) {
		require.NoError(t, err)
		all = append(all, item)
	}
	return all
}

func TestMergedItemsAreImportedOnce(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	require.NoError(t, srv.Seed(&threatconnecttest.IndicatorType{
		Name: "Wallet", Branch: "wallets", Entity: "wallet", Fields: []string{"Number", "Chain"},
	}))
	client := srv.Client(threatconnect.WithOwner("Example Source"))
	const times = 5
	items := repeating(rand.New(rand.NewPCG(1, 1)), times)
	var merged threatconnect.MergeStats
	stats, err := client.Batch.Import(t.Context(), appendConfig(), threatconnect.MergeItems(t.Context(), itemsOf(items), &threatconnect.MergeOptions{
		OnMerged: func(s threatconnect.MergeStats) { merged = s },
	}))
	require.NoError(t, err)
	assert.Equal(t, threatconnect.MergeStats{Read: int64(len(items)), Items: 16 + 13 + 1}, merged)
	assert.EqualValues(t, 16, stats.Groups.Succeeded)
	assert.EqualValues(t, 13, stats.Indicators.Succeeded)
	assert.EqualValues(t, 1, stats.Associations.Succeeded)
	seen := 0
	for ind, err := range client.Indicators.All(context.Background(), &threatconnect.IndicatorListOptions{Include: threatconnect.Include{Tags: true, Attributes: true}}) {
		require.NoError(t, err)
		m := ind.Meta()
		assert.Equal(t, new(4.0), m.Rating)
		assert.Equal(t, new(4), m.Confidence)
		assert.Len(t, m.Tags, times, ind.Type())
		assert.Len(t, m.Attributes, times+1, "each value once, although attributes are appended")
		seen++
	}
	assert.Equal(t, 13, seen)
}

func TestMergedItemsAreDeleted(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	require.NoError(t, srv.Seed(&threatconnecttest.IndicatorType{
		Name: "Wallet", Branch: "wallets", Entity: "wallet", Fields: []string{"Number", "Chain"},
	}))
	client := srv.Client()
	items := repeating(rand.New(rand.NewPCG(1, 1)), 2)
	items = slices.DeleteFunc(items, func(item threatconnect.BatchItem) bool {
		_, link := item.(*threatconnect.Association)
		return link
	})
	_, err := client.Batch.Import(t.Context(), appendConfig(), threatconnect.MergeItems(t.Context(), itemsOf(items), nil))
	require.NoError(t, err)
	require.Equal(t, 13, srv.Counts(batchOwner).Indicators)
	cfg := threatconnect.BatchConfig{Owner: batchOwner, Action: threatconnect.BatchDelete}
	stats, err := client.Batch.Import(t.Context(), cfg, threatconnect.MergeItems(t.Context(), itemsOf(items), nil))
	require.NoError(t, err)
	assert.EqualValues(t, 16, stats.Groups.Succeeded)
	assert.EqualValues(t, 13, stats.Indicators.Succeeded)
	assert.Zero(t, srv.Counts(batchOwner).Indicators)
}

func TestTruncatedAttributesAreImported(t *testing.T) {
	t.Parallel()
	client := threatconnecttest.NewT(t).Client(threatconnect.WithOwner("Example Source"))
	host := threatconnect.NewHost("a.example")
	host.Attributes = []threatconnect.Attribute{{Type: "External ID", Value: strings.Repeat("ü", 501)}}
	_, err := client.Batch.Import(t.Context(), appendConfig(), itemsOf([]threatconnect.BatchItem{host}))
	require.Error(t, err, "the value is too long")

	limits, err := client.Types.AttributeLengths(t.Context(), nil)
	require.NoError(t, err)
	_, err = client.Batch.Import(t.Context(), appendConfig(), threatconnect.MergeItems(t.Context(), itemsOf([]threatconnect.BatchItem{host}), &threatconnect.MergeOptions{MaxLengths: limits}))
	require.NoError(t, err)
	attributes, err := client.Attributes.On(t.Context(), host)
	require.NoError(t, err)
	require.Len(t, attributes, 1)
	assert.Equal(t, strings.Repeat("ü", 497)+"...", attributes[0].Value)
}

func ExampleMergeItems() {
	client := threatconnecttest.New().Client()
	ctx := context.Background()

	first := threatconnect.NewHost("evil.example")
	first.Rating, first.Tags = new(3.0), []threatconnect.Tag{{Name: "Phishing"}}
	odd := threatconnect.NewHost("no host at all")
	again := threatconnect.NewHost("EVIL.example.")
	again.Rating, again.Tags = new(5.0), []threatconnect.Tag{{Name: "Botnet"}}
	feed := func(yield func(threatconnect.BatchItem, error) bool) {
		for _, host := range []*threatconnect.Host{first, odd, again} {
			if !yield(host, nil) {
				return
			}
		}
	}

	var places []int64 // positions of the merged items in the feed
	stats, err := client.Batch.Import(ctx, threatconnect.BatchConfig{
		Owner:      "Example Source",
		Attributes: threatconnect.WriteReplace,
		OnError: func(e threatconnect.BatchItemError) {
			fmt.Printf("number %d of the feed: %v\n", places[e.Seq], e.Err)
		},
	}, threatconnect.MergeItems(ctx, feed, &threatconnect.MergeOptions{
		OnMerged: func(s threatconnect.MergeStats) { fmt.Printf("%d of %d are left\n", s.Items, s.Read) },
		OnItem: func(o threatconnect.MergeOrigin) {
			places = append(places, o.First)
			fmt.Printf("number %d is made of %d\n", o.First, o.Count)
		},
	}))
	fmt.Println(stats.Indicators.Succeeded, "went in:", err != nil)
	// Output:
	// 2 of 3 are left
	// number 0 is made of 2
	// number 1 is made of 1
	// number 1 of the feed: threatconnect: host name holds white space; remove it, or give one name
	// 1 went in: true
}
