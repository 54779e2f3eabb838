package journal

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"

	"github.com/threatconnect-go/threatconnect/internal/importer/item"
)

// State is the progress of an import. It depends on the records of the journal only, so a process that
// resumes an import has the State of the process before it.
type State struct {
	Start   Start
	Totals  item.Totals  // from the last Added record
	Outcome item.Outcome // of all settled items
	Files   []*File      `json:",omitempty"` // unsettled files, by number
	Made    int64        // number of files so far
	Marks   Marks
	End     *End          `json:",omitempty"`
	Links   []*linkChunk  `json:",omitempty"` // links that wait
	Groups  []*groupChunk `json:",omitempty"` // groups that were added

	keep bool // whether to record links and groups
}

// File is an unsettled file.
type File struct {
	Number, After int64
	Unsettled     [item.Kinds]int64 // items without an outcome
	Slot          int64             // of the record with its items
	Pieces        []Piece           `json:",omitempty"` // pieces to send or to wait for
	Contents      []Content         `json:",omitempty"`
	Again         int               `json:",omitzero"`
}

// file returns the file with a number, or nil.
func (s *State) file(number int64) *File {
	i, ok := slices.BinarySearchFunc(s.Files, number, func(f *File, n int64) int { return int(f.Number - n) })
	if !ok {
		return nil
	}
	return s.Files[i]
}

func (s *State) drop(number int64) {
	s.Files = slices.DeleteFunc(s.Files, func(f *File) bool { return f.Number == number })
}

// fits returns an error if a record does not follow from the state.
func (s *State) fits(r *record) error {
	ok := true
	switch {
	case r.Start != nil, r.Owner != nil, r.Checkpoint != nil:
	case r.Added != nil:
		a := r.Added
		ok = a.Totals.Added >= s.Totals.Added && (a.File == 0 || a.File == s.Made+1)
	case r.Created != nil:
		f := s.file(r.Created.File)
		ok = f != nil && len(f.Pieces) > 0
	case r.Settled != nil:
		ok = s.file(r.Settled.File) != nil
	case r.Attached != nil:
		f := s.file(r.Attached.File)
		ok = f != nil && len(f.Contents) > 0
	case r.Moved != nil:
		ok = (r.Moved.Links == nil || s.lastLinks() != nil) && (r.Moved.Groups == nil || s.lastGroups() != nil)
	default:
		return errUnknown
	}
	if !ok {
		return errOrder
	}
	return nil
}

// apply applies a record that fits. slot is its slot, or 0 without a store.
func (s *State) apply(slot int64, r *record) {
	switch {
	case r.Start != nil:
		*s = State{Start: *r.Start, keep: s.keep}
		s.Marks.Held = math.MaxInt64
	case r.Added != nil:
		s.added(slot, r.Added)
	case r.Created != nil:
		s.file(r.Created.File).Pieces[0].Job = r.Created.Job
	case r.Settled != nil:
		s.settled(r.Settled)
	case r.Attached != nil:
		f := s.file(r.Attached.File)
		s.Outcome.Plus(&r.Attached.Outcome)
		s.Marks.settle(f.Number, &r.Attached.Outcome)
		if f.Contents = f.Contents[1:]; len(f.Contents)+len(f.Pieces) == 0 {
			s.close(f.Number)
		}
	case r.Moved != nil:
		s.moved(slot, r.Moved)
	case r.Checkpoint != nil:
		keep := s.keep
		*s = *r.Checkpoint.State
		s.keep = keep
	}
}

var (
	errOrder   = errors.New("does not follow from the records before it")
	errUnknown = errors.New("has a kind that this version of the package does not support")
)

func (s *State) added(slot int64, a *Added) {
	s.Marks.add(s.Totals.Added, a)
	s.Totals = a.Totals
	s.Outcome.Plus(&a.Refused)
	if a.File != 0 {
		s.Made = a.File
		n := 0
		for _, k := range a.Kinds {
			n += int(k)
		}
		s.Files = append(s.Files, &File{Number: a.File, After: a.After, Unsettled: a.Kinds, Slot: slot,
			Pieces: []Piece{{Part: item.Part{To: n}}}, Contents: slices.Clone(a.Contents)})
	}
	if s.keep {
		s.hold(a.Links)
		s.release(a.Released)
		s.group(a.File, a.Groups)
	}
}

func (s *State) settled(r *Settled) {
	f := s.file(r.File)
	s.Outcome.Plus(&r.Outcome)
	s.Marks.settle(r.File, &r.Outcome)
	for k := range f.Unsettled {
		f.Unsettled[k] -= r.Outcome.Kinds[k].Total()
	}
	f.Pieces, f.Again = slices.Clone(r.Pieces), r.Again
	for i := range f.Contents {
		if slices.Contains(r.Refused, f.Contents[i].Position) {
			f.Contents[i].Refused = true
		}
	}
	if len(f.Pieces) == 0 && len(f.Contents) == 0 {
		s.close(r.File)
	}
}

// close removes a settled file.
func (s *State) close(number int64) {
	s.drop(number)
	s.Marks.close(number)
}

// lastLinks returns the chunk of links in memory, or nil.
func (s *State) lastLinks() *linkChunk {
	if n := len(s.Links); n > 0 && s.Links[n-1].Slot == 0 {
		return s.Links[n-1]
	}
	return nil
}

// lastGroups returns the chunk of groups in memory, or nil.
func (s *State) lastGroups() *groupChunk {
	if n := len(s.Groups); n > 0 && s.Groups[n-1].Slot == 0 {
		return s.Groups[n-1]
	}
	return nil
}

// hold adds links.
func (s *State) hold(links []Deferred) {
	if len(links) == 0 {
		return
	}
	c := s.lastLinks()
	if c == nil {
		c = &linkChunk{From: links[0].Index, To: links[0].Index}
		s.Links = append(s.Links, c)
	}
	for i := range links {
		c.data = links[i].Append(c.data)
		c.To = links[i].Index + 1
		c.Count++
	}
}

// release removes links.
func (s *State) release(indexes []int64) {
	for _, n := range indexes {
		i, ok := slices.BinarySearchFunc(s.Links, n, func(c *linkChunk, n int64) int {
			switch {
			case c.To <= n:
				return -1
			case c.From > n:
				return 1
			}
			return 0
		})
		if ok && !s.Links[i].Released.has(n) {
			s.Links[i].Released.add(n)
			s.Links[i].Count--
		}
	}
	s.Links = slices.DeleteFunc(s.Links, func(c *linkChunk) bool { return c.Count <= 0 })
}

// group adds the hashes of groups.
func (s *State) group(file int64, hashes []uint64) {
	if len(hashes) == 0 {
		return
	}
	c := s.lastGroups()
	if c == nil {
		c = &groupChunk{}
		s.Groups = append(s.Groups, c)
	}
	c.add(file, hashes)
}

// moved records that links or groups in memory moved to the record of a slot.
func (s *State) moved(slot int64, m *moved) {
	if m.Links != nil {
		c := s.lastLinks()
		*c = *m.Links
		c.Slot, c.data = slot, nil
	}
	if m.Groups != nil {
		*s.lastGroups() = groupChunk{Slot: slot, Runs: m.Groups.Runs}
	}
}

// compact returns the links in memory that still wait.
func (c *linkChunk) compact() linkChunk {
	out := linkChunk{From: c.From, To: c.To}
	links(c.data, func(d Deferred) {
		if !c.Released.has(d.Index) {
			out.data = d.Append(out.data)
			out.Count++
		}
	})
	return out
}

// live returns the slots of the records that the state refers to.
func (s *State) live() map[int64]bool {
	live := map[int64]bool{}
	for _, f := range s.Files {
		live[f.Slot] = true
	}
	for _, c := range s.Links {
		live[c.Slot] = true
	}
	for _, c := range s.Groups {
		live[c.Slot] = true
	}
	delete(live, 0)
	return live
}

// numbers encodes numbers as a raw part.
func numbers[T int64 | uint64](list []T) []byte {
	var b []byte
	for _, n := range list {
		b = binary.AppendVarint(b, int64(n))
	}
	return b
}

func readNumbers[T int64 | uint64](b []byte) (list []T, ok bool) {
	r := item.Reader{B: b}
	for len(r.B) > 0 {
		list = append(list, T(r.Int()))
	}
	return list, !r.Failed()
}
