// Command score prints how well the extractor finds the indicators of the labeled set: counts,
// precision, recall and F1 for each type and for all types, for sentences and for documents.
//
//	go -C tools run ./extraction/score                 score on the part to tune on
//	go -C tools run ./extraction/score -v              also list every mistake
//	go -C tools run ./extraction/score -set heldout    score on the part to judge on
//	go -C tools run ./extraction/score -set names      score on documents full of names with dots
package main

import (
	"flag"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"

	"github.com/threatconnect-go/threatconnect/ioc"
	"github.com/threatconnect-go/threatconnect/tools/extraction"
)

func main() {
	set := flag.String("set", "dev", "part of the labeled set: dev, heldout or names")
	data := flag.String("data", filepath.Join("extraction", "testdata"), "folder of the labeled set")
	verbose := flag.Bool("v", false, "list what is missing and what is extra")
	flag.Parse()
	if err := run(os.Stdout, filepath.Join(*data, *set), *verbose); err != nil {
		fmt.Fprintln(os.Stderr, "score:", err)
		os.Exit(1)
	}
}

// extract is the extraction function that the command scores.
func extract(r io.Reader) iter.Seq2[extraction.Found, error] {
	return func(yield func(extraction.Found, error) bool) {
		for match, err := range ioc.Extract(r) {
			if !yield(extraction.Found{Type: string(match.Type), Value: match.Value}, err) {
				return
			}
		}
	}
}

// run scores the extractor on the set in a folder.
func run(w io.Writer, folder string, verbose bool) error {
	set, err := extraction.Load(os.DirFS(folder))
	if err != nil {
		return fmt.Errorf("load the labeled set: %w", err)
	}
	for _, part := range []struct {
		title string
		texts []extraction.Text
	}{
		{fmt.Sprintf("%d sentences", len(set.Sentences)), set.Sentences},
		{fmt.Sprintf("%d documents", len(set.Documents)), set.Documents},
	} {
		result, err := extraction.Score(part.texts, extract)
		if err != nil {
			return err
		}
		if err := result.WriteTable(w, part.title); err != nil {
			return err
		}
		if verbose {
			if err := result.WriteMistakes(w); err != nil {
				return err
			}
		}
	}
	return nil
}
