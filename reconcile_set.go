package threatconnect

import (
	"encoding/binary"
	"encoding/hex"
	"iter"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/canon"
	"github.com/threatconnect-go/threatconnect/internal/extsort"
)

// indicatorSet compares the indicators of a current set with those of an owner, any number of them
// in bounded memory.
//
// It sorts both by type and folded value, so that all spellings of a value are adjacent. A file has
// a row for each of its hashes. A second sorter brings the verdicts on its hashes together.
type indicatorSet struct {
	all    *extsort.Sorter // rows
	files  *extsort.Sorter // summaries of listed files, each with the verdict on one hash
	joined bool            // whether files is complete
	buf    []byte
}

// verdict says what happens to a listed indicator. If several apply, the smallest one wins.
type verdict byte

const (
	verdictKept verdict = iota
	sparedSpelling
	sparedRecent
	sparedHash
	sparedMerged
	sparedValue
	verdictRetired
	verdictStale
)

// reason returns the reason of a verdict that spares, in words.
func (v verdict) reason() string {
	switch v {
	case sparedSpelling:
		return "is in the current set in another spelling"
	case sparedRecent:
		return "was modified lately, or at an unknown time"
	case sparedHash:
		return "shares a hash with another file"
	case sparedMerged:
		return "has another hash since it was listed"
	}
	return "has no value by which it could be removed"
}

// verdict returns what happens to a listed indicator that the current set does not have.
func (r *reconciliation) verdict(m *IndicatorMeta) verdict {
	switch {
	case r.recent(m.LastModified):
		return sparedRecent
	case r.cfg.Retire != nil && r.cfg.Retire.done(m):
		return verdictRetired
	}
	return verdictStale
}

// recent reports whether an indicator that was modified at a time is spared. It includes the second of
// ModifiedBefore, because the platform's times are whole seconds, and allows for a platform whose clock is known to
// be behind.
func (r *reconciliation) recent(modified time.Time) bool {
	if r.cfg.ModifiedBefore.IsZero() {
		return false
	}
	behind := min(0, time.Duration(r.s.c.offset.Load()))
	return modified.IsZero() || !modified.Before(r.cfg.ModifiedBefore.Add(behind).Truncate(time.Second))
}

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
	if merged, ok := item.(*mergedItem); ok {
		return merged.indicator()
	}
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
	return s.add(row{listedIndicator: listedIndicator{typ: t}, origin: fromCurrent}, v)
}

// addListed adds an indicator that the platform lists. The verdict applies if the current set does
// not have it.
func (s *indicatorSet) addListed(t IndicatorType, ind Indicator, verdict verdict) error {
	summary, v, def := ind.Summary(), ind.values(), indicatorDefOf(t)
	valid := summary != ""
	switch {
	case t == TypeFile:
		hash, _ := def.pathOf(v)
		_, err := canon.Hash(hash)
		valid = err == nil
	case def != nil:
		if c, err := def.canonical(v); err == nil {
			v = c
		}
	}
	if !valid {
		verdict = min(verdict, sparedValue)
	}
	return s.add(row{listedIndicator: listedIndicator{typ: t, summary: summary}, origin: fromOwner, verdict: verdict}, v)
}

// row is an indicator under a key by which it is compared: its type and folded value, or one hash.
type row struct {
	listedIndicator // without a summary if it is of the current set
	key             string
	origin          byte
	value           string // canonical value, or "" if it equals the folded one
	verdict         verdict
}

// origins of rows, in the order in which they are sorted.
const (
	fromCurrent = 'c'
	fromOwner   = 'o'
)

// add adds a row for each key of an indicator.
func (s *indicatorSet) add(r row, v [3]string) error {
	keys := v[:]
	if r.typ != TypeFile {
		keys = []string{joinValues(v)}
	}
	if keys = slices.DeleteFunc(keys, func(key string) bool { return key == "" }); len(keys) == 0 {
		keys = []string{""}
	}
	for _, value := range keys {
		folded := foldedValue(r.typ, value)
		switch {
		case value == folded, r.typ == TypeFile:
			value = ""
		case r.typ == TypeEmailAddress, r.typ == TypeHashtag, indicatorDefOf(r.typ) == nil:
			value = "" // the letter case of these types is a setting of the instance
		}
		b := s.buf[:0]
		for _, text := range [...]string{string(r.typ), folded} {
			b = append(binary.AppendUvarint(b, uint64(len(text))), text...)
		}
		b = append(binary.AppendUvarint(append(b, r.origin), uint64(len(value))), value...)
		s.buf = append(b, r.summary...)
		if err := s.all.Add(s.buf, []byte{byte(r.verdict)}); err != nil {
			return err
		}
	}
	return nil
}

func readRow(rec extsort.Record) row {
	text, at := string(rec.Key), 0
	next := func() string {
		n, size := binary.Uvarint(rec.Key[at:])
		from := at + size
		at = from + int(n)
		return text[from:at]
	}
	r := row{verdict: verdict(rec.Value[0])}
	r.typ = IndicatorType(next())
	_ = next() // the folded value
	r.key, r.origin = text[:at], text[at]
	at++
	r.value = next()
	r.summary = text[at:]
	return r
}

// sameAs reports whether two rows differ in nothing but the verdict.
func (r row) sameAs(o row) bool {
	o.verdict = r.verdict
	return r == o
}

// foldedValue returns a canonical value without what a platform may change in it: letter case, white
// space, and of a URL also percent escapes, a default port and slashes at the end of the path.
func foldedValue(t IndicatorType, value string) string {
	switch t {
	case TypeFile:
		if hash, err := canon.Hash(value); err == nil {
			return hash
		}
		return value
	case TypeURL:
		value = unescaped(value)
	case TypeCIDR:
		if block, err := netip.ParsePrefix(value); err == nil {
			value = block.Masked().String()
		}
	}
	value = strings.Join(strings.Fields(strings.ToLower(strings.ToUpper(value))), "")
	switch {
	case t == TypeURL:
		return foldedURL(value)
	case t == TypeHashtag:
		return strings.TrimLeft(value, "#")
	case indicatorDefOf(t) == nil:
		return strings.TrimRight(value, ":") // empty values at the end
	}
	return value
}

// unescaped decodes percent escapes until there are none.
func unescaped(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		out = append(out, s[i])
		for n := len(out) - 3; n >= 0 && out[n] == '%'; n = len(out) - 3 {
			b, err := hex.DecodeString(string(out[n+1:]))
			if err != nil {
				break
			}
			out = append(out[:n], b[0])
		}
	}
	return string(out)
}

// foldedURL drops the default port of a URL, and the slashes at the end of its path.
func foldedURL(s string) string {
	cut := func(s, chars string) (before, after string) {
		if i := strings.IndexAny(s, chars); i >= 0 {
			return s[:i], s[i:]
		}
		return s, ""
	}
	scheme, rest, _ := strings.Cut(s, "://")
	host, rest := cut(rest, "/?#")
	path, rest := cut(rest, "?#")
	port := map[string]string{"http": ":80", "https": ":443", "ftp": ":21", "sftp": ":22"}[scheme]
	return scheme + "://" + strings.TrimSuffix(host, port) + strings.TrimRight(path, "/") + rest
}

// mostRows is the largest number of rows of one key that are decided on together.
const mostRows = 100

// decide returns the listed ones of rows, which have the same key, with their verdicts. Those of the
// current set come first. There are more rows of the key if they are cut.
func decide(rows []row, cut bool) []row {
	n := 0
	for n < len(rows) && rows[n].origin == fromCurrent {
		n++
	}
	current, listed := rows[:n], rows[n:]
	for i := range listed {
		r := &listed[i]
		switch {
		case slices.ContainsFunc(current, func(c row) bool { return c.value == r.value }):
			r.verdict = verdictKept
		case len(current) > 0:
			r.verdict = min(r.verdict, sparedSpelling)
		case r.typ == TypeFile && (cut || len(listed) > 1): // removing one could take another along
			r.verdict = min(r.verdict, sparedHash)
		}
	}
	return listed
}

// decisions returns an iterator over the listed indicators with their verdicts, each once, by type and files last. It
// can be ranged over again if the first loop has reached the end.
func (s *indicatorSet) decisions() iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		for r, err := range s.decidedRows() {
			if err == nil && r.typ == TypeFile {
				if !s.joined {
					err = s.files.Add([]byte(r.summary), []byte{byte(r.verdict)})
				}
				if err == nil {
					continue
				}
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
		s.joined = true
		var file row
		for rec, err := range s.files.Sorted() {
			if err != nil {
				yield(row{}, err)
				return
			}
			verdict := verdict(rec.Value[0])
			if file.typ != "" && file.summary == string(rec.Key) {
				file.verdict = min(file.verdict, verdict)
				continue
			}
			if file.typ != "" && !yield(file, nil) {
				return
			}
			file = row{listedIndicator: listedIndicator{typ: TypeFile, summary: string(rec.Key)}, verdict: verdict}
		}
		if file.typ != "" {
			yield(file, nil)
		}
	}
}

// decidedRows yields every listed row with its verdict, by type and key.
func (s *indicatorSet) decidedRows() iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		var rows []row // of one key, without repetitions
		cut := false
		tell := func() bool {
			for _, r := range decide(rows, cut) {
				if !yield(r, nil) {
					return false
				}
			}
			return true
		}
		for rec, err := range s.all.Sorted() {
			if err != nil {
				yield(row{}, err)
				return
			}
			r := readRow(rec)
			switch n := len(rows); {
			case n > 0 && rows[n-1].sameAs(r):
				rows[n-1].verdict = min(rows[n-1].verdict, r.verdict)
				continue
			case n > 0 && rows[0].key != r.key:
				if !tell() {
					return
				}
				rows, cut = rows[:0], false
			case n == mostRows:
				if cut = true; !tell() {
					return
				}
				if rows = rows[:1]; rows[0].origin != fromCurrent { // one of the current set is enough to spare the others
					rows = rows[:0]
				}
			}
			rows = append(rows, r)
		}
		tell()
	}
}
