package extraction

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
)

// fake is an extractor that finds words such as Host=example.com. It fails at the word error.
func fake(r io.Reader) iter.Seq2[Found, error] {
	return func(yield func(Found, error) bool) {
		text, err := io.ReadAll(r)
		if err != nil {
			yield(Found{}, err)
			return
		}
		for word := range strings.FieldsSeq(string(text)) {
			typ, value, ok := strings.Cut(word, "=")
			switch {
			case word == "error":
				yield(Found{}, errors.New("broken"))
				return
			case ok && !yield(Found{typ, value}, nil):
				return
			}
		}
	}
}

func TestScore(t *testing.T) {
	t.Parallel()
	host, other, url := Found{"Host", "a.com"}, Found{"Host", "b.com"}, Found{"URL", "http://a.com/"}
	texts := []Text{
		{Name: "hit, and the same again", Body: "Host=a.com Host=a.com", Want: []Found{host, host}},
		{Name: "right value, wrong type", Body: "URL=a.com", Want: []Found{host}},
		{Name: "extra", Body: "Host=b.com Host=a.com", Want: []Found{host}},
		{Name: "missing", Body: "nothing", Want: []Found{url, other}},
		{Name: "nothing to find", Body: "nothing"},
	}
	result, err := Score(texts, fake)
	require.NoError(t, err)
	assert.Equal(t, map[string]Counts{
		"Host": {Hits: 2, Extra: 1, Missing: 2},
		"URL":  {Hits: 0, Extra: 1, Missing: 1},
	}, result.Types)
	assert.Equal(t, Counts{Hits: 2, Extra: 2, Missing: 3}, result.Total())
	assert.Equal(t, []Mistake{
		{"right value, wrong type", true, host},
		{"right value, wrong type", false, Found{"URL", "a.com"}},
		{"extra", false, other},
		{"missing", true, other},
		{"missing", true, url},
	}, result.Mistakes)
}

func TestScoreReturnsErrorsOfTheExtractor(t *testing.T) {
	t.Parallel()
	_, err := Score([]Text{{Name: "report.md", Body: "Host=a.com error"}}, fake)
	assert.EqualError(t, err, "extract from report.md: broken")
}

func TestCounts(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		counts                Counts
		precision, recall, f1 string
	}{
		"all right":       {Counts{Hits: 3}, "1.000", "1.000", "1.000"},
		"all wrong":       {Counts{Extra: 1, Missing: 2}, "0.000", "0.000", "0.000"},
		"mixed":           {Counts{Hits: 3, Extra: 1, Missing: 2}, "0.750", "0.600", "0.667"},
		"nothing found":   {Counts{Missing: 2}, "-", "0.000", "0.000"},
		"nothing labeled": {Counts{Extra: 2}, "0.000", "-", "0.000"},
		"nothing":         {Counts{}, "-", "-", "-"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tc.precision, formatRatio(tc.counts.Precision()), "precision")
			assert.Equal(t, tc.recall, formatRatio(tc.counts.Recall()), "recall")
			assert.Equal(t, tc.f1, formatRatio(tc.counts.F1()), "F1")
		})
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	result := Result{
		Types: map[string]Counts{
			"Vulnerability": {Hits: 123456, Extra: 12345, Missing: 1234567},
			"Address":       {Missing: 1},
		},
		Mistakes: []Mistake{
			{"a.md", true, Found{"Address", "192.0.2.1"}},
			{"b.md", false, Found{"Host", "a.com"}},
		},
	}
	var table, mistakes bytes.Buffer
	require.NoError(t, result.WriteTable(&table, "100 sentences"))
	require.NoError(t, result.WriteMistakes(&mistakes))
	assert.Equal(t, `
100 sentences            hits  extra  missing  precision   recall       F1
Address                     0      0        1          -    0.000    0.000
Vulnerability          123456  12345  1234567      0.909    0.091    0.165
all                    123456  12345  1234568      0.909    0.091    0.165
`, "\n"+table.String())
	for line := range strings.Lines(table.String()) {
		assert.LessOrEqual(t, len(line), len("\n")+80)
	}
	assert.Equal(t, "a.md: missing Address 192.0.2.1\nb.md: extra Host a.com\n", mistakes.String())
}

func TestLoad(t *testing.T) {
	t.Parallel()
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	set, err := Load(fstest.MapFS{
		sentencesFile: file(`{"text":"a\nb","want":["Host a.com"]}` + "\n" + `{"text":"c","want":[]}` + "\n"),
		"b.md":        file("text of b"),
		"b.want":      file("Host b.com\nURL http://b.com/a b\n"),
		"c.txt":       file("text of c"),
		"c.want":      file(""),
	})
	require.NoError(t, err)
	assert.Equal(t, Set{
		Sentences: []Text{
			{"sentences.jsonl:1", "a\nb", []Found{{"Host", "a.com"}}},
			{"sentences.jsonl:2", "c", []Found{}},
		},
		Documents: []Text{
			{"b.md", "text of b", []Found{{"Host", "b.com"}, {"URL", "http://b.com/a b"}}},
			{"c.txt", "text of c", []Found{}},
		},
	}, set)

	set, err = Load(fstest.MapFS{sentencesFile: file(`{"text":"a"}`)})
	require.NoError(t, err)
	assert.Equal(t, Set{Sentences: []Text{{"sentences.jsonl:1", "a", []Found{}}}}, set)

	for name, tc := range map[string]struct {
		folder fstest.MapFS
		want   string
	}{
		"a line too long":     {fstest.MapFS{sentencesFile: file(strings.Repeat("x", 1<<17))}, "bufio.Scanner: token too long"},
		"no texts":            {fstest.MapFS{}, "the folder has no texts"},
		"line without JSON":   {fstest.MapFS{sentencesFile: file("{}\n\n")}, "sentences.jsonl:2: unexpected end of JSON input"},
		"no space in a label": {fstest.MapFS{sentencesFile: file(`{"want":["a.com"]}`)}, `sentences.jsonl:1: the label "a.com" is not a type, a space and a value`},
		"label with no type":  {fstest.MapFS{sentencesFile: file(`{"want":[" a.com"]}`)}, `sentences.jsonl:1: the label " a.com" is not a type, a space and a value`},
		"label with no value": {fstest.MapFS{sentencesFile: file(`{"want":["Host "]}`)}, `sentences.jsonl:1: the label "Host " is not a type, a space and a value`},
		"no labels":           {fstest.MapFS{sentencesFile: file(""), "a.md": file("")}, "a.md has no labels: open a.want: file does not exist"},
		"empty label":         {fstest.MapFS{sentencesFile: file(""), "a.md": file(""), "a.want": file("\n")}, `labels of a.md: the label "\n" is not a type, a space and a value`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Load(tc.folder)
			assert.EqualError(t, err, tc.want)
		})
	}
}

// TestLabels checks the labeled set itself: its size, and that all labels are sorted, unique, of a
// known type and canonical.
func TestLabels(t *testing.T) {
	t.Parallel()
	for part, least := range map[string]struct{ sentences, documents int }{"dev": {100, 15}, "heldout": {100, 15}, "names": {0, 8}} {
		t.Run(part, func(t *testing.T) {
			t.Parallel()
			folder := os.DirFS("testdata/" + part)
			set, err := Load(folder)
			require.NoError(t, err)
			assert.Len(t, set.Sentences, least.sentences)
			assert.GreaterOrEqual(t, len(set.Documents), least.documents)
			labels, err := fs.Glob(folder, "*.want")
			require.NoError(t, err)
			assert.Len(t, labels, len(set.Documents), "files with labels")
			for _, text := range slices.Concat(set.Sentences, set.Documents) {
				checkText(t, text)
			}
		})
	}
}

func checkText(t *testing.T, text Text) {
	t.Helper()
	assert.NotEmpty(t, text.Body, text.Name)
	assert.True(t, utf8.ValidString(text.Body), text.Name)
	for i, f := range text.Want {
		if i > 0 {
			assert.Negative(t, text.Want[i-1].Compare(f), "%s: %s is not after %s", text.Name, f, text.Want[i-1])
		}
		assert.NoError(t, checkLabel(f), "%s: %s", text.Name, f)
	}
}

// checkLabel returns an error if the type of a label is unknown or its value is not canonical.
func checkLabel(f Found) error {
	if f.Type == "Vulnerability" {
		if !regexp.MustCompile(`^CVE-\d{4}-\d{4,}$`).MatchString(f.Value) {
			return errors.New("the value is not a CVE id")
		}
		return nil
	}
	indicator, err := threatconnect.ParseIndicator(f.Value)
	if err != nil {
		return err
	}
	if got := (Found{string(indicator.Type()), indicator.Summary()}); got != f {
		return errors.New("the canonical label is " + got.String())
	}
	return nil
}

func TestCheckLabel(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		label Found
		want  string // a part of the error
	}{
		"host":              {Found{"Host", "a.com"}, ""},
		"vulnerability":     {Found{"Vulnerability", "CVE-2021-44228"}, ""},
		"other case":        {Found{"Host", "A.com"}, "the canonical label is Host a.com"},
		"other type":        {Found{"Address", "a.com"}, "the canonical label is Host a.com"},
		"unknown type":      {Found{"Domain", "a.com"}, "the canonical label is Host a.com"},
		"short IPv6":        {Found{"Address", "2001:db8::1"}, "the canonical label is Address 2001:db8:0:0:0:0:0:1"},
		"no indicator":      {Found{"Host", "a b"}, "is not recognized"},
		"no CVE id":         {Found{"Vulnerability", "CVE-2021-12"}, "is not a CVE id"},
		"CVE id, lowercase": {Found{"Vulnerability", "cve-2021-44228"}, "is not a CVE id"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := checkLabel(tc.label)
			if tc.want == "" {
				assert.NoError(t, err)
				return
			}
			assert.ErrorContains(t, err, tc.want)
		})
	}
}
