package feeds

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
)

// killed is the panic value of a process that dies without cleanup.
type killed struct{}

// crashing runs f, which dies at step at of the store, counted from 0. It returns whether f died, and the number of
// steps.
func crashing(store *fileStore, at int, f func()) (died bool, steps int) {
	store.step = func(string) {
		if steps++; steps-1 == at {
			panic(killed{})
		}
	}
	defer func() {
		store.step = nil
		if r := recover(); r != nil {
			if _, ok := r.(killed); !ok {
				panic(r)
			}
			died = true
		}
	}()
	f()
	return false, steps
}

// A process that dies at any step leaves the old state or the new one, each with its cursor. If it died during a run,
// the mark is kept.
func TestFileCrashLeavesOldOrNewState(t *testing.T) {
	t.Parallel()
	results := map[string]int{}
	for at := 0; ; at++ {
		store := fileStoreIn(t)
		before := openState(t, store)
		before.SetCursor(threatconnect.Cursor{Position: "old"})
		runWith(t, before, fate{}, hosts(0, 500)...)

		items := append(hosts(250, 500), host(0, 2))
		var s *State
		died, _ := crashing(store, at, func() {
			s = openState(t, store, named("today"))
			s.SetCursor(threatconnect.Cursor{Position: "new"})
			_, stats, err := imports(s, fate{}, items...)
			require.NoError(t, s.Save(t.Context(), stats, err))
		})
		if s != nil {
			s.done = true // a dead process does not restore the mark
		}
		content, err := store.open(t.Context(), "")
		require.NoError(t, err)
		i, err := openImage(content, content.size)
		require.NoError(t, err)
		content.close()
		result := fmt.Sprintf("%s with %d items", i.header.Cursor.Position, i.count)
		if m, err := store.mark(); assert.NoError(t, err) && m != nil {
			result += ", marked"
		}
		results[result]++
		if !died {
			break
		}

		ageTemps(t, store)
		next := openState(t, store, named("tomorrow"))
		assert.Equal(t, result[len(result)-6:] == "marked", next.Reason() != "")
		runWith(t, next, fate{}, items...)
		assert.Empty(t, run(t, store, items...))
		left, err := os.ReadDir(filepath.Dir(store.path))
		require.NoError(t, err)
		assert.Len(t, left, 1, "nothing of the dead process is left")
	}
	assert.Equal(t, map[string]int{
		"old with 500 items": 3, "old with 500 items, marked": 3, "new with 251 items, marked": 1, "new with 251 items": 1,
	}, results)
}

// ageTemps makes the temporary files of a dead process old enough to be removed.
func ageTemps(t *testing.T, store *fileStore) {
	t.Helper()
	temps, err := filepath.Glob(filepath.Join(filepath.Dir(store.path), ".*.tmp"))
	require.NoError(t, err)
	for _, temp := range temps {
		old := time.Now().Add(-2 * time.Hour)
		require.NoError(t, os.Chtimes(temp, old, old))
	}
}

// Concurrent processes do not damage each other's files: Save succeeds or returns ErrConcurrentRun.
func TestConcurrentWritersOfAFile(t *testing.T) {
	t.Parallel()
	store := fileStoreIn(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				saved, err := LoadCursor(t.Context(), store)
				if assert.NoError(t, err) {
					err = saved.Save(t.Context(), threatconnect.Cursor{Position: rand.Text()})
					assert.True(t, err == nil || errors.Is(err, ErrConcurrentRun), "%v", err)
				}
			}
		})
	}
	all.Wait()
	left, err := os.ReadDir(filepath.Dir(store.path))
	require.NoError(t, err)
	assert.Len(t, left, 1, "the cursor")
}

func TestStateFilePermissions(t *testing.T) {
	t.Parallel()
	store := fileStoreIn(t)
	s := openState(t, store)
	check := func(path string) {
		info, err := os.Stat(path)
		require.NoError(t, err)
		if runtime.GOOS != "windows" {
			assert.Equal(t, os.FileMode(0o600), info.Mode())
		}
	}
	check(store.marker())
	runWith(t, s, fate{}, host(0, 1))
	check(store.path)
	left, err := os.ReadDir(filepath.Dir(store.path))
	require.NoError(t, err)
	assert.Len(t, left, 1, "the mark and the temporary file are gone")
}

func TestInvalidStatePaths(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	victim, link := filepath.Join(dir, "victim"), filepath.Join(dir, "link")
	require.NoError(t, os.WriteFile(victim, []byte("precious"), 0o600))
	require.NoError(t, os.Symlink(victim, link))
	dangling := filepath.Join(dir, "dangling")
	require.NoError(t, os.Symlink("none", dangling))
	for path, want := range map[string]string{
		"":                                 "empty",
		dir:                                "not a file",
		link:                               "symbolic link: name the file that it refers to",
		dangling:                           "symbolic link",
		filepath.Join(dir, "none", "x"):    "cannot be written",
		filepath.Join(victim, "x"):         "cannot be read",
		string(make([]byte, 10)) + "/file": "cannot be read",
	} {
		_, err := OpenState(t.Context(), NewFileStore(path), options)
		require.ErrorContains(t, err, want, path)
		if path != filepath.Join(dir, "none", "x") {
			_, err = LoadCursor(t.Context(), NewFileStore(path))
			require.Error(t, err, path)
		}
	}
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, left, 3, "nothing was written")

	store := fileStoreIn(t) // the link is created after OpenState
	s := openState(t, store)
	_, stats, _ := imports(s, fate{}, host(0, 1))
	require.NoError(t, os.Symlink(victim, store.path))
	require.ErrorContains(t, s.Save(t.Context(), stats, nil), "symbolic link")
	b, err := os.ReadFile(victim)
	require.NoError(t, err)
	assert.Equal(t, "precious", string(b))
}

func TestMarkDoesNotFollowSymlink(t *testing.T) {
	t.Parallel()
	for name, target := range map[string]string{"to a file": "victim", "to nowhere": "none"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := fileStoreIn(t)
			victim := filepath.Join(filepath.Dir(store.path), "victim")
			require.NoError(t, os.WriteFile(victim, []byte("precious"), 0o600))
			require.NoError(t, os.Symlink(target, store.marker()))
			_, err := OpenState(t.Context(), store, options)
			require.ErrorContains(t, err, "the file with .running at its end: it is a symbolic link")
			b, err := os.ReadFile(victim)
			require.NoError(t, err)
			assert.Equal(t, "precious", string(b))
			left, err := os.ReadDir(filepath.Dir(store.path))
			require.NoError(t, err)
			assert.Len(t, left, 2, "the victim and the link")
		})
	}
}

func TestInvalidMarkForcesFullRun(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "x", "{}", `{"run":"today"}`, `{"run":"today","token":1}`, string(make([]byte, maxMark+1))} {
		store := fileStoreIn(t)
		require.NoError(t, os.WriteFile(store.marker(), []byte(text), 0o600))
		s := openState(t, store, named("today"))
		assert.Contains(t, s.Reason(), "did not finish")
		runWith(t, s, fate{}, host(0, 1))
		assert.Empty(t, run(t, store, host(0, 1)))
	}
}

func TestMarkIsDirectory(t *testing.T) {
	t.Parallel()
	store := fileStoreIn(t)
	require.NoError(t, os.Mkdir(store.marker(), 0o700))
	_, err := OpenState(t.Context(), store, options)
	require.ErrorContains(t, err, "cannot be read")
}

func FuzzMark(f *testing.F) {
	f.Add([]byte(`{"run":"today","token":"x"}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m := readMark(text)
		require.True(t, m.Disputed || m.Token != "")
	})
}
