package pack

import (
	"bytes"
	"encoding/json"
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
)

// step is what a caller does: it adds an item, or sends what was added.
type step struct {
	e     *item.Encoded // nil for a flush
	early bool          // references are resolved once more in the middle of a file
}

// feed is a sequence of steps and the groups that were in the owner before them.
type feed struct {
	steps    []step
	known    map[string]bool
	maxBytes int
	maxItems int
}

// group makes a group.
func group(xid string, refs ...string) *item.Encoded {
	return &item.Encoded{Section: item.Groups, Name: xid, Type: "Threat", Refs: refs, JSON: marshal(map[string]string{"name": "n", "type": "Threat", "xid": xid})}
}

// host makes an indicator.
func host(summary string, refs ...string) *item.Encoded {
	return &item.Encoded{Section: item.Indicators, Name: summary, Type: "Host", Refs: refs, JSON: marshal(map[string]string{"type": "Host", "summary": summary})}
}

// list lets a group list hosts.
func list(g *item.Encoded, hosts ...string) *item.Encoded {
	for _, h := range hosts {
		l := item.Listed{End: item.End{Type: "Host", Name: h}}
		if name, ok := strings.CutPrefix(h, "-"); ok {
			l.Name, l.Excluded = name, "a reason"
		}
		g.Listed = append(g.Listed, l)
	}
	return g
}

// associate makes an association of a host, or of a group if from begins with x, with a group.
func associate(from, xid string) *item.Encoded {
	e := &item.Encoded{Section: item.Associations, Refs: []string{xid}}
	fields := map[string]string{"ref_1": from, "ref_2": xid}
	end := item.End{Name: "=" + from}
	if strings.HasPrefix(from, "x") {
		e.Refs = append(e.Refs, from)
	} else {
		fields["type_1"], end.Type = "Host", "Host"
	}
	e.Key, e.JSON = item.LinkKey(end, item.End{Name: "=" + xid}, ""), marshal(fields)
	return e
}

func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// randomFeed makes a feed in which everything refers to everything.
func randomFeed(random *rand.Rand) feed {
	f := feed{known: make(map[string]bool), maxBytes: 200 + random.IntN(4000), maxItems: 1 + random.IntN(30)}
	xids := make([]string, 2+random.IntN(12))
	for i := range xids {
		xids[i] = "x" + fmt.Sprint(i) + strings.Repeat("\"", random.IntN(3)) + strings.Repeat("y", random.IntN(150)*random.IntN(2))
		f.known[xids[i]] = random.IntN(6) == 0
	}
	some := func(most int, except string) (refs []string) {
		for range random.IntN(most + 1) {
			if xid := xids[random.IntN(len(xids))]; xid != except && !slices.Contains(refs, xid) {
				refs = append(refs, xid)
			}
		}
		return refs
	}
	for range 1 + random.IntN(60) {
		s := step{early: random.IntN(8) == 0}
		switch h := fmt.Sprint("h", random.IntN(12)); random.IntN(8) {
		case 0, 1, 2:
			xid := xids[random.IntN(len(xids))]
			s.e = group(xid, some(5, xid)...)
			for n := range random.IntN(3) {
				list(s.e, []string{"", "-"}[random.IntN(4)/3]+fmt.Sprint("h", 2*random.IntN(6)+n))
			}
		case 3, 4, 5:
			s.e = host(h, some(4, "")...)
		case 6:
			from := h
			if random.IntN(2) == 0 {
				from = xids[random.IntN(len(xids))]
			}
			s.e = associate(from, xids[random.IntN(len(xids))])
		}
		f.steps = append(f.steps, s)
	}
	return f
}

// packed is what became of a feed.
type packed struct {
	t       *testing.T
	feed    feed
	p       *Packer
	files   []*journal.Added
	records []*journal.Added // files included
	dropped map[string]int   // links that say the same as another one, by key
	resume  int              // another packer goes on after so many records
	keep    bool
}

// room closes the open file unless a number of bytes fits, and opens the next.
func (k *packed) room(need int) {
	if f := k.p.File(); f != nil && f.Count() > 0 && (k.p.Size()+need > k.feed.maxBytes || f.Count() >= k.feed.maxItems) {
		k.close()
	}
	if k.p.File() == nil {
		k.p.Open(new(item.File), int64(len(k.files)+1))
	}
}

func (k *packed) close() {
	size, open := k.p.Size(), k.p.File()
	a := k.p.Close()
	require.False(k.t, k.p.Pending())
	require.Zero(k.t, k.p.PendingBytes())
	require.Nil(k.t, k.p.File())
	k.records = append(k.records, a)
	if open == nil {
		require.Equal(k.t, &journal.Added{Groups: a.Groups, Links: a.Links, Released: a.Released}, a)
		return
	}
	k.files = append(k.files, a)
	require.Same(k.t, open, a.Payload)
	require.EqualValues(k.t, len(k.files), a.File)
	require.Less(k.t, a.After, a.File)
	require.Equal(k.t, a.Payload.MinSeq(), a.Low)
	require.Equal(k.t, a.Payload.Kinds(a.Payload.All()), a.Kinds)
	require.LessOrEqual(k.t, sizeOf(a.Payload)+item.Frame, size, "the size that was expected is the largest")
	if a.Payload.Count() > 1 {
		require.LessOrEqual(k.t, sizeOf(a.Payload), k.feed.maxBytes)
	}
}

// sizeOf returns the number of bytes of the items and the commas between them.
func sizeOf(f *item.File) (n int) {
	for s := range item.Sections {
		for i := range f.Len(s) {
			n += len(f.Entry(s, i)) + min(i, 1)
		}
	}
	return n
}

// held returns what waits by the records.
func (k *packed) held() (waiting []journal.Deferred) {
	released := make(map[int64]bool)
	for _, a := range k.records {
		waiting = append(waiting, a.Links...)
		for _, index := range a.Released {
			require.False(k.t, released[index], "each is released once")
			released[index] = true
		}
	}
	for i, d := range waiting {
		require.EqualValues(k.t, i, d.Index)
	}
	return slices.DeleteFunc(waiting, func(d journal.Deferred) bool { return released[d.Index] })
}

// takeOver goes on with a new packer that has the records only.
func (k *packed) takeOver() {
	old := k.p
	k.p = k.packer()
	k.p.Deferred, k.p.Links = old.Deferred, old.Links
	for _, a := range k.records {
		for _, h := range a.Groups {
			k.p.Restore(h, a.File)
		}
	}
	for _, d := range k.held() {
		require.NoError(k.t, k.p.Hold(d))
	}
	require.Equal(k.t, old.Held(), k.p.Held())
	_, err := old.Discard()
	require.NoError(k.t, err)
}

func (k *packed) packer() *Packer {
	p := New([]byte("seed"))
	p.Keep = k.keep
	p.Known = func(xid string) bool { return k.feed.known[xid] }
	return p
}

// release puts a link into a file.
func (k *packed) release(d journal.Deferred, again bool) error {
	if again {
		k.dropped[string(d.JSON)]++
		k.p.Drop(d)
		if item.KindOf(item.Associations, d.Seq) == item.Link {
			k.p.Links--
		}
		return nil
	}
	k.room(len(d.JSON) + 1)
	k.p.Link(d, k.feed.maxBytes, k.feed.maxItems)
	return nil
}

func (k *packed) send(ready func(journal.Deferred) bool) {
	if k.p.File() != nil {
		k.p.Resolve()
	}
	require.NoError(k.t, k.p.Release(ready, k.release))
	if k.p.File() != nil || k.p.Pending() {
		k.close()
	}
	if k.keep {
		low := int64(math.MaxInt64)
		for _, d := range k.held() {
			low = min(low, max(d.Seq, ^d.Seq))
		}
		require.Equal(k.t, low, k.p.Held())
	}
}

// run packs a feed.
func run(t *testing.T, f feed, keep bool, resume int) *packed {
	k := &packed{t: t, feed: f, keep: keep, dropped: make(map[string]int), resume: resume}
	k.p = k.packer()
	scratch := item.Encoded{} // of the encoder, which uses its memory again
	for seq, s := range f.steps {
		if s.early && k.p.File() != nil {
			k.p.Resolve()
		}
		if len(k.records) >= k.resume && k.p.File() == nil && !k.p.Pending() && k.resume > 0 {
			k.takeOver()
			k.resume = math.MaxInt
		}
		if s.e == nil {
			k.send(k.p.Ready)
			continue
		}
		e := *s.e
		e.JSON = append(scratch.JSON[:0], e.JSON...)
		e.Refs = append(scratch.Refs[:0], e.Refs...)
		e.Listed = append(scratch.Listed[:0], e.Listed...)
		scratch = e
		if e.Section == item.Associations {
			require.NoError(t, k.p.Associate(int64(seq), &e))
		} else {
			k.room(k.p.Need(&e))
			k.p.Add(int64(seq), &e, f.maxBytes, f.maxItems)
		}
		for i := range e.JSON {
			e.JSON[i] = '!'
		}
		clear(e.Refs)
		clear(e.Listed)
	}
	k.send(func(journal.Deferred) bool { return true })
	require.NoError(t, k.p.Err())
	require.EqualValues(t, int64(math.MaxInt64), k.p.Held())
	return k
}

// contents is what a test reads of a batch file.
type contents struct {
	Group []struct {
		XID  string
		Refs []string `json:"associatedGroupXid"`
	}
	Indicator []struct {
		Summary string
		Refs    []struct{ GroupXID string } `json:"associatedGroups"`
	}
	Association []struct {
		Type string `json:"type_1"`
		From string `json:"ref_1"`
		To   string `json:"ref_2"`
	}
}

func read(t *testing.T, f *item.File) (c contents) {
	text := bytes.Join(f.Body(f.All()), nil)
	require.NoError(t, json.Unmarshal(text, &c), "%s", text)
	require.Equal(t, len(c.Group)+len(c.Indicator)+len(c.Association), f.Count())
	for _, key := range []string{`"associatedGroupXid"`, `"associatedGroups"`} {
		for pos := range f.Count() {
			_, text, _ := f.At(pos)
			require.LessOrEqual(t, bytes.Count(text, []byte(key)), 1, "a key stands once: %s", text)
		}
	}
	return c
}

// pair returns a text for what links two ends, whichever is first.
func pair(from, to string) string { return min(from, to) + " - " + max(from, to) }

// check compares what was packed with the feed.
func (k *packed) check() {
	t := k.t
	want := make(map[string]int) // how often each reference was added
	items := make(map[string]int)
	excluded := int64(0)
	for _, s := range k.feed.steps {
		if s.e == nil {
			continue
		}
		if s.e.Section == item.Associations {
			var fields map[string]string
			require.NoError(t, json.Unmarshal(s.e.JSON, &fields))
			want[pair(fields["ref_1"], fields["ref_2"])]++
			continue
		}
		items[s.e.Name]++
		for _, xid := range s.e.Refs {
			want[pair(s.e.Name, xid)]++
		}
		for _, l := range s.e.Listed {
			if l.Excluded == "" {
				want[pair(l.Name, s.e.Name)]++
			} else {
				excluded++
			}
		}
	}
	got := make(map[string]int)
	last := make(map[string]int64) // file that a group was added to last
	deferred := int64(0)
	for _, a := range k.records {
		deferred += int64(len(a.Links))
	}
	if k.keep {
		require.Equal(t, deferred, k.p.Deferred)
		links := int64(0)
		for _, a := range k.files {
			links += a.Kinds[item.Link]
		}
		require.Equal(t, links+excluded, k.p.Links, "without those that were dropped")
	}
	for _, a := range k.files {
		c := read(t, a.Payload)
		here := make(map[string]int) // index of a group's first occurrence
		for i, g := range c.Group {
			if _, ok := here[g.XID]; !ok {
				here[g.XID] = i
			}
		}
		after := int64(0)
		refer := func(from, xid string, index int) {
			got[pair(from, xid)]++
			n, before := last[xid]
			at, ok := here[xid]
			require.True(t, ok && at <= index || before || k.feed.known[xid], "%s refers to %s, which comes later or never", from, xid)
			if !ok {
				after = max(after, n)
			}
		}
		for i, g := range c.Group {
			items[g.XID]--
			after = max(after, last[g.XID])
			for _, xid := range g.Refs {
				refer(g.XID, xid, i)
			}
		}
		for _, h := range c.Indicator {
			items[h.Summary]--
			for _, g := range h.Refs {
				refer(h.Summary, g.GroupXID, math.MaxInt)
			}
		}
		for _, l := range c.Association {
			got[pair(l.From, l.To)]++
			after = a.File - 1
		}
		require.Equal(t, after, a.After, "file %d waits for what it refers to, and for nothing else", a.File)
		for xid := range here {
			last[xid] = a.File
		}
	}
	for text, n := range k.dropped {
		var fields map[string]string
		require.NoError(t, json.Unmarshal([]byte(text), &fields))
		got[pair(fields["ref_1"], fields["ref_2"])] += n
	}
	require.Len(t, got, len(want))
	for pair, n := range want { // what an item refers to several times is in it once
		require.True(t, 0 < got[pair] && got[pair] <= n, "%s is in %d items or links, or was dropped, and not %d times", pair, got[pair], n)
	}
	for name, n := range items {
		require.Zero(t, n, "%s is sent as often as it was added", name)
	}
}

func TestReferencesAreSentOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(150) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			f := randomFeed(rand.New(rand.NewPCG(seed, 1)))
			k := run(t, f, true, 0)
			k.check()
			if len(k.held()) > 0 {
				t.Fatal("something waits")
			}

			// Another packer goes on in the same way, with no more than the records.
			resumed := run(t, f, true, 1+int(seed)%4)
			resumed.check()
			require.Equal(t, texts(k.records), texts(resumed.records))
			require.Equal(t, k.dropped, resumed.dropped)
			require.Equal(t, []int64{k.p.Deferred, k.p.Links}, []int64{resumed.p.Deferred, resumed.p.Links})

			// Records are no part of what is packed.
			unkept := run(t, f, false, 0)
			unkept.check()
			require.Equal(t, bodies(k.files), bodies(unkept.files))
			for _, a := range unkept.records {
				require.Empty(t, len(a.Groups)+len(a.Links)+len(a.Released))
			}
		})
	}
}

// texts returns records in a form that can be compared.
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

// bodies returns the files of records.
func bodies(records []*journal.Added) (texts []string) {
	for _, a := range records {
		texts = append(texts, fmt.Sprint(a.File, a.After, a.Low)+string(bytes.Join(a.Payload.Body(a.Payload.All()), nil)))
	}
	return texts
}

func TestWhereReferencesGo(t *testing.T) {
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
		want  []string // files, with what they wait for
	}{
		"a group that came before": {steps: add(group("x1"), group("x2", "x1"), host("h", "x1", "x2")),
			want: []string{`0 {"group":[{x1},{x2 x1}],"indicator":[{h x1 x2}]}`}},
		"a group that comes later carries the reference": {steps: add(group("x2", "x1"), group("x1")),
			want: []string{`0 {"group":[{x2},{x1 x2}]}`}},
		"a group that comes later than an indicator stands before it": {steps: add(host("h", "x1"), group("x1")),
			want: []string{`0 {"group":[{x1}],"indicator":[{h x1}]}`}},
		"two groups that refer to each other": {steps: add(group("x1", "x2"), group("x2", "x1")),
			want: []string{`0 {"group":[{x1},{x2 x1}]}`}},
		"a listed indicator that refers to the group": {steps: add(list(group("x1"), "h", "h"), host("h", "x1")),
			want: []string{`0 {"group":[{x1}],"indicator":[{h x1}]}`}},
		"a reference that an item has twice": {steps: add(group("x1"), group("x2", "x1", "x1"), host("h", "x2", "x1", "x2")),
			want: []string{`0 {"group":[{x1},{x2 x1}],"indicator":[{h x2 x1}]}`}},
		"references behind one that an indicator has twice": {steps: add(group("x1"), group("x2"), host("h", "x2", "x2", "x1")),
			want: []string{`0 {"group":[{x1},{x2}],"indicator":[{h x2 x1}]}`}},
		"a group that was in the owner": {steps: add(host("h", "x1")), known: []string{"x1"},
			want: []string{`0 {"indicator":[{h x1}]}`}},
		"a group that is nowhere": {steps: add(host("h", "x1")),
			want: []string{`0 {"indicator":[{h}],"association":[{h x1}]}`}},
		"a group of an earlier file": {steps: add(group("x1"), nil, host("h", "x1"), nil, host("i")),
			want: []string{`0 {"group":[{x1}]}`, `1 {"indicator":[{h x1}]}`, `0 {"indicator":[{i}]}`}},
		"a group of a later file": {steps: add(host("h", "x1"), nil, host("i"), nil, group("x1"), nil),
			want: []string{`0 {"indicator":[{h}]}`, `0 {"indicator":[{i}]}`, `2 {"group":[{x1}],"association":[{h x1}]}`}},
		"a group that is added again": {steps: add(group("x1"), nil, group("x2"), nil, group("x1")),
			want: []string{`0 {"group":[{x1}]}`, `0 {"group":[{x2}]}`, `1 {"group":[{x1}]}`}},
		"a listed indicator of the same file": {steps: add(list(group("x1"), "h", "-i"), host("h"), host("i")),
			want: []string{`0 {"group":[{x1}],"indicator":[{h x1},{i}]}`}},
		"the last of those that are equal carries it": {steps: add(list(group("x1"), "h"), host("h"), host("h")),
			want: []string{`0 {"group":[{x1}],"indicator":[{h},{h x1}]}`}},
		"a listed indicator that refers to groups itself": {steps: add(group("x1"), host("h", "x1"), host("i"), list(group("x2"), "h", "i"), list(group("x3"), "h")),
			want: []string{`0 {"group":[{x1},{x2},{x3}],"indicator":[{h x1 x2 x3},{i x2}]}`}},
		"two groups of which one comes later": {steps: add(group("x1"), host("h", "x1", "x2"), group("x2"), host("i", "x1", "x2", "x4")),
			want: []string{`0 {"group":[{x1},{x2}],"indicator":[{h x1 x2},{i x1 x2}],"association":[{i x4}]}`}},
		"a listed indicator of an earlier file": {steps: add(host("h"), nil, list(group("x1"), "h")),
			want: []string{`0 {"indicator":[{h}]}`, `1 {"group":[{x1}],"association":[{h x1}]}`}},
		"the same link twice": {steps: add(host("h", "x1"), nil, host("h", "x1"), nil, associate("h", "x1"), nil, group("x1")),
			want: []string{`0 {"indicator":[{h}]}`, `0 {"indicator":[{h}]}`, `2 {"group":[{x1}],"association":[{h x1}]}`}},
		"an association waits for both ends": {steps: add(associate("x1", "x2"), nil, group("x1"), nil, group("x2"), nil, host("h")),
			want: []string{`0 {"group":[{x1}]}`, `1 {"group":[{x2}],"association":[{x1 x2}]}`, `0 {"indicator":[{h}]}`}},
		"an association of groups that are there": {steps: add(associate("x1", "x2"), nil, host("h")), known: []string{"x1", "x2"},
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

// short returns a file in few words.
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

func TestContentsStandAtTheirGroups(t *testing.T) {
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
	require.Empty(t, p.Close().Contents, "of another file")
}

func TestALinkHasTheTypeOfAnIndicator(t *testing.T) {
	t.Parallel()
	p := New(nil)
	p.Keep = true
	p.Open(new(item.File), 1)
	g := group("x1", "x9")
	g.Type = "" // as groups are encoded
	p.Add(0, g, 1<<20, 10)
	p.Add(1, host("h", "x9"), 1<<20, 10)
	var links []string
	for _, d := range p.Close().Links {
		links = append(links, string(d.JSON))
	}
	require.ElementsMatch(t, []string{`{"ref_1":"x1","ref_2":"x9"}`, `{"type_1":"Host","ref_1":"h","ref_2":"x9"}`}, links)
}

// TestWhatIsNotTakenStays fails in the middle of Release, and goes on.
func TestWhatIsNotTakenStays(t *testing.T) {
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
		require.False(t, failed, "nothing is given after an error")
		require.EqualValues(t, 3, p.Held(), "what Release goes through counts as held")
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
		t.Fatal("the association of the groups was to stay")
	}
	require.Len(t, taken, 5)
	require.EqualValues(t, kept, p.Held())
	counts, err := p.Discard()
	require.NoError(t, err)
	require.Equal(t, [item.Kinds]int64{item.Association: 1}, counts)
	require.EqualValues(t, int64(math.MaxInt64), p.Held())
	counts, err = p.Discard()
	require.NoError(t, err)
	require.Zero(t, counts)
}

// TestSizesAreThoseOfTheLargestReferences has items whose references all go where they take most room.
func TestSizesAreThoseOfTheLargestReferences(t *testing.T) {
	t.Parallel()
	long := "x" + strings.Repeat("long", 50)
	for name, c := range map[string]struct {
		items   []*item.Encoded
		scratch int // bytes that are expected and not needed, at most
	}{
		"no references":                    {[]*item.Encoded{host("h"), group("x1")}, 0},
		"several of a list":                {[]*item.Encoded{host("h"), host("i"), host("j")}, 0},
		"references of an indicator":       {[]*item.Encoded{group("x1"), group("x2"), host("h", "x1", "x2")}, 2},
		"references of a group":            {[]*item.Encoded{group("x1"), group("x2"), group("x3", "x1", "x2")}, 120},
		"a long xid that others carry":     {[]*item.Encoded{group(long, "x1", "x2"), group("x1"), group("x2")}, 40},
		"a long xid that it refers to":     {[]*item.Encoded{group("x1", long), group(long)}, 240},
		"indicators that carry a long xid": {[]*item.Encoded{list(group(long), "h", "i"), host("h"), host("i")}, 40},
		"an indicator that carries two":    {[]*item.Encoded{list(group("x1"), "h"), list(group(long), "h"), host("h")}, 40},
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
		require.LessOrEqual(t, need-got, len(c.items)+c.scratch, name)
	}
}

// TestWhatCannotBePutAsideIsAnError fills the memory for what waits when no temporary file can be made.
func TestWhatCannotBePutAsideIsAnError(t *testing.T) {
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
	require.ErrorContains(t, err, "keep associations that wait for their groups")
	require.Equal(t, err, p.Err(), "it stays")
	require.Error(t, p.Associate(7, associate("h", "x1")))
	require.Equal(t, err, p.Err(), "the first error")

	t.Setenv("TMPDIR", good)
	p = New(nil)
	require.NoError(t, fill(p))
	require.NoError(t, p.Err())
	t.Setenv("TMPDIR", bad)
	never := func(journal.Deferred) bool { return false }
	require.ErrorContains(t, p.Release(never, nil), "keep associations that wait for their groups")
	require.Error(t, p.Err())

	t.Setenv("TMPDIR", good)
	p = New(nil)
	p.Keep = true
	p.Open(new(item.File), 1)
	p.Add(0, host("h", "x"+strings.Repeat(large, 4)), 1<<30, 10) // more than the memory for all
	a := p.Close()
	require.NotNil(t, a.Payload)
	require.Error(t, p.Err())
	require.Len(t, a.Links, 1, "another process goes on with it")
	require.Error(t, p.Associate(1, associate("h", "x1")))
	require.Empty(t, p.Close().Links, "it was not added")
}

// TestTemporaryFilesThatOthersChangeAreAnError has something in the memory for what waits that is no link.
func TestTemporaryFilesThatOthersChangeAreAnError(t *testing.T) {
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
	require.ErrorIs(t, p.Err(), errHeld, "what was not read is not there any more")

	p = New(nil)
	require.NoError(t, p.Associate(0, associate("h", "x1")))
	p.held.sorter.Close()
	_, err = p.Discard()
	require.ErrorContains(t, err, "read associations")
	require.NotErrorIs(t, err, errHeld, "the error of the sorter is another one")
}

// Names are kept for speed only, so that long ones take no memory.
func TestFewAndShortNamesAreKept(t *testing.T) {
	t.Parallel()
	p := New([]byte("seed"))
	for i := range 3 * maxNames {
		xid := fmt.Sprint("x", i)
		if i%2 == 0 {
			xid = strings.Repeat("x", 1<<15) + xid
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
