package extsort

import (
	"bufio"
	"errors"
	"io"
	"iter"
)

// Log stores records in the order in which they were added. Create a Log with [NewLog], add all records, read
// them, and close the Log. It is not safe for concurrent use.
type Log struct {
	dir   string
	limit int
	text  []byte // the newest records
	run   *run   // older records; nil while memory is sufficient
	at    reader // reader of At
	ended error  // error of all further calls
}

const atBuffer = 2 << 10 // read size of At; most records are smaller

// NewLog returns a Log that uses about limit bytes of memory, from 64 KiB to 1 GiB. Other records are in a
// temporary file in dir, or in the system's directory for temporary files if dir is empty. If the system
// allows it, the file has no name.
func NewLog(dir string, limit int) *Log {
	return &Log{dir: dir, limit: min(max(limit, minLimit), maxLimit)}
}

// Add adds a record and returns its position for [Log.At]. It does not retain the slice. The record is at
// most 1 GiB. After an error, the Log is unusable.
func (l *Log) Add(record []byte) (int64, error) {
	if l.ended == nil && len(record) > maxLimit {
		l.ended = errTooLarge
	}
	if l.ended == nil && len(l.text) > 0 && len(l.text)+len(record) > l.limit {
		l.ended = l.spill()
	}
	if l.ended != nil {
		return 0, l.ended
	}
	at := l.size()
	l.text = append(appendHead(l.text, nil, record), record...)
	return at, nil
}

// spill moves the records in memory to the file.
func (l *Log) spill() (err error) {
	if l.run == nil {
		if l.run, err = newRun(l.dir); err != nil {
			return err
		}
	}
	if err := l.run.write(l.text); err != nil {
		return err
	}
	if cap(l.text) > 2*l.limit {
		l.text = nil // do not retain the memory of one large record
	}
	l.text = l.text[:0]
	return l.run.flush()
}

func (l *Log) size() int64 {
	n := int64(len(l.text))
	if l.run != nil {
		n += l.run.size
	}
	return n
}

// ReadAt implements [io.ReaderAt] for the file followed by the memory.
func (l *Log) ReadAt(p []byte, at int64) (n int, err error) {
	if l.run != nil && at < l.run.size {
		if n, err = l.run.file.ReadAt(p[:min(int64(len(p)), l.run.size-at)], at); err != nil {
			return n, err
		}
		at = l.run.size
	}
	if l.run != nil {
		at -= l.run.size
	}
	n += copy(p[n:], l.text[at:])
	if n < len(p) {
		err = io.EOF
	}
	return n, err
}

// from returns a reader from a position to the end.
func (l *Log) from(at int64) io.Reader { return io.NewSectionReader(l, at, l.size()-at) }

// All returns an iterator over the records in order. Each is valid until the next one is read. It can be used
// several times. Add must not be called meanwhile. If an error occurs, the iterator yields it and stops.
func (l *Log) All() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if l.ended != nil {
			yield(nil, l.ended)
			return
		}
		r := reader{in: bufio.NewReaderSize(l.from(0), runBuffer)}
		for {
			rec, err := r.next()
			if err == io.EOF || !yield(rec.Value, err) || err != nil {
				return
			}
		}
	}
}

// At returns the record at a position from Add. It is valid until the next call.
func (l *Log) At(at int64) ([]byte, error) {
	if l.ended != nil {
		return nil, l.ended
	}
	if l.at.in == nil {
		l.at.in = bufio.NewReaderSize(nil, atBuffer)
	}
	l.at.in.Reset(l.from(at))
	rec, err := l.at.next()
	return rec.Value, err
}

// Close removes the temporary file and frees the memory. It may be called several times.
func (l *Log) Close() {
	if l.run != nil {
		l.run.discard()
	}
	l.run, l.text, l.at = nil, nil, reader{}
	l.ended = errors.New("the log is closed")
}
