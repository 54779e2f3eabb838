package sandbox

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// mostSnapshots is the maximum number of snapshots, which contain all data each.
const mostSnapshots = 20

// snapshot is the data and jobs of the server at a time.
type snapshot struct {
	Name  string    `json:"name"`
	Taken time.Time `json:"taken"`
	taken *threatconnecttest.Snapshot
}

// snapshotName is the body of the call that takes a snapshot.
type snapshotName struct {
	Name string `json:"name"`
}

// snapshots returns the snapshots, oldest first.
func (c *control) snapshots() []snapshot {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]snapshot{}, c.kept...)
}

func (c *control) getSnapshots(*http.Request) (any, error) { return c.snapshots(), nil }

// postSnapshot takes a snapshot. One of the same name is replaced.
func (c *control) postSnapshot(r *http.Request) (any, error) {
	in, err := body[snapshotName](r)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if in.Name == "" {
		in.Name = c.freeName()
	}
	if utf8.RuneCountInString(in.Name) > 100 || in.Name == "." || in.Name == ".." || strings.ContainsFunc(in.Name, isHidden) {
		return nil, errors.New(`name: use at most 100 visible characters, and neither "." nor ".."`)
	}
	c.kept = slices.DeleteFunc(c.kept, func(s snapshot) bool { return s.Name == in.Name })
	if len(c.kept) == mostSnapshots {
		return nil, errors.New("name: there are already 20 snapshots: delete one, or use the name of one to replace it")
	}
	s := snapshot{in.Name, time.Now(), c.srv.Snapshot()}
	c.kept = append(c.kept, s)
	return s, nil
}

// isHidden reports whether a character of a name cannot be seen.
func isHidden(r rune) bool { return !unicode.IsPrint(r) }

// freeName returns a name that no snapshot has. The caller holds the lock.
func (c *control) freeName() string {
	for {
		c.lastSnapshot++
		name := fmt.Sprintf("snapshot-%d", c.lastSnapshot)
		if !slices.ContainsFunc(c.kept, func(s snapshot) bool { return s.Name == name }) {
			return name
		}
	}
}

// restoreSnapshot restores the data and jobs of a snapshot, and keeps the snapshot.
func (c *control) restoreSnapshot(r *http.Request) (any, error) {
	s, err := c.snapshot(r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	c.srv.Restore(s.taken)
	c.resets.Add(1)
	return s, nil
}

func (c *control) deleteSnapshot(r *http.Request) (any, error) {
	s, err := c.snapshot(r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept = slices.DeleteFunc(c.kept, func(other snapshot) bool { return other.Name == s.Name })
	return empty{}, nil
}

func (c *control) snapshot(name string) (snapshot, error) {
	all := c.snapshots()
	i := slices.IndexFunc(all, func(s snapshot) bool { return s.Name == name })
	if i < 0 {
		return snapshot{}, notFound("snapshots/%s: there is no such snapshot: GET %ssnapshots lists them", name, controlPath)
	}
	return all[i], nil
}
