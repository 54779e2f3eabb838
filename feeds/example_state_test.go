package feeds_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/feeds"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// importChanges imports the items of a feed that have changed since the last call.
func importChanges(ctx context.Context, client *threatconnect.Client, path string, items ...threatconnect.BatchItem) (threatconnect.BatchStats, error) {
	config := threatconnect.BatchConfig{Owner: "Example Source", Attributes: threatconnect.WriteReplace}
	state, err := feeds.OpenState(ctx, feeds.NewFileStore(path), feeds.StateOptions{
		Instance: client.BaseURL(), Owner: config.Owner, Settings: string(config.Attributes),
	})
	if err != nil {
		return threatconnect.BatchStats{}, err
	}
	defer state.Close()
	config.KnownGroup, config.OnError = state.KnownGroup, state.OnError
	stats, err := client.Batch.Import(ctx, config, state.Changed(threatconnect.BatchItems(slices.Values(items))))
	return stats, errors.Join(err, state.Save(ctx, stats, err))
}

func ExampleState() {
	client := threatconnecttest.New().Client()
	dir, err := os.MkdirTemp("", "feed")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	old, changed := threatconnect.NewHost("a.example"), threatconnect.NewHost("b.example")
	for day := range 2 {
		changed.Rating = new(float64(day))
		stats, err := importChanges(context.Background(), client, filepath.Join(dir, "state"), old, changed)
		fmt.Println(stats.Indicators, err)
	}
	// Output:
	// 2 of 2 <nil>
	// 1 of 1 <nil>
}
