package delta

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/threatconnect-go/threatconnect"
)

// Open returns the store that a flag names: datastore:DOMAIN/TYPE/ID is a record of the platform's
// DataStore, anything else a file.
func Open(client *threatconnect.Client, where string) (Store, error) {
	place, ok := strings.CutPrefix(where, "datastore:")
	if !ok {
		return File(where), nil
	}
	parts := strings.Split(place, "/")
	if len(parts) != 3 || parts[1] == "" || parts[2] == "" {
		return nil, errors.New("want datastore:DOMAIN/TYPE/ID, as in datastore:local/feed/state")
	}
	domain := threatconnect.DataStoreDomain(parts[0])
	manifests, err := threatconnect.DataStoreOf[manifest](client, domain, parts[1])
	if err != nil {
		return nil, err
	}
	chunks, err := threatconnect.DataStoreOf[chunk](client, domain, parts[1])
	if err != nil {
		return nil, err
	}
	return &dataStore{manifests, chunks, parts[2], chunkBytes}, nil
}

// manifest is the record that makes the chunks a state. It is written last.
type manifest struct {
	Format  string `json:"format"`
	Chunks  int    `json:"chunks"`
	Running string `json:"running"` // the run that is under way; empty when the chunks are a state
}

// chunk is a part of a state, in a record of its own.
type chunk struct {
	Data []byte `json:"data"`
}

const (
	manifestFormat = "threatconnect-go feed state"
	// chunkBytes is how much of a state is in one record. No limit is documented; this is well below
	// what Elasticsearch and the servers in front of it take.
	chunkBytes = 256 << 10
	mostChunks = 1 << 16
	// saveWithin is how long saving may take when the run itself has been stopped.
	saveWithin = 2 * time.Minute
)

// dataStore keeps a state in the platform's DataStore.
type dataStore struct {
	manifests *threatconnect.DataStore[manifest]
	chunks    *threatconnect.DataStore[chunk]
	id        string
	size      int // of a chunk
}

func (d *dataStore) chunkID(n int) string { return d.id + "." + strconv.Itoa(n) }

// manifest reads the manifest; nil when there is none.
func (d *dataStore) manifest(ctx context.Context) (*manifest, error) {
	r, err := d.manifests.Get(ctx, d.id)
	switch {
	case errors.Is(err, threatconnect.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("the state cannot be read: %w", err)
	case r.Value.Format != manifestFormat || r.Value.Chunks < 0 || r.Value.Chunks > mostChunks:
		return nil, errors.New("the record in the DataStore is not a state of this command: name another one")
	}
	return &r.Value, nil
}

func (d *dataStore) load(ctx context.Context, dir string) (*stored, error) {
	m, err := d.manifest(ctx)
	switch {
	case err != nil:
		return nil, err
	case m == nil:
		return nil, errNone
	case m.Running != "":
		return nil, errRunning
	}
	f, err := os.CreateTemp(dir, "feed-state-*")
	if err != nil {
		return nil, fmt.Errorf("the state cannot be kept on disk: %w", withoutPath(err))
	}
	s := &stored{file: f, scrap: true}
	for n := range m.Chunks {
		r, err := d.chunks.Get(ctx, d.chunkID(n))
		if err == nil {
			s.size += int64(len(r.Value.Data))
			_, err = f.Write(r.Value.Data)
		} else if errors.Is(err, threatconnect.ErrNotFound) {
			err = errCorrupt
		}
		if err != nil {
			s.close()
			if err == errCorrupt {
				return nil, err
			}
			return nil, fmt.Errorf("the state cannot be read: %w", withoutPath(err))
		}
	}
	return s, nil
}

func (d *dataStore) begin(ctx context.Context, run string) error {
	m, err := d.manifest(ctx)
	if err != nil {
		return err
	}
	if m == nil {
		m = &manifest{Format: manifestFormat}
	}
	m.Running = run
	if err := d.manifests.Put(ctx, d.id, *m); err != nil {
		return fmt.Errorf("the state cannot be written: %w", err)
	}
	return nil
}

// save also saves the state of a run that was stopped.
func (d *dataStore) save(ctx context.Context, run string, _ bool, write func(io.Writer) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveWithin)
	defer cancel()
	old, err := d.manifest(ctx)
	if err != nil {
		return err
	}
	if old == nil || old.Running != run {
		return errTaken
	}
	w := &chunkWriter{ctx: ctx, to: d}
	if err = write(w); err == nil {
		err = w.flush()
	}
	if err == nil {
		err = d.manifests.Put(ctx, d.id, manifest{Format: manifestFormat, Chunks: w.count})
	}
	if err != nil {
		return fmt.Errorf("the state cannot be written: %w", err)
	}
	for n := w.count; n < old.Chunks; n++ {
		_ = d.chunks.Delete(ctx, d.chunkID(n)) // nobody reads it any more
	}
	return nil
}

// chunkWriter writes a state into records.
type chunkWriter struct {
	ctx   context.Context
	to    *dataStore
	buf   []byte
	count int
}

func (w *chunkWriter) Write(b []byte) (int, error) {
	w.buf = append(w.buf, b...)
	for len(w.buf) >= w.to.size {
		if err := w.put(w.buf[:w.to.size]); err != nil {
			return 0, err
		}
		w.buf = append(w.buf[:0], w.buf[w.to.size:]...)
	}
	return len(b), nil
}

func (w *chunkWriter) flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	return w.put(w.buf)
}

func (w *chunkWriter) put(b []byte) error {
	if w.count == mostChunks {
		return errors.New("it is too large for the DataStore: use a file")
	}
	err := w.to.chunks.Put(w.ctx, w.to.chunkID(w.count), chunk{b})
	w.count++
	return err
}
