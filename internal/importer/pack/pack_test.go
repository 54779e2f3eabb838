package pack

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/importer/item"
	"github.com/threatconnect-go/threatconnect/internal/importer/journal"
	"github.com/threatconnect-go/threatconnect/internal/scaletest"
)

func TestReferencesAreSentOnce(t *testing.T) {
	t.Parallel()
	for seed := range scaletest.N(uint64(150)) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			f := randomFeed(rand.New(rand.NewPCG(seed, 1)))
			k := run(t, f, true, 0)
			k.check()
			if len(k.held()) > 0 {
				t.Fatal("links are still deferred")
			}

			// Another packer resumes from the records alone, with the same result.
			resumed := run(t, f, true, 1+int(seed)%4)
			resumed.check()
			require.Equal(t, texts(k.records), texts(resumed.records))
			require.Equal(t, k.dropped, resumed.dropped)
			require.Equal(t, []int64{k.p.Deferred, k.p.Links}, []int64{resumed.p.Deferred, resumed.p.Links})

			// Keep changes only the records, not the files.
			unkept := run(t, f, false, 0)
			unkept.check()
			require.Equal(t, bodies(k.files), bodies(unkept.files))
			for _, a := range unkept.records {
				require.Empty(t, len(a.Groups)+len(a.Links)+len(a.Released))
			}
		})
	}
}

// texts returns records as texts for comparison.
func texts(records []*journal.Added) (texts []string) {
	for _, a := range records {
		b := *a
		b.Payload = nil
		texts = append(texts, string(marshal(b))+fmt.Sprint(a.Groups, a.Links, a.Released))
		if a.Payload != nil {
			texts = append(texts, string(bytes.Join(a.Payload.Body(a.Payload.All()), nil)))
		}
	}
	return texts
}

// bodies returns the files of records as texts.
func bodies(records []*journal.Added) (texts []string) {
	for _, a := range records {
		texts = append(texts, fmt.Sprint(a.File, a.After, a.Low)+string(bytes.Join(a.Payload.Body(a.Payload.All()), nil)))
	}
	return texts
}

func TestReferencePlacement(t *testing.T) {
	t.Parallel()
	add := func(items ...*item.Encoded) (steps []step) {
		for _, e := range items {
			steps = append(steps, step{e: e})
		}
		return steps
	}
	for name, c := range map[string]struct {
		steps []step
		known []string
		want  []string // After and contents of each file
	}{
		"a group that came before": {steps: add(group("x1"), group("x2", "x1"), host("h", "x1", "x2")),
			want: []string{`0 {"group":[{x1},{x2 x1}],"indicator":[{h x1 x2}]}`}},
		"a later group has the reference": {steps: add(group("x2", "x1"), group("x1")),
			want: []string{`0 {"group":[{x2},{x1 x2}]}`}},
		"a later group precedes the indicator in the file": {steps: add(host("h", "x1"), group("x1")),
			want: []string{`0 {"group":[{x1}],"indicator":[{h x1}]}`}},
		"two groups that refer to each other": {steps: add(group("x1", "x2"), group("x2", "x1")),
			want: []string{`0 {"group":[{x1},{x2 x1}]}`}},
		"a listed indicator that refers to the group": {steps: add(list(group("x1"), "h", "h"), host("h", "x1")),
			want: []string{`0 {"group":[{x1}],"indicator":[{h x1}]}`}},
		"a repeated reference": {steps: add(group("x1"), group("x2", "x1", "x1"), host("h", "x2", "x1", "x2")),
			want: []string{`0 {"group":[{x1},{x2 x1}],"indicator":[{h x2 x1}]}`}},
		"references after a repeated one": {steps: add(group("x1"), group("x2"), host("h", "x2", "x2", "x1")),
			want: []string{`0 {"group":[{x1},{x2}],"indicator":[{h x2 x1}]}`}},
		"a group of the owner": {steps: add(host("h", "x1")), known: []string{"x1"},
			want: []string{`0 {"indicator":[{h x1}]}`}},
		"an unknown group": {steps: add(host("h", "x1")),
			want: []string{`0 {"indicator":[{h}],"association":[{h x1}]}`}},
		"a group of an earlier file": {steps: add(group("x1"), nil, host("h", "x1"), nil, host("i")),
			want: []string{`0 {"group":[{x1}]}`, `1 {"indicator":[{h x1}]}`, `0 {"indicator":[{i}]}`}},
		"a group of a later file": {steps: add(host("h", "x1"), nil, host("i"), nil, group("x1"), nil),
			want: []string{`0 {"indicator":[{h}]}`, `0 {"indicator":[{i}]}`, `2 {"group":[{x1}],"association":[{h x1}]}`}},
		"a group that is added again": {steps: add(group("x1"), nil, group("x2"), nil, group("x1")),
			want: []string{`0 {"group":[{x1}]}`, `0 {"group":[{x2}]}`, `1 {"group":[{x1}]}`}},
		"a listed indicator of the same file": {steps: add(list(group("x1"), "h", "-i"), host("h"), host("i")),
			want: []string{`0 {"group":[{x1}],"indicator":[{h x1},{i}]}`}},
		"the last of equal indicators has the reference": {steps: add(list(group("x1"), "h"), host("h"), host("h")),
			want: []string{`0 {"group":[{x1}],"indicator":[{h},{h x1}]}`}},
		"a listed indicator that refers to groups itself": {steps: add(group("x1"), host("h", "x1"), host("i"), list(group("x2"), "h", "i"), list(group("x3"), "h")),
			want: []string{`0 {"group":[{x1},{x2},{x3}],"indicator":[{h x1 x2 x3},{i x2}]}`}},
		"two groups, one of them later": {steps: add(group("x1"), host("h", "x1", "x2"), group("x2"), host("i", "x1", "x2", "x4")),
			want: []string{`0 {"group":[{x1},{x2}],"indicator":[{h x1 x2},{i x1 x2}],"association":[{i x4}]}`}},
		"a listed indicator of an earlier file": {steps: add(host("h"), nil, list(group("x1"), "h")),
			want: []string{`0 {"indicator":[{h}]}`, `1 {"group":[{x1}],"association":[{h x1}]}`}},
		"the same link twice": {steps: add(host("h", "x1"), nil, host("h", "x1"), nil, associate("h", "x1"), nil, group("x1")),
			want: []string{`0 {"indicator":[{h}]}`, `0 {"indicator":[{h}]}`, `2 {"group":[{x1}],"association":[{h x1}]}`}},
		"an association waits for both ends": {steps: add(associate("x1", "x2"), nil, group("x1"), nil, group("x2"), nil, host("h")),
			want: []string{`0 {"group":[{x1}]}`, `1 {"group":[{x2}],"association":[{x1 x2}]}`, `0 {"indicator":[{h}]}`}},
		"an association of groups of the owner": {steps: add(associate("x1", "x2"), nil, host("h")), known: []string{"x1", "x2"},
			want: []string{`0 {"association":[{x1 x2}]}`, `0 {"indicator":[{h}]}`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := feed{steps: c.steps, known: make(map[string]bool), maxBytes: 1 << 20, maxItems: 1000}
			for _, xid := range c.known {
				f.known[xid] = true
			}
			k := run(t, f, true, 0)
			k.check()
			var got []string
			for _, a := range k.files {
				got = append(got, fmt.Sprint(a.After, " ", short(read(t, a.Payload))))
			}
			require.Equal(t, c.want, got)
		})
	}
}

// short returns a short text for a file.
func short(c contents) string {
	lists := map[string][]string{}
	for _, g := range c.Group {
		lists["0group"] = append(lists["0group"], strings.Join(append([]string{g.XID}, g.Refs...), " "))
	}
	for _, h := range c.Indicator {
		text := h.Summary
		for _, g := range h.Refs {
			text += " " + g.GroupXID
		}
		lists["1indicator"] = append(lists["1indicator"], text)
	}
	for _, a := range c.Association {
		lists["2association"] = append(lists["2association"], a.From+" "+a.To)
	}
	var all []string
	for _, key := range slices.Sorted(maps.Keys(lists)) {
		all = append(all, `"`+key[1:]+`":[{`+strings.Join(lists[key], "},{")+`}]`)
	}
	return "{" + strings.Join(all, ",") + "}"
}

func TestContentPositions(t *testing.T) {
	t.Parallel()
	p := New(nil)
	p.Open(new(item.File), 1)
	p.Add(0, host("h"), 1<<20, 10)
	p.Add(1, group("x1"), 1<<20, 10)
	document := group("x2")
	document.Content = &item.Content{Type: "Document", XID: "x2", Size: 5}
	p.Add(2, document, 1<<20, 10)
	a := p.Close()
	require.Equal(t, []journal.Content{{Position: 1, Content: *document.Content}}, a.Contents)
	_, text, _ := a.Payload.At(1)
	require.Equal(t, string(document.JSON), string(text))

	p.Open(new(item.File), 2)
	p.Add(3, group("x3"), 1<<20, 10)
	require.Empty(t, p.Close().Contents, "the content is in the first file")
}

func TestLinkTypeIsOnlySetForIndicators(t *testing.T) {
	t.Parallel()
	p := New(nil)
	p.Keep = true
	p.Open(new(item.File), 1)
	g := group("x1", "x9")
	g.Type = "" // groups are encoded without a type
	p.Add(0, g, 1<<20, 10)
	p.Add(1, host("h", "x9"), 1<<20, 10)
	var links []string
	for _, d := range p.Close().Links {
		links = append(links, string(d.JSON))
	}
	require.ElementsMatch(t, []string{`{"ref_1":"x1","ref_2":"x9"}`, `{"type_1":"Host","ref_1":"h","ref_2":"x9"}`}, links)
}

// TestFailedReleaseKeepsRemainingLinks makes Release fail in the middle and then continues.
func TestFailedReleaseKeepsRemainingLinks(t *testing.T) {
	t.Parallel()
	p := New(nil)
	p.Keep = true
	for n := range 5 {
		require.NoError(t, p.Associate(int64(10+n), associate(fmt.Sprint("h", n), "x1")))
	}
	require.NoError(t, p.Associate(3, associate("x2", "x3")))
	require.EqualValues(t, 3, p.Held())
	require.Equal(t, 5*len(associate("h0", "x1").JSON)+len(associate("x2", "x3").JSON), p.PendingBytes())
	all := func(journal.Deferred) bool { return true }
	boom := errors.New("boom")
	var taken []int64
	failed := false
	err := p.Release(all, func(d journal.Deferred, again bool) error {
		require.False(t, again)
		require.False(t, failed, "Release continued after an error")
		require.EqualValues(t, 3, p.Held(), "links in Release count as held")
		if len(taken) == 2 {
			failed = true
			return boom
		}
		p.Drop(d)
		taken = append(taken, d.Seq)
		return nil
	})
	require.ErrorIs(t, err, boom)
	require.Len(t, taken, 2)
	a := p.Close()
	require.Len(t, a.Links, 6)
	require.Len(t, a.Released, 2)
	require.NoError(t, p.Release(func(d journal.Deferred) bool { return d.Seq != 3 }, func(d journal.Deferred, again bool) error {
		require.NotContains(t, taken, d.Seq)
		taken = append(taken, d.Seq)
		return nil
	}))
	kept := int64(3)
	if slices.Contains(taken, kept) {
		t.Fatal("Release took an association that was not ready")
	}
	require.Len(t, taken, 5)
	require.Equal(t, kept, p.Held())
	counts, err := p.Discard()
	require.NoError(t, err)
	require.Equal(t, [item.Kinds]int64{item.Association: 1}, counts)
	require.Equal(t, int64(math.MaxInt64), p.Held())
	counts, err = p.Discard()
	require.NoError(t, err)
	require.Zero(t, counts)
}

// TestSizeAssumesLargestReferences checks the sizes of items whose references all take their
// maximum size.
func TestSizeAssumesLargestReferences(t *testing.T) {
	t.Parallel()
	long := "x" + strings.Repeat("long", 50)
	for name, c := range map[string]struct {
		items []*item.Encoded
		spare int // limit of the bytes that are reserved but not used
	}{
		"no references":              {[]*item.Encoded{host("h"), group("x1")}, 0},
		"several of a list":          {[]*item.Encoded{host("h"), host("i"), host("j")}, 0},
		"references of an indicator": {[]*item.Encoded{group("x1"), group("x2"), host("h", "x1", "x2")}, 2},
		"references of a group":      {[]*item.Encoded{group("x1"), group("x2"), group("x3", "x1", "x2")}, 120},
		"a long xid in later groups": {[]*item.Encoded{group(long, "x1", "x2"), group("x1"), group("x2")}, 40},
		"a reference to a long xid":  {[]*item.Encoded{group("x1", long), group(long)}, 240},
		"indicators with a long xid": {[]*item.Encoded{list(group(long), "h", "i"), host("h"), host("i")}, 40},
		"an indicator with two xids": {[]*item.Encoded{list(group("x1"), "h"), list(group(long), "h"), host("h")}, 40},
	} {
		p := New(nil)
		p.Open(new(item.File), 1)
		need := item.Frame
		for i, e := range c.items {
			need += p.Need(e)
			p.Add(int64(i), e, 1<<20, 10)
			require.Equal(t, need, p.Size(), name)
		}
		got := sizeOf(p.Close().Payload) + item.Frame
		require.LessOrEqual(t, got, need, name)
		require.LessOrEqual(t, need-got, len(c.items)+c.spare, name)
	}
}

// TestUnstorableLinkIsAnError exhausts the memory for deferred links when no temporary file can
// be created.
func TestUnstorableLinkIsAnError(t *testing.T) {
	large := strings.Repeat("x", 300<<10)
	good, bad := t.TempDir(), t.TempDir()+"/nowhere"
	fill := func(p *Packer) (err error) {
		for n := 0; n < 6 && err == nil; n++ {
			e := associate(fmt.Sprint("h", n), "x1")
			e.Key = fmt.Sprint(n, large)
			err = p.Associate(int64(n), e)
		}
		return err
	}

	t.Setenv("TMPDIR", bad)
	p := New(nil)
	err := fill(p)
	require.ErrorContains(t, err, "store associations that wait for their groups")
	require.Equal(t, err, p.Err(), "the error is permanent")
	require.Error(t, p.Associate(7, associate("h", "x1")))
	require.Equal(t, err, p.Err(), "the first error")

	t.Setenv("TMPDIR", good)
	p = New(nil)
	require.NoError(t, fill(p))
	require.NoError(t, p.Err())
	t.Setenv("TMPDIR", bad)
	never := func(journal.Deferred) bool { return false }
	require.ErrorContains(t, p.Release(never, nil), "store associations that wait for their groups")
	require.Error(t, p.Err())

	t.Setenv("TMPDIR", good)
	p = New(nil)
	p.Keep = true
	p.Open(new(item.File), 1)
	p.Add(0, host("h", "x"+strings.Repeat(large, 4)), 1<<30, 10) // exceeds the memory for deferred links
	a := p.Close()
	require.NotNil(t, a.Payload)
	require.Error(t, p.Err())
	require.Len(t, a.Links, 1, "the record has the link for the next process")
	require.Error(t, p.Associate(1, associate("h", "x1")))
	require.Empty(t, p.Close().Links, "the link was not added")
}

// TestMalformedHeldLinkIsAnError puts a malformed link into the sorter of deferred
// links.
func TestMalformedHeldLinkIsAnError(t *testing.T) {
	t.Parallel()
	p := New(nil)
	require.NoError(t, p.Associate(0, associate("h", "x1")))
	require.NoError(t, p.held.sorter.Add([]byte("key"), []byte{0x80}))
	_, err := p.Discard()
	require.ErrorIs(t, err, errHeld)

	require.NoError(t, p.Associate(0, associate("h", "x1")))
	require.NoError(t, p.held.sorter.Add([]byte("key"), []byte{0x80}))
	use := func(journal.Deferred, bool) error { return nil }
	require.ErrorIs(t, p.Release(p.Ready, use), errHeld)
	require.ErrorIs(t, p.Err(), errHeld, "the unread links are lost")

	p = New(nil)
	require.NoError(t, p.Associate(0, associate("h", "x1")))
	p.held.sorter.Close()
	_, err = p.Discard()
	require.ErrorContains(t, err, "read associations")
	require.NotErrorIs(t, err, errHeld, "the sorter has another error")
}

// Names are cached only for speed, so the cache excludes long names.
func TestFewAndShortNamesAreKept(t *testing.T) {
	t.Parallel()
	p := New([]byte("seed"))
	for i := range 3 * maxNames {
		xid := fmt.Sprint("x", i)
		if i%2 == 0 {
			xid = strings.Repeat("x", 1<<12) + xid
		}
		require.Equal(t, p.name(xid), p.name(xid))
		require.NotZero(t, p.name(xid).hash)
	}
	bytes := 0
	for xid, n := range p.names {
		bytes += len(xid) + len(n.json)
	}
	require.NotEmpty(t, p.names)
	require.LessOrEqual(t, bytes, 1<<20)
}
