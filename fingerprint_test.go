package threatconnect_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
)

func TestFingerprintsTellItemsAndTheirContentApart(t *testing.T) {
	t.Parallel()
	var f threatconnect.Fingerprinter
	of := func(item threatconnect.BatchItem) threatconnect.Fingerprint {
		t.Helper()
		p, err := f.Of(item)
		require.NoError(t, err)
		return p
	}
	host := func(change func(*threatconnect.Host)) *threatconnect.Host {
		h := batchHost(1, "x-1")
		change(h)
		return h
	}
	base := of(batchHost(1, "x-1"))
	assert.Equal(t, base, of(batchHost(1, "x-1")))
	assert.Equal(t, base, of(host(func(h *threatconnect.Host) { h.HostName = "H1.Example" })), "another spelling of the same")
	for name, change := range map[string]func(*threatconnect.Host){
		"a rating":    func(h *threatconnect.Host) { h.Rating = new(4.0) },
		"no rating":   func(h *threatconnect.Host) { h.Rating = nil },
		"a tag":       func(h *threatconnect.Host) { h.Tags = append(h.Tags, threatconnect.Tag{Name: "x"}) },
		"no groups":   func(h *threatconnect.Host) { h.GroupXIDs = nil },
		"two groups":  func(h *threatconnect.Host) { h.GroupXIDs = []string{"x-1", "x-2"} },
		"one of both": func(h *threatconnect.Host) { h.GroupXIDs = []string{"x-1x-2"} },
		"an attribute": func(h *threatconnect.Host) {
			h.Attributes = []threatconnect.Attribute{{Type: "Description", Value: "y"}}
		},
		"a flag": func(h *threatconnect.Host) { h.DNSActive = new(true) },
		"a date": func(h *threatconnect.Host) { h.LastSeen = batchDay },
	} {
		p := of(host(change))
		assert.Equal(t, base.Item, p.Item, name)
		assert.NotEqual(t, base.Content, p.Content, name)
	}
	assert.NotEqual(t, base.Item, of(batchHost(2, "x-1")).Item)
	assert.NotEqual(t, of(threatconnect.NewMutex("a")).Item, of(threatconnect.NewUserAgent("a")).Item)

	group := batchGroup("x-1")
	renamed := batchGroup("x-1")
	renamed.Name = "another name"
	linked := batchGroup("x-1")
	linked.Associated = []threatconnect.IndicatorRef{{Type: threatconnect.TypeHost, Value: "a.example"}}
	assert.Equal(t, of(group).Item, of(renamed).Item)
	assert.NotEqual(t, of(group).Content, of(renamed).Content)
	assert.NotEqual(t, of(group).Content, of(linked).Content)
	assert.NotEqual(t, of(group).Item, of(batchGroup("x-2")).Item)

	a := &threatconnect.Association{From: threatconnect.GroupEnd("x-1"), To: threatconnect.GroupEnd("x-2")}
	b := &threatconnect.Association{From: threatconnect.GroupEnd("x-1"), To: threatconnect.GroupEnd("x-3")}
	assert.Equal(t, of(a), of(a))
	assert.NotEqual(t, of(a).Item, of(b).Item)

	_, err := f.Of(threatconnect.NewHost("a b"))
	require.ErrorIs(t, err, threatconnect.ErrValidation)
	assert.Empty(t, f.Groups())
	_, err = f.Of(nil)
	require.ErrorIs(t, err, threatconnect.ErrValidation)
	assert.Equal(t, base, of(batchHost(1, "x-1")), "an error before does not matter")
}

func TestFingerprinterTellsTheGroupsOfAnItem(t *testing.T) {
	t.Parallel()
	var f threatconnect.Fingerprinter
	linked := batchGroup("x-3")
	linked.GroupXIDs = []string{"x-1"}
	link := &threatconnect.Association{From: threatconnect.GroupEnd("x-1"), To: threatconnect.GroupEnd("x-2")}
	items := []threatconnect.BatchItem{batchHost(1, "x-1", "x-2"), linked, link, batchHost(2)}
	want := [][]string{{"x-1", "x-2"}, {"x-1"}, {"x-1", "x-2"}, nil}
	n := 0
	for item, err := range threatconnect.MergeItems(t.Context(), threatconnect.BatchItems(slices.Values(items)), nil) {
		require.NoError(t, err)
		for _, item := range []threatconnect.BatchItem{items[n], item} {
			_, err = f.Of(item)
			require.NoError(t, err)
			assert.ElementsMatch(t, want[n], f.Groups(), n)
		}
		n++
	}
	assert.Equal(t, len(items), n)
}

func TestFingerprinterTellsTheSizeOfAnItem(t *testing.T) {
	t.Parallel()
	var f threatconnect.Fingerprinter
	host := threatconnect.NewHost("a.example")
	_, err := f.Of(host)
	require.NoError(t, err)
	assert.Equal(t, len(`{"type":"Host","summary":"a.example"},`), f.Size())
	host.GroupXIDs = []string{"x-1", `"`}
	_, err = f.Of(host)
	require.NoError(t, err)
	link := `{"type_1":"Host","ref_1":"a.example","type_2":,"ref_2":},`
	assert.Equal(t, len(`{"type":"Host","summary":"a.example"},`+link+`"x-1"`+link+`"\""`), f.Size())
	group := batchGroup("x-3")
	_, err = f.Of(group)
	require.NoError(t, err)
	alone := f.Size()
	group.Associated = []threatconnect.IndicatorRef{{Type: threatconnect.TypeHost, Value: "a.example"}}
	_, err = f.Of(group)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, f.Size(), alone+len(`{"type_1":"Host","ref_1":"a.example","ref_2":"x-3"},`))
	_, err = f.Of(threatconnect.NewHost(""))
	require.Error(t, err)
	assert.Zero(t, f.Size())
}

// The content of a merged group can change without a change of what was merged.
func TestGroupContentHasNoFingerprint(t *testing.T) {
	t.Parallel()
	var f threatconnect.Fingerprinter
	document := threatconnect.NewDocument("report", "report.pdf")
	document.XID = "x-1"
	var with threatconnect.BatchItem = &threatconnect.GroupContent{Group: document, Content: threatconnect.BytesContent([]byte("text"))}
	items := []threatconnect.BatchItem{with}
	for item, err := range threatconnect.MergeItems(t.Context(), threatconnect.BatchItems(slices.Values(items)), nil) {
		require.NoError(t, err)
		items = append(items, item)
	}
	require.Len(t, items, 2)
	for _, item := range items {
		_, err := f.Of(item)
		require.ErrorIs(t, err, threatconnect.ErrValidation)
	}
}

func BenchmarkFingerprint(b *testing.B) {
	var f threatconnect.Fingerprinter
	h := batchHost(1, "x-1")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Of(h); err != nil {
			b.Fatal(err)
		}
	}
}
