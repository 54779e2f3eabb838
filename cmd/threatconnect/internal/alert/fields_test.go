package alert

import (
	"bytes"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/canon"
	"github.com/threatconnect-go/threatconnect/ioc"
)

func TestParse(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		name   string
		in     string
		fields fields
		want   alert
	}{
		{"nested names", `{"source":{"ip":"a"}}`, fields{}, alert{when: now, candidates: []candidate{{"a", "", "source.ip"}}}},
		{"names with dots", `{"source.ip":"a","event.id":7}`, fields{}, alert{id: "7", when: now, candidates: []candidate{{"a", "", "source.ip"}}}},
		{"lists on the way", `{"e":[{"x":["a","b"]},{"x":"c"},{"x":"a"}]}`, fields{indicators: []string{"e.x"}},
			alert{when: now, candidates: []candidate{{"a", "", "e.x"}, {"b", "", "e.x"}, {"c", "", "e.x"}}}},
		{"other names are not read when some are given", `{"source":{"ip":"a"},"y":"b"}`, fields{indicators: []string{"y"}},
			alert{when: now, candidates: []candidate{{"b", "", "y"}}}},
		{"a list of values and objects", `{"indicators":["a",{"type":"Mutex","value":"m"},{"value":" "},5,null]}`, fields{},
			alert{when: now, candidates: []candidate{{"a", "", "indicators"}, {"m", "Mutex", "indicators"}}}},
		{"a date", `{"@timestamp":"2026-05-31T01:02:03+02:00"}`, fields{}, alert{when: time.Date(2026, 5, 30, 23, 2, 3, 0, time.UTC)}},
		{"seconds", `{"time":1767600000.5}`, fields{}, alert{when: time.Unix(1767600000, 0)}},
		{"milliseconds", `{"time":1767600000123}`, fields{}, alert{when: time.Unix(1767600000, 0)}},
		{"a date in the future", `{"time":"2099-01-01T00:00:00Z"}`, fields{}, alert{when: now}},
		{"named fields", `{"id":1,"n":{"a":"i","b":"t","c":0}}`, fields{id: "n.a", title: "n.b", time: "n.c"}, alert{id: "i", title: "t", when: now}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := parse([]byte(tc.in), &tc.fields, now)
			require.NoError(t, err)
			assert.True(t, tc.want.when.Equal(got.when), "%s", got.when)
			got.when, got.digest = tc.want.when, ""
			assert.Equal(t, &tc.want, got)
		})
	}
}

func TestName(t *testing.T) {
	t.Parallel()
	name := func(in string) string {
		a, err := parse([]byte(strings.TrimSpace(in)), &fields{}, time.Now())
		require.NoError(t, err)
		return a.name()
	}
	assert.Equal(t, "Beacon seen (7)", name(`{"id":7,"title":"Beacon, seen"}`))
	assert.Equal(t, "Alert (7)", name(`{"id":7,"title":"\u0000"}`))
	assert.Equal(t, "A B [31mC (7)", name(`{"id":7,"title":"A\u202e\u200bB\u001b[31mC\ufeff"}`))
	assert.Equal(t, name(`{"title":"a"}`), name(`{"title":"a"} `))
	assert.NotEqual(t, name(`{"title":"a","x":1}`), name(`{"title":"a","x":2}`), "the content distinguishes alerts without an ID")
	assert.Equal(t, name(`{"id":"1) (2","title":"A"}`), name(`{"id":"1) (2","title":"A","x":1}`))
	assert.Equal(t, "A (INC 42)", name(`{"id":"INC 42","title":"A"}`))
	assert.Equal(t, "A ("+strings.Repeat("i", 50)+")", name(`{"id":"`+strings.Repeat("i", 50)+`","title":"A"}`))
	assert.Regexp(t, `^A \(i{33}…[0-9a-f]{16}\)$`, name(`{"id":"`+strings.Repeat("i", 51)+`","title":"A"}`))
	assert.Regexp(t, `^A \(1\) \(2…[0-9a-f]{16}\)$`, name(`{"id":"1) (2","title":"A"}`))
	assert.NotEqual(t, name(`{"id":"1) (2","title":"A"}`), name(`{"id":"2","title":"A (1)"}`))
	long := name(`{"id":"` + strings.Repeat("i", 99) + `","title":"` + strings.Repeat("ü", 200) + `"}`)
	assert.Len(t, []rune(long), maxName)
	assert.Contains(t, long, "ü… (iii")
}

// Events of alerts with different IDs have different names, and so do names without a title.
func TestThreatAlertIDsHaveDistinctEventNames(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	const odd = "()…, \u00a0\t\x00\xff\u202eé#a0"
	prefixes := []string{
		"", "A", "1) (", "SOC-1001", "ü", "arn:aws:guardduty:us-east-1:123456789012:detector/12abc34d567e8fa901bc2d34e56789f0/finding/",
		strings.Repeat("i", 32), strings.Repeat("i", 33), strings.Repeat("i", 49), strings.Repeat("i", 50), strings.Repeat("é", 50), strings.Repeat("i", 200),
	}
	titles := []string{"Alert", "A", "A (1)", "A (1) (SOC-1001", strings.Repeat("ü", 101)}
	names := map[string]string{} // name to alert ID
	ids := map[string]bool{}
	add := func(id string) string {
		a := alert{id: id, title: titles[random.IntN(len(titles))]}
		name := a.name()
		if other, ok := names[name]; ok && other != id {
			require.Failf(t, "equal names", "%q and %q have the name %q", other, id, name)
		}
		if utf8.RuneCountInString(name) > maxName || strings.ContainsFunc(name, func(r rune) bool { return r == ',' || !unicode.IsPrint(r) }) {
			require.Failf(t, "invalid name of a group", "%q", name)
		}
		plain := a.plainName()
		if other, ok := names[plain]; ok && other != id {
			require.Failf(t, "equal names", "%q and %q have the name %q", other, id, plain)
		}
		names[name], names[plain], ids[id] = id, id, true
		return name
	}
	for len(ids) < 20_000 {
		id := prefixes[random.IntN(len(prefixes))]
		for range random.IntN(4) {
			if random.IntN(2) == 0 {
				id += strconv.Itoa(random.IntN(1000))
			} else {
				i := random.IntN(len(odd))
				id += odd[i : i+1+random.IntN(len(odd)-i)]
			}
		}
		if id == "" {
			continue
		}
		name := add(id)
		if len(ids)%10 == 0 {
			add(name[strings.LastIndex(name, " (")+2 : len(name)-1]) // an ID that looks like the end of another name
		}
	}
}

// The client accepts the name of an event, also in a filter, whatever characters are in the title and the ID.
func TestEventNamesAreValidForAnyCharacter(t *testing.T) {
	t.Parallel()
	const some = 8 // characters that fit into an ID without truncation
	for first := rune(0); first <= unicode.MaxRune; first += some {
		var text string
		for r := range rune(some) {
			text += string(first + r)
		}
		a := alert{id: "1" + text + "2", title: "a" + text + "b", digest: strings.Repeat("0", 64)}
		name := a.name()
		if clean, err := canon.Name("name", name, maxName); err != nil || clean != name || strings.Contains(name, ",") {
			require.Failf(t, "invalid name of a group", "%U and the next %d: %q: %v", first, some-1, name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sampleAlert))
	f.Add([]byte(`{"indicators":[[[["a"]]]],"id":-0,"title":"\u0000,\ud800","time":1e99}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := parse(bytes.TrimSpace(b), &fields{}, time.Now())
		if err != nil {
			return
		}
		name := a.name()
		require.LessOrEqual(t, len([]rune(name)), maxName)
		require.NotEmpty(t, name)
		require.False(t, strings.ContainsFunc(name, func(r rune) bool { return r == ',' || !unicode.IsPrint(r) }), "%q", name)
		require.LessOrEqual(t, len(a.candidates), maxCandidates)
		h := &handler{exclusions: &ioc.Exclusions{}}
		for _, v := range h.recognize(a.candidates) {
			require.True(t, v.Decision == refuse || v.Decision == "" && v.ind != nil)
		}
	})
}
