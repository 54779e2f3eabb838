package extsort

import (
	"bufio"
	"errors"
	"io"
	"iter"
)

// Log keeps records in the order in which they were added. Make a Log with [NewLog], add everything,
// read it, and close it. It is not safe for concurrent use.
type Log struct {
	dir   string
	limit int
	text  []byte // the newest records
	run   *run   // those before them; nil as long as memory is enough
	at    reader // of At
	ended error  // what made it unusable
}

const atBuffer = 2 << 10 // bytes that At reads at a time; most records are shorter

// NewLog returns a log that keeps at most about limit bytes in memory, 64 KiB to 1 GiB, and the rest
// in a temporary file in dir, or in the system's directory for them if dir is empty. The file has no
// name while it is open, where the system allows that.
func NewLog(dir string, limit int) *Log {
	return &Log{dir: dir, limit: min(max(limit, minLimit), maxLimit)}
}

// Add adds a record and returns its position, for [Log.At]. It does not keep the slice. A record may
// have up to 1 GiB. After an error the log is of no use.
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

// spill moves what is in memory to the file.
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
		l.text = nil // one large record is no reason to keep its room
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

// ReadAt reads the file and the memory behind it as one text.
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

// from returns what is to be read from a position on.
func (l *Log) from(at int64) io.Reader { return io.NewSectionReader(l, at, l.size()-at) }

// All returns the records in order, each good until the next is asked for. It can be ranged over
// again, and nothing can be added meanwhile. An error is the last element.
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

// At returns the record at a position that Add has returned. It is good until the next call.
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

// Close removes the temporary file and frees the memory. It may be called twice.
func (l *Log) Close() {
	if l.run != nil {
		l.run.discard()
	}
	l.run, l.text, l.at = nil, nil, reader{}
	l.ended = errors.New("the log is closed")
}
