package attribute

import (
	"bytes"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/importer/item"
	"github.com/threatconnect-go/threatconnect/internal/scaletest"
	"github.com/threatconnect-go/threatconnect/internal/wire"
)

func TestFindItemOfError(t *testing.T) {
	t.Parallel()
	var c item.File
	c.Add(item.Indicators, 4, []byte(`{"type":"Host","summary":"a.example"}`))
	c.Add(item.Indicators, 5, []byte(`{"type":"File","summary":"AA : BB","xid":"i-1"}`))
	c.Add(item.Indicators, 6, []byte(`{"type":"Host","summary":"a.example"}`))
	c.Add(item.Indicators, 7, []byte(`{"type":"User Agent","summary":"Some Browser 1.0"}`))
	c.Add(item.Groups, 1, []byte(`{"name":"a.example","type":"Threat","xid":"x-1"}`))
	c.Add(item.Groups, 2, []byte(`{"name":"n","type":"Threat","xid":"x-2"}`))
	c.Add(item.Associations, ^int64(4), []byte(`{"type_1":"Host","ref_1":"a.example","ref_2":"x-9"}`))
	const g, i, a = 0, 2, 6 // first position of each list
	for name, find := range map[string]struct {
		e    Entry
		want int
	}{
		"by xid":                     {Entry{Source: Source{XID: "x-2"}}, g + 1},
		"by an indicator's xid":      {Entry{Source: Source{Refs: []string{"i-1"}}}, i + 1},
		"by summary":                 {Entry{Source: Source{Refs: []string{"A.Example"}}}, i},
		"by summary with type":       {Entry{Source: Source{Refs: []string{"Host: a.example"}}}, i},
		"by doubled spaces":          {Entry{Source: Source{Refs: []string{"AA  :  BB"}}}, i + 1},
		"by one hash":                {Entry{Source: Source{Refs: []string{"bb"}}}, i + 1},
		"by path":                    {Entry{Reason: "Encountered an unexpected Exception while processing batch job. Last known JSON path: '$.indicator[3].rating': Last processed indicator[3] 'b'."}, i + 3},
		"by path in a group":         {Entry{Reason: "Last known JSON path: '$.group[1]'"}, g + 1},
		"by path in a V1 file":       {Entry{Reason: "Last known JSON path: '$[2]'"}, i + 2},
		"by words in quotes":         {Entry{Reason: `Value 'Some Browser 1.0' is bad`}, i + 3},
		"by a word":                  {Entry{Code: CodeIndicator, Reason: "Host a.example is not valid."}, i},
		"by the other end of a link": {Entry{Code: CodeAssociation, Reason: "The Group with xid 'x-9' was not found"}, a},
		"by both ends of a link":     {Entry{Code: CodeNotFound, Reason: "The Group with xid 'x-9' was not found", Source: Source{Refs: []string{"a.example"}}}, a},
		"not by an end of a link that is also an item":      {Entry{Code: CodeNotFound, Source: Source{Refs: []string{"a.example"}}}, -1},
		"not by a word that may be an indicator or a group": {Entry{Reason: "a.example is not valid."}, -1},
		"not by a path in other words":                      {Entry{Reason: "Broken at $.indicator[3].rating", Cause: "at path $.group[1]"}, -1},
		"not by a path after other words":                   {Entry{Reason: "User Agent Last known JSON path: '$.indicator[3]' is not valid"}, -1},
		"not at all":                                        {Entry{Reason: "Something happened"}, -1},
		"not by a path beyond the list":                     {Entry{Reason: "Last known JSON path: '$.indicator[9]'"}, -1},
	} {
		m := New(&c, c.All())
		pos, ok := m.Find(&find.e)
		if find.want < 0 {
			assert.False(t, ok, name)
			continue
		}
		assert.True(t, ok, name)
		assert.Equal(t, find.want, pos, name)
	}

	var links item.File
	for n, to := range []string{"x-2", "x-3", "x-2"} {
		links.Add(item.Associations, int64(n), []byte(`{"ref_1":"x-1","ref_2":"`+to+`"}`))
	}
	links.Add(item.Associations, 3, []byte(`{"ref_1":"x-2","ref_2":"x-4"}`))
	ends := New(&links, links.All())
	for _, want := range []int{1, 0, 2, 3} {
		to := map[int]string{0: "x-2", 1: "x-3", 2: "x-2", 3: "x-4"}[want]
		from := map[bool]string{true: "x-2", false: "x-1"}[want == 3]
		pos, ok := ends.Find(&Entry{Code: CodeNotFound, Reason: "The Group with xid '" + to + "' was not found", Source: Source{Refs: []string{from}}})
		assert.True(t, ok)
		assert.Equal(t, want, pos, "an association is found by both ends")
	}

	m := New(&c, c.All())
	e := Entry{Code: CodeIndicator, Source: Source{Refs: []string{"a.example"}}}
	var found []int
	for range 2 {
		pos, _ := m.Find(&e)
		found = append(found, pos)
	}
	assert.Equal(t, []int{i, i + 2}, found, "the same value twice is two items")

	half := New(&c, item.Part{From: 3, To: 5})
	pos, ok := half.Find(&Entry{Reason: "Last known JSON path: '$.indicator[0]'"})
	assert.True(t, ok)
	assert.Equal(t, 3, pos, "paths count from the start of the uploaded file")
	_, ok = half.Find(&Entry{Source: Source{XID: "x-1"}})
	assert.False(t, ok, "the item is not in the part")
}

// TestFindDoesNotReturnOtherItems checks errors that seem to name an innocent item because of a
// value in a feed, which an attacker may have chosen.
func TestFindDoesNotReturnOtherItems(t *testing.T) {
	t.Parallel()
	const nobody = -1
	long := strings.Repeat("x", 1<<10)
	for name, c := range map[string]struct {
		groups, indicators, links []string
		err                       Entry
		want                      int // position in the file
	}{
		"a value of another type": {
			indicators: []string{`{"type":"Mutex","summary":"evil.example"}`, `{"type":"Host","summary":"evil.example"}`},
			err:        Entry{Code: "0x1005", Reason: "no", Source: Source{Type: "Host", Refs: []string{"evil.example"}}}, want: 1},
		"a value of two types, and a source without a type": {
			indicators: []string{`{"type":"Mutex","summary":"evil.example"}`, `{"type":"Host","summary":"evil.example"}`},
			err:        Entry{Code: "0x1005", Reason: "no", Source: Source{Refs: []string{"evil.example"}}}, want: nobody},
		"a value that looks like a type and another value": {
			indicators: []string{`{"type":"Mutex","summary":"Host: evil.example"}`, `{"type":"Host","summary":"evil.example"}`},
			err:        Entry{Code: "0x1005", Reason: "no", Source: Source{Refs: []string{"Host: evil.example"}}}, want: nobody},
		"letter case": {
			indicators: []string{`{"type":"URL","summary":"http://e.example/A"}`, `{"type":"URL","summary":"http://e.example/a"}`},
			err:        Entry{Code: "0x2001", Reason: "no", Source: Source{Type: "URL", Refs: []string{"http://e.example/a"}}}, want: 1},
		"letter case changed by the platform": {
			indicators: []string{`{"type":"Host","summary":"b.example"}`, `{"type":"EmailAddress","summary":"A@e.example"}`},
			err:        Entry{Code: "0x2001", Reason: "no", Source: Source{Refs: []string{"a@e.example"}}}, want: 1},
		"letter case changed by the platform, two candidates": {
			indicators: []string{`{"type":"Hashtag","summary":"#One"}`, `{"type":"Hashtag","summary":"#ONE"}`},
			err:        Entry{Code: "0x2001", Reason: "no", Source: Source{Refs: []string{"#one"}}}, want: nobody},
		"letter case in words": {
			indicators: []string{`{"type":"Mutex","summary":"Global\\A"}`, `{"type":"Mutex","summary":"GLOBAL\\a"}`},
			err:        Entry{Code: "0x2001", Reason: `'GLOBAL\a' no`}, want: nobody},
		"a value that is a word of the message": {
			indicators: []string{`{"type":"Mutex","summary":"invalid"}`, `{"type":"User Agent","summary":"My Agent 1.0 (x)"}`},
			err:        Entry{Code: "0x1005", Reason: "The User Agent My Agent 1.0 (x) is invalid"}, want: nobody},
		"a part of a longer value": {
			indicators: []string{`{"type":"Mutex","summary":"foo"}`, `{"type":"Mutex","summary":"foo bar"}`},
			err:        Entry{Code: "0x1005", Reason: "Please enter a valid Mutex: foo bar (too long)"}, want: nobody},
		"a value that starts with the name of a type": {
			indicators: []string{`{"type":"Mutex","summary":"Host a.example"}`, `{"type":"Host","summary":"a.example"}`},
			err:        Entry{Code: "0x1005", Reason: "Host a.example is not valid"}, want: nobody},
		"a value in words, in other letter case": {
			indicators: []string{`{"type":"Host","summary":"b.example"}`, `{"type":"Mutex","summary":"Global\\A  b"}`},
			err:        Entry{Code: "0x1005", Reason: `The Mutex global\a b is not valid`}, want: 1},
		"an apostrophe": {
			indicators: []string{`{"type":"Mutex","summary":"it"}`, `{"type":"Email Subject","summary":"it's you"}`},
			err:        Entry{Code: "0x1005", Reason: "The subject it's you is bad for 'it'"}, want: nobody},
		"an apostrophe in a value in words": {
			indicators: []string{`{"type":"Mutex","summary":"x"}`, `{"type":"Email Subject","summary":"it's you"}`},
			err:        Entry{Code: "0x1005", Reason: "The subject 'it's you' is bad"}, want: 1},
		"a value that looks like a JSON path": {
			indicators: []string{`{"type":"Host","summary":"good.example"}`, `{"type":"URL","summary":"http://e.example/?$[0]"}`},
			err:        Entry{Code: "0x1005", Reason: `"http://e.example/?$[0]" is bad`, Source: Source{Type: "URL", Refs: []string{"http://e.example/?$[0]"}}}, want: 1},
		"a value that looks like a path message": {
			indicators: []string{`{"type":"Host","summary":"good.example"}`, `{"type":"Mutex","summary":"Last known JSON path: '$.indicator[0]'"}`},
			err:        Entry{Code: "0x1005", Reason: "Last known JSON path: '$.indicator[0]' is no Mutex", Source: Source{Refs: []string{"Last known JSON path: '$.indicator[0]'"}}}, want: 1},
		"an apostrophe in a source": {
			indicators: []string{`{"type":"Mutex","summary":"it"}`, `{"type":"Email Subject","summary":"it's you"}`},
			err:        Entry{Code: "0x1005", Reason: "no", Source: Source{Refs: []string{"it's you"}}}, want: 1},
		"a message that begins with such a value": {
			indicators: []string{`{"type":"Host","summary":"good.example"}`, `{"type":"Mutex","summary":"Last known JSON path: '$.indicator[0]'"}`},
			err:        Entry{Code: "0x1001", Reason: "Last known JSON path: '$.indicator[0]' is no Mutex"}, want: 1},
		"a value that is all punctuation": {
			indicators: []string{`{"type":"Mutex","summary":"?"}`},
			err:        Entry{Code: "0x1005", Reason: "Is this one valid: '?'"}, want: nobody},
		"a value after a line break": {
			groups:     []string{`{"name":"n","type":"Threat","xid":"x-1"}`},
			indicators: []string{`{"type":"Host","summary":"a.example","xid":"x-1"}`},
			err:        Entry{Code: "0x1001", Cause: "\nx-1"}, want: nobody},
		"a description with a line break that repeats another value": {
			indicators: []string{`{"type":"Mutex","summary":"foo bar"}`, `{"type":"Mutex","summary":"m","description":"foo\nbar"}`},
			err:        Entry{Code: "0x2001", Reason: "Please enter a valid Description: 'foo\nbar'"}, want: nobody},
		"a value that is a separator": {
			indicators: []string{`{"type":"Coin","value1":"","value2":""}`},
			err:        Entry{Code: "0x1005", Reason: "Coin : no"}, want: nobody},
		"an attribute that repeats another value": {
			indicators: []string{`{"type":"Host","summary":"good.example"}`, `{"type":"Host","summary":"bad.example","attribute":[{"type":"Good.example","value":"x"}]}`},
			err:        Entry{Code: "0x2001", Reason: "The Attribute type 'good.example' is unknown"}, want: nobody},
		"a source outside the file, and the value of an item in words": {
			indicators: []string{`{"type":"Host","summary":"good.example"}`},
			err:        Entry{Code: "0x1005", Reason: "good.example is bad", Source: Source{Refs: []string{"http://good.example/"}}}, want: nobody},
		"an xid shared with another item": {
			indicators: []string{`{"type":"Host","summary":"good.example","xid":"i-1"}`, `{"type":"Host","summary":"bad.example","xid":"i-1"}`},
			err:        Entry{Code: "0x1005", Reason: "no", Source: Source{Type: "Host", XID: "i-1", Refs: []string{"bad.example"}}}, want: 1},
		"a shared xid, and a value changed by the platform": {
			indicators: []string{`{"type":"Host","summary":"good.example","xid":"i-1"}`, `{"type":"Host","summary":"bad.example","xid":"i-1"}`},
			err:        Entry{Code: "0x1005", Reason: "no", Source: Source{Type: "Host", XID: "i-1", Refs: []string{"[bad].example"}}}, want: nobody},
		"an xid and a value of two items": {
			indicators: []string{`{"type":"Host","summary":"good.example","xid":"i-1"}`, `{"type":"Host","summary":"bad.example","xid":"i-2"}`},
			err:        Entry{Code: "0x1005", Reason: "no", Source: Source{Type: "Host", XID: "i-1", Refs: []string{"bad.example"}}}, want: nobody},
		"labels of a custom type": {
			indicators: []string{`{"type":"Coin","Net":"btc","Wallet":"1","xid":"c-1"}`, `{"type":"Coin","Net":"btc","Wallet":"2","description":"1"}`},
			err:        Entry{Code: "0x1005", Reason: "no", Source: Source{Type: "Coin", Refs: []string{"btc : 2"}}}, want: 1},
		"values of a custom type": {
			indicators: []string{`{"type":"Coin","value1":"btc","value2":"1"}`, `{"type":"Coin","value1":"btc","value2":"2","rating":3}`},
			err:        Entry{Code: "0x1005", Reason: "no", Source: Source{Refs: []string{"btc : 2"}}}, want: 1},
		"values of a custom type that join to the same text": {
			indicators: []string{`{"type":"Coin","value1":"a : b","value2":"c"}`, `{"type":"Coin","value1":"a","value2":"b : c"}`},
			err:        Entry{Code: "0x1005", Reason: "no", Source: Source{Type: "Coin", Refs: []string{"a : b : c"}}}, want: nobody},
		"the name of a group": {
			groups:     []string{`{"name":"evil.example","type":"Incident","xid":"x-1"}`},
			indicators: []string{`{"type":"Host","summary":"evil.example"}`},
			err:        Entry{Code: "0x1006", Reason: "The status of evil.example is invalid", Source: Source{Type: "Incident", Refs: []string{"evil.example"}}}, want: 0},
		"the xid of a group, and a type": {
			groups:     []string{`{"name":"n","type":"Threat","xid":"evil.example"}`},
			indicators: []string{`{"type":"Host","summary":"evil.example"}`},
			err:        Entry{Code: "0x1001", Reason: "bad", Source: Source{Type: "Host", Refs: []string{"evil.example"}}}, want: 1},
		"the xid of a group, and a code of indicators": {
			groups:     []string{`{"name":"n","type":"Document","xid":"evil.example"}`},
			indicators: []string{`{"type":"Host","summary":"evil.example"}`},
			err:        Entry{Code: "0x2001", Reason: "saved in part", Source: Source{Refs: []string{"evil.example"}}}, want: 1},
		"the summary of an indicator, and a code of groups": {
			groups:     []string{`{"name":"n","type":"Document","xid":"evil.example"}`},
			indicators: []string{`{"type":"Host","summary":"evil.example"}`},
			err:        Entry{Code: "0x1006", Reason: "bad", Source: Source{Refs: []string{"evil.example"}}}, want: 0},
		"a link of an indicator with a wrong reference": {
			indicators: []string{`{"type":"Host","summary":"a.example","associatedGroups":[{"groupXid":"x-1"}]}`},
			links:      []string{`{"type_1":"Host","ref_1":"a.example","ref_2":"x-2"}`},
			err:        Entry{Code: "0x1009", Reason: "The Group with xid 'x-1' to associate with was not found", Source: Source{Refs: []string{"a.example"}}}, want: nobody},
		"a link of the same indicator": {
			indicators: []string{`{"type":"Host","summary":"a.example"}`},
			links:      []string{`{"type_1":"Host","ref_1":"a.example","ref_2":"x-1"}`, `{"type_1":"Host","ref_1":"a.example","ref_2":"x-11"}`},
			err:        Entry{Code: "0x1007", Reason: "The Group with xid 'x-11' to associate with was not found", Source: Source{Refs: []string{"a.example"}}}, want: 2},
		"an association of an equal value of another type": {
			links: []string{`{"type_1":"Mutex","ref_1":"a.example","ref_2":"x-1"}`, `{"type_1":"Host","ref_1":"a.example","ref_2":"x-1"}`},
			err:   Entry{Code: "0x1009", Reason: "The Group with xid 'x-1' to associate with was not found", Source: Source{Type: "Host", Refs: []string{"a.example"}}}, want: nobody},
		"an association of the same ends with another type": {
			links: []string{`{"type_1":"URL","ref_1":"u","type_2":"Host","ref_2":"h","association_type":"A"}`, `{"type_1":"URL","ref_1":"u","type_2":"Host","ref_2":"h","association_type":"B"}`},
			err:   Entry{Code: "0x1009", Reason: "The association type 'B' of 'h' is unknown", Source: Source{Refs: []string{"u"}}}, want: nobody},
		"an association with an end known only by its ID": {
			links: []string{`{"type_1":"Host","id_1":5,"ref_2":"x-1"}`, `{"type_1":"Host","id_1":6,"ref_2":"x-1"}`},
			err:   Entry{Code: "0x1007", Reason: "6 was not found", Source: Source{Refs: []string{"x-1"}}}, want: nobody},
		"an association with an ID as the other end": {
			links: []string{`{"ref_1":"x-1","type_2":"Host","id_2":5}`, `{"ref_1":"x-2","type_2":"Host","id_2":5}`},
			err:   Entry{Code: "0x1007", Reason: "5 was not found", Source: Source{Refs: []string{"x-2"}}}, want: 1},
		"the same indicator with another rating": {
			indicators: []string{`{"type":"Host","summary":"b.example"}`, `{"type":"Host","summary":"a.example","rating":1}`, `{"type":"Host","summary":"a.example","rating":2}`},
			err:        Entry{Code: "0x1005", Reason: "Host a.example is not valid"}, want: 1},
		"the same group with another name": {
			groups: []string{`{"name":"n","type":"Threat","xid":"x-1"}`, `{"name":"m","type":"Threat","xid":"x-1"}`},
			err:    Entry{Code: "0x1006", Reason: "no", Source: Source{XID: "x-1"}}, want: 0},
		"the same association twice": {
			links: []string{`{"ref_1":"x-2","ref_2":"x-1"}`, `{"ref_1":"x-2","ref_2":"x-1"}`},
			err:   Entry{Code: "0x1007", Reason: "'x-1' was not found", Source: Source{Refs: []string{"x-2"}}}, want: 0},
		"an indicator with a wrong reference": {
			indicators: []string{`{"type":"Host","summary":"a.example","associatedGroups":[{"groupXid":"x-1"}]}`},
			err:        Entry{Code: "0x1009", Reason: "The Group with xid 'x-1' to associate with was not found", Source: Source{Refs: []string{"a.example"}}}, want: 0},
		"a value longer than the stored part": {
			indicators: []string{`{"type":"Mutex","summary":"` + long + `"}`, `{"type":"Mutex","summary":"` + long + `y"}`},
			err:        Entry{Code: "0x1005", Reason: "no", Source: Source{Refs: []string{long + "y"}}}, want: 1},
		"words longer than the stored part": {
			indicators: []string{`{"type":"Mutex","summary":"q9"}`, `{"type":"Mutex","summary":"b ` + long + `"}`},
			err:        Entry{Code: "0x1005", Reason: "'q9' " + long, Cut: true}, want: nobody},
		"the same words, not truncated": {
			indicators: []string{`{"type":"Mutex","summary":"q9"}`, `{"type":"Mutex","summary":"b ` + long + `"}`},
			err:        Entry{Code: "0x1005", Reason: "'q9' " + long}, want: 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var items item.File
			for s, list := range [item.Sections][]string{c.groups, c.indicators, c.links} {
				for n, json := range list {
					items.Add(item.Section(s), int64(n), []byte(json))
				}
			}
			pos, ok := New(&items, items.All()).Find(&c.err)
			if !ok {
				pos = nobody
			}
			assert.Equal(t, c.want, pos)
		})
	}
}

// TestFindInRandomFeedsReturnsNoOtherItem generates feeds of values that contain each other
// and words of the platform, and errors of one of their items in all forms. An error must be assigned
// to that item or to none.
func TestFindInRandomFeedsReturnsNoOtherItem(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	words := []string{"good.example", "Good.Example", "foo", "foo bar", "foo  bar", "x-1", "X-1", "Host", "Mutex: foo", "Host: good.example", "it's", "it", "'it'", "a : b", "$[0]",
		"Last known JSON path: '$.indicator[0]'", "i-1", "\"foo\"", "(foo)", "foo.", `a\b`, "é", "É"}
	value := func() string {
		v := words[random.IntN(len(words))]
		for random.IntN(3) == 0 {
			v += " " + words[random.IntN(len(words))]
		}
		return v
	}
	types := []string{"Mutex", "Host", "Email Subject"}
	known := 0
	feeds := scaletest.Size(5_000)
	for range feeds {
		var items item.File
		var bad struct{ typ, value, xid, attribute string }
		n, at := 2+random.IntN(4), 0
		at = random.IntN(n)
		for i := range n {
			var w wire.Writer
			typ, v, xid, attribute := types[random.IntN(len(types))], value(), value(), value()
			if i == at {
				bad.typ, bad.value, bad.xid, bad.attribute = typ, v, xid, attribute
			}
			w.BeginObject()
			for _, field := range [][2]string{{"type", typ}, {"summary", v}, {"xid", xid}, {"description", attribute}} {
				w.Key(field[0])
				w.Text(field[1])
			}
			w.EndObject()
			items.Add(item.Indicators, int64(i), w.Buf)
		}
		said := []func(string) string{func(s string) string { return s }, strings.ToLower, folded}[random.IntN(3)]
		e := Entry{Code: CodeIndicator}
		switch random.IntN(4) {
		case 0:
			e.Source.Refs = []string{bad.value}
		case 1:
			e.Source = Source{Type: bad.typ, Refs: []string{bad.value}, XID: bad.xid}
		case 2:
			e.Source = Source{Type: bad.typ, Refs: []string{bad.value}}
		}
		switch random.IntN(4) {
		case 0:
			e.Reason = bad.typ + " " + said(bad.value) + " is not valid"
		case 1:
			e.Reason = "The value '" + said(bad.value) + "' was refused, and so was " + said(bad.attribute) + "."
		case 2:
			e.Reason = "Please enter a valid Description: " + said(bad.attribute)
		case 3:
			e.Cause = "java.lang.Exception: \"" + said(bad.attribute) + "\""
		}
		m := New(&items, items.All())
		if pos, ok := m.Find(&e); ok {
			known++
			require.Equal(t, m.identity(at), m.identity(pos), "%+v of %s", e, bytes.Join(items.Body(items.All()), nil))
		}
	}
	assert.Greater(t, known, feeds/5, "many errors are assigned")
}

// equalItems returns a file of count items, of which the first alike have the same name.
func equalItems(count, alike int) *item.File {
	var items item.File
	for n := range count {
		text := `{"type":"Mutex","summary":"a : b","description":"d"}`
		if n >= alike {
			text = `{"type":"Mutex","summary":"` + strconv.Itoa(n) + `","description":"` + strings.Repeat("ab ", 20) + `"}`
		}
		items.Add(item.Indicators, int64(n), []byte(text))
	}
	return &items
}

func TestErrorsOfEqualItemsConcernOneEach(t *testing.T) {
	t.Parallel()
	count := scaletest.N(10_000)
	for name, alike := range map[string]int{"all": count, "a few": scaletest.N(maxMatches)} {
		items := equalItems(count, alike)
		m := New(items, items.All())
		for _, c := range []struct {
			errors int
			Entry
		}{
			{scaletest.Size(1_100), Entry{Code: CodeIndicator, Source: Source{Type: "Mutex", Refs: []string{"a : b"}}}},
			{maxSearches + 100, Entry{Code: CodeIndicator, Reason: "Mutex a : b is not valid"}},
		} {
			for n := range c.errors {
				pos, ok := m.Find(&c.Entry)
				require.Equal(t, alike <= maxMatches && (n < maxSearches || c.Source.named()), ok, name)
				if ok && n < alike && c.Source.named() {
					require.Equal(t, n, pos, name)
				}
			}
		}
	}
}

func TestErrorsOfEqualItemsAreReadInLinearTime(t *testing.T) {
	e := Entry{Code: CodeIndicator, Source: Source{Type: "Mutex", Refs: []string{"a : b"}}}
	for name, alike := range map[string]func(count int) int{
		"all":   func(count int) int { return count },
		"a few": func(int) int { return maxMatches },
	} {
		t.Run(name, func(t *testing.T) {
			scaletest.RequireLinear(t, scaletest.Size(400), 8, func(n int) func() {
				items := equalItems(n, alike(n))
				return func() {
					m := New(items, items.All())
					for range n {
						m.Find(&e)
					}
				}
			})
		})
	}
}
