// Command blocklist keeps a block list of the hosts and addresses that an owner rates 3 or higher. Each run
// reads what has changed since the one before.
//
//	go run ./blocklist 'Example Source' blocklist.txt
//
// The cursor is saved as blocklist.txt.cursor; without both files, a run reads everything. The environment
// names the instance: TC_BASE_URL, TC_ACCESS_ID and TC_SECRET_KEY, or TC_TOKEN.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	"github.com/threatconnect-go/threatconnect"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(os.Args) != 3 {
		log.Fatal("usage: blocklist OWNER FILE")
	}
	client, err := threatconnect.NewClientFromEnv(threatconnect.WithUserAgent("acme-blocklist/1.0"))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.Owners.Whoami(ctx); err != nil { // a wrong base URL is no empty list
		log.Fatal(err)
	}
	if err := update(ctx, client.InOwner(os.Args[1]), os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

// update applies what has changed in the client's owner to the list at path. The cursor is saved after the
// list: if the program dies in between, the next run applies the same changes again.
func update(ctx context.Context, client *threatconnect.Client, path string) error {
	list, cursor, err := load(path)
	if err != nil {
		return err
	}
	changes := client.Changes(ctx, cursor, nil)
	for change, err := range changes.All() {
		if err != nil {
			return err
		}
		if t := change.Ref.Type; t != threatconnect.TypeHost && t != threatconnect.TypeAddress {
			continue
		}
		if change.Deleted || !blocked(change.Indicator.Meta()) {
			delete(list, change.Ref.Value)
		} else {
			list[change.Ref.Value] = true
		}
	}
	var b strings.Builder
	for _, value := range slices.Sorted(maps.Keys(list)) {
		fmt.Fprintln(&b, value)
	}
	if err := replace(path, []byte(b.String())); err != nil {
		return err
	}
	saved, err := json.Marshal(changes.Cursor())
	if err != nil {
		return err
	}
	return replace(path+".cursor", saved)
}

// blocked reports whether an indicator belongs on the list. Inactive ones have been withdrawn.
func blocked(m *threatconnect.IndicatorMeta) bool {
	inactive := m.Active != nil && !*m.Active
	return !inactive && m.Rating != nil && *m.Rating >= 3
}

// load reads the list and its cursor. If one of them is missing, both are empty.
func load(path string) (map[string]bool, threatconnect.Cursor, error) {
	var cursor threatconnect.Cursor
	list := map[string]bool{}
	lines, err := os.ReadFile(path)
	if err == nil {
		var saved []byte
		if saved, err = os.ReadFile(path + ".cursor"); err == nil {
			err = json.Unmarshal(saved, &cursor)
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return list, cursor, nil
	}
	if err != nil {
		return nil, cursor, err
	}
	for line := range strings.Lines(string(lines)) {
		list[strings.TrimSpace(line)] = true
	}
	return list, cursor, nil
}

// replace writes a file in one step: a reader sees the old content or the new.
func replace(path string, content []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) // after the rename, there is nothing to remove
	_, err = file.Write(content)
	if err = errors.Join(err, file.Chmod(0o644), file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
