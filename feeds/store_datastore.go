package feeds

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strconv"

	"github.com/threatconnect-go/threatconnect"
)

// NewDataStore returns a store in the platform's DataStore, which survives the loss of the machine. The record with the
// id names the run that uses the store. The content is in records of 256 KiB each; their IDs begin with id. A client with
// HMAC credentials is an error, because the DataStore accepts only API tokens. NewDataStore sends nothing.
//
// Opening a state of a million items costs about 130 requests, and saving it about 260.
func NewDataStore(client *threatconnect.Client, domain threatconnect.DataStoreDomain, dataType, id string) (Store, error) {
	manifests, err := threatconnect.DataStoreOf[manifest](client, domain, dataType)
	if err != nil {
		return nil, err
	}
	chunks, err := threatconnect.DataStoreOf[chunk](client, domain, dataType)
	if err != nil {
		return nil, err
	}
	return &dataStore{manifests: manifests, chunks: chunks, id: id, size: chunkBytes}, nil
}

// manifest is the record that defines which chunks are the content of the store. It is written last.
type manifest struct {
	Format     string `json:"format"`
	Generation int    `json:"generation"` // of the chunks; saving alternates between two, and never changes the current content
	Chunks     int    `json:"chunks"`     // 0 if nothing was saved yet
	Size       int64  `json:"size"`       // bytes of all chunks
	Mark       *mark  `json:"mark,omitempty"`
}

// chunk is a part of the content.
type chunk struct {
	Data []byte `json:"data"`
}

const (
	manifestFormat = "threatconnect-go feed store 1"
	chunkBytes     = 256 << 10 // there is no documented limit; Elasticsearch accepts records of 100 MB
	maxChunks      = 1 << 12   // 1 GiB, a state of about 33 million items
)

type dataStore struct {
	manifests *threatconnect.DataStore[manifest]
	chunks    *threatconnect.DataStore[chunk]
	id        string
	size      int // of a chunk
}

func (d *dataStore) chunkID(generation, n int) string {
	return d.id + "." + strconv.Itoa(generation) + "." + strconv.Itoa(n)
}

// manifest reads the manifest.
func (d *dataStore) manifest(ctx context.Context) (manifest, error) {
	r, err := d.manifests.Get(ctx, d.id)
	m := r.Value
	switch {
	case errors.Is(err, threatconnect.ErrNotFound):
		return manifest{Format: manifestFormat}, nil
	case err != nil:
		return m, cannotRead(err)
	case m.Format != manifestFormat || m.Chunks < 0 || m.Chunks > maxChunks || m.Generation&^1 != 0 || !d.fits(m):
		return m, errors.New("feeds: the record in the DataStore is not a state: name another record")
	}
	return m, nil
}

// fits reports whether the size is that of the chunks, which are all full except the last.
func (d *dataStore) fits(m manifest) bool {
	size := int64(d.size)
	return m.Chunks == 0 && m.Size == 0 || m.Chunks > 0 && m.Size >= 0 && m.Size <= maxChunks*size && max(1, (m.Size+size-1)/size) == int64(m.Chunks)
}

func (d *dataStore) put(ctx context.Context, m manifest) error {
	if err := d.manifests.Put(ctx, d.id, m); err != nil {
		return cannotWrite(err)
	}
	return nil
}

func (d *dataStore) swap(ctx context.Context, change func(*mark) *mark) error {
	m, err := d.manifest(ctx)
	if err != nil {
		return err
	}
	next := change(m.Mark)
	if next == m.Mark {
		return nil
	}
	m.Mark = next
	return d.put(ctx, m)
}

func (d *dataStore) open(ctx context.Context, dir string) (*stored, error) {
	m, err := d.manifest(ctx)
	if err != nil {
		return nil, err
	}
	if m.Chunks == 0 {
		return nil, errNone
	}
	if m.Size <= maxInMemory {
		var text bytes.Buffer
		if err := d.read(ctx, m, &text); err != nil {
			return nil, err
		}
		return inMemory(text.Bytes()), nil
	}
	file, err := os.CreateTemp(dir, "feed-state-*")
	if err != nil {
		return nil, cannotRead(err)
	}
	remove := func() { _ = os.Remove(file.Name()) } // removes the open file, if the system allows that
	remove()
	s := &stored{ReaderAt: file, size: m.Size, close: func() {
		_ = file.Close()
		remove()
	}}
	if err = d.read(ctx, m, file); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// read copies the chunks. Each must have the size that follows from the manifest. Otherwise, anybody who can write to the
// DataStore could fill the disk.
func (d *dataStore) read(ctx context.Context, m manifest, to io.Writer) error {
	left := m.Size
	for n := range m.Chunks {
		r, err := d.chunks.Get(ctx, d.chunkID(m.Generation, n))
		if errors.Is(err, threatconnect.ErrNotFound) || err == nil && int64(len(r.Value.Data)) != min(left, int64(d.size)) {
			return errDamaged
		}
		if err == nil {
			left -= int64(len(r.Value.Data))
			_, err = to.Write(r.Value.Data)
		}
		if err != nil {
			return cannotRead(err)
		}
	}
	return nil
}

func (d *dataStore) replace(ctx context.Context, token string, write func(io.Writer) error) error {
	old, err := d.manifest(ctx)
	if err == nil {
		err = old.Mark.owns(token) // the owner may be writing the same chunks
	}
	if err != nil {
		return err
	}
	w := &chunkWriter{ctx: ctx, to: d, generation: 1 - old.Generation}
	if err = write(w); err == nil {
		err = w.put(w.buf) // the last one can be short, or empty
	}
	if err != nil {
		return cannotWrite(err)
	}
	now, err := d.manifest(ctx)
	if err == nil {
		err = now.Mark.owns(token)
	}
	if err == nil {
		err = d.put(ctx, manifest{Format: manifestFormat, Generation: w.generation, Chunks: w.count, Size: w.size})
	}
	if err != nil {
		return err
	}
	for n := range old.Chunks {
		_ = d.chunks.Delete(ctx, d.chunkID(old.Generation, n)) // if this fails, the next save overwrites it
	}
	return nil
}

// chunkWriter writes a content into records.
type chunkWriter struct {
	ctx        context.Context
	to         *dataStore
	generation int
	buf        []byte
	count      int
	size       int64
}

func (w *chunkWriter) Write(b []byte) (int, error) {
	w.buf = append(w.buf, b...)
	for len(w.buf) > w.to.size {
		if err := w.put(w.buf[:w.to.size]); err != nil {
			return 0, err
		}
		w.buf = append(w.buf[:0], w.buf[w.to.size:]...)
	}
	return len(b), nil
}

func (w *chunkWriter) put(b []byte) error {
	if w.count == maxChunks {
		return errors.New("it is too large for the DataStore: use a file")
	}
	err := w.to.chunks.Put(w.ctx, w.to.chunkID(w.generation, w.count), chunk{b})
	w.count++
	w.size += int64(len(b))
	return err
}
