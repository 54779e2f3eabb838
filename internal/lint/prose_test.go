package lint

import (
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// unclear maps words and phrases that make a sentence hard to read to better ones.
var unclear = map[string]string{
	`anew`:                         "again",
	`besides?`:                     "except, in addition to, next to",
	`there(of|from|upon|with)`:     "of it, from it",
	`here(of|with)`:                "of this, with this",
	`whosoever|whatsoever`:         "anyone, anything",
	`(hang|hangs|hung) on`:         "is attached to",
	`(come|comes) to (its|an) end`: "ends",
	`has not any more`:             "no longer has",
	`does no harm`:                 "is idempotent, is safe",
	`(is|are) told`:                "is reported",
	`one an? (page|name|owner)`:    "a request per page",
	`gets? on`:                     "progresses",
	`nobody is`:                    "no one is",
}

// TestProseIsPlain finds only the worst words. CONTRIBUTING.md has the rules.
func TestProseIsPlain(t *testing.T) {
	t.Parallel()
	var patterns []string
	for p := range unclear {
		patterns = append(patterns, p)
	}
	words := regexp.MustCompile(`(?i)\b(` + strings.Join(patterns, "|") + `)\b`)
	lines := 0
	check := func(name string, line int, text string) {
		lines++
		assert.Empty(t, words.FindString(text), "%s:%d: %s", name, line, text)
	}
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == ".git" || entry.Name() == "testdata"):
			return fs.SkipDir
		case entry.IsDir():
			return nil
		}
		switch filepath.Ext(name) {
		case ".md":
			if entry.Name() == "CONTRIBUTING.md" { // has examples of bad prose
				return nil
			}
			text, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			for i, line := range strings.Split(string(text), "\n") {
				check(name, i+1, line)
			}
		case ".go":
			if strings.HasPrefix(name, filepath.Join(root, "internal", "lint")) {
				return nil
			}
			text, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			file := token.NewFileSet().AddFile(name, -1, len(text))
			var s scanner.Scanner // comments need no parser
			s.Init(file, text, nil, scanner.ScanComments)
			for pos, tok, lit := s.Scan(); tok != token.EOF; pos, tok, lit = s.Scan() {
				if tok == token.COMMENT {
					check(name, file.Line(pos), lit)
				}
			}
		}
		return nil
	})
	require.NoError(t, err)
	assert.Greater(t, lines, 10_000)
}
