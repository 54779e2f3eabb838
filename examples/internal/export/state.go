package export

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/examples/internal/files"
)

const stateVersion = 1

// state is what a run leaves for the next one.
type state struct {
	Version   int                 `json:"version"`
	Instance  string              `json:"instance"`
	Selection string              `json:"selection"`
	Owners    map[string]progress `json:"owners"`
}

// check refuses to go on from a run that exported something else.
func (s *state) check(instance, selection string) error {
	const reset = "name another -state, or run with -reset"
	switch {
	case s.Version == 0:
		return nil // there is none
	case s.Version != stateVersion:
		return fmt.Errorf("the last run was remembered by another version of this command (%d, not %d): %s", s.Version, stateVersion, reset)
	case s.Instance != instance:
		return fmt.Errorf("the last run was on another instance, %q: %s", s.Instance, reset)
	case s.Selection != selection:
		return fmt.Errorf("the last run exported something else (%s, not %s), so that going on from there would leave gaps: %s",
			wordsFor(s.Selection), wordsFor(selection), reset)
	}
	return nil
}

func wordsFor(selection string) string {
	if selection == "" {
		return "everything"
	}
	return "[" + selection + "]"
}

// stateStore is where runs are remembered.
type stateStore interface {
	load(context.Context) (*state, error) // an empty state when there is none
	save(context.Context, *state) error
}

// openStore returns the store that -state names.
func openStore(client *threatconnect.Client, where string) (stateStore, error) {
	if where == "none" || where == "" {
		return &memoryStore{}, nil
	}
	place, ok := strings.CutPrefix(where, "datastore:")
	if !ok {
		_, err := files.Target(where) // before anything is exported
		return fileStore(where), err
	}
	parts := strings.Split(place, "/")
	if len(parts) != 3 || parts[1] == "" || parts[2] == "" {
		return nil, errors.New("-state: want datastore:DOMAIN/TYPE/ID, as in datastore:local/export/cursor")
	}
	records, err := threatconnect.DataStoreOf[state](client, threatconnect.DataStoreDomain(parts[0]), parts[1])
	if err != nil {
		return nil, err
	}
	return &dataStore{records, parts[2]}, nil
}

// memoryStore remembers until the process ends.
type memoryStore struct{ last state }

func (m *memoryStore) load(context.Context) (*state, error) { return &m.last, nil }

func (m *memoryStore) save(_ context.Context, s *state) error {
	m.last = *s
	return nil
}

// fileStore is the name of a file.
type fileStore string

func (f fileStore) load(context.Context) (*state, error) {
	b, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return &state{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read what the last run has left: %w", err)
	}
	s := &state{}
	if err := json.Unmarshal(b, s); err != nil || s.Version == 0 {
		return nil, fmt.Errorf("%s is not what a run leaves: name another -state, or run with -reset to replace it", f)
	}
	return s, nil
}

func (f fileStore) save(_ context.Context, s *state) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	if err := e.Encode(s); err != nil {
		return err
	}
	file, err := replace(string(f), 0o600)
	if err != nil {
		return err
	}
	if _, err := file.Write(b.Bytes()); err != nil {
		file.abort()
		return err
	}
	return file.commit()
}

// dataStore is a record of the platform's DataStore.
type dataStore struct {
	records *threatconnect.DataStore[state]
	id      string
}

func (d *dataStore) load(ctx context.Context) (*state, error) {
	r, err := d.records.Get(ctx, d.id)
	if errors.Is(err, threatconnect.ErrNotFound) {
		return &state{}, nil
	}
	if err != nil {
		return nil, err
	}
	if r.Value.Version == 0 {
		return nil, errors.New("the record in the DataStore is not what a run leaves: name another -state, or run with -reset to replace it")
	}
	return &r.Value, nil
}

func (d *dataStore) save(ctx context.Context, s *state) error { return d.records.Put(ctx, d.id, *s) }
