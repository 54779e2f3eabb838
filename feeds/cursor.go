package feeds

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/threatconnect-go/threatconnect"
)

// SavedCursor is a cursor in a store, for programs that resume a source where the last run stopped, for example
// [threatconnect.Client.Changes]. [State] contains a cursor of its own. A SavedCursor is not safe for concurrent use.
type SavedCursor struct {
	store Store
	saved cursorContent
}

// cursorContent is the content of the store of a cursor.
type cursorContent struct {
	Format  string               `json:"format"`
	Version string               `json:"version"` // changes with each Save
	Cursor  threatconnect.Cursor `json:"cursor"`
}

const cursorFormat = "threatconnect-go cursor 1"

// LoadCursor loads the cursor in a store. If there is none yet, the cursor is zero. A damaged cursor, or a store with
// other content, is an error, and is never treated as the zero cursor. In the DataStore, LoadCursor costs two requests.
func LoadCursor(ctx context.Context, store Store) (*SavedCursor, error) {
	saved, err := readCursor(ctx, store)
	if err != nil {
		return nil, err
	}
	return &SavedCursor{store, saved}, nil
}

// Cursor returns the cursor that was loaded or saved last.
func (c *SavedCursor) Cursor() threatconnect.Cursor { return c.saved.Cursor }

// Save saves a cursor. Call it after everything before the cursor has been processed. If another run has saved a cursor
// since this one was loaded or saved, nothing is saved and the error matches [ErrConcurrentRun]. In the DataStore, Save
// costs seven requests.
func (c *SavedCursor) Save(ctx context.Context, cursor threatconnect.Cursor) error {
	now, err := readCursor(ctx, c.store)
	if err != nil {
		return err
	}
	if now.Version != c.saved.Version {
		return fmt.Errorf("%w: run again to process the changes since its cursor", ErrConcurrentRun)
	}
	next := cursorContent{cursorFormat, rand.Text(), cursor}
	if err := c.store.replace(ctx, "", func(w io.Writer) error { return json.NewEncoder(w).Encode(next) }); err != nil {
		return err
	}
	c.saved = next
	return nil
}

func readCursor(ctx context.Context, store Store) (c cursorContent, err error) {
	content, err := store.open(ctx, "")
	if err == errNone {
		return cursorContent{}, nil
	}
	if err != nil {
		return c, err
	}
	defer content.close()
	if content.size > maxHeader {
		return c, errNotCursor
	}
	text := make([]byte, content.size)
	if _, err := content.ReadAt(text, 0); err != nil && err != io.EOF {
		return c, cannotRead(err)
	}
	if err := json.Unmarshal(text, &c); err != nil || c.Format != cursorFormat || c.Version == "" {
		return cursorContent{}, errNotCursor
	}
	return c, nil
}

var errNotCursor = errors.New("feeds: the store holds something other than a cursor, or a damaged one: restore it, or name another one")
