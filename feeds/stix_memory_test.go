package feeds

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/extsort"
	"github.com/threatconnect-go/threatconnect/internal/scaletest"
)

// bigBundle generates a bundle of n objects while it is read: indicators, malware, relationships before and after the
// objects that they relate, and reports with long lists of references.
type bigBundle struct {
	n, next int
	buf     bytes.Buffer
	random  *rand.Rand
}

func newBigBundle(n int) *bigBundle { return &bigBundle{n: n, random: rand.New(rand.NewPCG(1, 2))} }

func (b *bigBundle) Read(p []byte) (int, error) {
	for b.buf.Len() < len(p) && b.next <= b.n {
		b.object(b.next)
		b.next++
	}
	return b.buf.Read(p)
}

func (b *bigBundle) any(typ string) string {
	const every = 10 // types repeat with this period
	place := strings.Index("iiimrrrric", typ[:1])
	return stixID(typ, b.random.IntN(max(1, b.n/every))*every+place)
}

func (b *bigBundle) object(i int) {
	head := ",\n"
	switch i {
	case 0:
		head = `{"type":"bundle","objects":[` + "\n"
	case b.n:
		fmt.Fprint(&b.buf, "\n]}\n")
		return
	}
	b.buf.WriteString(head)
	switch i % 10 {
	case 3:
		b.buf.WriteString(stixText("malware", i, fmt.Sprintf(`,"name":"Malware %d","description":%q,"x_more":%q`, i, strings.Repeat("about ", 20), strings.Repeat("more ", 100))))
	case 4, 5, 6, 7:
		b.buf.WriteString(relationship(i, b.any("indicator"), b.any("malware")))
	case 9:
		if i%1000 != 9 {
			b.buf.WriteString(stixText("campaign", i, fmt.Sprintf(`,"name":"Campaign %d"`, i)))
			return
		}
		b.buf.WriteString(stixText("report", i, fmt.Sprintf(`,"name":"Report %d","object_refs":["%s"`, i, b.any("malware"))))
		b.buf.Truncate(b.buf.Len() - 1)
		for range 1000 {
			fmt.Fprintf(&b.buf, ",%q", b.any("indicator"))
		}
		b.buf.WriteString("]}")
	default:
		b.buf.WriteString(stixText("indicator", i, fmt.Sprintf(`,"name":"Indicator","description":%q,"labels":["malicious-activity"],"pattern":"[domain-name:value='host%d.example.com']","pattern_type":"stix"`, strings.Repeat("seen ", 60), i)))
	}
}

// peakHeap reads a feed. It returns the number of entries, the number of line errors, and the peak size of the heap.
func peakHeap(t *testing.T, o Options, in io.Reader) (entries, refused int, peak uint64) {
	t.Helper()
	runtime.GC()
	inUse := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}}
	sample := func() {
		metrics.Read(inUse)
		peak = max(peak, inUse[0].Value.Uint64()+inUse[1].Value.Uint64())
	}
	n := 0
	sampled := funcReader(func(p []byte) (int, error) {
		if n++; n%16 == 0 {
			sample()
		}
		return in.Read(p)
	})
	o.Owner, o.Feed, o.Dir = testOwner, testFeed, t.TempDir()
	f, err := Open(sampled, &o)
	require.NoError(t, err)
	for _, err := range f.All() {
		if _, ok := errors.AsType[*LineError](err); ok {
			refused++
		} else {
			require.NoError(t, err)
			entries++
		}
		if (entries+refused)%1000 == 1 {
			sample()
		}
	}
	return entries, refused, peak
}

type funcReader func([]byte) (int, error)

func (f funcReader) Read(p []byte) (int, error) { return f(p) }

// repeated returns a reader of n copies of text.
func repeated(text string, n int) io.Reader {
	var left string
	return funcReader(func(p []byte) (size int, err error) {
		for size < len(p) && (left != "" || n > 0) {
			if left == "" {
				left, n = text, n-1
			}
			copied := copy(p[size:], left)
			size, left = size+copied, left[copied:]
		}
		if size == 0 {
			err = io.EOF
		}
		return size, err
	})
}

// fewer returns scaletest.N(n), or n/100 with -short. It is for inputs that do not have to exceed a limit: with -short,
// even n/20 would stay far below the bounds of memory and temporary files.
func fewer(n int) int { return scaletest.Short(n/100, scaletest.N(n)) }

// Memory tests are not parallel because all tests share the heap.
func TestSTIXMemoryIsBounded(t *testing.T) {
	n := fewer(130_000)
	b := newBigBundle(n)
	size := 0
	entries, refused, peak := peakHeap(t, Options{}, funcReader(func(p []byte) (int, error) {
		n, err := b.Read(p)
		size += n
		return n, err
	}))
	t.Logf("%d MiB: at most %d MiB of heap", size>>20, peak>>20)
	assert.Greater(t, size, 484*n)
	assert.Equal(t, n*6/10, entries)
	assert.Zero(t, refused)
	assert.Less(t, peak, uint64(32<<20))
}

func TestThreatFeedsMemoryIsBounded(t *testing.T) {
	malware := stixText("malware", 1, `,"name":"A"`)
	in := func(before, text string, n int, after string) io.Reader {
		return io.MultiReader(strings.NewReader(`{"type":"bundle","objects":[`+before), repeated(text, n), strings.NewReader(after+`]}`))
	}
	open := malware[:len(malware)-1]
	long := strings.Repeat("x", 1000)
	type input struct {
		in      io.Reader
		entries int
		refused int
	}
	check := func(name string, o Options, c input) {
		t.Run(name, func(t *testing.T) {
			entries, refused, peak := peakHeap(t, o, c.in)
			assert.Equal(t, c.entries, entries)
			assert.Equal(t, c.refused, refused)
			assert.Less(t, peak, uint64(48<<20))
		})
	}
	comparisons := fewer(maxObject/9 - 100)
	for name, c := range map[string]input{
		"white space between objects":  {in("", strings.Repeat(" \n", 500), fewer(20_000), malware), 1, 0},
		"white space in a member":      {in(open+`,"labels":[`, strings.Repeat(" \n", 500), fewer(20_000), `"one"]}`), 1, 0},
		"a string that is not needed":  {in(open+`,"x":"`, long, scaletest.N(50_000), `"}`), 1, 0},
		"a string that is too long":    {in(open+`,"description":"`, long, scaletest.N(50_000), `"}`), 0, 1},
		"a key that is not needed":     {in(open+`,"`, long, scaletest.N(50_000), `":1}`), 1, 0},
		"a string that is a reference": {in(open+`,"object_refs":["`, long, scaletest.N(50_000), `"]}`), 0, 1},
		"references":                   {in(open+`,"object_refs":["a"`, `,"`+stixID("malware", 1)+`"`, fewer(200_000), `]}`), 1, 0},
		"phases":                       {in(open+`,"kill_chain_phases":[{}`, `,{}`, maxObject/3-100, `]}`), 0, 1},
		"external references":          {in(open+`,"external_references":[{}`, `,{}`, maxElements-1, `]}`), 1, 0},
		"labels":                       {in(open+`,"labels":[""`, `,""`, maxObject/3-100, `]}`), 0, 1},
		"values other than objects":    {in(malware, `,7`, maxNameless+fewer(100_000), ""), 1, maxNameless},
		"objects without members":      {in(malware, `,{}`, maxNameless+fewer(100_000), ""), 1, maxNameless},
		"versions of one object":       {in(malware, `,`+malware, fewer(50_000), ""), 1, 0},
		"arrays that are not needed":   {in(open+`,"x":[[]`, `,[]`, fewer(2_000_000), `]}`), 1, 0},
		"comparisons of a pattern":     {in(strings.ReplaceAll(open, "malware", "indicator")+`,"pattern":"[a:b=1`, ` OR a:b=1`, comparisons, `]"}`), 0, comparisons + 1},
		"markings that are not levels": {in(malware, `,`+stixText("marking-definition", 1, `,"name":"`+long+`"`), fewer(50_000), ""), 1, 0},
		"relationships of one object":  {in(malware, `,`+relationship(1, stixID("malware", 1), stixID("malware", 1)), fewer(25_000), ""), 1, 0},
		"repeated unknown members":     {in(open, `,"x":1`, fewer(2_000_000), `}`), 1, 0},
		"members that are not text":    {in(open+`,"x":{"a":{}`, `,"b":{"c":[]}`, fewer(1_000_000), `}}`), 1, 0},
		"bundles":                      {repeated(`{"type":"bundle","objects":[]}`, fewer(200_000)), 0, 0},
	} {
		check(name, Options{Format: FormatSTIX}, c)
	}

	line := func(list, element string, n int) io.Reader {
		return io.MultiReader(strings.NewReader(`{"type":"Host","summary":"a.example","`+list+`":[`+element), repeated(","+element, n), strings.NewReader("]}\n"))
	}
	row := func(before, text string, n int) io.Reader {
		return io.MultiReader(strings.NewReader(before), repeated(text, n))
	}
	n, groups := 0, max(2*writtenGroups, scaletest.N(20_000))
	for name, c := range map[Format]map[string]input{
		FormatList: {
			"lines":           {repeated("a.example\n", fewer(100_000)), fewer(100_000), 0},
			"a line":          {repeated(long, scaletest.N(50_000)), 0, 1},
			"hosts of a line": {row("0.0.0.0", " a.co", 12_000), 12_000, 0},
			"empty lines":     {repeated("\n", fewer(10_000_000)), 0, 0},
		},
		FormatJSONLines: {
			"a text":                  {row(`{"type":"Host","summary":"`, long, scaletest.N(50_000)), 0, 1},
			"tags":                    {line("tags", `"a"`, scaletest.N(1_000_000)), 0, 1},
			"groups":                  {line("groups", `"a"`, scaletest.N(1_000_000)), 0, 1},
			"security labels":         {line("securityLabels", `"a"`, scaletest.N(1_000_000)), 0, 1},
			"attributes":              {line("attributes", `{"type":"a","value":"b"}`, max(2*maxElements, scaletest.N(150_000))), 0, 1},
			"as many tags as allowed": {line("tags", `"a"`, maxElements-1), 1, 0},
			"brackets":                {line("tags", "[", scaletest.N(1_000_000)), 0, 1},
		},
		FormatFeodo: {
			"groups": {funcReader(func(p []byte) (int, error) {
				if n++; n > groups {
					return 0, io.EOF
				}
				return copy(p, fmt.Sprintf(",192.0.2.1,443,%d%s\n", n, long[:90])), nil
			}), 2 * groups, 0},
			"a comment": {row("#", long, scaletest.N(50_000)), 0, 1},
			"columns":   {row(`,192.0.2.1,443,One`, ",", 60_000), 0, 1},
		},
	} {
		for of, c := range c {
			check(string(name)+" "+of, Options{Format: name}, c)
		}
	}
}

func TestSTIXAssociationsAreLimited(t *testing.T) {
	t.Parallel()
	var found []Entry
	var refused []*LineError
	r := &stixReader{
		records: extsort.NewLog(t.TempDir(), sortMemory),
		results: sorter{Sorter: extsort.New(t.TempDir(), sortMemory)},
		size:    1 << 30,
		xid:     readable,
		yield: func(e Entry, err error) error {
			if left, ok := errors.AsType[*LineError](err); ok {
				refused = append(refused, left)
				return nil
			}
			found = append(found, e)
			return err
		},
	}
	defer r.results.Close()
	defer r.records.Close()
	at, err := r.addRecord([]byte(stixText("report", 1, `,"name":"Report"`)))
	require.NoError(t, err)
	report := stixVersion{seq: 1, kind: stixReport, line: 2, record: at, id: stixID("report", 1)}
	require.NoError(t, r.start(&report))
	for n := 0; n <= maxAssociations && err == nil; n++ {
		err = r.link(&report, &stixVersion{seq: int64(2 + n), kind: stixGroup, id: stixID("malware", n)})
	}
	require.NoError(t, err)
	require.NoError(t, r.entries())
	require.Len(t, found, 1)
	assert.Len(t, groupIn(found[0]).Meta().GroupXIDs, maxAssociations)
	assert.Equal(t, []string{"2 is associated with more than 50000 groups; the others are left out"}, stixRules(refused))
}

func TestSTIXMarkingsAreLimited(t *testing.T) {
	t.Parallel()
	var objects []string
	for i := range maxLabels {
		objects = append(objects, stixText("marking-definition", i, `,"name":"TLP:RED"`))
	}
	_, refused := mustReadSTIX(t, bundleOf(objects...))
	assert.Len(t, refused, len(stixTLP()))
	assert.Equal(t, "is one of too many marking definitions", refused[0].Rule)
}
