// Package extraction measures how well a function finds indicators in text. It has a labeled set in
// testdata and compares what the function finds with the labels.
//
// The set has three parts. dev and heldout have the same kinds of texts: tune on dev, and run heldout only
// to judge the result. names has documents in which nearly every line has a name with dots, and most of
// these names are not hosts. A part has sentences (sentences.jsonl, one JSON object per line) and documents. The labels
// of the document report.md are in report.want, one per line: a type, a space and a canonical value.
package extraction

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Found is an indicator in a text. The value is in canonical form.
type Found struct{ Type, Value string }

// String returns the label of an indicator, as in "Host example.com".
func (f Found) String() string { return f.Type + " " + f.Value }

// Compare orders indicators by type and value.
func (f Found) Compare(g Found) int {
	return cmp.Or(strings.Compare(f.Type, g.Type), strings.Compare(f.Value, g.Value))
}

// Func is an extraction function. It yields the indicators of a text in any order, and as often as it
// finds them. It stops at an error.
type Func func(io.Reader) iter.Seq2[Found, error]

// Text is a text with its labels.
type Text struct {
	Name string // the file, with the line of a sentence
	Body string
	Want []Found // in the order of the file
}

// Set is one half of the labeled set.
type Set struct{ Sentences, Documents []Text }

// sentencesFile holds the sentences of a set.
const sentencesFile = "sentences.jsonl"

// Load reads a set from a folder. It returns an error if a label is malformed or a document has no
// labels. It does not check whether the values are canonical.
func Load(folder fs.FS) (Set, error) {
	sentences, err := loadSentences(folder)
	if err != nil {
		return Set{}, err
	}
	documents, err := loadDocuments(folder)
	if err != nil {
		return Set{}, err
	}
	if len(sentences)+len(documents) == 0 {
		return Set{}, errors.New("the folder has no texts")
	}
	return Set{Sentences: sentences, Documents: documents}, nil
}

func loadSentences(folder fs.FS) (texts []Text, err error) {
	file, err := folder.Open(sentencesFile)
	switch {
	case errors.Is(err, fs.ErrNotExist): // a set of documents only
		return nil, nil
	case err != nil:
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	lines := bufio.NewScanner(file)
	for line := 1; lines.Scan(); line++ {
		name := sentencesFile + ":" + strconv.Itoa(line)
		var sentence struct {
			Text string   `json:"text"`
			Want []string `json:"want"`
		}
		if err := json.Unmarshal(lines.Bytes(), &sentence); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		want, err := parseLabels(sentence.Want)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		texts = append(texts, Text{Name: name, Body: sentence.Text, Want: want})
	}
	return texts, lines.Err()
}

func loadDocuments(folder fs.FS) ([]Text, error) {
	entries, err := fs.ReadDir(folder, ".")
	if err != nil {
		return nil, err
	}
	var texts []Text
	for _, entry := range entries {
		name := entry.Name()
		if name == sentencesFile || path.Ext(name) == ".want" {
			continue
		}
		body, err := fs.ReadFile(folder, name)
		if err != nil {
			return nil, err
		}
		labels, err := fs.ReadFile(folder, strings.TrimSuffix(name, path.Ext(name))+".want")
		if err != nil {
			return nil, fmt.Errorf("%s has no labels: %w", name, err)
		}
		want, err := parseLabels(slices.Collect(strings.Lines(string(labels))))
		if err != nil {
			return nil, fmt.Errorf("labels of %s: %w", name, err)
		}
		texts = append(texts, Text{Name: name, Body: string(body), Want: want})
	}
	return texts, nil
}

func parseLabels(labels []string) ([]Found, error) {
	found := make([]Found, 0, len(labels))
	for _, label := range labels {
		typ, value, ok := strings.Cut(strings.TrimSuffix(label, "\n"), " ")
		if !ok || typ == "" || value == "" {
			return nil, fmt.Errorf("the label %q is not a type, a space and a value", label)
		}
		found = append(found, Found{typ, value})
	}
	return found, nil
}

// Counts compares found indicators with labels.
type Counts struct {
	Hits    int // labeled and found
	Extra   int // found, but not labeled: false positives
	Missing int // labeled, but not found: false negatives
}

// Precision returns the share of the found indicators that are labeled, or NaN if none were found.
func (c Counts) Precision() float64 { return ratio(c.Hits, c.Hits+c.Extra) }

// Recall returns the share of the labeled indicators that were found, or NaN if none are labeled.
func (c Counts) Recall() float64 { return ratio(c.Hits, c.Hits+c.Missing) }

// F1 returns the harmonic mean of precision and recall, or NaN if nothing is labeled and nothing found.
func (c Counts) F1() float64 { return ratio(2*c.Hits, 2*c.Hits+c.Extra+c.Missing) }

func ratio(part, whole int) float64 { return float64(part) / float64(whole) }

func (c Counts) plus(d Counts) Counts {
	return Counts{c.Hits + d.Hits, c.Extra + d.Extra, c.Missing + d.Missing}
}

// Mistake is an indicator that was found but is not labeled, or that is labeled but was not found.
type Mistake struct {
	Text    string // the name of the text
	Missing bool   // labeled, but not found
	Found
}

// Result is the score of an extraction function.
type Result struct {
	Types    map[string]Counts
	Mistakes []Mistake // in the order of the texts; in each text by type and value
}

// Total returns the sum over all types, from which precision and recall are micro-averages.
func (r Result) Total() Counts {
	var total Counts
	for _, c := range r.Types {
		total = total.plus(c)
	}
	return total
}

// Score compares what an extraction function finds with the labels of texts. In each text, an
// indicator counts once. An error of the function ends the scoring.
func Score(texts []Text, extract Func) (Result, error) {
	result := Result{Types: map[string]Counts{}}
	for _, text := range texts {
		found := map[Found]bool{}
		for f, err := range extract(strings.NewReader(text.Body)) {
			if err != nil {
				return Result{}, fmt.Errorf("extract from %s: %w", text.Name, err)
			}
			found[f] = true
		}
		result.add(text, found)
	}
	return result, nil
}

// add adds the comparison of one text.
func (r *Result) add(text Text, found map[Found]bool) {
	wanted := map[Found]bool{}
	for _, f := range text.Want {
		wanted[f] = true
	}
	all := maps.Clone(wanted)
	maps.Copy(all, found)
	for _, f := range slices.SortedFunc(maps.Keys(all), Found.Compare) {
		var c Counts
		switch {
		case wanted[f] && found[f]:
			c.Hits = 1
		case wanted[f]:
			c.Missing = 1
		default:
			c.Extra = 1
		}
		r.Types[f.Type] = r.Types[f.Type].plus(c)
		if c.Hits == 0 {
			r.Mistakes = append(r.Mistakes, Mistake{Text: text.Name, Missing: wanted[f], Found: f})
		}
	}
}

// WriteTable writes the counts of each type and of all types under a title. A line is at most 80
// characters long. Undefined ratios are written as -.
func (r Result) WriteTable(w io.Writer, title string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%-22s %6s %6s %8s %10s %8s %8s\n", title, "hits", "extra", "missing", "precision", "recall", "F1")
	row := func(name string, c Counts) {
		fmt.Fprintf(&b, "%-22s %6d %6d %8d %10s %8s %8s\n", name, c.Hits, c.Extra, c.Missing,
			formatRatio(c.Precision()), formatRatio(c.Recall()), formatRatio(c.F1()))
	}
	for _, typ := range slices.Sorted(maps.Keys(r.Types)) {
		row(typ, r.Types[typ])
	}
	row("all", r.Total())
	_, err := io.WriteString(w, b.String())
	return err
}

func formatRatio(x float64) string {
	if math.IsNaN(x) {
		return "-"
	}
	return strconv.FormatFloat(x, 'f', 3, 64)
}

// WriteMistakes writes one line for each mistake.
func (r Result) WriteMistakes(w io.Writer) error {
	var b strings.Builder
	for _, m := range r.Mistakes {
		kind := "extra"
		if m.Missing {
			kind = "missing"
		}
		fmt.Fprintf(&b, "%s: %s %s\n", m.Text, kind, m.Found)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
