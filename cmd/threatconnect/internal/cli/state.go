package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/feeds"
)

// OpenStore returns the store that --state names: a file, or datastore:DOMAIN/TYPE/ID for a record of the
// platform's DataStore. It neither reads nor writes the store.
func OpenStore(client *threatconnect.Client, name string) (feeds.Store, error) {
	record, found := strings.CutPrefix(name, "datastore:")
	if !found {
		if _, err := os.Stat(filepath.Dir(name)); err != nil {
			return nil, fmt.Errorf("--state %s: %w", name, WithoutPath(err))
		}
		return feeds.NewFileStore(name), nil
	}
	parts := strings.SplitN(record, "/", 3)
	if len(parts) != 3 || parts[1] == "" || parts[2] == "" {
		return nil, UsageError("--state must be datastore:DOMAIN/TYPE/ID, as in datastore:local/feed/state")
	}
	store, err := feeds.NewDataStore(client, threatconnect.DataStoreDomain(parts[0]), parts[1], parts[2])
	if err != nil {
		return nil, fmt.Errorf("--state: %w", err)
	}
	return store, nil
}
