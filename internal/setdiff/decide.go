package setdiff

import (
	"iter"
	"slices"
)

// maxRows is the largest number of rows of one key that are decided together.
const maxRows = 100

// decide returns the listed ones of rows with the same key, with their verdicts. Rows of the current set come
// first. cut reports that the key has further rows.
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
			r.Verdict = Kept
		case len(current) > 0:
			r.Verdict = min(r.Verdict, SparedSpelling)
		case r.Type == typeFile && (cut || len(listed) > 1): // the platform could remove both files
			r.Verdict = min(r.Verdict, SparedHash)
		}
	}
	return listed
}

// Decisions returns an iterator over the listed indicators with their verdicts, each once, by type and files
// last. It can be used again if the first loop has reached the end.
func (s *Set) Decisions() iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for r, err := range s.decidedRows() {
			if err == nil && r.Type == typeFile {
				if !s.joined {
					err = s.files.Add([]byte(r.Summary), []byte{byte(r.Verdict)})
				}
				if err == nil {
					continue
				}
			}
			if !yield(r.Row, err) || err != nil {
				return
			}
		}
		s.joined = true
		var file Row
		for rec, err := range s.files.Sorted() {
			if err != nil {
				yield(Row{}, err)
				return
			}
			verdict := Verdict(rec.Value[0])
			if file.Type != "" && file.Summary == string(rec.Key) {
				file.Verdict = min(file.Verdict, verdict)
				continue
			}
			if file.Type != "" && !yield(file, nil) {
				return
			}
			file = Row{Type: typeFile, Summary: string(rec.Key), Verdict: verdict}
		}
		if file.Type != "" {
			yield(file, nil)
		}
	}
}

// decidedRows yields every listed row with its verdict, by type and key.
func (s *Set) decidedRows() iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		var rows []row // of one key, without duplicates
		cut := false
		flush := func() bool {
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
				rows[n-1].Verdict = min(rows[n-1].Verdict, r.Verdict)
				continue
			case n > 0 && rows[0].key != r.key:
				if !flush() {
					return
				}
				rows, cut = rows[:0], false
			case n == maxRows:
				if cut = true; !flush() {
					return
				}
				if rows = rows[:1]; rows[0].origin != fromCurrent { // one row of the current set is enough to spare the others
					rows = rows[:0]
				}
			}
			rows = append(rows, r)
		}
		flush()
	}
}
