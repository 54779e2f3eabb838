package threatconnect

import (
	"bytes"
	"encoding/binary"
	"iter"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/canon"
	"github.com/threatconnect-go/threatconnect/internal/extsort"
)

// indicatorSet compares the indicators of a current set with those of an owner, any number of them
// in bounded memory.
//
// Both are sorted by type and value, so that what belongs together stands together. A file stands
// there once for each of its hashes, and is decided on when all of them are known.
type indicatorSet struct {
	all   *extsort.Sorter // records as addRecord writes them
	files *extsort.Sorter // listed files by their summaries, each with a verdict for each hash
	buf   []byte
}

// origins of records, in the order in which they are sorted.
const (
	fromCurrent = 'c'
	fromOwner   = 'o'
)

// verdicts on a listed indicator, or on one hash of a listed file. The smaller one wins.
const (
	verdictKept   = 'k'
	verdictSpared = 'p'
	verdictStale  = 's'
)

func newIndicatorSet(dir string, maxBytes int) *indicatorSet {
	return &indicatorSet{all: extsort.New(dir, maxBytes/4*3), files: extsort.New(dir, maxBytes/4)}
}

func (s *indicatorSet) close() {
	s.all.Close()
	s.files.Close()
}

// currentValues returns the definition, the canonical values and the summary of an indicator of a
// current set.
func currentValues(item BatchItem) (def *indicatorDef, v [3]string, summary string, err error) {
	ind, ok := item.(Indicator)
	if !ok || isNil(ind) {
		return nil, v, "", &ValidationError{Field: "item of the current set", Rule: "is nil"}
	}
	if def, err = batchDefOf(ind); err == nil {
		v, err = def.canonical(ind.values())
	}
	if err == nil {
		err = checkVerbatim(string(def.typ), joinValues(v))
	}
	if err == nil {
		summary, err = def.summary(v)
	}
	return def, v, summary, err
}

func (s *indicatorSet) addCurrent(t IndicatorType, v [3]string) error {
	for key := range keysOf(t, v) {
		if err := s.addRecord(t, key, fromCurrent, "", 0); err != nil {
			return err
		}
	}
	return nil
}

// addListed adds an indicator that the platform lists. recent ones are not stale.
func (s *indicatorSet) addListed(t IndicatorType, ind Indicator, recent bool) error {
	summary := ind.Summary()
	verdict := byte(verdictStale)
	if recent || summary == "" {
		verdict = verdictSpared
	}
	v := ind.values()
	if def := indicatorDefOf(t); def != nil && t != TypeFile {
		if c, err := def.canonical(v); err == nil {
			v = c
		}
	}
	for key := range keysOf(t, v) {
		if err := s.addRecord(t, key, fromOwner, summary, verdict); err != nil {
			return err
		}
	}
	return nil
}

// keysOf yields the texts by which an indicator is compared: one, but of a file each of its hashes.
func keysOf(t IndicatorType, v [3]string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if t != TypeFile {
			yield(comparedAs(t, joinValues(v)))
			return
		}
		none := true
		for _, hash := range v {
			if hash == "" {
				continue
			}
			none = false
			if h, err := canon.Hash(hash); err == nil {
				hash = h
			}
			if !yield(hash) {
				return
			}
		}
		if none {
			yield("")
		}
	}
}

// comparedAs returns a value without what the platform may change in it: for types whose letter
// case is the instance's affair, that and the spaces around the values.
func comparedAs(t IndicatorType, value string) string {
	switch {
	case t == TypeEmailAddress, t == TypeHashtag, indicatorDefOf(t) == nil:
		value = strings.Join(strings.Fields(strings.ToLower(strings.ToUpper(value))), " ")
		return strings.TrimRight(value, " :")
	}
	return value
}

// addRecord adds a record whose key is type, value, origin and summary, so that records of the same
// type and value stand together, and those of one indicator next to each other.
func (s *indicatorSet) addRecord(t IndicatorType, value string, origin byte, summary string, verdict byte) error {
	b := s.buf[:0]
	b = append(binary.AppendUvarint(b, uint64(len(t))), t...)
	b = append(binary.AppendUvarint(b, uint64(len(value))), value...)
	b = append(append(b, origin), summary...)
	s.buf = b
	return s.all.Add(b, []byte{verdict})
}

// record is a record of the sorter, taken apart. It is good until the next one is asked for.
type record struct {
	head    []byte // type and value with their lengths
	typ     []byte
	origin  byte
	summary []byte
}

func readRecord(key []byte) record {
	n, size := binary.Uvarint(key)
	typ := key[size:][:n]
	end := size + int(n)
	n, size = binary.Uvarint(key[end:])
	end += size + int(n)
	return record{head: key[:end], typ: typ, origin: key[end], summary: key[end+1:]}
}

// staleItem is an indicator that is to be removed, as the platform lists it.
type staleItem struct {
	typ     IndicatorType
	summary string
}

func (*staleItem) batchItem() {}

// stale writes an indicator that is to be removed by just the value that the platform gave.
func (e *encoder) stale(item *staleItem) {
	e.BeginObject()
	e.Key("type")
	e.Text(string(item.typ))
	e.Key("summary")
	e.Text(item.summary)
	e.EndObject()
}

// join compares everything, counts it, and sorts the hashes of listed files back into files.
func (s *indicatorSet) join(counts map[IndicatorType]*ReconcileCounts) error {
	for v, err := range s.verdicts() {
		if err != nil {
			return err
		}
		if v.typ == TypeFile {
			if err := s.files.Add([]byte(v.summary), []byte{v.verdict}); err != nil {
				return err
			}
			continue
		}
		counts[v.typ].count(v.verdict)
	}
	for v, err := range s.fileVerdicts() {
		if err != nil {
			return err
		}
		counts[v.typ].count(v.verdict)
	}
	return nil
}

func (c *ReconcileCounts) count(verdict byte) {
	c.Listed++
	switch verdict {
	case verdictSpared:
		c.Spared++
	case verdictStale:
		c.Stale++
	}
}

// stale yields what is stale after join, by type. It can be ranged over again.
func (s *indicatorSet) stale() iter.Seq2[staleItem, error] {
	return func(yield func(staleItem, error) bool) {
		for v, err := range s.verdicts() {
			if err == nil && (v.typ == TypeFile || v.verdict != verdictStale) {
				continue
			}
			if !yield(v.staleItem, err) || err != nil {
				return
			}
		}
		for v, err := range s.fileVerdicts() {
			if err == nil && v.verdict != verdictStale {
				continue
			}
			if !yield(v.staleItem, err) || err != nil {
				return
			}
		}
	}
}

// verdict is a listed indicator, or one hash of a listed file, with what becomes of it.
type verdict struct {
	staleItem
	verdict byte
}

// verdicts yields a verdict for every value that is listed and is in the current set or not, each
// once however often it was listed.
func (s *indicatorSet) verdicts() iter.Seq2[verdict, error] {
	return func(yield func(verdict, error) bool) {
		var g group
		for rec, err := range s.all.Sorted() {
			if err != nil {
				yield(verdict{}, err)
				return
			}
			if done, ok := g.add(rec); ok && !yield(done, nil) {
				return
			}
		}
		if g.waits {
			yield(g.last, nil)
		}
	}
}

// group goes through records of one type and value after the other. Those of the current set come
// before those of the owner.
type group struct {
	head    []byte // type and value with their lengths
	current bool   // whether the current set has it
	waits   bool   // whether there is a listed indicator that may come once more
	last    verdict
}

// add takes the next record. It returns the listed indicator before it when that is decided on.
func (g *group) add(rec extsort.Record) (before verdict, decided bool) {
	r := readRecord(rec.Key)
	before, decided = g.last, g.waits
	another := !bytes.Equal(r.head, g.head)
	if another {
		g.head = append(g.head[:0], r.head...)
		g.current, g.waits = false, false
	}
	if r.origin == fromCurrent {
		g.current = true
		return before, decided
	}
	v := verdict{staleItem{IndicatorType(r.typ), string(r.summary)}, rec.Value[0]}
	switch {
	case g.current:
		v.verdict = verdictKept
	case g.waits && v.typ == TypeFile && v.summary != g.last.summary: // two files with the same hash
		v.verdict, before.verdict = verdictSpared, verdictSpared
	case g.waits && v.summary == g.last.summary:
		v.verdict = min(v.verdict, g.last.verdict)
	}
	decided = decided && (another || v.summary != g.last.summary)
	g.last, g.waits = v, true
	return before, decided
}

// fileVerdicts yields the verdict on every listed file after join: it is kept when one of its
// hashes is, and spared when one is.
func (s *indicatorSet) fileVerdicts() iter.Seq2[verdict, error] {
	return func(yield func(verdict, error) bool) {
		var now verdict
		for rec, err := range s.files.Sorted() {
			if err != nil {
				yield(verdict{}, err)
				return
			}
			got := rec.Value[0]
			if now.verdict == 0 || now.summary != string(rec.Key) {
				if now.verdict != 0 && !yield(now, nil) {
					return
				}
				now = verdict{staleItem{TypeFile, string(rec.Key)}, got}
				continue
			}
			now.verdict = min(now.verdict, got)
		}
		if now.verdict != 0 {
			yield(now, nil)
		}
	}
}
