package feeds_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/feeds"
)

func ExampleFetcher() {
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"2026-01-02"`)
		if r.Header.Get("If-None-Match") == `"2026-01-02"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		fmt.Fprint(w, "203.0.113.1\n")
	}))
	defer provider.Close()
	client, err := threatconnect.NewClient("https://app.threatconnect.com/api", threatconnect.HMAC("id", "key"), threatconnect.WithUserAgent("acme-feed/1.4.2"))
	if err != nil {
		fmt.Println(err)
		return
	}

	fetcher := feeds.Fetcher{Client: client}
	var cursor threatconnect.Cursor // of the last run
	for range 2 {
		d, err := fetcher.Fetch(context.Background(), provider.URL+"/list.txt", cursor)
		if errors.Is(err, feeds.ErrNotModified) {
			fmt.Println("nothing to do")
			continue
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		text, err := io.ReadAll(d.Body)
		fmt.Printf("%d bytes: %s", d.Size, text)
		if d.Body.Close() == nil && err == nil {
			cursor = d.Cursor
		}
	}
	// Output:
	// 12 bytes: 203.0.113.1
	// nothing to do
}
