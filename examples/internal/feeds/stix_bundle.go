package feeds

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// stixObject is what is read of an object of a bundle. Fields of other names are left out.
type stixObject struct {
	Type        string    `json:"type"`
	ID          string    `json:"id"`
	Created     time.Time `json:"created"`
	Modified    time.Time `json:"modified"`
	Revoked     bool      `json:"revoked"`
	Name        string    `json:"name"`
	Description string    `json:"description"`
	Labels      []string  `json:"labels"`
	Confidence  *int      `json:"confidence"`
	KillChain   []struct {
		Phase string `json:"phase_name"`
	} `json:"kill_chain_phases"`
	References []struct {
		URL string `json:"url"`
	} `json:"external_references"`
	Markings []string `json:"object_marking_refs"`

	Pattern        string    `json:"pattern"`
	PatternType    string    `json:"pattern_type"`
	IndicatorTypes []string  `json:"indicator_types"`
	ValidUntil     time.Time `json:"valid_until"`

	FirstSeen time.Time `json:"first_seen"`
	LastSeen  time.Time `json:"last_seen"`
	Published time.Time `json:"published"`
	Contained []string  `json:"object_refs"`

	RelationshipType string `json:"relationship_type"`
	Source           string `json:"source_ref"`
	Target           string `json:"target_ref"`

	Definition struct {
		TLP string `json:"tlp"`
	} `json:"definition"`

	line int
}

// readBundles calls fn for each object of the bundles in br, in their order, until fn returns false.
// The bundles follow one another with nothing but white space between them; anything else is an error.
// It holds one object at a time.
func readBundles(br *bufio.Reader, fn func(*stixObject, *LineError) bool) error {
	pos := &positions{r: br}
	dec := json.NewDecoder(pos)
	for n := 0; ; n++ {
		dec.More() // skips white space
		begin := pos.line(dec.InputOffset())
		open, err := dec.Token()
		more := true
		switch {
		case err == io.EOF && pos.err == io.EOF:
			return nil // also an empty feed
		case open == json.Delim('{'):
			more, err = readBundle(dec, pos, fn)
		case err == nil || n > 0:
			err = errNoBundle
		}
		switch {
		case err == nil && more:
			continue
		case err == nil:
			return nil
		case pos.err != nil && pos.err != io.EOF:
			return pos.err
		case err == errNoBundle && n == 0:
			return fmt.Errorf("%w: the input is no STIX bundle: want a JSON object of type bundle", ErrFormat)
		case err == errNoBundle:
			return fmt.Errorf("%w: line %d: what follows a STIX bundle is not another one: remove it, or repeat the download", ErrFormat, begin)
		case err == io.EOF || err == io.ErrUnexpectedEOF:
			return fmt.Errorf("%w: the STIX bundle ends in the middle, at line %d: the download may have been cut", ErrFormat, pos.line(pos.read))
		}
		return fmt.Errorf("%w: the STIX bundle is broken JSON after line %d", ErrFormat, pos.line(dec.InputOffset()))
	}
}

var errNoBundle = errors.New("is no STIX bundle")

// readBundle reads a bundle after its opening brace. It reports whether fn wants more.
func readBundle(dec *json.Decoder, pos *positions, fn func(*stixObject, *LineError) bool) (more bool, err error) {
	typ := ""
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return false, err
		}
		if key == "objects" {
			if more, err := readObjects(dec, pos, fn); err != nil || !more {
				return false, err
			}
			continue
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return false, err
		}
		if key == "type" && json.Unmarshal(value, &typ) != nil {
			return false, errNoBundle
		}
	}
	if _, err := dec.Token(); err != nil {
		return false, err
	}
	if typ != "bundle" {
		return false, errNoBundle
	}
	return true, nil
}

// readObjects reads the array of objects. It reports whether fn wants more.
func readObjects(dec *json.Decoder, pos *positions, fn func(*stixObject, *LineError) bool) (more bool, err error) {
	open, err := dec.Token()
	if err != nil {
		return false, err
	}
	if open != json.Delim('[') {
		return false, errNoBundle
	}
	for dec.More() {
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return false, err
		}
		o := &stixObject{line: pos.line(dec.InputOffset() - int64(len(raw)))}
		if json.Unmarshal(raw, o) != nil {
			if !fn(nil, &LineError{Line: o.line, Rule: "is no STIX object, or has a field of another type than STIX says"}) {
				return false, nil
			}
			continue
		}
		if !fn(o, nil) {
			return false, nil
		}
	}
	_, err = dec.Token()
	return true, err
}

// positions remembers where lines end in what was read and not yet asked for.
type positions struct {
	r     io.Reader
	read  int64   // bytes so far
	ends  []int64 // offsets of line breaks that have not been counted
	count int     // line breaks that have
	err   error   // what ended the reading
}

func (p *positions) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	for i, c := range b[:n] {
		if c == '\n' {
			p.ends = append(p.ends, p.read+int64(i))
		}
	}
	p.read += int64(n)
	p.err = err
	return n, err
}

// line returns the number of the line that the byte at offset stands on. Offsets must not go back.
func (p *positions) line(offset int64) int {
	n := 0
	for n < len(p.ends) && p.ends[n] < offset {
		n++
	}
	p.count += n
	p.ends = append(p.ends[:0], p.ends[n:]...)
	return p.count + 1
}
