package feeds_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/feeds"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// daily downloads a feed if it has changed, and imports the items that have changed.
func daily(ctx context.Context, client *threatconnect.Client, feedURL, statePath string) (err error) {
	config := threatconnect.BatchConfig{Owner: "Example Source", Attributes: threatconnect.WriteReplace}
	state, err := feeds.OpenState(ctx, feeds.NewFileStore(statePath), feeds.StateOptions{
		Instance: client.BaseURL(), Owner: config.Owner, Settings: string(config.Attributes),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, state.Close()) }()

	fetcher := feeds.Fetcher{Client: client}
	download, err := fetcher.Fetch(ctx, feedURL, state.Cursor())
	if errors.Is(err, feeds.ErrNotModified) {
		fmt.Println("the feed has not changed")
		return nil
	}
	if err != nil {
		return err
	}
	defer download.Body.Close()

	feed, err := feeds.Open(download.Body, &feeds.Options{Owner: config.Owner, Feed: "example"})
	if err != nil {
		return err
	}
	items := threatconnect.MergeItems(ctx, feed.Items(func(e *feeds.LineError) { fmt.Println(e) }), nil)
	config.KnownGroup, config.OnError = state.KnownGroup, state.OnError
	state.SetCursor(download.Cursor)
	stats, err := client.Batch.Import(ctx, config, state.Changed(items))
	err = errors.Join(err, state.Save(ctx, stats, err))
	unchanged, vanished := state.Counts()
	fmt.Printf("%d sent, %d unchanged, %d vanished\n", stats.Total().Succeeded, unchanged, vanished)
	return err
}

// A program that runs every day: fetch, read, deduplicate, and import the changes.
func Example_daily() {
	days := []string{"a.example\nb.example\n", "a.example\nb.example\n", "a.example\nc.example\n???\na[.]example\n"}
	day := 0
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		etag := fmt.Sprintf(`"%x"`, days[day])
		w.Header().Set("ETag", etag)
		if r.Header.Get("If-None-Match") == etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		fmt.Fprint(w, days[day])
	}))
	defer provider.Close()
	client := threatconnecttest.New().Client(threatconnect.WithUserAgent("acme-feed/1.4.2"))
	dir, err := os.MkdirTemp("", "feed")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	for day = range days {
		if err := daily(context.Background(), client, provider.URL+"/list.txt", filepath.Join(dir, "state")); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// 2 sent, 0 unchanged, 0 vanished
	// the feed has not changed
	// line 3: indicator is not recognized as an address, block, host, URL, email address, hash, ASN or registry key; use a Mutex, UserAgent or another type by name if it is one
	// 1 sent, 1 unchanged, 1 vanished
}
