package feeds

import (
	"bufio"
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/scaletest"
)

// modelObject is a STIX object of a random feed.
type modelObject struct {
	typ, id        string
	day            int // of the modification, from 0
	revoked, bad   bool
	source, target string
	refs           []string
}

func (o *modelObject) String() string {
	rest := fmt.Sprintf(`,"name":"%s %d","pattern":"[mutex:name='%s %d']","revoked":%t`, o.id, o.day, o.id, o.day, o.revoked)
	if o.bad {
		rest = `,"name":" ","labels":7`
	}
	if o.source != "" {
		rest += fmt.Sprintf(`,"source_ref":%q,"target_ref":%q`, o.source, o.target)
	}
	refs := ""
	if o.refs != nil {
		refs = fmt.Sprintf(`"object_refs":["%s"],`, strings.Join(o.refs, `","`))
	}
	modified := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, o.day).Format(time.RFC3339)
	return fmt.Sprintf(`{%s"modified":%q,"id":%q,"type":%q%s}`, refs, modified, o.id, o.typ, rest)
}

// randomObjects returns n objects. Versions of an object have different modification dates.
func randomObjects(random *rand.Rand, n int) []*modelObject {
	types := []string{"indicator", "indicator", "malware", "campaign", "report", "identity", "note", "relationship", "relationship", "relationship"}
	id := func() string {
		typ := types[random.IntN(len(types))]
		return stixID(typ, random.IntN(n/4+1))
	}
	var all []*modelObject
	for range n {
		o := &modelObject{id: id(), revoked: random.IntN(8) == 0, bad: random.IntN(8) == 0}
		o.typ, _, _ = strings.Cut(o.id, "--")
		for i := range all {
			if all[i].id == o.id {
				o.day++
			}
		}
		switch o.typ {
		case "relationship":
			o.source, o.target = id(), id()
		case "report", "note", "campaign": // only the references of a report are read
			o.refs = []string{}
			for range 1 + random.IntN(10) {
				o.refs = append(o.refs, id())
			}
		}
		all = append(all, o)
	}
	return all
}

// model returns the expected entries of a feed, with their groups, and the expected errors, all sorted.
func model(objects []*modelObject) []string {
	newest := map[string]*modelObject{}
	for _, o := range objects {
		if old := newest[o.id]; old == nil || o.day > old.day {
			newest[o.id] = o
		}
	}
	var out []string
	kind := func(o *modelObject) string {
		switch {
		case o.typ == "identity" || o.typ == "relationship" || o.typ == "note" || o.revoked || o.bad:
			return ""
		case o.typ == "indicator":
			return "indicator"
		}
		return "group"
	}
	links := map[string][]string{}
	link := func(a, b string) {
		if kind(newest[b]) == "indicator" {
			a, b = b, a
		}
		if a != b && kind(newest[a]) != "" && kind(newest[b]) == "group" && !slices.Contains(links[a], "stix/"+b) {
			links[a] = append(links[a], "stix/"+b)
		}
	}
	for _, o := range newest {
		refuse := func(rule string) { out = append(out, o.id+": "+rule) }
		switch {
		case o.typ == "note":
			refuse("is of a type that is not imported")
		case o.typ == "identity":
		case o.bad:
			refuse("labels has another JSON type than STIX requires")
		case o.typ == "relationship" && !o.revoked:
			if newest[o.source] == nil || newest[o.target] == nil {
				refuse("relates objects that the feed does not have")
			} else {
				link(o.source, o.target)
			}
		case o.typ == "relationship":
		case o.revoked:
			refuse("is revoked")
		case o.typ == "report":
			missing := false
			for _, ref := range o.refs {
				switch {
				case strings.HasPrefix(ref, "relationship--"):
				case newest[ref] == nil:
					missing = true
				default:
					link(o.id, ref)
				}
			}
			if missing {
				refuse("refers to objects that the feed does not have")
			}
		}
	}
	for _, o := range newest {
		if kind(o) != "" {
			slices.Sort(links[o.id])
			out = append(out, fmt.Sprint(o.id, " ", o.day, " ", links[o.id]))
		}
	}
	slices.Sort(out)
	return out
}

// described formats entries and errors like model.
func described(found []Entry, refused []*LineError) []string {
	var out []string
	for _, e := range refused {
		out = append(out, e.Object+": "+e.Rule)
	}
	for _, e := range found {
		switch item := e.Item.(type) {
		case threatconnect.Indicator:
			slices.Sort(item.Meta().GroupXIDs)
			out = append(out, fmt.Sprint(item.Summary(), " ", item.Meta().GroupXIDs))
		case threatconnect.Group:
			slices.Sort(item.Meta().GroupXIDs)
			out = append(out, fmt.Sprint(item.Meta().Name, " ", item.Meta().GroupXIDs))
		}
	}
	slices.Sort(out)
	return out
}

// The entries are those of a model that keeps everything in memory, regardless of the order of the objects and of their
// distribution over bundles.
func TestSTIXMatchesModel(t *testing.T) {
	t.Parallel()
	for seed := range scaletest.N(uint64(40)) {
		random := rand.New(rand.NewPCG(seed, 1))
		objects := randomObjects(random, []int{4, 20, 100, 400}[seed%4])
		want := model(objects)
		for range 3 {
			random.Shuffle(len(objects), func(i, j int) { objects[i], objects[j] = objects[j], objects[i] })
			var b strings.Builder
			b.WriteString(`{"type":"bundle","objects":[`)
			place := map[string]int{}
			for i, o := range objects {
				if i > 0 && random.IntN(10) == 0 {
					b.WriteString("]}" + []string{"", "\n"}[random.IntN(2)] + `{"objects":[`)
				} else if i > 0 {
					b.WriteString(",")
				}
				b.WriteString("\n" + o.String())
				place[fmt.Sprintf("%s %d", o.id, o.day)] = strings.Count(b.String(), "\n") + 1
			}
			found, refused := mustReadSTIX(t, b.String()+"]}")
			got := described(found, refused)
			for i := range max(len(want), len(got)) {
				require.True(t, i < len(want) && i < len(got), "seed %d: %d entries and errors, want %d", seed, len(got), len(want))
				require.Equal(t, want[i], got[i], "seed %d", seed)
			}
			assert.True(t, slices.IsSortedFunc(found, func(a, b Entry) int {
				_, first := a.Item.(threatconnect.Indicator)
				_, second := b.Item.(threatconnect.Indicator)
				return cmp.Or(cmp.Compare(map[bool]int{true: 1}[first], map[bool]int{true: 1}[second]), cmp.Compare(a.Line, b.Line))
			}), "groups before indicators, each in the order of the feed")
			for _, e := range found {
				fields := strings.Fields(shown([]Entry{e})[0])
				require.Equal(t, place[strings.Join(fields[len(fields)-2:], " ")], e.Line)
			}
		}
	}
}

// bundleForFiles returns a bundle of 230 entries, with more than sortMemory of text and of references.
func bundleForFiles() string {
	const tools, reports = 120, 110
	var objects, refs []string
	for i := range tools {
		objects = append(objects, stixText("tool", i, `,"name":"Tool"`))
		refs = append(refs, strconv.Quote(stixID("tool", i)))
	}
	rest := `,"name":"Report","description":"` + strings.Repeat("about ", 1700) + `","object_refs":[` + strings.Join(refs, ",") + "]"
	for i := range reports {
		objects = append(objects, stixText("report", i, rest))
	}
	return bundleOf(objects...)
}

func TestSTIXRemovesTemporaryFiles(t *testing.T) {
	t.Parallel()
	text := bundleForFiles()
	for _, c := range []struct {
		at    int // number of entries
		leave string
	}{{1, "break"}, {1, "panic"}, {150, "break"}, {150, "panic"}, {150, "end"}} {
		dir := t.TempDir()
		n := 0
		func() {
			defer func() { assert.Equal(t, c.leave == "panic", recover() != nil) }()
			for _, err := range stix(bufio.NewReader(strings.NewReader(text)), readable, dir) {
				require.NoError(t, err)
				if n++; n != c.at {
					continue
				}
				files, size := tempFiles(t, dir)
				if _, err := os.Stat("/proc/self/fd"); err == nil {
					assert.GreaterOrEqual(t, files, 2, "files of objects and associations")
					assert.Positive(t, size)
				}
				if c.leave == "panic" {
					panic(c.leave)
				}
				if c.leave == "break" {
					break
				}
			}
		}()
		assert.GreaterOrEqual(t, n, c.at)
		requireEmpty(t, dir)
	}

	dir := t.TempDir()
	var last error
	for _, err := range stix(bufio.NewReader(strings.NewReader(text[:len(text)-4])), readable, dir) {
		require.ErrorIs(t, err, ErrFormat)
		last = err
	}
	require.Error(t, last)
	requireEmpty(t, dir)
}

func TestSTIXReportsErrorsOfTemporaryFiles(t *testing.T) {
	t.Parallel()
	n := 0
	var last error
	for _, err := range stix(bufio.NewReader(strings.NewReader(bundleForFiles())), readable, t.TempDir()+"/missing") {
		last = err
		n++
	}
	assert.Equal(t, 1, n)
	assert.ErrorContains(t, last, "temporary file")
	assert.NotErrorIs(t, last, ErrFormat)
}
