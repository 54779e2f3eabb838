package delta

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/extsort"
)

var about = Header{Instance: "https://tc.example/api", Owner: "Example Source", Settings: "x"}

func start(t testing.TB, s Store, full bool) *Run {
	t.Helper()
	r, err := Start(t.Context(), s, about, full, t.TempDir())
	require.NoError(t, err)
	t.Cleanup(r.Close)
	return r
}

func host(n int, rating float64, groups ...string) *threatconnect.Host {
	h := threatconnect.NewHost(fmt.Sprintf("h%d.example", n))
	h.Rating, h.GroupXIDs = &rating, groups
	return h
}

func group(xid string) *threatconnect.Threat {
	g := threatconnect.NewThreat("threat " + xid)
	g.XID = xid
	return g
}

// feed gives items to a run and returns the positions of those that are sent.
func feed(r *Run, items ...threatconnect.BatchItem) (sent []int) {
	for i, item := range items {
		if !r.Unchanged(item) {
			r.Sent(int64(len(sent)))
			sent = append(sent, i)
		}
	}
	return sent
}

// run is a whole run in which everything goes in.
func run(t testing.TB, s Store, items ...threatconnect.BatchItem) (sent []int) {
	t.Helper()
	r := start(t, s, false)
	require.NoError(t, r.Begin(t.Context()))
	sent = feed(r, items...)
	require.NoError(t, r.Save(t.Context(), true, true))
	r.Close()
	return sent
}

func TestOnlyWhatHasChangedIsSent(t *testing.T) {
	t.Parallel()
	s := File(filepath.Join(t.TempDir(), "state"))
	first := start(t, s, false)
	assert.Equal(t, "there is none yet", first.Why())
	first.Close()
	items := []threatconnect.BatchItem{group("x-1"), host(0, 1, "x-1"), host(1, 1), host(2, 1)}
	assert.Equal(t, []int{0, 1, 2, 3}, run(t, s, items...))
	assert.Empty(t, run(t, s, items...))
	assert.Empty(t, run(t, s, items...), "what was not sent is remembered all the same")

	r := start(t, s, false)
	assert.Empty(t, r.Why())
	groups, err := r.Groups()
	require.NoError(t, err)
	assert.Equal(t, map[string]bool{"x-1": true}, groups)
	require.NoError(t, r.Begin(t.Context()))
	assert.Equal(t, []int{1, 3}, feed(r, items[0], host(0, 2, "x-1"), host(2, 1), host(3, 1)), "h1 is gone, h2 has moved")
	unchanged, vanished := r.Counts()
	assert.Equal(t, []int64{2, 1}, []int64{unchanged, vanished})
	require.NoError(t, r.Save(t.Context(), true, true))
	assert.Equal(t, []int{2}, run(t, s, host(0, 2, "x-1"), host(3, 1), host(1, 1)), "what vanished and comes again is sent")

	r = start(t, s, true)
	assert.Equal(t, "it was asked for", r.Why())
	groups, err = r.Groups()
	require.NoError(t, err)
	assert.Empty(t, groups)
	require.NoError(t, r.Begin(t.Context()))
	assert.Equal(t, []int{0}, feed(r, host(3, 1)))
	require.NoError(t, r.Save(t.Context(), true, true))
	assert.Empty(t, run(t, s, host(3, 1)), "a full run saves its state too")
}

func TestWhatFailedIsSentAgain(t *testing.T) {
	t.Parallel()
	items := []threatconnect.BatchItem{group("x-1"), group("x-2"), host(0, 1, "x-1"), host(1, 1, "x-2"), host(2, 1)}
	for name, c := range map[string]struct {
		fail  []int64
		whole bool
		sure  bool
		again []int
	}{
		"nothing failed":                         {nil, true, true, nil},
		"one, and the groups that it refers to":  {[]int64{3}, true, true, []int{1, 3}},
		"the same twice":                         {[]int64{2, 2, 4}, true, true, []int{0, 2, 4}},
		"one that is not known":                  {[]int64{-1}, true, true, []int{0, 1, 2, 3, 4}},
		"nobody knows what":                      {nil, true, false, []int{0, 1, 2, 3, 4}},
		"all":                                    {[]int64{4, 3, 2, 1, 0}, true, true, []int{0, 1, 2, 3, 4}},
		"the feed was not read to its end":       {nil, false, true, nil},
		"a number that was never given, ignored": {[]int64{77}, true, true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := File(filepath.Join(t.TempDir(), "state"))
			r := start(t, s, false)
			require.NoError(t, r.Begin(t.Context()))
			for _, seq := range c.fail[:len(c.fail)/2] { // errors come when they like
				r.Failed(seq)
			}
			feed(r, items...)
			for _, seq := range c.fail[len(c.fail)/2:] {
				r.Failed(seq)
			}
			require.NoError(t, r.Save(t.Context(), c.whole, c.sure))
			assert.Equal(t, c.again, run(t, s, items...))
			assert.Empty(t, run(t, s, items...))
		})
	}
}

func TestARunThatEndsEarlyForgetsNothing(t *testing.T) {
	t.Parallel()
	s := File(filepath.Join(t.TempDir(), "state"))
	items := []threatconnect.BatchItem{group("x-1"), host(0, 1), host(1, 1), host(2, 1)}
	run(t, s, items...)
	r := start(t, s, false)
	require.NoError(t, r.Begin(t.Context()))
	assert.Equal(t, []int{0}, feed(r, host(0, 2)))
	assert.False(t, r.Unchanged(host(1, 2)), "and Sent does not follow: the writer did not take it")
	require.NoError(t, r.Save(t.Context(), false, true))
	r = start(t, s, false)
	groups, err := r.Groups()
	require.NoError(t, err)
	assert.Equal(t, map[string]bool{"x-1": true}, groups)
	assert.Equal(t, []int{2}, feed(r, items[0], host(0, 2), host(1, 1), host(2, 1)), "what became of h1 is not known")
}

func TestOfSeveralContentsTheLastOneCounts(t *testing.T) {
	t.Parallel()
	s := File(filepath.Join(t.TempDir(), "state"))
	twice := []threatconnect.BatchItem{host(0, 1), host(1, 1), host(0, 2)}
	assert.Equal(t, []int{0, 1, 2}, run(t, s, twice...))
	assert.Equal(t, []int{0, 2}, run(t, s, twice...))
	assert.Empty(t, run(t, s, host(0, 2), host(1, 1)), "the owner has that rating")
	assert.Equal(t, []int{0}, run(t, s, host(0, 1), host(1, 1)), "the owner has the rating that is not in the feed any more")
	assert.Empty(t, run(t, s, host(0, 1), host(1, 1), host(0, 1)))
	assert.Equal(t, []int{0, 1}, run(t, s, host(0, 2), host(0, 1)), "the last one wins, although it is the old one")
}

// TestWhateverHappensTheOwnerCatchesUp runs feeds that change, with failures, ends, kills and damage,
// against a model of the owner.
func TestWhateverHappensTheOwnerCatchesUp(t *testing.T) {
	t.Parallel()
	kills, fails := 0, 0
	for seed := range uint64(25) {
		random := rand.New(rand.NewPCG(seed, 3))
		path := filepath.Join(t.TempDir(), "state")
		s := File(path)
		owner := map[int]float64{}
		for range 12 {
			type line struct {
				n      int
				rating float64
			}
			var lines []line
			for n := range 30 {
				for range 1 + random.IntN(8)/7 {
					if random.IntN(5) > 0 {
						lines = append(lines, line{n, float64(random.IntN(8) / 6)})
					}
				}
			}
			random.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
			end, fate := len(lines), random.IntN(8)
			r := start(t, s, random.IntN(10) == 0)
			require.NoError(t, r.Begin(t.Context()))
			if fate < 3 {
				end = random.IntN(len(lines) + 1)
			}
			var seq int64
			for _, l := range lines[:end] {
				if r.Unchanged(host(l.n, l.rating)) {
					continue
				}
				if random.IntN(10) == 0 && fate != 7 {
					fails++
					if random.IntN(2) == 0 {
						owner[l.n] = l.rating // in part, or who knows
					}
					r.Failed(seq)
				} else {
					owner[l.n] = l.rating
				}
				r.Sent(seq)
				seq++
			}
			switch fate {
			case 0: // killed
				kills++
			case 1: // damaged afterwards
				require.NoError(t, r.Save(t.Context(), false, true))
				b, err := os.ReadFile(path)
				require.NoError(t, err)
				b[random.IntN(len(b))] ^= 1 << random.IntN(8)
				require.NoError(t, os.WriteFile(path, b, 0o600))
				_ = os.Remove(path + ".bak")
			default:
				require.NoError(t, r.Save(t.Context(), end == len(lines), random.IntN(10) > 0))
			}
			r.Close()
			if fate != 7 {
				continue
			}
			want := map[int]float64{}
			for _, l := range lines {
				want[l.n] = l.rating
			}
			for n, rating := range want {
				require.InDelta(t, rating, owner[n], 0, "seed %d, host %d", seed, n)
			}
		}
	}
	assert.Positive(t, kills*fails)
}

func TestStatesThatCannotBeGoneOnFrom(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state")
	run(t, File(path), group("x-1"), host(0, 1), host(1, 1))
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	try := func(text []byte, h Header) string {
		t.Helper()
		dir := t.TempDir()
		s := File(filepath.Join(dir, "state"))
		require.NoError(t, os.WriteFile(string(s), text, 0o600))
		r, err := Start(t.Context(), s, h, false, dir)
		require.NoError(t, err)
		defer r.Close()
		require.NoError(t, r.Begin(t.Context()))
		assert.Equal(t, r.Why() != "", len(feed(r, host(0, 1))) == 1, "with a reason everything is sent, without one nothing")
		require.NoError(t, r.Save(t.Context(), true, true))
		kept, err := os.ReadFile(string(s) + ".bak")
		if r.Why() == errForeign.Error() {
			require.NoError(t, err)
			assert.Equal(t, text, kept, "what is not ours is kept")
		} else {
			require.ErrorIs(t, err, os.ErrNotExist)
		}
		assert.Empty(t, run(t, s, host(0, 1)), "the next run goes on")
		return r.Why()
	}
	assert.Empty(t, try(whole, about))
	for n := range whole {
		b := slices.Clone(whole)
		b[n] ^= 0x10
		_, err := openImage(bytes.NewReader(b), int64(len(b)), about)
		assert.True(t, isReason(err), "byte %d: %v", n, err)
		_, err = openImage(bytes.NewReader(whole[:n]), int64(n), about)
		assert.Equal(t, errCorrupt, err, "cut off after %d bytes", n)
	}
	assert.Equal(t, errCorrupt.Error(), try(nil, about))
	assert.Equal(t, errCorrupt.Error(), try(whole[:len(whole)-1], about))
	assert.Equal(t, errCorrupt.Error(), try(append(slices.Clone(whole), 0), about))
	assert.Equal(t, errForeign.Error(), try([]byte("host,rating\na.example,3\n"), about))
	assert.Equal(t, errVersion.Error(), try(bytes.Replace(whole, []byte("state 1"), []byte("state 2"), 1), about))
}

func TestAnotherImportsStateIsNotUsed(t *testing.T) {
	t.Parallel()
	s := File(filepath.Join(t.TempDir(), "state"))
	run(t, s, host(0, 1))
	for _, h := range []Header{{about.Instance, "Another", "x"}, {"https://other.example/api", about.Owner, "x"}, {about.Instance, about.Owner, "y"}} {
		r, err := Start(t.Context(), s, h, false, "")
		require.NoError(t, err)
		assert.Equal(t, errOther.Error(), r.Why())
		assert.False(t, r.Unchanged(host(0, 1)))
		r.Close()
	}
}

func TestTheFileIsItsOwnersAloneAndReplacedInOneStep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := File(filepath.Join(dir, "state"))
	r := start(t, s, false)
	require.NoError(t, r.Begin(t.Context()))
	other := start(t, s, false)
	assert.Equal(t, errRunning.Error(), other.Why())
	feed(r, host(0, 1))
	require.NoError(t, r.Save(t.Context(), true, true))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 1, "the mark and the temporary file are gone")
	if runtime.GOOS != "windows" {
		info, err := left[0].Info()
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode())
	}

	first, second := start(t, s, false), start(t, s, false)
	require.NoError(t, first.Begin(t.Context()))
	require.NoError(t, second.Begin(t.Context()))
	require.ErrorIs(t, first.Save(t.Context(), true, true), errTaken)
	require.NoError(t, second.Save(t.Context(), true, true))

	_, err = Start(t.Context(), File(dir), about, false, "")
	require.ErrorContains(t, err, "not a file")
	none := start(t, File(filepath.Join(dir, "none", "state")), false)
	require.ErrorContains(t, none.Begin(t.Context()), "cannot be written")
}

func TestTheFileIsNoLinkThatOthersCanReplace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	victim := filepath.Join(dir, "victim")
	require.NoError(t, os.WriteFile(victim, []byte("precious"), 0o600))
	shared := filepath.Join(dir, "shared")
	require.NoError(t, os.Mkdir(shared, 0o700))
	require.NoError(t, os.Chmod(shared, 0o777))
	link := filepath.Join(shared, "state")

	r := start(t, File(link), false) // the link comes later
	require.NoError(t, r.Begin(t.Context()))
	require.NoError(t, os.Symlink(victim, link))
	require.ErrorContains(t, r.Save(t.Context(), true, true), "name the file that it refers to")
	require.NoError(t, os.Remove(link+".running"))

	for _, full := range []bool{false, true} {
		_, err := Start(t.Context(), File(link), about, full, dir)
		require.ErrorContains(t, err, link+": another user could have made or changed this symbolic link")
	}
	b, err := os.ReadFile(victim)
	require.NoError(t, err)
	assert.Equal(t, "precious", string(b))
}

func TestTheFileCanBeALinkOfItsUser(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o700))
	link := filepath.Join(dir, "link")
	require.NoError(t, os.Symlink("state", link))
	run(t, File(link), host(0, 1))
	assert.Empty(t, run(t, File(filepath.Join(dir, "state")), host(0, 1)), "the state is where the link refers to")
	assert.Empty(t, run(t, File(link), host(0, 1)))
}

func TestTheMarkOfARunDoesNotFollowALink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	victim := filepath.Join(dir, "victim")
	require.NoError(t, os.WriteFile(victim, []byte("precious"), 0o600))
	s := File(filepath.Join(dir, "state"))
	require.NoError(t, os.Symlink(victim, s.marker()))
	r := start(t, s, false)
	assert.Equal(t, errRunning.Error(), r.Why())
	require.NoError(t, r.Begin(t.Context()))
	require.NoError(t, r.Save(t.Context(), true, true))
	b, err := os.ReadFile(victim)
	require.NoError(t, err)
	assert.Equal(t, "precious", string(b))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, left, 2, "the victim and the state")
}

func TestASecondThingThatIsNoStateStopsTheRun(t *testing.T) {
	t.Parallel()
	s := File(filepath.Join(t.TempDir(), "state"))
	require.NoError(t, os.WriteFile(string(s), []byte("mine"), 0o600))
	require.NoError(t, os.WriteFile(string(s)+".bak", []byte("mine too"), 0o600))
	r := start(t, s, false)
	require.NoError(t, r.Begin(t.Context()))
	require.ErrorContains(t, r.Save(t.Context(), true, true), ".bak")
	b, err := os.ReadFile(string(s))
	require.NoError(t, err)
	assert.Equal(t, "mine", string(b))
}

func TestASaveThatBreaksOffLeavesTheStateMarked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := File(filepath.Join(dir, "state"))
	run(t, s, host(0, 1))
	require.NoError(t, s.begin(t.Context(), "r"))
	full := errors.New("disk full")
	require.ErrorIs(t, s.save(t.Context(), "r", false, func(w io.Writer) error {
		_, _ = w.Write([]byte(magic))
		return full
	}), full)
	r := start(t, s, false)
	assert.Equal(t, errRunning.Error(), r.Why())
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, left, 2, "no temporary file is left")
}

func TestErrorsOfTheSortersAreErrorsOfSave(t *testing.T) {
	t.Parallel()
	s := File(filepath.Join(t.TempDir(), "state"))
	r := start(t, s, false)
	require.NoError(t, r.Begin(t.Context()))
	r.records.Close()
	r.records = extsort.New(filepath.Join(t.TempDir(), "none"), 0)
	for n := range 5000 {
		assert.False(t, r.Unchanged(host(n, 1)))
		r.Sent(int64(n))
	}
	require.ErrorContains(t, r.Save(t.Context(), true, true), "temporary file")
	assert.Equal(t, errRunning.Error(), start(t, s, false).Why())
}

func FuzzFind(f *testing.F) {
	f.Add(uint64(1), 1000, false)
	f.Add(uint64(2), 5000, true)
	f.Add(uint64(3), 0, true)
	f.Fuzz(func(t *testing.T, seed uint64, n int, crowded bool) {
		random := rand.New(rand.NewPCG(seed, 5))
		var items []id
		for range n & 0x1fff {
			var i id
			for j := range i {
				i[j] = byte(random.Uint32())
				if crowded && j < 12 {
					i[j] &= 1 // all in a few places
				}
			}
			items = append(items, i)
		}
		slices.SortFunc(items, func(a, b id) int { return bytes.Compare(a[:], b[:]) })
		items = slices.Compact(items)
		var b bytes.Buffer
		w, err := newImageWriter(&b, about)
		require.NoError(t, err)
		for i, item := range items {
			if i%2 == 0 {
				require.NoError(t, w.record(item, item))
			}
		}
		require.NoError(t, w.group("x-1"))
		require.NoError(t, w.end(&b))
		img, err := openImage(bytes.NewReader(b.Bytes()), int64(b.Len()), about)
		require.NoError(t, err)
		for i, item := range items {
			n, content, err := img.find(item)
			require.NoError(t, err)
			if i%2 == 0 {
				require.EqualValues(t, i/2, n)
				require.Equal(t, item, content)
			} else {
				require.EqualValues(t, -1, n)
			}
		}
	})
}

func FuzzOpenImage(f *testing.F) {
	var b bytes.Buffer
	w, _ := newImageWriter(&b, about)
	_ = w.record(id{1}, id{2})
	_ = w.group("x-1")
	_ = w.end(&b)
	f.Add(b.Bytes())
	f.Add([]byte(magic))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, text []byte) {
		i, err := openImage(bytes.NewReader(text), int64(len(text)), about)
		if err != nil {
			require.True(t, isReason(err), "%v", err)
			return
		}
		for n := range i.count {
			_, _, err := i.record(n)
			require.NoError(t, err)
		}
		for _, err := range i.groups() {
			_ = err
		}
		_, _, _ = i.find(id{1})
	})
}

// BenchmarkUnchanged looks items up in a state of a million.
func BenchmarkUnchanged(b *testing.B) {
	const many = 1_000_000
	var hashes []id
	for n := range uint64(many) {
		sum := sha256.Sum256(binary.LittleEndian.AppendUint64(nil, n))
		hashes = append(hashes, id(sum[:16]))
	}
	sorted := slices.Clone(hashes)
	slices.SortFunc(sorted, func(a, b id) int { return bytes.Compare(a[:], b[:]) })
	f, err := os.Create(filepath.Join(b.TempDir(), "state"))
	require.NoError(b, err)
	defer f.Close()
	w, err := newImageWriter(f, about)
	require.NoError(b, err)
	for _, i := range sorted {
		require.NoError(b, w.record(i, i))
	}
	require.NoError(b, w.end(f))
	info, err := f.Stat()
	require.NoError(b, err)
	img, err := openImage(f, info.Size(), about)
	require.NoError(b, err)
	n := 0
	for b.Loop() {
		if at, _, err := img.find(hashes[n%many]); err != nil || at < 0 {
			b.Fatal(at, err)
		}
		n++
	}
}
