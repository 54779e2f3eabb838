package journal

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/importer/item"
)

// middle returns the journal of an unfinished import. It has a checkpoint, files from before and after
// the checkpoint, and links and groups both in records and in memory.
func middle(t require.TestingT, seed uint64) (*memStore, *machine) {
	m, store := newMachine(seed), newStore()
	j := begin(t, store)
	step := func(n int) {
		for range n {
			require.NoError(t, do(context.Background(), j, m.next(false)))
		}
	}
	move := func() {
		if c := j.state.lastLinks(); c != nil {
			out := c.compact()
			require.NoError(t, j.append(context.Background(), &record{Moved: &moved{Links: &out}}, [][]byte{out.data}))
		}
		if c := j.state.lastGroups(); c != nil {
			require.NoError(t, j.append(context.Background(), &record{Moved: &moved{Groups: c}}, [][]byte{c.data}))
		}
	}
	step(30)
	move()
	step(3)
	for len(j.state.Files) == 0 {
		step(1)
	}
	require.NoError(t, j.checkpoint(context.Background(), nil))
	step(5)
	move()
	step(5)
	return store, m
}

// TestEveryDamagedRecordIsReported damages and removes each record. Damage to the state makes the replay
// fail. Damage to items, links or groups fails only the calls that read those.
func TestEveryDamagedRecordIsReported(t *testing.T) {
	t.Parallel()
	damage := map[string]func(s *memStore, name string){
		"is missing":                     func(s *memStore, name string) { delete(s.records, name) },
		"is not a record":                func(s *memStore, name string) { s.records[name] = nil },
		"does not match its checksum":    func(s *memStore, name string) { s.records[name] = append(bytes.Clone(s.records[name][:headLen]), 1) },
		"contains the record of another": func(s *memStore, name string) { s.records[name] = frame(`{"Slot":99,"Owner":{}}`) },
		"does not match its checksum: r": func(s *memStore, name string) { b := s.records[name]; s.records[name] = b[:len(b)-1] },
	}
	ended, lists, payloads := 0, 0, 0
	for seed := range uint64(6) {
		whole, _ := middle(t, seed)
		state := open(t, whole.clone()).state
		base := open(t, whole.clone()).base
		for what, change := range damage {
			for _, slot := range whole.slots() {
				store := whole.clone()
				change(store, slotName(slot))
				tell := fmt.Sprint(what, " in ", slotName(slot))
				check := func(err error) {
					t.Helper()
					require.ErrorIs(t, err, ErrRecord, tell)
					require.ErrorContains(t, err, slotName(slot), tell)
					require.ErrorContains(t, err, "restore it, or begin again", tell)
					if what != "does not match its checksum: r" {
						require.ErrorContains(t, err, what, tell)
					}
				}
				names := store.slots()
				j, err := Open(t.Context(), store, testFiles, testErrors{}, nil)
				if err != nil && what == "is missing" && slot == whole.slots()[len(whole.slots())-1] {
					t.Fatal("the absence of the last record cannot be detected")
				}
				if err != nil {
					check(err)
					assert.Equal(t, names, store.slots(), tell)
					require.GreaterOrEqual(t, slot, base, tell)
					ended++
					continue
				}
				if what == "is missing" && slot > base {
					require.Equal(t, slices.Max(whole.slots()), slot, tell) // without its last record, the journal is a shorter journal
					continue
				}
				found := false
				for _, f := range j.state.Files {
					var into item.File
					if err := j.Payload(t.Context(), f, &into); err != nil {
						check(err)
						require.Equal(t, slot, f.Slot, tell)
						found = true
						payloads++
					}
				}
				waiting := j.Waiting(t.Context(), func(Deferred) error { return nil })
				known := j.Known(t.Context(), func(uint64, int64) {})
				for _, err := range []error{waiting, known} {
					if err != nil {
						check(err)
						require.True(t, chunks(&state)[slot], tell)
						found = true
						lists++
					}
				}
				if chunks(&state)[slot] || slices.ContainsFunc(state.Files, func(f *File) bool { return f.Slot == slot }) {
					require.True(t, found, tell)
				}
				if !found {
					require.Equal(t, "does not match its checksum: r", what, "%s: only damage to settled items may go unnoticed", tell)
				}
			}
		}
	}
	assert.Greater(t, ended, 30)
	assert.Greater(t, payloads, 5)
	assert.Greater(t, lists, 10)
}

// TestDamagedListsLeaveItemsReadable damages the parts of a record other than its items.
func TestDamagedListsLeaveItemsReadable(t *testing.T) {
	t.Parallel()
	store := newStore()
	j := begin(t, store)
	r := added(&j.state, true, 2)
	r.Added.Groups = []uint64{1, 2, 3}
	mustDo(t, j, r)
	name := slotName(j.state.Files[0].Slot)
	require.NoError(t, j.checkpoint(t.Context(), nil))
	text := store.records[name]
	groups := bytes.LastIndex(text, numbers(r.Added.Groups))
	require.Positive(t, groups)
	text[groups] ^= 1
	j = open(t, store)
	var into item.File
	require.NoError(t, j.Payload(t.Context(), j.state.Files[0], &into))
	assert.Equal(t, 2, into.Count())
	text[len(text)-1] ^= 1
	require.ErrorIs(t, j.Payload(t.Context(), j.state.Files[0], &into), ErrRecord)
}

func TestPayloadRejectsInvalidPieces(t *testing.T) {
	t.Parallel()
	store := newStore()
	j := begin(t, store)
	mustDo(t, j, added(&j.state, true, 2))
	f := *j.state.Files[0]
	var into item.File
	for _, p := range []item.Part{{From: 0, To: 3}, {From: -1, To: 1}, {From: 2, To: 1}} {
		f.Pieces = []Piece{{Part: p}}
		require.ErrorIs(t, j.Payload(t.Context(), &f, &into), ErrRecord, "%v", p)
	}
	for _, p := range []item.Part{{From: 0, To: 2}, {From: 2, To: 2}, {From: 1, To: 2}} {
		f.Pieces = []Piece{{Part: p}}
		require.NoError(t, j.Payload(t.Context(), &f, &into), "%v", p)
	}
	f.Slot = 1
	require.ErrorIs(t, j.Payload(t.Context(), &f, &into), ErrRecord, "the record of the start, which was removed")
	f.Slot = j.base
	require.ErrorContains(t, j.Payload(t.Context(), &f, &into), "has content that does not belong to it")
	f.Slot = 50
	content := slices.Concat(added(&State{}, true, 2).Added.Payload.Encode()...)
	for head, want := range map[string]error{`"Added"`: nil, `"Owner"`: errContent} {
		store.records[slotName(50)] = valid(50, fmt.Appendf(nil, `{%s:{},"Parts":[{},{},{},{"Size":%d}]}`, head, len(content)), content)
		require.ErrorIs(t, j.Payload(t.Context(), &f, &into), want)
	}
	store.fail = func(string, string) fault { return refused }
	require.ErrorIs(t, j.Payload(t.Context(), &f, &into), errIO)
	require.NotErrorIs(t, j.Payload(t.Context(), &f, &into), ErrRecord)
}

func TestKnownRejectsDamagedGroups(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(data []byte) [][]byte{
		"a byte is missing":      func(data []byte) [][]byte { return [][]byte{data[1:]} },
		"there is an extra byte": func(data []byte) [][]byte { return [][]byte{data, {1}} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, j := newMachine(1), begin(t, newStore())
			for j.state.lastGroups() == nil {
				require.NoError(t, do(t.Context(), j, m.next(false)))
			}
			c := j.state.lastGroups()
			require.NoError(t, j.append(t.Context(), &record{Moved: &moved{Groups: c}}, change(c.data)))
			err := j.Known(t.Context(), func(uint64, int64) {})
			require.ErrorIs(t, err, errContent)
			require.ErrorContains(t, err, slotName(j.slot))
		})
	}
}

// TestRecordsBelowCheckpointAreIgnored adds records below the checkpoint, as left by a process that crashed
// while it removed them.
func TestRecordsBelowCheckpointAreIgnored(t *testing.T) {
	t.Parallel()
	store, m := middle(t, 4)
	j := open(t, store.clone())
	want, base := text(t, &j.state), j.base
	before := store.slots()
	for slot := range base {
		if slot > 0 && store.records[slotName(slot)] == nil {
			store.records[slotName(slot)] = []byte("damaged")
		}
	}
	require.Greater(t, len(store.slots()), len(before)+10)
	j = open(t, store)
	assert.Equal(t, want, text(t, &j.state))
	m.checkLists(t, j)
	m.checkPayloads(t, j)
	assert.Subset(t, append(before, j.slot), store.slots(), "records below the checkpoint are left")
}

func TestMissingSlotIsDamage(t *testing.T) {
	t.Parallel()
	store := newStore()
	j := begin(t, store)
	mustDo(t, j, added(&j.state, true, 1))
	name := slotName(j.slot)
	store.records[slotName(j.slot+2)] = frame(fmt.Sprintf(`{"Slot":%d,"Owner":{}}`, j.slot+2))
	_, err := Open(t.Context(), store, testFiles, testErrors{}, nil)
	require.ErrorIs(t, err, ErrRecord)
	require.ErrorContains(t, err, slotName(j.slot+1)+" is missing")
	require.Equal(t, ErrLost, do(t.Context(), j, added(&j.state, true, 1)), "the writer has lost the journal")
	require.Contains(t, store.records, name)
}

// TestOpenRequiresStartRecord opens journals that have no beginning.
func TestOpenRequiresStartRecord(t *testing.T) {
	t.Parallel()
	store := newStore()
	store.records[slotName(1)] = frame(`{"Slot":1,"Settled":{"File":1}}`)
	_, err := Open(t.Context(), store, testFiles, testErrors{}, nil)
	require.ErrorIs(t, err, ErrRecord)
	require.ErrorIs(t, err, errOrder)
	store.records[slotName(1)] = frame(`{"Slot":1,"Owner":{}}`)
	j := open(t, store)
	assert.Empty(t, j.state.Start.Run, "a process died before Begin")
}

func TestStoreErrorsAreNotDamage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, errorsOfTheStoreAreNotDamage)
}

func errorsOfTheStoreAreNotDamage(t *testing.T) {
	whole, _ := middle(t, 4)
	for _, op := range []string{"names", "read", "create", "remove"} {
		store := whole.clone()
		if op == "remove" {
			store.records[slotName(1)] = []byte("left over")
		}
		store.fail = func(o, _ string) fault {
			if o == op {
				return refused
			}
			return none
		}
		_, err := Open(t.Context(), store, testFiles, testErrors{}, nil)
		require.ErrorIs(t, err, ErrStore, op)
		require.ErrorIs(t, err, errIO, op)
		require.NotErrorIs(t, err, ErrRecord, op)
		require.NotErrorIs(t, err, ErrLost, op)
	}
	store := whole.clone()
	j := open(t, store)
	store.fail = func(string, string) fault { return refused }
	require.ErrorIs(t, j.Waiting(t.Context(), func(Deferred) error { return nil }), errIO)
	require.ErrorIs(t, j.Known(t.Context(), func(uint64, int64) {}), errIO)
	store.fail = nil
	n := 0
	require.ErrorIs(t, j.Waiting(t.Context(), func(Deferred) error { n++; return errIO }), errIO)
	assert.Equal(t, 1, n, "the first error ends the iteration")
}
