package journal

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/importer/item"
)

var update = flag.Bool("update", false, "write testdata/v1, the journals of the first version, which all later versions read")

// golden is the expected content of a journal.
type golden struct {
	State    json.RawMessage
	Waiting  []Deferred
	Known    [][2]uint64
	Payloads map[int64][]string // items by file number
}

// read returns the content of a journal, without slots.
func read(t *testing.T, j *Journal) golden {
	t.Helper()
	g := golden{State: json.RawMessage(text(t, &j.state)), Payloads: map[int64][]string{}}
	require.NoError(t, j.Waiting(t.Context(), func(d Deferred) error {
		g.Waiting = append(g.Waiting, d)
		return nil
	}))
	require.NoError(t, j.Known(t.Context(), func(h uint64, file int64) { g.Known = append(g.Known, [2]uint64{h, uint64(file)}) }))
	for _, f := range j.state.Files {
		var into item.File
		require.NoError(t, j.Payload(t.Context(), f, &into))
		for pos := range into.Count() {
			s, text, seq := into.At(pos)
			line, err := json.Marshal([]any{s, seq, string(text)})
			require.NoError(t, err)
			g.Payloads[f.Number] = append(g.Payloads[f.Number], string(line))
		}
	}
	return g
}

// TestJournals reads the journals that the first version wrote.
func TestJournals(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(t *testing.T) *memStore{
		"begun": func(t *testing.T) *memStore {
			store := newStore()
			begin(t, store)
			return store
		},
		"middle": func(t *testing.T) *memStore {
			for seed := uint64(0); ; seed++ {
				if store, _ := middle(t, seed); hasAll(&open(t, store.clone()).state) {
					return store
				}
			}
		},
		"ended": func(t *testing.T) *memStore {
			store, m := middle(t, 1)
			j := open(t, store)
			for r := m.next(true); r != nil; r = m.next(true) {
				mustDo(t, j, r)
			}
			require.NoError(t, j.End(t.Context(), End{Remember: true}))
			return store
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join("testdata", "v1", name)
			wanted := filepath.Join(dir, "state.json")
			if *update {
				store := write(t)
				require.NoError(t, os.RemoveAll(dir))
				require.NoError(t, os.MkdirAll(dir, 0o755))
				for name, text := range store.records {
					require.NoError(t, os.WriteFile(filepath.Join(dir, name), text, 0o644))
				}
				text, err := json.MarshalIndent(read(t, open(t, store)), "", "  ")
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(wanted, append(text, '\n'), 0o644))
			}
			store := newStore()
			paths, err := filepath.Glob(filepath.Join(dir, "slot-*"))
			require.NoError(t, err)
			for _, path := range paths {
				text, err := os.ReadFile(path)
				require.NoError(t, err)
				require.True(t, strings.HasPrefix(string(text), magic))
				store.records[filepath.Base(path)] = text
			}
			j := open(t, store)
			got, err := json.MarshalIndent(read(t, j), "", "  ")
			require.NoError(t, err)
			want, err := os.ReadFile(wanted)
			require.NoError(t, err)
			assert.Equal(t, strings.ReplaceAll(string(want), "\r\n", "\n"), string(got)+"\n")
			switch s := &j.state; name {
			case "begun":
				assert.Equal(t, testStart, s.Start)
				mustDo(t, j, added(s, true, 1))
			case "middle":
				assert.True(t, hasAll(s))
				mustDo(t, j, settledAll(s.Files[0]))
			case "ended":
				assert.Equal(t, &End{Remember: true}, s.End)
				assert.Len(t, store.slots(), 1)
			}
		})
	}
}

// hasAll reports whether a state contains everything that a journal can contain.
func hasAll(s *State) bool {
	contents, jobs, splits, refused, rules := false, false, false, false, false
	for _, f := range s.Files {
		splits = splits || len(f.Pieces) > 1
		for _, p := range f.Pieces {
			jobs = jobs || p.Job != 0
		}
		for _, c := range f.Contents {
			contents, refused = true, refused || c.Refused
		}
	}
	for _, f := range s.Outcome.Failures {
		_, rule := f.Err.(ruleError)
		rules = rules || rule
	}
	return contents && jobs && splits && refused && rules && len(s.Outcome.Lost) > 0 &&
		len(s.Links) > 1 && s.lastLinks() != nil && len(s.Groups) > 1 && s.lastGroups() != nil
}
