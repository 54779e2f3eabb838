package journal

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/importer/item"
)

// thing is an item or a link in a file.
type thing struct {
	seq     int64 // ^seq for a link
	section item.Section
	verdict item.Verdict
}

// machine generates the records of a random import in a valid order. It computes the expected state
// without a State.
type machine struct {
	*rand.Rand
	totals  item.Totals
	made    int64
	files   map[int64]*machineFile // unsettled
	waiting map[int64]Deferred     // by index
	groups  [][2]uint64            // hash and file
	stops   bool                   // some items are not processed
	big     int                    // upper bound of the bytes of a link

	marks    []machineMark
	failed   []int64 // sequence numbers
	unknown  []int64
	contents int64
	kinds    [item.Kinds]item.Counts
	failures int64
}

type machineFile struct {
	number   int64
	things   []thing
	pieces   []Piece
	contents []int
	mark     int
}

// machineMark is the mark of an Added record.
type machineMark struct {
	to, low         int64
	open, stop      bool
	failed, unknown bool
}

func newMachine(seed uint64) *machine {
	return &machine{Rand: rand.New(rand.NewPCG(seed, 1)), files: map[int64]*machineFile{}, waiting: map[int64]Deferred{}, big: 40}
}

// held returns the smallest sequence number of the deferred links.
func (m *machine) held() int64 {
	held := int64(math.MaxInt64)
	for _, d := range m.waiting {
		held = min(held, max(d.Seq, ^d.Seq))
	}
	return held
}

// next returns the next record. If finish is true, it adds only deferred links, and returns nil after
// the last record.
func (m *machine) next(finish bool) *record {
	if len(m.files) == 0 && finish && len(m.waiting) == 0 {
		return nil
	}
	if len(m.files) < testFiles && (len(m.files) == 0 || !finish && m.IntN(3) == 0) {
		return &record{Added: m.added(finish)}
	}
	numbers := slices.Sorted(maps.Keys(m.files))
	f := m.files[numbers[m.IntN(len(numbers))]]
	if len(f.pieces) == 0 {
		return &record{Attached: m.attached(f)}
	}
	if f.pieces[0].Job == 0 {
		f.pieces[0].Job = 1 + m.Int64N(1000)
		return &record{Created: &Created{File: f.number, Job: f.pieces[0].Job}}
	}
	return &record{Settled: m.settled(f)}
}

func (m *machine) added(finish bool) *Added {
	a := &Added{}
	var things []thing
	link := func(seq int64, waits bool) {
		d := Deferred{Index: m.totals.Deferred, Seq: seq, Key: fmt.Sprint("key ", m.IntN(50)), JSON: make([]byte, m.IntN(m.big))}
		if waits {
			d.Wait[0] = m.Uint64()
		}
		m.totals.Deferred++
		m.waiting[d.Index] = d
		a.Links = append(a.Links, d)
	}
	// Links are released or dropped as duplicates.
	for _, index := range slices.Sorted(maps.Keys(m.waiting)) {
		if !finish && m.IntN(4) != 0 {
			continue
		}
		d := m.waiting[index]
		delete(m.waiting, index)
		a.Released = append(a.Released, index)
		if m.IntN(5) > 0 {
			things = append(things, thing{seq: d.Seq, section: item.Associations})
		}
	}
	inFile := m.IntN(3) > 0
	for range m.IntN(8) {
		if finish {
			break
		}
		seq := m.totals.Added
		m.totals.Added++
		switch n := m.IntN(10); {
		case n == 0:
			m.totals.Invalid++
			a.Refused.Note(item.Failure{Seq: seq, Name: "refused", Err: ruleError{"field", "breaks", "mend it"}})
			m.failures++
		case n < 3 || !inFile:
			m.totals.Kinds[item.Association]++
			link(seq, m.IntN(2) == 0)
		case n < 6:
			m.totals.Kinds[item.Group]++
			things = append(things, thing{seq: seq, section: item.Groups})
			a.Groups = append(a.Groups, m.Uint64())
		default:
			m.totals.Kinds[item.Indicator]++
			things = append(things, thing{seq: seq, section: item.Indicators})
			for range m.IntN(3) {
				m.totals.Kinds[item.Link]++
				link(^seq, true)
			}
		}
	}
	slices.SortStableFunc(things, func(a, b thing) int { return int(a.section) - int(b.section) })
	mark := machineMark{to: m.totals.Added}
	if len(things) > 0 {
		m.made++
		f := &machineFile{number: m.made, things: things, pieces: []Piece{{Part: item.Part{To: len(things)}}}, mark: len(m.marks)}
		m.files[m.made] = f
		a.File, a.After = m.made, m.Int64N(m.made)
		a.Payload, a.Low = payload(things), math.MaxInt64
		a.Kinds = a.Payload.Kinds(a.Payload.All())
		for i, t := range things {
			a.Low = min(a.Low, max(t.seq, ^t.seq))
			if t.section == item.Groups && m.IntN(3) == 0 {
				f.contents = append(f.contents, i)
				a.Contents = append(a.Contents, Content{Position: i, Content: item.Content{Type: "Document", XID: fmt.Sprint("xid-", t.seq), Size: -1}})
			}
		}
		mark.open, mark.low = true, a.Low
	}
	for _, h := range a.Groups {
		m.groups = append(m.groups, [2]uint64{h, uint64(a.File)})
	}
	m.marks = append(m.marks, mark)
	a.Totals, a.Held = m.totals.Clone(), m.held()
	return a
}

// payload returns a file with things.
func payload(things []thing) *item.File {
	f := &item.File{}
	for _, t := range things {
		f.Add(t.section, t.seq, fmt.Appendf(nil, `{"summary":"%d"}`, t.seq))
	}
	return f
}

func (m *machine) settled(f *machineFile) *Settled {
	s := &Settled{File: f.number, Again: m.IntN(3)}
	p := f.pieces[0]
	if p.Len() > 1 && m.IntN(4) == 0 {
		half := (p.From + p.To) / 2
		f.pieces = append([]Piece{{Part: item.Part{From: p.From, To: half}}, {Part: item.Part{From: half, To: p.To}}}, f.pieces[1:]...)
		s.Pieces = f.pieces
		return s
	}
	k := &m.marks[f.mark]
	s.Outcome.Jobs, s.Outcome.Bytes = 1, m.Int64N(1000)
	for i := p.From; i < p.To; i++ {
		t := &f.things[i]
		seq := max(t.seq, ^t.seq)
		t.verdict = item.Succeeded
		switch n := m.IntN(30); {
		case n < 2:
			t.verdict, k.failed = item.Failed, true
			m.failed = append(m.failed, seq)
			s.Outcome.Note(item.Failure{Seq: seq, Type: "Host", Name: "x", Code: "0x1", Reason: "no", Job: p.Job})
			m.failures++
		case n == 2:
			t.verdict, k.unknown = item.Unknown, true
			m.unknown = append(m.unknown, seq)
			s.Outcome.Lost = append(s.Outcome.Lost, p.Job)
		case n == 3 && m.stops:
			t.verdict, k.stop = item.Unprocessed, true
		}
		kind := item.KindOf(t.section, t.seq)
		s.Outcome.Kinds[kind].Add(t.verdict, 1)
		m.kinds[kind].Add(t.verdict, 1)
		if t.verdict != item.Succeeded && slices.Contains(f.contents, i) {
			s.Refused = append(s.Refused, i)
		}
	}
	f.pieces = f.pieces[1:]
	s.Pieces = f.pieces
	m.close(f)
	return s
}

func (m *machine) attached(f *machineFile) *Attached {
	a := &Attached{File: f.number}
	a.Outcome.Contents.Succeeded++
	m.contents++
	f.contents = f.contents[1:]
	m.close(f)
	return a
}

func (m *machine) close(f *machineFile) {
	if len(f.pieces)+len(f.contents) == 0 {
		m.marks[f.mark].open = false
		delete(m.files, f.number)
	}
}

// watermark returns the expected watermark: the end of the last record up to which all items are
// final. A failure counts for its whole file, so the watermark does not split a file with failures.
func (m *machine) watermark() (to int64) {
records:
	for n, k := range m.marks {
		if k.to > m.held() {
			break
		}
		for i, o := range m.marks {
			if behind := i > n; o.open && (!behind || o.low < k.to) || o.stop && (!behind || o.low < k.to) ||
				behind && (o.failed || o.unknown) && o.low < k.to {
				continue records
			}
		}
		to = max(to, k.to)
	}
	return to
}

// final returns the first item that is not final.
func (m *machine) final() int64 {
	to := min(m.held(), m.totals.Added)
	for _, f := range m.files {
		for _, t := range f.things {
			to = min(to, max(t.seq, ^t.seq))
		}
	}
	return to
}

func below(seqs []int64, to int64) int64 {
	n := int64(0)
	for _, s := range seqs {
		if s < to {
			n++
		}
	}
	return n
}

// check compares a state with the expected one.
func (m *machine) check(t require.TestingT, s *State) {
	require.Equal(t, m.totals.Added, s.Totals.Added)
	require.Equal(t, m.made, s.Made)
	require.Equal(t, m.kinds, s.Outcome.Kinds)
	require.Equal(t, m.contents, s.Outcome.Contents.Succeeded)
	require.Equal(t, m.failures, int64(len(s.Outcome.Failures))+s.Outcome.More)
	require.Len(t, s.Files, len(m.files))
	for _, f := range s.Files {
		want := m.files[f.Number]
		require.NotNil(t, want)
		require.Len(t, f.Pieces, len(want.pieces))
		for i := range want.pieces {
			require.Equal(t, want.pieces[i], f.Pieces[i])
		}
		var left [item.Kinds]int64
		for _, p := range f.Pieces {
			for _, th := range want.things[p.From:p.To] {
				left[item.KindOf(th.section, th.seq)]++
			}
		}
		require.Equal(t, left, f.Unsettled)
		var contents []int
		for _, c := range f.Contents {
			contents = append(contents, c.Position)
			require.Equal(t, want.things[c.Position].verdict != item.Succeeded && c.Position < done(f, want), c.Refused)
		}
		require.ElementsMatch(t, want.contents, contents)
	}
	w := s.Marks.Watermark
	require.Equal(t, m.watermark(), w.Seq)
	require.LessOrEqual(t, w.Seq, m.final())
	require.Equal(t, below(m.failed, w.Seq), w.Failed)
	require.Equal(t, below(m.unknown, w.Seq), w.Unknown)
}

// done returns the number of items of a file with an outcome.
func done(f *File, m *machineFile) int {
	if len(f.Pieces) == 0 {
		return len(m.things)
	}
	return f.Pieces[0].From
}

// checkLists compares the links and groups of a journal with the expected ones.
func (m *machine) checkLists(t require.TestingT, j *Journal) {
	waiting := map[int64]Deferred{}
	last := int64(-1)
	require.NoError(t, j.Waiting(context.Background(), func(d Deferred) error {
		require.Less(t, last, d.Index)
		last = d.Index
		waiting[d.Index] = d
		return nil
	}))
	require.Len(t, waiting, len(m.waiting))
	for index, d := range m.waiting {
		require.Equal(t, d, waiting[index])
	}
	var groups [][2]uint64
	require.NoError(t, j.Known(context.Background(), func(h uint64, file int64) { groups = append(groups, [2]uint64{h, uint64(file)}) }))
	require.Equal(t, m.groups, groups)
}

// checkPayloads compares the items of unsettled files with the expected ones.
func (m *machine) checkPayloads(t require.TestingT, j *Journal) {
	for _, f := range j.state.Files {
		var got item.File
		require.NoError(t, j.Payload(context.Background(), f, &got))
		require.Equal(t, slices.Concat(payload(m.files[f.Number].things).Encode()...), slices.Concat(got.Encode()...))
	}
}

// text returns a state as text, without the slots of its records.
func text(t require.TestingT, s *State) string {
	c := *s
	c.Files, c.Links, c.Groups = nil, nil, nil
	for _, f := range s.Files {
		d := *f
		d.Slot = 0
		c.Files = append(c.Files, &d)
	}
	c.Outcome.Failures = slices.Clone(c.Outcome.Failures)
	for i := range c.Outcome.Failures {
		if f := &c.Outcome.Failures[i]; f.Err != nil {
			p := testErrors{}.Problem(f.Err)
			f.Problem = &p
		}
	}
	b, err := json.Marshal(c)
	require.NoError(t, err)
	return string(b)
}
