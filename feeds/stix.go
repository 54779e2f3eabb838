package feeds

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/extsort"
)

// stix reads STIX 2.0 and 2.1 bundles and TAXII 2.1 envelopes up to the end of br. Several of them form one feed: objects
// can refer to objects in other bundles. The newest version of each object is used, and the first of equally new ones.
//
// An object can be related to others before and after it, so no entry is yielded before the end of the input. The
// iterator then yields a *LineError for each object that is left out, the groups, and the indicators, each in the
// order of the feed. Truncated input, and input with anything except bundles, yields only an error.
//
// Memory contains one object at a time. The rest is in temporary files in dir, which are removed however the loop ends.
func stix(br *bufio.Reader, xid func(...string) string, dir string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		r := &stixReader{
			kept:    capture{limit: maxObject},
			labels:  stixTLP(),
			records: extsort.NewLog(dir, sortMemory),
			byID:    sorter{Sorter: extsort.New(dir, sortMemory)},
			bySeq:   sorter{Sorter: extsort.New(dir, sortMemory)},
			results: sorter{Sorter: extsort.New(dir, sortMemory)},
			rules:   map[string]int64{},
			xid:     xid,
		}
		r.scanner = newScanner(bufio.NewReader(countBytes{br, &r.size}))
		defer r.close()
		r.yield = func(e Entry, err error) error {
			if !yield(e, err) {
				return errStopped
			}
			return nil
		}
		err := r.read()
		for _, step := range []func() error{r.resolve, r.associate, r.entries} {
			if err == nil {
				err = step()
			}
		}
		if err != nil && err != errStopped {
			yield(Entry{}, err)
		}
	}
}

const (
	maxObject       = 1 << 20 // bytes of the members of an object that are read, without object_refs
	maxLabels       = 10_000  // marking definitions of the Traffic Light Protocol
	maxAssociations = 50_000  // groups that one object is associated with
	maxNameless     = 10_000  // objects without an ID that are listed
	maxRules        = 1_000   // different *LineErrors that are stored once each
	sortMemory      = 1 << 20
)

// errStopped stops reading after the loop over the entries has ended.
var errStopped = errors.New("the loop has ended")

// stixReader reads the input once and then joins objects with the references to them by sorting. Each object has a
// sequence number. A reference has the number of the object that contains it.
//
//	records  the JSON of the objects that become entries, and the *LineErrors of those that do not
//	byID     versions of objects, and the references to each id, by id
//	bySeq    the newest version of each object, and the objects it refers to, by sequence number
//	results  groups and then indicators, each with its groups
type stixReader struct {
	scanner              *scanner
	kept                 capture           // the members of the current object that are read
	seq                  int64             // sequence number of the current object, from 1
	labels               map[string]string // names of security labels by the IDs of marking definitions
	records              *extsort.Log
	byID, bySeq, results sorter
	size, held           int64            // bytes of the input so far, and of records
	rules                map[string]int64 // positions of *LineErrors in records
	nameless             int              // objects that are left out and have no ID
	xid                  func(...string) string
	checker              threatconnect.Fingerprinter // detects items that an import would refuse
	yield                func(Entry, error) error
}

func (r *stixReader) close() {
	r.records.Close()
	for _, s := range []*sorter{&r.byID, &r.bySeq, &r.results} {
		s.Close()
	}
}

// read reads all bundles.
func (r *stixReader) read() error {
	s, more := r.scanner, false
	for n := 0; ; n++ {
		c, err := s.next()
		line, problem := s.line, ""
		switch {
		case err == io.EOF && n == 0:
			problem = "the input is empty; want a STIX bundle, which may have no objects"
		case err == io.EOF && more:
			problem = "the TAXII envelope says that there are more objects; append the other pages"
		case err == io.EOF:
			return nil
		case err == nil && c == '{':
			more, err = r.bundle()
		case err == nil:
			err = errNotBundle
		}
		switch {
		case problem != "":
		case err == nil:
			continue
		case err == io.EOF:
			line, problem = s.line, "the STIX bundle is cut; repeat the download"
		case err == errSyntax || err == errDepth:
			line, problem = s.line, "the STIX bundle has "+err.Error()
		case err != errNotBundle:
			return err
		case n == 0:
			problem = "the input is not a STIX bundle, which is a JSON object of the type bundle"
		default:
			problem = "the text after a STIX bundle is not another bundle; remove it, or repeat the download"
		}
		return fmt.Errorf("%w: line %d: %s", ErrFormat, line, problem)
	}
}

var errNotBundle = errors.New("not a STIX bundle")

// bundle reads a bundle or an envelope after its brace. more is the member of that name of an envelope.
func (r *stixReader) bundle() (more bool, err error) {
	s, typ, seen := r.scanner, "", map[string]bool{}
	err = s.members(0, func(key string, c byte) (err error) {
		known := key == "type" || key == "objects" || key == "more"
		if known && seen[key] || key == "objects" && c != '[' || key == "type" && c != '"' {
			return errNotBundle
		}
		seen[key] = known
		switch key {
		case "objects":
			return s.elements(1, r.object)
		case "type":
			if typ, err = s.text(); err == errLong {
				err = errNotBundle
			}
			return err
		case "more":
			more = c == 't'
		}
		return s.value(c, 1)
	})
	if err == nil && typ != "bundle" && (seen["type"] || !seen["objects"]) {
		err = errNotBundle
	}
	return more, err
}

// object reads an object after its first character.
func (r *stixReader) object(first byte) error {
	s, line := r.scanner, r.scanner.line
	r.seq++
	r.kept.reset("{")
	if first != '{' {
		if err := s.value(first, 2); err != nil {
			return err
		}
		return r.add(&stixObject{}, line, stixContext, errors.New("is not a STIX object"))
	}
	var seen, twice uint
	badRefs := false
	err := s.members(2, func(key string, c byte) (err error) {
		i := slices.Index(stixMembers[:], key)
		if i < 0 {
			return s.value(c, 3)
		}
		twice |= seen & (1 << i)
		seen |= 1 << i
		if key == "object_refs" && c == '[' {
			badRefs, err = r.references()
			return err
		}
		if len(r.kept.text) > 1 {
			r.kept.add(',')
		}
		r.kept.add([]byte(`"` + key + `":`)...)
		r.kept.add(c)
		s.to = &r.kept
		err = s.value(c, 3)
		s.to = nil
		return err
	})
	if err != nil {
		return err
	}
	r.kept.add('}')
	var o stixObject
	err = json.Unmarshal(r.kept.text, &o) // after a member of the wrong type, it reads the others
	kind, refusal := o.kind()
	wrong, _ := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case r.kept.over:
		refusal = fmt.Errorf("has more than %d bytes of text, or a list of more than %d elements", maxObject, maxElements)
	case o.Type == "" || o.ID == "" || len(o.ID) > maxWord:
		refusal = errors.New("has no type or no id")
	case kind == stixContext && o.Type != "marking-definition": // its other members do not matter
	case twice != 0:
		refusal = errors.New("has a member twice")
	case !utf8.Valid(r.kept.text) || hasHalfRune(r.kept.text):
		refusal = errors.New("has text that is not valid Unicode")
	case wrong != nil:
		refusal = errors.New(wrong.Field + " has another JSON type than STIX requires")
	case err != nil:
		return err
	case badRefs:
		refusal = errors.New("object_refs has an element that is not an id")
	default:
		refusal = r.check(&o, kind)
	}
	return r.add(&o, line, kind, refusal)
}

// check returns an error for an invalid member, and records the label of a marking definition.
func (r *stixReader) check(o *stixObject, kind stixKind) (err error) {
	switch kind {
	case stixContext:
		label := o.label()
		if label != "" && len(r.labels) >= maxLabels {
			return errors.New("is one of too many marking definitions")
		}
		if label != "" {
			r.labels[o.ID] = label
		}
	case stixRelationship:
		if o.Source == "" || o.Target == "" {
			return errors.New("has no source_ref or no target_ref")
		}
		_, err = stixTime("modified", o.Modified)
	case stixIndicator:
		_, err = o.meta(nil)
	default:
		_, err = r.group(o, nil)
	}
	return err
}

// group returns the group that an object becomes.
func (r *stixReader) group(o *stixObject, groups []string) (threatconnect.Group, error) {
	g, err := o.group(r.labels, groups)
	if err != nil {
		return nil, err
	}
	g.Meta().XID = r.xid("stix", o.ID)
	_, err = r.checker.Of(g)
	return g, err
}

// references adds the elements of object_refs. bad reports whether one of them is not an ID.
func (r *stixReader) references() (bad bool, err error) {
	s := r.scanner
	err = s.elements(3, func(c byte) error {
		if c != '"' {
			bad = true
			return s.value(c, 4)
		}
		id, err := s.text()
		if err == errLong {
			bad, err = true, nil
		} else if err == nil && !strings.HasPrefix(id, "relationship--") { // relationships are read separately
			err = r.refer(id, roleContent)
		}
		return err
	})
	return bad, err
}

// add adds the current object, or the error of an object that is left out.
func (r *stixReader) add(o *stixObject, line int, kind stixKind, refusal error) (err error) {
	if refusal != nil {
		kind = stixLeftOut
		if o.ID == "" {
			r.nameless++
			switch {
			case r.nameless > maxNameless:
				return nil
			case r.nameless == maxNameless:
				refusal = errors.New("is one of too many objects without an id; the others are not listed")
			}
		}
	}
	modified, _ := stixTime("modified", o.Modified) // objects with a malformed date are left out
	v := stixVersion{
		seq: r.seq, kind: kind, line: int64(line), record: -1, second: modified.Unix(), nano: int64(modified.Nanosecond()), id: o.ID,
	}
	switch kind {
	case stixContext:
	case stixLeftOut:
		if v.record, err = r.addRule(refusal); err != nil {
			return err
		}
	case stixRelationship:
		if err := cmp.Or(r.refer(o.Source, roleSource), r.refer(o.Target, roleTarget)); err != nil {
			return err
		}
	default:
		if v.record, err = r.addRecord(r.kept.text); err != nil {
			return err
		}
	}
	if o.ID == "" {
		return r.sort(&r.bySeq, seqKey(r.seq, roleSelf), v.pack())
	}
	return r.sort(&r.byID, idKey(o.ID, roleSelf), v.pack())
}

// addRule adds the error of an object that is left out, and returns its position. Equal errors are stored once.
func (r *stixReader) addRule(refusal error) (int64, error) {
	record, err := json.Marshal(refused(0, "", refusal))
	if err != nil {
		return 0, err
	}
	if at, ok := r.rules[string(record)]; ok {
		return at, nil
	}
	at, err := r.addRecord(record)
	if err == nil && len(r.rules) < maxRules {
		r.rules[string(record)] = at
	}
	return at, err
}

// refer adds a reference of the current object.
func (r *stixReader) refer(id string, role byte) error {
	v := stixVersion{seq: r.seq}
	return r.sort(&r.byID, idKey(id, role), v.pack())
}
