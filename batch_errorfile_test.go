package threatconnect

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// scanned returns the objects that a text holds.
func scanned(text string) ([]string, error) {
	s := objectScanner{src: bufio.NewReader(iotest.OneByteReader(strings.NewReader(text)))}
	var all []string
	for {
		o, err := s.next()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, string(o))
	}
}

func TestListsOfErrorsAreReadAlsoWhenTheyAreLessThanJSON(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		`[]`:                          nil,
		` [ { "a" : 1 } , {} ] `:      {`{"a":1}`, `{}`},
		"\xef\xbb\xbf[{\"a\":\"b\"}]": {`{"a":"b"}`},
		`[{errorReason: "x", 'n': 'it"s', code: 0x1005,},]`: {`{"errorReason":"x","n":"it\"s","code":"0x1005"}`},
		`[{"a":{"b":[1,2,],},"c":null}]`:                    {`{"a":{"b":[1,2]},"c":null}`},
		`{"a":1}`:                                           {`{"a":1}`},
		"{\"a\":1}\n{\"a\":2}":                              {`{"a":1}`, `{"a":2}`},
		"[{\"a\":\"line\nbreak\"}]":                         {`{"a":"line break"}`},
		`[{"a":"\"}{\u0041"}]`:                              {`{"a":"\"}{\u0041"}`},
		`[{,"a":true,,"b":bare}]`:                           {`{"a":true,"b":"bare"}`},
	} {
		got, err := scanned(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	for text, want := range map[string]error{
		``:          errNoList,
		`busy`:      errNoList,
		`[{"a":1},`: errOpenText,
		`[{"a":1`:   errOpenText,
		`[{"a":"b`:  errOpenText,
		`[{"a":"b\`: errOpenText,
		`[`:         errOpenText,
		`[{"a":tru`: errOpenText,
		`[{"a":"` + strings.Repeat("x", 2<<20) + `"}]`: errHugeEntry,
	} {
		_, err := scanned(text)
		assert.ErrorIs(t, err, want, "%.20s", text)
	}
}

func TestEntriesOfBothListsMeanTheSame(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want jobError
	}{
		"the error file": {`{"errorReason":"Error (0x100a): Already there","errorSource":"a.example"}`,
			jobError{code: CodeDuplicate, reason: "Already there", source: sourceRef{refs: []string{"a.example"}}}},
		"the results": {`{"code":"0x1003","severity":"Error","errorReason":"com.example.Exception: x","errorMessage":"Broken at $.group[6]"}`,
			jobError{code: CodeSyntax, severity: "Error", cause: "com.example.Exception: x", reason: "Broken at $.group[6]"}},
		"an item as the source": {`{"errorReason":"Error (0x1005): no","errorSource":{"type":"Host","summary":"a.example","rating":3,"tag":[{"name":"x"}]}}`,
			jobError{code: CodeIndicator, reason: "no", source: sourceRef{typ: "Host", refs: []string{"a.example"}}}},
		"a group as the source": {`{"errorReason":"no code","errorSource":{"type":"Threat","xid":"x-1","name":"n"}}`,
			jobError{reason: "no code", source: sourceRef{typ: "Threat", xid: "x-1", refs: []string{"n"}}}},
		"a code that is none":   {`{"code":"seven","errorReason":"r"}`, jobError{reason: "r"}},
		"no source":             {`{"errorReason":"r","errorSource":null}`, jobError{reason: "r"}},
		"nothing":               {`{}`, jobError{}},
		"code in the exception": {`{"errorReason":"Error (0x1008): full","errorMessage":"m"}`, jobError{code: CodeIndicatorLimit, reason: "m", cause: "full"}},
	} {
		assert.Equal(t, c.want, readJobError([]byte(c.text)), name)
	}
}

func TestErrorsFindTheirItems(t *testing.T) {
	t.Parallel()
	var c content
	c.add(inIndicators, 4, []byte(`{"type":"Host","summary":"a.example"}`))
	c.add(inIndicators, 5, []byte(`{"type":"File","summary":"AA : BB","xid":"i-1"}`))
	c.add(inIndicators, 6, []byte(`{"type":"Host","summary":"a.example"}`))
	c.add(inIndicators, 7, []byte(`{"type":"User Agent","summary":"Some Browser 1.0"}`))
	c.add(inGroups, 1, []byte(`{"name":"a.example","type":"Threat","xid":"x-1"}`))
	c.add(inGroups, 2, []byte(`{"name":"n","type":"Threat","xid":"x-2"}`))
	c.add(inAssociations, ^int64(4), []byte(`{"type_1":"Host","ref_1":"a.example","ref_2":"x-9"}`))
	const g, i, a = 0, 2, 6 // where the lists begin
	for name, find := range map[string]struct {
		e    jobError
		want int
	}{
		"by xid":                     {jobError{source: sourceRef{xid: "x-2"}}, g + 1},
		"by an indicator's xid":      {jobError{source: sourceRef{refs: []string{"i-1"}}}, i + 1},
		"by summary":                 {jobError{source: sourceRef{refs: []string{"A.Example"}}}, i},
		"by summary with type":       {jobError{source: sourceRef{refs: []string{"Host: a.example"}}}, i},
		"by doubled spaces":          {jobError{source: sourceRef{refs: []string{"AA  :  BB"}}}, i + 1},
		"by one hash":                {jobError{source: sourceRef{refs: []string{"bb"}}}, i + 1},
		"by path":                    {jobError{reason: "Encountered an unexpected Exception while processing batch job. Last known JSON path: '$.indicator[3].rating': Last processed indicator[3] 'b'."}, i + 3},
		"by path in a group":         {jobError{reason: "Last known JSON path: '$.group[1]'"}, g + 1},
		"by path in a V1 file":       {jobError{reason: "Last known JSON path: '$[2]'"}, i + 2},
		"by words in quotes":         {jobError{reason: `Value 'Some Browser 1.0' is bad`}, i + 3},
		"by a word":                  {jobError{code: CodeIndicator, reason: "Host a.example is not valid."}, i},
		"by the other end of a link": {jobError{code: CodeAssociation, reason: "The Group with xid 'x-9' was not found"}, a},
		"by both ends of a link":     {jobError{code: CodeNotFound, reason: "The Group with xid 'x-9' was not found", source: sourceRef{refs: []string{"a.example"}}}, a},
		"not by an end of a link that is an item too":       {jobError{code: CodeNotFound, source: sourceRef{refs: []string{"a.example"}}}, -1},
		"not by a word that may be an indicator or a group": {jobError{reason: "a.example is not valid."}, -1},
		"not by a path in other words":                      {jobError{reason: "Broken at $.indicator[3].rating", cause: "at path $.group[1]"}, -1},
		"not by a path in front of which other words stand": {jobError{reason: "User Agent Last known JSON path: '$.indicator[3]' is not valid"}, -1},
		"not at all":                          {jobError{reason: "Something happened"}, -1},
		"not by a path that leads to nowhere": {jobError{reason: "Last known JSON path: '$.indicator[9]'"}, -1},
	} {
		m := newMatcher(&c, c.all())
		pos, fresh, ok := m.find(&find.e)
		if find.want < 0 {
			assert.False(t, ok, name)
			continue
		}
		assert.True(t, ok && fresh, name)
		assert.Equal(t, find.want, pos, name)
	}

	var links content
	for n, to := range []string{"x-2", "x-3", "x-2"} {
		links.add(inAssociations, int64(n), []byte(`{"ref_1":"x-1","ref_2":"`+to+`"}`))
	}
	links.add(inAssociations, 3, []byte(`{"ref_1":"x-2","ref_2":"x-4"}`))
	ends := newMatcher(&links, links.all())
	for _, want := range []int{1, 0, 2, 3} {
		to := map[int]string{0: "x-2", 1: "x-3", 2: "x-2", 3: "x-4"}[want]
		from := map[bool]string{true: "x-2", false: "x-1"}[want == 3]
		pos, fresh, ok := ends.find(&jobError{code: CodeNotFound, reason: "The Group with xid '" + to + "' was not found", source: sourceRef{refs: []string{from}}})
		assert.True(t, ok && fresh)
		assert.Equal(t, want, pos, "an association is found by both ends")
	}

	m := newMatcher(&c, c.all())
	e := jobError{code: CodeIndicator, source: sourceRef{refs: []string{"a.example"}}}
	var found []int
	for range 2 {
		pos, fresh, _ := m.find(&e)
		assert.True(t, fresh)
		found = append(found, pos)
	}
	assert.Equal(t, []int{i, i + 2}, found, "the same value twice is two items")
	assert.Equal(t, 2, m.failed)

	half := newMatcher(&c, part{3, 5})
	pos, _, ok := half.find(&jobError{reason: "Last known JSON path: '$.indicator[0]'"})
	assert.True(t, ok)
	assert.Equal(t, 3, pos, "paths count from the start of the file that was sent")
	_, _, ok = half.find(&jobError{source: sourceRef{xid: "x-1"}})
	assert.False(t, ok, "what is not in the file is not found")
}

// TestErrorsAreNotBlamedOnOtherItems has errors that could be taken for those of an item which is
// fine, by values that a feed may hold or an author may choose.
func TestErrorsAreNotBlamedOnOtherItems(t *testing.T) {
	t.Parallel()
	const nobody = -1
	long := strings.Repeat("x", 1<<10)
	for name, c := range map[string]struct {
		groups, indicators, links []string
		err                       string
		want                      int // position in the file
	}{
		"a value of another type": {
			indicators: []string{`{"type":"Mutex","summary":"evil.example"}`, `{"type":"Host","summary":"evil.example"}`},
			err:        `{"errorReason":"Error (0x1005): no","errorSource":{"type":"Host","summary":"evil.example"}}`, want: 1},
		"a value of another type, and the source does not say which": {
			indicators: []string{`{"type":"Mutex","summary":"evil.example"}`, `{"type":"Host","summary":"evil.example"}`},
			err:        `{"errorReason":"Error (0x1005): no","errorSource":"evil.example"}`, want: nobody},
		"a value that looks like a type and another value": {
			indicators: []string{`{"type":"Mutex","summary":"Host: evil.example"}`, `{"type":"Host","summary":"evil.example"}`},
			err:        `{"errorReason":"Error (0x1005): no","errorSource":"Host: evil.example"}`, want: nobody},
		"letter case": {
			indicators: []string{`{"type":"URL","summary":"http://e.example/A"}`, `{"type":"URL","summary":"http://e.example/a"}`},
			err:        `{"errorReason":"Error (0x2001): no","errorSource":{"type":"URL","summary":"http://e.example/a"}}`, want: 1},
		"letter case that the platform has changed": {
			indicators: []string{`{"type":"Host","summary":"b.example"}`, `{"type":"EmailAddress","summary":"A@e.example"}`},
			err:        `{"errorReason":"Error (0x2001): no","errorSource":"a@e.example"}`, want: 1},
		"letter case that the platform has changed, of two": {
			indicators: []string{`{"type":"Hashtag","summary":"#One"}`, `{"type":"Hashtag","summary":"#ONE"}`},
			err:        `{"errorReason":"Error (0x2001): no","errorSource":"#one"}`, want: nobody},
		"letter case in words": {
			indicators: []string{`{"type":"Mutex","summary":"Global\\A"}`, `{"type":"Mutex","summary":"GLOBAL\\a"}`},
			err:        `{"errorReason":"Error (0x2001): 'GLOBAL\\a' no"}`, want: nobody},
		"a word of the sentence that is a value": {
			indicators: []string{`{"type":"Mutex","summary":"invalid"}`, `{"type":"User Agent","summary":"My Agent 1.0 (x)"}`},
			err:        `{"errorReason":"Error (0x1005): The User Agent My Agent 1.0 (x) is invalid"}`, want: nobody},
		"a part of a longer value": {
			indicators: []string{`{"type":"Mutex","summary":"foo"}`, `{"type":"Mutex","summary":"foo bar"}`},
			err:        `{"errorReason":"Error (0x1005): Please enter a valid Mutex: foo bar (too long)"}`, want: nobody},
		"the platform's word for a type, and a value": {
			indicators: []string{`{"type":"Mutex","summary":"Host a.example"}`, `{"type":"Host","summary":"a.example"}`},
			err:        `{"errorReason":"Error (0x1005): Host a.example is not valid"}`, want: nobody},
		"a value in words, in other letter case": {
			indicators: []string{`{"type":"Host","summary":"b.example"}`, `{"type":"Mutex","summary":"Global\\A  b"}`},
			err:        `{"errorReason":"Error (0x1005): The Mutex global\\a b is not valid"}`, want: 1},
		"an apostrophe": {
			indicators: []string{`{"type":"Mutex","summary":"it"}`, `{"type":"Email Subject","summary":"it's you"}`},
			err:        `{"errorReason":"Error (0x1005): The subject it's you is bad for 'it'"}`, want: nobody},
		"an apostrophe in a value in words": {
			indicators: []string{`{"type":"Mutex","summary":"x"}`, `{"type":"Email Subject","summary":"it's you"}`},
			err:        `{"errorReason":"Error (0x1005): The subject 'it's you' is bad"}`, want: 1},
		"a value that looks like a JSON path": {
			indicators: []string{`{"type":"Host","summary":"good.example"}`, `{"type":"URL","summary":"http://e.example/?$[0]"}`},
			err:        `{"errorReason":"Error (0x1005): \"http://e.example/?$[0]\" is bad","errorSource":{"type":"URL","summary":"http://e.example/?$[0]"}}`, want: 1},
		"a value that is all of the platform's words about a place": {
			indicators: []string{`{"type":"Host","summary":"good.example"}`, `{"type":"Mutex","summary":"Last known JSON path: '$.indicator[0]'"}`},
			err:        `{"errorReason":"Error (0x1005): Last known JSON path: '$.indicator[0]' is no Mutex","errorSource":"Last known JSON path: '$.indicator[0]'"}`, want: 1},
		"an apostrophe in a source": {
			indicators: []string{`{"type":"Mutex","summary":"it"}`, `{"type":"Email Subject","summary":"it's you"}`},
			err:        `{"errorReason":"Error (0x1005): no","errorSource":"it's you"}`, want: 1},
		"a value that begins like the platform's words about a place": {
			indicators: []string{`{"type":"Host","summary":"good.example"}`, `{"type":"Mutex","summary":"Last known JSON path: '$.indicator[0]'"}`},
			err:        `{"errorReason":"Error (0x1001): Last known JSON path: '$.indicator[0]' is no Mutex"}`, want: 1},
		"an attribute that repeats another value": {
			indicators: []string{`{"type":"Host","summary":"good.example"}`, `{"type":"Host","summary":"bad.example","attribute":[{"type":"Good.example","value":"x"}]}`},
			err:        `{"errorReason":"Error (0x2001): The Attribute type 'good.example' is unknown"}`, want: nobody},
		"words that repeat another value, of a source that is not in the file": {
			indicators: []string{`{"type":"Host","summary":"good.example"}`},
			err:        `{"errorReason":"Error (0x1005): good.example is bad","errorSource":"http://good.example/"}`, want: nobody},
		"an xid that another item has": {
			indicators: []string{`{"type":"Host","summary":"good.example","xid":"i-1"}`, `{"type":"Host","summary":"bad.example","xid":"i-1"}`},
			err:        `{"errorReason":"Error (0x1005): no","errorSource":{"type":"Host","summary":"bad.example","xid":"i-1"}}`, want: 1},
		"an xid that another item has, and a value that the platform has changed": {
			indicators: []string{`{"type":"Host","summary":"good.example","xid":"i-1"}`, `{"type":"Host","summary":"bad.example","xid":"i-1"}`},
			err:        `{"errorReason":"Error (0x1005): no","errorSource":{"type":"Host","summary":"[bad].example","xid":"i-1"}}`, want: nobody},
		"an xid and a value of two items": {
			indicators: []string{`{"type":"Host","summary":"good.example","xid":"i-1"}`, `{"type":"Host","summary":"bad.example","xid":"i-2"}`},
			err:        `{"errorReason":"Error (0x1005): no","errorSource":{"type":"Host","summary":"bad.example","xid":"i-1"}}`, want: nobody},
		"labels of a custom type": {
			indicators: []string{`{"type":"Coin","Net":"btc","Wallet":"1","xid":"c-1"}`, `{"type":"Coin","Net":"btc","Wallet":"2","description":"1"}`},
			err:        `{"errorReason":"Error (0x1005): no","errorSource":{"type":"Coin","summary":"btc : 2"}}`, want: 1},
		"values of a custom type": {
			indicators: []string{`{"type":"Coin","value1":"btc","value2":"1"}`, `{"type":"Coin","value1":"btc","value2":"2","rating":3}`},
			err:        `{"errorReason":"Error (0x1005): no","errorSource":"btc : 2"}`, want: 1},
		"values of a custom type that are cut in two places": {
			indicators: []string{`{"type":"Coin","value1":"a : b","value2":"c"}`, `{"type":"Coin","value1":"a","value2":"b : c"}`},
			err:        `{"errorReason":"Error (0x1005): no","errorSource":{"type":"Coin","summary":"a : b : c"}}`, want: nobody},
		"the name of a group": {
			groups:     []string{`{"name":"evil.example","type":"Incident","xid":"x-1"}`},
			indicators: []string{`{"type":"Host","summary":"evil.example"}`},
			err:        `{"errorReason":"Error (0x1006): The status of evil.example is invalid","errorSource":{"type":"Incident","name":"evil.example"}}`, want: 0},
		"the xid of a group, and a type": {
			groups:     []string{`{"name":"n","type":"Threat","xid":"evil.example"}`},
			indicators: []string{`{"type":"Host","summary":"evil.example"}`},
			err:        `{"errorReason":"Error (0x1001): bad","errorSource":{"type":"Host","summary":"evil.example"}}`, want: 1},
		"the xid of a group, and a code of indicators": {
			groups:     []string{`{"name":"n","type":"Document","xid":"evil.example"}`},
			indicators: []string{`{"type":"Host","summary":"evil.example"}`},
			err:        `{"errorReason":"Error (0x2001): saved in part","errorSource":"evil.example"}`, want: 1},
		"the summary of an indicator, and a code of groups": {
			groups:     []string{`{"name":"n","type":"Document","xid":"evil.example"}`},
			indicators: []string{`{"type":"Host","summary":"evil.example"}`},
			err:        `{"errorReason":"Error (0x1006): bad","errorSource":"evil.example"}`, want: 0},
		"a link of an indicator whose own reference is the error": {
			indicators: []string{`{"type":"Host","summary":"a.example","associatedGroups":[{"groupXid":"x-1"}]}`},
			links:      []string{`{"type_1":"Host","ref_1":"a.example","ref_2":"x-2"}`},
			err:        `{"errorReason":"Error (0x1009): The Group with xid 'x-1' to associate with was not found","errorSource":"a.example"}`, want: nobody},
		"a link of the same indicator": {
			indicators: []string{`{"type":"Host","summary":"a.example"}`},
			links:      []string{`{"type_1":"Host","ref_1":"a.example","ref_2":"x-1"}`, `{"type_1":"Host","ref_1":"a.example","ref_2":"x-11"}`},
			err:        `{"errorReason":"Error (0x1007): The Group with xid 'x-11' to associate with was not found","errorSource":"a.example"}`, want: 2},
		"an indicator whose own reference is the error": {
			indicators: []string{`{"type":"Host","summary":"a.example","associatedGroups":[{"groupXid":"x-1"}]}`},
			err:        `{"errorReason":"Error (0x1009): The Group with xid 'x-1' to associate with was not found","errorSource":"a.example"}`, want: 0},
		"a value that is longer than what is kept of it": {
			indicators: []string{`{"type":"Mutex","summary":"` + long + `"}`, `{"type":"Mutex","summary":"` + long + `y"}`},
			err:        `{"errorReason":"Error (0x1005): no","errorSource":"` + long + `y"}`, want: 1},
		"words that are longer than what is kept of them": {
			indicators: []string{`{"type":"Mutex","summary":"a"}`, `{"type":"Mutex","summary":"b ` + long + `"}`},
			err:        `{"errorReason":"Error (0x1005): 'a' ` + long + `"}`, want: nobody},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var items content
			for s, list := range [sections][]string{c.groups, c.indicators, c.links} {
				for n, item := range list {
					items.add(section(s), int64(n), []byte(item))
				}
			}
			e := readJobError([]byte(c.err))
			pos, _, ok := newMatcher(&items, items.all()).find(&e)
			if !ok {
				pos = nobody
			}
			assert.Equal(t, c.want, pos)
		})
	}
}

// TestErrorsOfRandomFeedsAreNotBlamedOnOtherItems makes feeds of values that hold each other and the
// platform's words, and errors of one of their items in the shapes that lists of errors have. The
// error is that of the item, or nobody's.
func TestErrorsOfRandomFeedsAreNotBlamedOnOtherItems(t *testing.T) {
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
	for range 5_000 {
		var items content
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
			text(&w, "type", typ)
			text(&w, "summary", v)
			text(&w, "xid", xid)
			text(&w, "description", attribute)
			w.EndObject()
			items.add(inIndicators, int64(i), w.Buf)
		}
		said := []func(string) string{func(s string) string { return s }, strings.ToLower, folded}[random.IntN(3)]
		e := jobError{code: CodeIndicator}
		switch random.IntN(4) {
		case 0:
			e.source.refs = []string{bad.value}
		case 1:
			e.source = sourceRef{typ: bad.typ, refs: []string{bad.value}, xid: bad.xid}
		case 2:
			e.source = sourceRef{typ: bad.typ, refs: []string{bad.value}}
		}
		switch random.IntN(4) {
		case 0:
			e.reason = bad.typ + " " + said(bad.value) + " is not valid"
		case 1:
			e.reason = "The value '" + said(bad.value) + "' was refused, and so was " + said(bad.attribute) + "."
		case 2:
			e.reason = "Please enter a valid Description: " + said(bad.attribute)
		case 3:
			e.cause = "java.lang.Exception: \"" + said(bad.attribute) + "\""
		}
		m := newMatcher(&items, items.all())
		if pos, _, ok := m.find(&e); ok {
			known++
			require.Equal(t, m.identity(at), m.identity(pos), "%+v of %s", e, bytes.Join(items.chunks(items.all(), BatchV2), nil))
		}
	}
	assert.Greater(t, known, 1000, "many are known")
}

func TestErrorsOfManyEqualItemsAreReadInTime(t *testing.T) {
	t.Parallel()
	// How long an error takes does not grow with the number of items that are called alike.
	var items content
	for n := range maxBatchItems {
		items.add(inIndicators, int64(n), []byte(`{"type":"Mutex","summary":"a : b","description":"a : b"}`))
	}
	m := newMatcher(&items, items.all())
	for _, e := range []jobError{
		{code: CodeIndicator, source: sourceRef{typ: "Mutex", refs: []string{"a : b"}}},
		{code: CodeIndicator, reason: "Mutex a : b is not valid"},
	} {
		for range maxBatchItems {
			_, _, ok := m.find(&e)
			require.False(t, ok)
		}
	}
}

func FuzzListsOfErrors(f *testing.F) {
	f.Add(`[{"errorReason":"Error (0x1005): x","errorSource":"a.example"}]`)
	f.Add(`[{errorReason:'x',errorSource:{type:Host,summary:"a"}},]`)
	f.Add(`[{"a":"\u12"}]`)
	f.Add(`{"status":"Invalid"}`)
	f.Add(`[{"errorReason":"$.indicator[0]"},{"errorMessage":"'a.example'"}]`)
	var c content
	c.add(inIndicators, 0, []byte(`{"type":"Host","summary":"a.example"}`))
	f.Fuzz(func(t *testing.T, text string) {
		got, err := scanned(text)
		if err != nil && !errors.Is(err, errNoList) && !errors.Is(err, errOpenText) && !errors.Is(err, errHugeEntry) {
			t.Fatal(err)
		}
		m := newMatcher(&c, c.all())
		for _, o := range got {
			e := readJobError([]byte(o))
			item := e.item(1)
			require.Equal(t, item.poison() || item.limit(), item.Fatal())
			require.LessOrEqual(t, len(item.Reason), 1<<10)
			require.NotContains(t, item.Error(), "a.example")
			m.find(&e)
		}
		require.LessOrEqual(t, m.failed, 1)

		// What is JSON is read as JSON.
		var strict []map[string]any
		if json.Unmarshal([]byte(text), &strict) == nil && len(text) > 0 && text[0] == '[' {
			require.NoError(t, err)
			want := 0
			for _, o := range strict {
				if o == nil {
					continue
				}
				var again map[string]any
				require.NoError(t, json.Unmarshal([]byte(got[want]), &again), got[want])
				require.Equal(t, o, again)
				want++
			}
			require.Len(t, got, want)
		}
	})
}
