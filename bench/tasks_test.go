package main

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

func TestTasksUploadAndReadEveryItem(t *testing.T) {
	keep := t.TempDir()
	s := newServer(keep, 1)
	srv := httptest.NewServer(s)
	defer srv.Close()
	const items = 7_000 // more than one job
	run := func(name, mode string, n, page int) {
		t.Helper()
		if err := tasks[name](t.Context(), task{base: srv.URL + mode + "/api", n: n, page: page, dir: keep}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"import", "marshal"} {
		run(name, "", items, 0)
		if got := uploaded(t, keep); got != items {
			t.Errorf("%s: %d indicators arrived of %d", name, got, items)
		}
		if name == "marshal" {
			break // the other tasks post its files
		}
		for _, f := range files(t, keep) {
			if err := os.Remove(f); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.keep = ""
	for _, mode := range []string{"", careful} {
		run("post files", mode, items, 0)
		run("post bytes", mode, items, 0)
		run("post, make", mode, items, 0)
		run("import hosts", mode, items, 0)
	}
	run("make items", "", items, 0)
	for _, name := range []string{"list", "list ahead", "list bare"} {
		run(name, "", listed, 10_000)
	}
	for _, name := range []string{"get", "get bare"} {
		run(name, "", 10, 0)
	}
	for _, name := range []string{"bulk", "bulk bare"} {
		run(name, "", bulkBlock, 0)
	}
}

// The table states the size of the feed as ready-made files, which changes of the feed must not alter.
func TestFeedSizeMatchesBenchmarkTable(t *testing.T) {
	keep := t.TempDir()
	srv := httptest.NewServer(newServer(keep, 1))
	defer srv.Close()
	const n = 25_000
	if err := importFeed(t.Context(), task{base: srv.URL + "/api", n: n}); err != nil {
		t.Fatal(err)
	}
	size := int64(0)
	for _, name := range files(t, keep) {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	if per := size / n; per < 375 || per > 385 {
		t.Errorf("%d bytes per indicator, want 380: 95 MB for 250,000", per)
	}
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(names) < 2 {
		t.Fatalf("%d files, %v", len(names), err)
	}
	return names
}

// uploaded counts the indicators in the files that the server kept.
func uploaded(t *testing.T, dir string) int {
	t.Helper()
	n := 0
	for _, name := range files(t, dir) {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var file struct{ Indicator []json.RawMessage }
		if err := json.Unmarshal(b, &file); err != nil {
			t.Fatal(err)
		}
		n += len(file.Indicator)
	}
	return n
}
