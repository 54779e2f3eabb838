package threatconnect

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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
		"by xid":                          {jobError{source: sourceRef{xid: "x-2"}}, g + 1},
		"by an indicator's xid":           {jobError{source: sourceRef{refs: []string{"i-1"}}}, i + 1},
		"by summary":                      {jobError{source: sourceRef{refs: []string{"A.Example"}}}, i},
		"by summary with type":            {jobError{source: sourceRef{refs: []string{"Host: a.example"}}}, i},
		"by doubled spaces":               {jobError{source: sourceRef{refs: []string{"AA  :  BB"}}}, i + 1},
		"by one hash":                     {jobError{source: sourceRef{refs: []string{"bb"}}}, i + 1},
		"by path":                         {jobError{reason: "Broken at $.indicator[3].rating"}, i + 3},
		"by path in a group":              {jobError{cause: "at path $.group[1]"}, g + 1},
		"by path in a V1 file":            {jobError{reason: "at $[2]"}, i + 2},
		"by words in quotes":              {jobError{reason: `Value 'Some Browser 1.0' is bad`}, i + 3},
		"by a word":                       {jobError{reason: "Host a.example is not valid."}, i},
		"by the other end of a link":      {jobError{code: CodeAssociation, reason: "The Group with xid 'x-9' was not found"}, a},
		"by the referring end of a link":  {jobError{code: CodeNotFound, source: sourceRef{refs: []string{"a.example"}}}, a},
		"not at all":                      {jobError{reason: "Something happened"}, -1},
		"by a path that leads to nowhere": {jobError{reason: "$.indicator[9]"}, -1},
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
	pos, _, ok := half.find(&jobError{reason: "$.indicator[0]"})
	assert.True(t, ok)
	assert.Equal(t, 3, pos, "paths count from the start of the file that was sent")
	_, _, ok = half.find(&jobError{source: sourceRef{xid: "x-1"}})
	assert.False(t, ok, "what is not in the file is not found")
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
