package pack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/importer/item"
	"github.com/threatconnect-go/threatconnect/internal/importer/journal"
)

// step adds an item or flushes.
type step struct {
	e     *item.Encoded // nil: flush
	early bool          // call Resolve in the middle of a file
}

// feed is a sequence of steps, with the groups that the owner has before.
type feed struct {
	steps    []step
	known    map[string]bool
	maxBytes int
	maxItems int
}

func group(xid string, refs ...string) *item.Encoded {
	return &item.Encoded{Section: item.Groups, Name: xid, Type: "Threat", Refs: refs, JSON: marshal(map[string]string{"name": "n", "type": "Threat", "xid": xid})}
}

func host(summary string, refs ...string) *item.Encoded {
	return &item.Encoded{Section: item.Indicators, Name: summary, Type: "Host", Refs: refs, JSON: marshal(map[string]string{"type": "Host", "summary": summary})}
}

// list adds hosts to the list of a group. A host with the prefix "-" is excluded.
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

// associate returns an association of a group with a host, or with another group if from begins with
// x.
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

// randomFeed returns a feed with references between all items.
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

// packed is the result of packing a feed.
type packed struct {
	t       *testing.T
	feed    feed
	p       *Packer
	files   []*journal.Added
	records []*journal.Added // including files
	dropped map[string]int   // number of dropped duplicate links, by JSON
	resume  int              // number of records after which another packer continues
	keep    bool
}

// room closes the open file if need bytes do not fit or it has maxItems items. It opens a file if none
// is open.
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
	require.LessOrEqual(k.t, sizeOf(a.Payload)+item.Frame, size, "Size is an upper bound")
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

// held returns the deferred links according to the records.
func (k *packed) held() (waiting []journal.Deferred) {
	released := make(map[int64]bool)
	for _, a := range k.records {
		waiting = append(waiting, a.Links...)
		for _, index := range a.Released {
			require.False(k.t, released[index], "a link is released twice")
			released[index] = true
		}
	}
	for i, d := range waiting {
		require.EqualValues(k.t, i, d.Index)
	}
	return slices.DeleteFunc(waiting, func(d journal.Deferred) bool { return released[d.Index] })
}

// takeOver continues with a new packer that has only the records.
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

// release adds a link to a file or drops it as a duplicate.
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
	scratch := item.Encoded{} // reused like the memory of the encoder
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
	require.Equal(t, int64(math.MaxInt64), k.p.Held())
	return k
}

// contents is the decoded form of a batch file.
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
			require.LessOrEqual(t, bytes.Count(text, []byte(key)), 1, "duplicate key: %s", text)
		}
	}
	return c
}

// pair returns a text for two ends in either order.
func pair(from, to string) string { return min(from, to) + " - " + max(from, to) }

// check compares the packed files with the feed.
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
	last := make(map[string]int64) // last file with the group
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
		require.Equal(t, links+excluded, k.p.Links, "Links excludes dropped links")
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
		require.Equal(t, after, a.After, "file %d must wait for the files it refers to, and for no others", a.File)
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
	for pair, n := range want { // repeated references of an item are sent once
		require.True(t, 0 < got[pair] && got[pair] <= n, "%s was sent or dropped %d times, want 1 to %d", pair, got[pair], n)
	}
	for name, n := range items {
		require.Zero(t, n, "%s must be sent as often as it was added", name)
	}
}
