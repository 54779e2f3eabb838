package feed

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/feeds"
	"github.com/threatconnect-go/threatconnect/internal/durable"
)

// spool is the directory of --spool. It contains the journal of the current import, and copies of feeds with a
// description each. A feed is in the spool from the time its description exists until its import is complete.
type spool struct {
	dir  string
	lock *flock.Flock
}

// savedFeed describes the copy of a feed. Its names of files are below the directory of the spool.
type savedFeed struct {
	Run      string               `json:"run"` // names the import in the journal and in the state
	Format   feeds.Format         `json:"format"`
	Settings map[string]string    `json:"settings"` // flags that change what is sent
	Cursor   threatconnect.Cursor `json:"cursor"`   // of a download
	Sum      string               `json:"sum"`      // SHA-256 of the copy
	Lists    []string             `json:"lists"`    // names of the copies of the lists of --exclude
}

const (
	feedSuffix = ".feed"
	listSuffix = ".list"
	infoSuffix = ".json"
	tempSuffix = ".tmp"
)

// openSpool locks and opens the spool until close, and removes incomplete copies that a crash has left.
func openSpool(dir string) (*spool, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("--spool: %w", err)
	}
	if err := checkOwner(dir); err != nil {
		return nil, fmt.Errorf("--spool: the directory: %w, or use a new directory", cli.WithoutPath(err))
	}
	s := &spool{dir: dir, lock: flock.New(filepath.Join(dir, "lock"), flock.SetPermissions(0o600))}
	locked, err := s.lock.TryLock()
	switch {
	case err != nil:
		return nil, fmt.Errorf("--spool: the directory cannot be locked: %w", cli.WithoutPath(err))
	case !locked:
		return nil, fmt.Errorf("--spool: another process uses %s: wait until it ends, or use another directory", dir)
	}
	if err := s.clean(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// checkOwner returns an error unless a spool and all files in it belong to the user, and nobody else can write to
// them: the feeds in it would be imported.
func checkOwner(dir string) error {
	if err := durable.CheckPath(filepath.Join(dir, "lock")); err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err == nil {
		err = durable.CheckOwn(info)
	}
	if err != nil {
		return err
	}
	all, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, f := range all {
		if !slices.Contains([]string{feedSuffix, listSuffix, infoSuffix, tempSuffix}, filepath.Ext(f.Name())) {
			continue
		}
		info, err := f.Info()
		if err == nil && !info.Mode().IsRegular() {
			err = errors.New("it is not a regular file: remove it")
		}
		if err == nil {
			err = durable.CheckOwn(info)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) { // of another process that ends
			return fmt.Errorf("%s in it: %w", f.Name(), err)
		}
	}
	return nil
}

// close unlocks the spool.
func (s *spool) close() { _ = s.lock.Close() } // the end of the process does it anyway

func (s *spool) path(name string) string { return filepath.Join(s.dir, name) }

// clean removes copies without a description and temporary files.
func (s *spool) clean() error {
	all, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("--spool: %w", err)
	}
	for _, f := range all {
		run, _, _ := strings.Cut(f.Name(), ".")
		_, err := os.Lstat(s.path(run + infoSuffix))
		orphan := (strings.HasSuffix(f.Name(), feedSuffix) || strings.HasSuffix(f.Name(), listSuffix)) && errors.Is(err, os.ErrNotExist)
		if orphan || strings.HasSuffix(f.Name(), tempSuffix) {
			if err := os.Remove(s.path(f.Name())); err != nil {
				return fmt.Errorf("--spool: %w", err)
			}
		}
	}
	return nil
}

// feeds returns the descriptions of the feeds in the spool, the oldest first.
func (s *spool) feeds() ([]savedFeed, error) {
	names, err := filepath.Glob(s.path("*" + infoSuffix))
	if err != nil {
		return nil, fmt.Errorf("--spool: %w", err)
	}
	slices.Sort(names)
	saved := make([]savedFeed, len(names))
	for i, name := range names {
		text, err := os.ReadFile(name)
		if err == nil {
			err = json.Unmarshal(text, &saved[i])
		}
		if err == nil && saved[i].Run+infoSuffix != filepath.Base(name) {
			err = errors.New("has the description of another feed")
		}
		if err != nil {
			return nil, fmt.Errorf("--spool: %s: %w; remove it to give up the interrupted import", name, cli.WithoutPath(err))
		}
	}
	return saved, nil
}

// save copies a feed and the lists into the spool, durably. It does nothing if the feed is the same as last.
func (s *spool) save(in io.Reader, info savedFeed, lists []string, last *savedFeed) error {
	info.Run = newRun()
	if last != nil && info.Run <= last.Run {
		return errors.New("--spool: the newest feed in it is from the future: set the clock of this machine")
	}
	temp := s.path(info.Run + tempSuffix)
	defer os.Remove(temp) // unless it was renamed
	var err error
	if info.Sum, err = copyFile(temp, in); err != nil {
		return fmt.Errorf("--spool: the feed cannot be saved: %w", cli.WithoutPath(err))
	}
	if last != nil && last.Sum == info.Sum {
		return nil
	}
	if info.Format, err = formatOf(temp, info.Format); err != nil {
		return err
	}
	for i, list := range lists {
		f, err := os.Open(list)
		if err != nil {
			return fmt.Errorf("--exclude: %w", err)
		}
		name := fmt.Sprintf("%s.%d%s", info.Run, i, listSuffix)
		_, err = copyFile(s.path(name), f)
		f.Close()
		if err != nil {
			return fmt.Errorf("--spool: a list of --exclude cannot be saved: %w", cli.WithoutPath(err))
		}
		info.Lists = append(info.Lists, name)
	}
	if err := os.Rename(temp, s.path(info.Run+feedSuffix)); err != nil {
		return fmt.Errorf("--spool: %w", err)
	}
	text, err := json.Marshal(&info)
	if err == nil {
		_, err = copyFile(temp, strings.NewReader(string(text)))
	}
	if err == nil {
		err = durable.SyncDir(s.dir) // the copies are durable before the description is
	}
	if err == nil {
		err = os.Rename(temp, s.path(info.Run+infoSuffix))
	}
	if err == nil {
		err = durable.SyncDir(s.dir)
	}
	if err != nil {
		return fmt.Errorf("--spool: the feed cannot be saved: %w", cli.WithoutPath(err))
	}
	return nil
}

// remove removes a completely imported feed, its description first.
func (s *spool) remove(f savedFeed) error {
	err := os.Remove(s.path(f.Run + infoSuffix))
	if err == nil {
		err = durable.SyncDir(s.dir)
	}
	if err == nil {
		err = s.clean()
	}
	if err != nil {
		return fmt.Errorf("--spool: the feed was imported and cannot be removed: %w", err)
	}
	return nil
}

// newRun returns a name for an import. Later names are greater.
func newRun() string {
	return strings.Replace(time.Now().UTC().Format("20060102T150405.000000000"), ".", "-", 1)
}

// copyFile writes a new file that survives a crash, and returns its SHA-256.
func copyFile(path string, from io.Reader) (sum string, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	_, err = io.Copy(io.MultiWriter(f, hash), from)
	if err == nil {
		err = f.Sync()
	}
	return hex.EncodeToString(hash.Sum(nil)), errors.Join(err, f.Close())
}

// formatOf returns the stated or detected format of a feed in a file.
func formatOf(path string, format feeds.Format) (feeds.Format, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	options := feeds.Options{Format: format, Owner: "any", Feed: "any"}
	if format == feeds.FormatCSV {
		return format, nil // which needs the columns to be opened
	}
	feed, err := feeds.Open(bufio.NewReader(f), &options)
	if err != nil {
		return "", err
	}
	return feed.Format(), nil
}

// settings returns the flags that affect what is sent. An import can be resumed only with the same settings.
func (c *config) settings(baseURL string) map[string]string {
	tags := make([]string, len(c.tags))
	for i, t := range c.tags {
		tags[i] = t.Name
	}
	return map[string]string{
		"--base-url": baseURL, "--owner": c.owner, "--attributes": string(c.attributes), "--tag": fmt.Sprintf("%q", tags),
		"--rating": fmt.Sprint(c.rating), "--confidence": fmt.Sprint(c.confidence), "--merge": fmt.Sprint(c.merge),
		"--feed": threatconnect.XIDFromText(c.feedName()), "--raw-xids": fmt.Sprint(c.rawXIDs), // the path of a URL can hold a key
		"--columns": c.columns, "--allow-documentation": fmt.Sprint(c.allowDocumentation), "--state": c.state, "--full": fmt.Sprint(c.full),
	}
}

// checkSettings refuses to resume an import with other flags than it began with.
func (f savedFeed) checkSettings(now map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if f.Settings[name] != now[name] {
			return fmt.Errorf("--spool has an interrupted import that began with another %s: repeat its command line to finish it, or remove the directory to give it up", name)
		}
	}
	return nil
}

// saveInput saves the feed as it is now in the spool, unless the newest feed in it is the same.
func (im *importer) saveInput(ctx context.Context, s *spool) error {
	saved, err := s.feeds()
	if err != nil {
		return err
	}
	var last *savedFeed
	var cursor threatconnect.Cursor
	if len(saved) > 0 {
		last = &saved[len(saved)-1]
		cursor = last.Cursor
	} else if cursor, err = im.cursor(ctx); err != nil {
		return err
	}
	in, err := im.open(ctx, cursor)
	if err != nil {
		return err
	}
	defer in.Close()
	return s.save(in, savedFeed{Format: im.cfg.format, Settings: im.cfg.settings(im.client.BaseURL()), Cursor: in.cursor}, im.cfg.exclude, last)
}
