package threatconnect

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/importer/item"
)

const mergeBytes = 1 << 20 // the smallest MaxBytes

// sequence yields items and then end, if it is not nil.
func sequence(items []BatchItem, end error) iter.Seq2[BatchItem, error] {
	return func(yield func(BatchItem, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
		if end != nil {
			yield(nil, end)
		}
	}
}

// mergedOf returns the merged items, their origins and the counts.
func mergedOf(t *testing.T, opts MergeOptions, items ...BatchItem) ([]BatchItem, []MergeOrigin, MergeStats) {
	t.Helper()
	opts.Dir = t.TempDir()
	var origins []MergeOrigin
	stats := MergeStats{Read: -1}
	opts.OnItem = func(o MergeOrigin) { origins = append(origins, o) }
	opts.OnMerged = func(s MergeStats) {
		require.EqualValues(t, -1, stats.Read, "OnMerged is called once")
		stats = s
	}
	got := []BatchItem{}
	for item, err := range MergeItems(t.Context(), sequence(items, nil), &opts) {
		require.NoError(t, err)
		require.Len(t, origins, len(got)+1, "OnItem is called before the item is yielded")
		got = append(got, item)
	}
	left, err := os.ReadDir(opts.Dir)
	require.NoError(t, err)
	require.Empty(t, left)
	require.EqualValues(t, len(items), stats.Read)
	require.EqualValues(t, len(got), stats.Items)
	total := int64(0)
	for i, o := range origins {
		total += o.Count
		require.True(t, i == 0 || origins[i-1].First < o.First, "items are in the order of their first positions")
	}
	require.EqualValues(t, len(items), total, "every item is in one merged item")
	return got, origins, stats
}

// batchForm is the form of an item in batch files and imports.
type batchForm struct {
	item.Encoded
	json map[string]any
	err  error
}

func writtenOf(t *testing.T, in BatchItem, action BatchAction) (w batchForm) {
	t.Helper()
	e := encoder{action: action}
	enc, err := e.encode(in)
	if w.err = err; err != nil {
		w.Type, w.Name = e.typ, e.name
		return w
	}
	w.Encoded = *enc
	require.NoError(t, json.Unmarshal(enc.JSON, &w.json))
	w.JSON = nil
	w.Refs, w.Listed = slices.Clip(enc.Refs), slices.Clip(enc.Listed)
	if len(w.Refs) == 0 {
		w.Refs = nil
	}
	if len(w.Listed) == 0 {
		w.Listed = nil
	}
	if w.Content != nil {
		w.Content.Open = w.Content.Open.(Content).Size // functions cannot be compared
	}
	return w
}

// requireItem requires that two items have the same form in batch files.
func requireItem(t *testing.T, want, got BatchItem) {
	t.Helper()
	require.Equal(t, writtenOf(t, want, BatchCreate), writtenOf(t, got, BatchCreate))
	if writtenOf(t, want, BatchCreate).err == nil {
		require.Equal(t, writtenOf(t, want, BatchDelete), writtenOf(t, got, BatchDelete))
	}
}

// tagsOf returns the names of an item's tags.
func tagsOf(t *testing.T, in BatchItem) (names []string) {
	t.Helper()
	tags, _ := writtenOf(t, in, BatchCreate).json["tag"].([]any)
	for _, tag := range tags {
		names = append(names, tag.(map[string]any)["name"].(string))
	}
	return names
}

func TestMergeIndicatorsByTypeAndValue(t *testing.T) {
	t.Parallel()
	day := func(n int) time.Time { return time.Date(2026, 3, n, 0, 0, 0, 0, time.UTC) }
	first := func() *Host {
		return &Host{HostName: "WWW.Example.com", DNSActive: new(true), WhoisActive: new(true), IndicatorMeta: IndicatorMeta{
			Rating: new(3.0), Confidence: new(90), Active: new(true), Description: "first", XID: "a", Private: new(true), Source: "s",
			FirstSeen: day(5), LastSeen: day(5), ExternalDateAdded: day(5), ExternalDateExpires: day(5), ExternalLastModified: day(5),
			Tags:           []Tag{{Name: "one"}, {Name: "two"}, {Name: " one "}},
			SecurityLabels: []SecurityLabel{{Name: "TLP:RED"}},
			GroupXIDs:      []string{"g1", "g2", "g1"},
			Attributes: []Attribute{
				{Type: "Description", Value: "x", Pinned: new(false), SecurityLabels: []SecurityLabel{{Name: "l1"}}},
				{Type: "Other", Value: "x"}, {Type: "Other", Value: "x"},
			},
		}}
	}
	a := first()
	b := &Host{HostName: "www.example.com", DNSActive: new(false), IndicatorMeta: IndicatorMeta{
		Rating: new(4.5), Confidence: new(20), Active: new(false), Description: "second", Private: new(false),
		FirstSeen: day(4), LastSeen: day(4), ExternalDateAdded: day(6), ExternalDateExpires: day(6), ExternalLastModified: day(6),
		Tags:           []Tag{{Name: "three"}, {Name: "one", Description: "d"}},
		SecurityLabels: []SecurityLabel{{Name: "TLP:GREEN"}, {Name: "TLP:RED", Description: "d", Color: "ff0000"}},
		GroupXIDs:      []string{"g3", "g2"},
		Attributes: []Attribute{
			{Type: "Description", Value: "x", Displayed: new(true), Pinned: new(true), Source: "report", SecurityLabels: []SecurityLabel{{Name: "l2"}, {Name: "l1"}}},
			{Type: "Other", Value: "y"},
		},
	}}
	c := &Host{HostName: "www.example.com.", IndicatorMeta: IndicatorMeta{Description: "first", XID: "c", Source: "other"}}

	got, origins, stats := mergedOf(t, MergeOptions{}, a, NewHost("other.example"), NewAddress("192.0.2.1"), b, c)
	require.Equal(t, first(), a, "the input is not changed")
	require.Len(t, got, 3)
	assert.Equal(t, []MergeOrigin{{0, 3}, {1, 1}, {2, 1}}, origins)
	assert.Equal(t, MergeStats{Read: 5, Items: 3}, stats)
	requireItem(t, &Host{HostName: "WWW.Example.com", DNSActive: new(false), WhoisActive: new(true), IndicatorMeta: IndicatorMeta{
		Rating: new(4.5), Confidence: new(90), Active: new(false), Description: "first", XID: "c", Private: new(true), Source: "other",
		FirstSeen: day(4), LastSeen: day(5), ExternalDateAdded: day(5), ExternalDateExpires: day(6), ExternalLastModified: day(6),
		Tags:           []Tag{{Name: "one", Description: "d"}, {Name: "two"}, {Name: "three"}},
		SecurityLabels: []SecurityLabel{{Name: "TLP:RED", Description: "d", Color: "ff0000"}, {Name: "TLP:GREEN"}},
		GroupXIDs:      []string{"g1", "g2", "g3"},
		Attributes: []Attribute{
			{Type: "Description", Value: "x", Displayed: new(true), Pinned: new(true), Source: "report", SecurityLabels: []SecurityLabel{{Name: "l1"}, {Name: "l2"}}},
			{Type: "Other", Value: "x"}, {Type: "Description", Value: "second"}, {Type: "Other", Value: "y"},
		},
	}}, got[0])
	requireItem(t, NewHost("other.example"), got[1])
	requireItem(t, NewAddress("192.0.2.1"), got[2])
}

func TestMergeKeepsTypesApart(t *testing.T) {
	t.Parallel()
	known := NewCustomIndicator("Wallet", "w", "main")
	known.Rating = new(2.0)
	got, origins, _ := mergedOf(t, MergeOptions{},
		NewMutex("x"), NewUserAgent("x"), NewMutex("X"), NewHashtag("x"), // mutexes are case-sensitive
		NewCustomIndicator("Wallet", "w", "main"), NewCustomIndicator("Wallet", "w : main"), known,
		NewCustomIndicator("Host", "A.example"), &Host{HostName: "a.example", DNSActive: new(true)},
		NewRegistryKey(`HKLM\a`, "v", "REG_SZ"), NewRegistryKey(`hkey_local_machine\a`, "v", "reg_sz"), NewRegistryKey(`HKLM\a`, "w", "REG_SZ"),
	)
	assert.Equal(t, []MergeOrigin{{0, 1}, {1, 1}, {2, 1}, {3, 1}, {4, 2}, {5, 1}, {7, 2}, {9, 2}, {11, 1}}, origins)
	requireItem(t, &Host{HostName: "A.example", DNSActive: new(true)}, got[6]) // a custom indicator with the name of a built-in type is of that type
	requireItem(t, known, got[4])
}

func TestMergeGroupsByXID(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	a := NewIncident("old name", day)
	a.XID, a.Status, a.Tags, a.GroupXIDs = "x", IncidentNew, []Tag{{Name: "a"}}, []string{"y"}
	a.LastSeen = day.Add(time.Hour)
	a.Associated = []IndicatorRef{{Type: TypeHost, Value: "A.example"}, {Type: TypeMutex, Value: "m"}}
	b := NewIncident("new name", day.Add(time.Hour))
	b.XID, b.Tags, b.GroupXIDs = "x", []Tag{{Name: "b"}}, []string{"z", "y"}
	b.LastSeen = day
	b.Associated = []IndicatorRef{{Type: TypeHost, Value: "a.example"}, {Type: TypeMutex, Value: "M"}}
	threat := NewThreat("t")
	threat.XID = "x"
	got, origins, _ := mergedOf(t, MergeOptions{}, a, threat, b)
	assert.Equal(t, []MergeOrigin{{0, 2}, {1, 1}}, origins)
	requireItem(t, &Incident{EventDate: day.Add(time.Hour), Status: IncidentNew, GroupMeta: GroupMeta{
		Name: "new name", XID: "x", Tags: []Tag{{Name: "a"}, {Name: "b"}}, GroupXIDs: []string{"y", "z"}, LastSeen: day.Add(time.Hour),
		Associated: []IndicatorRef{{Type: TypeHost, Value: "A.example"}, {Type: TypeMutex, Value: "m"}, {Type: TypeMutex, Value: "M"}},
	}}, got[0])
}

func TestMergeAssociationsByEnds(t *testing.T) {
	t.Parallel()
	host, url := IndicatorEnd(NewHost("a.example")), IndicatorEnd(NewURL("http://a.example/"))
	end := func(t GroupType, xid string) AssociationEnd { return AssociationEnd{GroupType: t, GroupXID: xid} }
	got, origins, _ := mergedOf(t, MergeOptions{},
		&Association{From: url, To: host, Type: "URL Host"},
		&Association{From: IndicatorEnd(NewHost("A.example")), To: url, Type: "URL Host"}, // reversed
		&Association{From: url, To: host, Type: "Host to Indicators"},
		&Association{From: end("", "x"), To: host},
		&Association{From: host, To: end(GroupThreat, "x")}, // reversed, and with the type of the group
		&Association{From: end("", "x"), To: end("", "y")},
		&Association{From: AssociationEnd{ID: 7}, To: end("", "x")},
		&Association{From: AssociationEnd{Indicator: TypeHost, ID: 7}, To: end("", "x")},
	)
	assert.Equal(t, []MergeOrigin{{0, 2}, {2, 1}, {3, 2}, {5, 1}, {6, 1}, {7, 1}}, origins)
	requireItem(t, &Association{From: host, To: end(GroupThreat, "x")}, got[2])
}

func TestMergePassesInvalidItemsThrough(t *testing.T) {
	t.Parallel()
	type embedding struct{ *Host }
	bad := &Host{HostName: "a.example", IndicatorMeta: IndicatorMeta{Confidence: new(101)}}
	items := []BatchItem{
		NewHost("not a host"), NewHost("a.example"), nil, bad, (*Host)(nil), NewHost("not a host"), &File{},
		embedding{NewHost("b.example")}, embedding{}, NewThreat("no xid"), NewHost("a.example"),
	}
	got, origins, stats := mergedOf(t, MergeOptions{}, items...)
	require.Len(t, got, 10)
	assert.EqualValues(t, 8, stats.Invalid)
	assert.Equal(t, MergeOrigin{1, 2}, origins[1], "an invalid item does not affect valid ones")
	for i, o := range origins {
		requireItem(t, items[o.First], got[i])
		again, _, stats := mergedOf(t, MergeOptions{}, got[i])
		requireItem(t, got[i], again[0])
		assert.Equal(t, i != 1 && i != 7, stats.Invalid == 1, "%d", i)
	}
	for _, item := range oneOfEachType() {
		assert.True(t, ownItem(item), "%T", item)
	}
	assert.False(t, ownItem(embedding{}))
}

func TestMergeTruncatesValuesToMaxLengths(t *testing.T) {
	t.Parallel()
	host := func() *Host {
		h := NewHost("a.example")
		h.Description = "a description"
		h.Attributes = []Attribute{{Type: "Note", Value: "ähnlich wie früher"}, {Type: "Free", Value: "ähnlich wie früher"}, {Type: "Tiny", Value: "日本語"}}
		return h
	}
	limits := map[string]int{"Note": 10, "Free": 0, "Tiny": 2, "Description": 8}
	in := host()
	other := host()
	other.Attributes[0].Value = "ähnlich wie nie" // the same after the cut
	got, _, stats := mergedOf(t, MergeOptions{MaxLengths: limits}, in, other)
	require.Len(t, got, 1)
	assert.EqualValues(t, 6, stats.Cut)
	want := NewHost("a.example")
	want.Description = "a des..."
	want.Attributes = []Attribute{{Type: "Note", Value: "ähnlich..."}, {Type: "Free", Value: "ähnlich wie früher"}, {Type: "Tiny", Value: "日本"}}
	requireItem(t, want, got[0])
	assert.Equal(t, host(), in, "the input is not changed")

	alike := NewHost("b.example") // both values are the same after the cut
	alike.Attributes = []Attribute{{Type: "Note", Value: "0123456789a"}, {Type: "Note", Value: "0123456789b"}}
	got, _, _ = mergedOf(t, MergeOptions{MaxLengths: limits}, alike)
	alike.Attributes = []Attribute{{Type: "Note", Value: "0123456..."}}
	requireItem(t, alike, got[0])

	report := NewReport("r", "r.pdf")
	report.XID, report.Attributes = "x", []Attribute{{Type: "Note", Value: "0123456789"}, {Type: "Note", Value: "0123456789a"}, {Type: "Note", Value: "ääääääääää"}}
	got, _, stats = mergedOf(t, MergeOptions{MaxLengths: limits}, report)
	assert.EqualValues(t, 1, stats.Cut)
	report.Attributes[1].Value = "0123456..."
	requireItem(t, report, got[0])
}

func TestMergeAppliesDefaultRatingAndConfidence(t *testing.T) {
	t.Parallel()
	rated, threat := NewHost("a.example"), NewThreat("t")
	rated.Rating, threat.XID = new(1.0), "x"
	got, _, _ := mergedOf(t, MergeOptions{Rating: new(3.0), Confidence: new(0)}, NewHost("a.example"), NewHost("b.example"), threat, rated, nil)
	want := []*Host{NewHost("a.example"), NewHost("b.example")}
	want[0].Rating, want[0].Confidence = new(1.0), new(0)
	want[1].Rating, want[1].Confidence = new(3.0), new(0)
	requireItem(t, want[0], got[0])
	requireItem(t, want[1], got[1])
	requireItem(t, threat, got[2])
	requireItem(t, nil, got[3])
}

func TestMergeKeepsContentsWithGroups(t *testing.T) {
	t.Parallel()
	d := NewDocument("d", "d.zip")
	d.XID, d.Malware, d.Password = "x", new(true), "infected"
	r := NewReport("r", "r.pdf")
	r.XID = "y"
	document, report := &GroupContent{Group: d, Content: BytesContent([]byte("abc"))}, &GroupContent{Group: r, Content: BytesContent([]byte("abcd"))}
	got, _, _ := mergedOf(t, MergeOptions{}, document, report, NewHost("a.example"))
	require.Equal(t, &item.Content{Type: "Document", XID: "x", Malware: true, Size: 3, Open: int64(3)}, writtenOf(t, got[0], BatchCreate).Content)
	requireItem(t, document, got[0])
	requireItem(t, report, got[1])
	require.ErrorIs(t, writtenOf(t, got[1], BatchDelete).err, errDeletedContent)
}

func TestMergeIgnoresBlankDescription(t *testing.T) {
	t.Parallel()
	a, b := NewHost("a.example"), NewHost("a.example")
	a.Description, b.Description = "d", " "
	got, _, _ := mergedOf(t, MergeOptions{}, a, b)
	requireItem(t, a, got[0])
}

func TestMergedItemsGrowUpToLimit(t *testing.T) {
	t.Parallel()
	const perItem = 20 << 10
	var items []BatchItem
	for i := range 40 {
		h := NewHost("a.example")
		value := make([]byte, perItem)
		for j := range value {
			value[j] = byte('a' + i%26)
		}
		h.Attributes = []Attribute{{Type: "Note", Value: string(value[:perItem-i/26])}}
		items = append(items, h)
	}
	got, _, stats := mergedOf(t, MergeOptions{MaxBytes: mergeBytes}, items...)
	require.Greater(t, stats.Full, int64(10))
	attributes := 0
	for _, item := range got {
		n := len(writtenOf(t, item, BatchCreate).json["attribute"].([]any))
		assert.LessOrEqual(t, n*perItem, 2*mergeBytes/16)
		attributes += n
	}
	assert.Equal(t, 40, attributes, "nothing is lost")

	same := make([]BatchItem, 2000) // repeated values need no space
	for i := range same {
		h := NewHost("b.example")
		h.Attributes = []Attribute{{Type: "Note", Value: "same"}}
		h.Description = "the same words again and again and again and again and again and again and again"
		same[i] = h
	}
	got, _, stats = mergedOf(t, MergeOptions{MaxBytes: mergeBytes}, same...)
	require.Len(t, got, 1)
	assert.Zero(t, stats.Full)
}

func TestMergePassesLargeItemsThrough(t *testing.T) {
	t.Parallel()
	large := NewSignature("s", "s.yar", SignatureYARA, longText(3*mergeBytes))
	large.XID = "x"
	again := NewSignature("s", "s.yar", SignatureYARA, "short")
	again.XID = "x"
	got, origins, _ := mergedOf(t, MergeOptions{MaxBytes: mergeBytes}, NewHost("a.example"), large, NewHost("b.example"), again)
	require.Len(t, got, 4)
	assert.Equal(t, MergeOrigin{1, 1}, origins[1], "it already exceeds the limit of a merged item")
	requireItem(t, large, got[1])
}

func longText(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('a' + i%23)
	}
	return string(b)
}

func TestMergeYieldsItemsBeforeError(t *testing.T) {
	t.Parallel()
	broken := errors.New("the feed broke off")
	items := sequence([]BatchItem{NewHost("a.example"), NewHost("b.example"), NewHost("a.example")}, broken)
	var got []BatchItem
	var last error
	for item, err := range MergeItems(t.Context(), items, nil) {
		require.NoError(t, last, "an item after the error")
		if last = err; err == nil {
			got = append(got, item)
		}
	}
	require.ErrorIs(t, last, broken)
	require.Len(t, got, 2)
	requireItem(t, NewHost("a.example"), got[0])
	requireItem(t, NewHost("b.example"), got[1])
}

// onlyError returns the error of a sequence that yields nothing else.
func onlyError(t *testing.T, items iter.Seq2[BatchItem, error]) error {
	t.Helper()
	var last error
	n := 0
	for _, err := range items {
		last = err
		n++
	}
	require.Equal(t, 1, n)
	return last
}

func TestMergeErrors(t *testing.T) {
	t.Parallel()
	for _, o := range []MergeOptions{{MaxBytes: 1}, {MaxBytes: 1<<30 + 1}, {MaxBytes: -1}, {MaxLengths: map[string]int{"a": -1}}, {Rating: new(5.1)}, {Confidence: new(-1)}} {
		require.ErrorIs(t, onlyError(t, MergeItems(t.Context(), sequence(nil, nil), &o)), ErrValidation)
	}
	require.ErrorIs(t, onlyError(t, MergeItems(t.Context(), nil, nil)), ErrValidation)

	read := 0
	many := func(yield func(BatchItem, error) bool) {
		for i := range 20_000 {
			read = i
			if !yield(NewASN(strconv.Itoa(i+1)), nil) {
				return
			}
		}
	}
	missing := &MergeOptions{MaxBytes: mergeBytes, Dir: filepath.Join(t.TempDir(), "missing")}
	require.ErrorIs(t, onlyError(t, MergeItems(t.Context(), many, missing)), os.ErrNotExist)

	stopped := errors.New("the user has had enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stopped)
	require.ErrorIs(t, onlyError(t, MergeItems(ctx, many, nil)), stopped)
	require.Zero(t, read, "nothing is read")
	ctx, cancel = context.WithCancelCause(t.Context())
	defer cancel(nil)
	require.ErrorIs(t, onlyError(t, MergeItems(ctx, func(yield func(BatchItem, error) bool) {
		many(yield)
		cancel(stopped)
	}, nil)), stopped, "after reading")
}

func TestMergeBreakLeavesNoFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var items []BatchItem
	for i := range 20_000 {
		items = append(items, NewASN(strconv.Itoa(i+1)))
	}
	merged := MergeItems(t.Context(), sequence(items, errors.New("not reached")), &MergeOptions{MaxBytes: mergeBytes, Dir: dir})
	for range 2 { // the sequence can be used again
		n := 0
		for item, err := range merged {
			require.NoError(t, err)
			requireItem(t, items[n], item)
			if n++; n == 1000 {
				break
			}
		}
	}
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}
