package attribute

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/importer/item"
)

// file returns a file of items. An item that begins with name is a group, one with ref_1 or type_1 an
// association.
func file(items ...string) *item.File {
	var f item.File
	for i, text := range items {
		s := item.Indicators
		switch {
		case strings.HasPrefix(text, `{"name`):
			s = item.Groups
		case strings.HasPrefix(text, `{"ref_1`) || strings.HasPrefix(text, `{"type_1`):
			s = item.Associations
		}
		f.Add(s, int64(i), []byte(text))
	}
	return &f
}

func TestFind(t *testing.T) {
	t.Parallel()
	f := file( // in file order
		`{"name":"Night Owl","type":"Adversary","xid":"g-1"}`,
		`{"name":"a.example","type":"Adversary","xid":"g-2"}`,
		`{"type":"Host","summary":"a.example","xid":"i-1"}`,
		`{"type":"Host","summary":"b.example","description":"seen with c.example"}`,
		`{"type":"Host","summary":"c.example"}`,
		`{"type":"URL","summary":"http://b.example/x"}`,
		`{"type":"File","summary":"AA11 : BB22"}`,
		`{"type":"EmailSubject","summary":"Two  words"}`,
		`{"type":"Address","summary":"192.0.2.1"}`,
		`{"type":"Address","summary":"192.0.2.1"}`,
		`{"type":"Mutex","summary":"same"}`,
		`{"type":"User Agent","summary":"same"}`,
		`{"ref_1":"a.example","type_1":"Host","ref_2":"g-1"}`,
		`{"ref_1":"b.example","type_1":"Host","ref_2":"g-1"}`,
		`{"ref_1":"b.example","type_1":"Host","ref_2":"g-2"}`,
	)
	const none = -1
	source := func(typ, xid string, refs ...string) Source { return Source{Type: typ, XID: xid, Refs: refs} }
	for name, test := range map[string]struct {
		entry Entry
		want  int
	}{
		"summary":                     {Entry{Source: source("", "", "b.example"), Code: CodeIndicator}, 3},
		"type and summary":            {Entry{Source: source("host", "", "a.example")}, 2},
		"type before summary":         {Entry{Source: source("", "", "Host: b.example")}, 3},
		"another type":                {Entry{Source: source("URL", "", "b.example"), Code: CodeIndicator}, none},
		"empty type before summary":   {Entry{Source: source("", "", ": b.example")}, none},
		"two types":                   {Entry{Source: source("Host", "", "Host: b.example")}, none},
		"another type before summary": {Entry{Source: source("", "", "URL: b.example")}, none},
		"no such summary":             {Entry{Source: source("", "", "d.example"), Reason: "AA11"}, none},
		"letter case":                 {Entry{Source: source("", "", "C.Example")}, 4},
		"spaces":                      {Entry{Source: source("", "", "two words")}, 7},
		"hash":                        {Entry{Source: source("File", "", "bb22")}, 6},
		"hashes":                      {Entry{Source: source("File", "", "AA11 : BB22")}, 6},
		"two names of one":            {Entry{Source: source("File", "", "BB22", "AA11")}, 6},
		"names of two":                {Entry{Source: source("", "", "AA11", "c.example")}, none},
		"two alike":                   {Entry{Source: source("", "", "same")}, none},
		"two alike, one type":         {Entry{Source: source("Mutex", "", "same")}, 10},
		"one item twice":              {Entry{Source: source("", "", "192.0.2.1")}, 8},
		"group by xid":                {Entry{Source: source("", "g-1")}, 0},
		"group by name":               {Entry{Source: source("Adversary", "", "Night Owl"), Code: CodeGroup}, 0},
		"group, indicators only":      {Entry{Source: source("", "g-1"), Code: CodeIndicatorLoss}, none},
		"host called as a group":      {Entry{Source: source("", "", "a.example"), Code: CodeIndicator}, 2},
		"group called as a host":      {Entry{Source: source("", "", "a.example"), Code: CodeGroupLoss}, 1},
		"indicator by xid":            {Entry{Source: source("", "i-1")}, 2},
		"summary and xid":             {Entry{Source: source("", "i-1", "a.example")}, 2},
		"summary and other xid":       {Entry{Source: source("", "g-1", "b.example")}, none},
		"unknown xid":                 {Entry{Source: source("", "g-9", "b.example")}, 3},
		"link":                        {Entry{Source: source("", "", "a.example", "g-1"), Code: CodeAssociation}, 12},
		"link, other direction":       {Entry{Source: source("", "g-2", "b.example"), Code: CodeNotFound}, 14},
		"link by words":               {Entry{Source: source("Host", "", "b.example"), Code: CodeAssociation, Reason: "no group 'g-2'."}, 14},
		"link by cause":               {Entry{Source: source("Host", "", "b.example"), Code: CodeAssociation, Cause: "no group (g-1)"}, 13},
		"one of several links":        {Entry{Source: source("Host", "", "b.example"), Code: CodeAssociation}, none},
		"link or its only end":        {Entry{Source: source("", "", "a.example"), Code: CodeAssociation}, none},
		"no link, letter case":        {Entry{Source: source("", "", "C.EXAMPLE"), Code: CodeAssociation}, 4},
		"no link":                     {Entry{Source: source("", "", "c.example"), Code: CodeAssociation}, 4},
		"path":                        {Entry{Code: CodeSyntax, Reason: "Last known JSON path: '$.indicator[2]'"}, 4},
		"path after a sentence":       {Entry{Reason: "Encountered an unexpected exception while processing batch job. Last known JSON path: '$.group[1]'"}, 1},
		"path of an association":      {Entry{Code: CodeSyntax, Reason: "last known json path: '$.association[0].ref_1'"}, 12},
		"path without a list":         {Entry{Code: CodeSyntax, Reason: "Last known JSON path: '$[0]'"}, 2},
		"path beyond the list":        {Entry{Code: CodeSyntax, Reason: "Last known JSON path: '$.group[2]'"}, none},
		"path in another error":       {Entry{Code: CodeIndicator, Reason: "Last known JSON path: '$.indicator[2]'"}, none},
		"path in a value":             {Entry{Code: CodeSyntax, Reason: "bad value Last known JSON path: '$.indicator[2]'"}, none},
		"words":                       {Entry{Reason: "Could not save (Two words)!", Code: CodeIndicator}, 7},
		"words of the cause":          {Entry{Cause: "bad: <AA11>"}, 6},
		"words of two items":          {Entry{Reason: "AA11 is not two words"}, none},
		"words in another item":       {Entry{Reason: "c.example is refused"}, none},
		"words in a value":            {Entry{Reason: "http://b.example/x is refused", Code: CodeIndicator}, 5},
		"words within another item":   {Entry{Reason: "b.example is refused", Code: CodeIndicator}, none},
		"truncated words":             {Entry{Reason: "Two words", Code: CodeIndicator, Cut: true}, none},
		"too many words":              {Entry{Reason: strings.Repeat("a ", 64) + "AA11"}, none},
		"too much before the value":   {Entry{Reason: strings.Repeat("(", 64) + "AA11"}, none},
		"too much after the value":    {Entry{Reason: "AA11" + strings.Repeat(")", 64)}, none},
		"many words":                  {Entry{Reason: strings.Repeat("a ", 63) + "AA11"}, 6},
		"no words":                    {Entry{}, none},
		"words and a known source":    {Entry{Source: source("", "", "AA11"), Reason: "c.example"}, 6},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pos, ok := New(f, f.All()).Find(&test.entry)
			if test.want == none {
				require.False(t, ok, "found %d", pos)
				return
			}
			require.True(t, ok)
			require.Equal(t, test.want, pos)
		})
	}
}

func TestFindAgain(t *testing.T) {
	t.Parallel()
	f := file(`{"type":"Host","summary":"a"}`, `{"type":"Host","summary":"a"}`, `{"type":"Host","summary":"b"}`)
	m := New(f, item.Part{From: 0, To: 3})
	for _, want := range []int{0, 1, 0, 0} {
		pos, ok := m.Find(&Entry{Source: Source{Refs: []string{"a"}}})
		require.True(t, ok)
		require.Equal(t, want, pos)
	}
	part := New(f, item.Part{From: 1, To: 3})
	pos, ok := part.Find(&Entry{Source: Source{Refs: []string{"a"}}})
	require.True(t, ok)
	require.Equal(t, 1, pos, "the first of the part")
	pos, ok = part.FindNamed(&Entry{Code: CodeSyntax, Reason: "Last known JSON path: '$.indicator[1]'"})
	require.True(t, ok)
	require.Equal(t, 2, pos)
}

func TestFindRejectsTooManyMatches(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]bool{maxMatches: true, maxMatches + 1: false} {
		var f item.File
		for i := range n {
			f.Add(item.Indicators, int64(i), []byte(`{"type":"Host","summary":"qq"}`))
		}
		_, ok := New(&f, f.All()).Find(&Entry{Source: Source{Refs: []string{"qq"}}})
		assert.Equal(t, want, ok, "%d by source", n)
		_, ok = New(&f, f.All()).Find(&Entry{Reason: "qq"})
		assert.Equal(t, want, ok, "%d by words", n)
	}
}

func TestFindOverlappingWords(t *testing.T) {
	t.Parallel()
	f := file(`{"type":"Mutex","summary":"qq","description":"qqq"}`, `{"type":"Mutex","summary":"other","description":"qq"}`)
	_, ok := New(f, f.All()).Find(&Entry{Reason: "qq"})
	assert.False(t, ok, "two items contain it")
}

func TestFindLimitsTextSearches(t *testing.T) {
	t.Parallel()
	f := file(`{"type":"Mutex","summary":"qq"}`)
	m := New(f, f.All())
	for range 999 {
		_, ok := m.Find(&Entry{Reason: "zz"})
		require.False(t, ok)
	}
	_, ok := m.Find(&Entry{Reason: "qq"})
	assert.True(t, ok)
	_, ok = m.Find(&Entry{Reason: "qq"})
	assert.False(t, ok, "the number of searches is limited")
}

func TestEntry(t *testing.T) {
	t.Parallel()
	e := Entry{Code: CodeGroup, Severity: "Error", Reason: "r", Cause: "c", Source: Source{Type: "Host", Refs: []string{"a", "b"}}}
	want := item.Failure{Seq: -1, Type: "Host", Name: "a", Code: CodeGroup, Severity: "Error", Reason: "r", Cause: "c", Job: 7}
	assert.Equal(t, want, e.Failure(7))
	e.Source.XID, want.Name = "x", "x"
	assert.Equal(t, want, e.Failure(7))
	assert.Equal(t, item.Failure{Seq: -1}, new(Entry).Failure(0))

	assert.True(t, Partial(CodeGroupLoss) && Partial(CodeHashMerge) && Partial(CodeHashMergeToo))
	assert.False(t, Partial(CodeIndicator))
	const fatal, full = "Encountered an unexpected Exception while processing batch job.", "It would exceed the number of allowed indicators"
	assert.True(t, Fatal(fatal, "") && Fatal("", fatal))
	assert.False(t, Fatal(full, ""))
	assert.True(t, Full("", full, "") && Full("", "", full) && Full(CodeLimit, "", ""))
	assert.False(t, Full(CodeSyntax, fatal, ""))
}
