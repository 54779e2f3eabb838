package threatconnecttest

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// The codes of batch errors.
const (
	codeGeneral        = "0x1001"
	codePermission     = "0x1002"
	codeSyntax         = "0x1003"
	codeIndicator      = "0x1005"
	codeGroup          = "0x1006"
	codeNotFound       = "0x1007"
	codeLimit          = "0x1008"
	codeAssociation    = "0x1009"
	codeIndicatorLoss  = "0x2001"
	codeGroupLoss      = "0x2002"
	codeFileHashMerge  = "0x2003"
	msgUnexpected      = "Encountered an unexpected Exception while processing batch job."
	msgWithItself      = "An object cannot be associated with itself"
	msgTooManyInOwner  = "Importing this file would exceed the number of allowed indicators for this owner"
	causeSyntaxGeneral = "com.google.gson.JsonSyntaxException: "
)

// batchError is the reason why an item fails. With stop, it ends the job.
type batchError struct {
	code    string
	message string
	cause   string
	stop    bool
}

// batchItem is the item being processed.
type batchItem struct {
	kind   string // group, indicator or association
	index  int
	typ    string // type as written in the item
	source string // summary or xid, once it is known
	failed bool
}

// batchRun is a job being processed.
type batchRun struct {
	*world
	set     *settings
	config  batchConfig
	now     int64
	counts  batchCounts
	errors  []JobError
	stopped bool // remaining items are only counted
	pending []pendingLink
	last    string // source of the previous item, for the error that ends the job
}

// pendingLink is an association whose other end may come later in the same file.
type pendingLink struct {
	item *batchItem
	from holder
	find func() (holder, *batchError)
}

// other finds the other end of an association, which must be a different item.
func (p pendingLink) other() (holder, *batchError) {
	to, bad := p.find()
	if bad == nil && to == p.from {
		return nil, &batchError{code: codeAssociation, message: msgWithItself}
	}
	return to, bad
}

// run processes a job as of a time. The job always ends as completed.
func (w *world) run(set *settings, j *job, at time.Time) {
	began := time.Now()
	r := &batchRun{world: w, set: set, config: j.config, now: at.Unix(),
		counts: batchCounts{success: map[string]int{}, errors: map[string]int{}}}
	r.read(&scanner{b: j.content})
	r.resolve(true)
	j.counts, j.errors = r.counts, r.errors
	j.content = nil
	j.status, j.completed = jobCompleted, at.Add(time.Since(began))
}

// read processes the file in the order of its keys. Text after the object is an error, because the
// second object of a client that wrote two would be lost.
func (r *batchRun) read(s *scanner) {
	if !utf8.Valid(s.b) {
		r.syntax("$", nil, "java.nio.charset.MalformedInputException: Input length = 1")
		return
	}
	if r.document(s) && (s.peek() != 0 || s.i < len(s.b)) {
		r.syntax("$", nil, errSyntax.Error())
	}
}

// document processes the object of a file, or the array of an old file, and reports whether it
// could be parsed to the end.
func (r *batchRun) document(s *scanner) bool {
	v1 := r.config.version == "V1"
	switch c := s.peek(); {
	case c == '[' && v1:
		return r.elements(s, kindIndicator, "$")
	case c == 0 && s.i >= len(s.b):
		return r.syntax("$", nil, errEnd.Error())
	case c != '{':
		return r.syntax("$", nil, expectedObject(c).Error())
	}
	s.i++
	if s.eat('}') {
		return true
	}
	for {
		name, err := s.value(0)
		if err != nil || name[0] != '"' || !s.eat(':') {
			return r.syntax("$", nil, s.bad().Error())
		}
		key, _ := scalarText(name)
		if key != kindIndicator && (v1 || key != kindGroup && key != kindAssociation) {
			if _, err := s.value(0); err != nil {
				return r.syntax("$", nil, err.Error())
			}
		} else {
			if key == kindAssociation {
				r.resolve(false)
			}
			if !r.elements(s, key, "$."+key) {
				return false
			}
		}
		if s.eat('}') {
			return true
		}
		if !s.eat(',') {
			return r.syntax("$", nil, s.bad().Error())
		}
	}
}

// elements processes an array and reports whether parsing can continue.
func (r *batchRun) elements(s *scanner, kind, path string) bool {
	if c := s.peek(); c != '[' {
		cause := "java.lang.IllegalStateException: Expected BEGIN_ARRAY but was " + kindOf(c)
		if s.i >= len(s.b) {
			cause = errEnd.Error()
		}
		return r.syntax(path, nil, cause)
	}
	s.i++
	if s.eat(']') {
		return true
	}
	var f fields
	for n := 0; ; n++ {
		item := &batchItem{kind: kind, index: n}
		var err error
		if f, err = s.fields(f[:0]); err != nil {
			return r.syntax(path, item, err.Error())
		}
		if r.stopped {
			r.counts.unprocessed++
		} else {
			bad := r.element(item, f)
			if bad != nil && bad.code == codeSyntax {
				return r.syntax(path, item, bad.cause)
			}
			r.settle(item, bad)
			r.last = item.source
		}
		if s.eat(']') {
			return true
		}
		if !s.eat(',') {
			return r.syntax(path, nil, s.bad().Error())
		}
	}
}

func (r *batchRun) element(item *batchItem, f fields) *batchError {
	item.typ, _ = f.text("type")
	switch item.kind {
	case kindGroup:
		return r.group(item, f)
	case kindAssociation:
		return r.association(item, f)
	}
	if item.index >= r.set.batch.indicators {
		return &batchError{code: codeGeneral, stop: true,
			message: "The file has more than " + strconv.Itoa(r.set.batch.indicators) + " indicators"}
	}
	return r.indicator(item, f)
}

// settle counts an item.
func (r *batchRun) settle(item *batchItem, bad *batchError) {
	if bad == nil {
		r.counts.success[item.kind]++
		return
	}
	item.failed = true
	r.counts.errors[item.kind]++
	r.errors = append(r.errors, JobError{Code: bad.code, Message: bad.message, Cause: bad.cause, Source: item.source, kind: item.kind, typ: item.typ})
	if bad.stop || r.config.halt {
		r.stopped = true
	}
}

// syntax ends the job, because items that cannot be parsed cannot be counted. It returns false.
func (r *batchRun) syntax(path string, item *batchItem, cause string) bool {
	kind, source := kindGroup, ""
	message := msgUnexpected + " Last known JSON path: '" + path + "'"
	if item != nil {
		kind, source = item.kind, item.source
		at := "[" + strconv.Itoa(item.index) + "]"
		message = msgUnexpected + " Last known JSON path: '" + path + at + "': Last processed " + item.kind + at + " '" + r.last + "'"
		if source != "" {
			message = msgUnexpected + " Last known JSON path: '" + path + at + "': Last processed " + item.kind + at + " '" + source + "'"
		}
	}
	r.counts.errors[kind]++
	r.errors = append(r.errors, JobError{Code: codeSyntax, Message: message + ".", Cause: causeSyntaxGeneral + cause, Source: source})
	r.stopped = true
	r.pending = nil
	return false
}

// resolve creates the associations whose other end exists now. At the end of the file, the
// remaining ones are errors of their items.
func (r *batchRun) resolve(end bool) {
	var open []pendingLink
	for _, p := range r.pending {
		to, bad := p.other()
		switch {
		case bad == nil:
			associate(p.from, to, "")
		case p.item.failed:
		case !end:
			open = append(open, p)
		default:
			r.counts.success[p.item.kind]--
			r.settle(p.item, bad)
		}
	}
	r.pending = open
}

// connect creates an association now, or after the rest of the file.
func (r *batchRun) connect(item *batchItem, from holder, find func() (holder, *batchError)) {
	p := pendingLink{item, from, find}
	to, bad := p.other()
	if bad != nil {
		r.pending = append(r.pending, p)
		return
	}
	associate(from, to, "")
}

// groupByReference finds a group of the job's owner by xid.
func (r *batchRun) groupByReference(xid string) (holder, *batchError) {
	g := r.groupByXID[xid]
	if g == nil {
		return nil, &batchError{code: codeAssociation, message: "The Group with xid '" + xid + "' to associate with was not found"}
	}
	if g.owner != r.config.owner {
		return nil, &batchError{code: codeAssociation, message: msgOwners}
	}
	return g, nil
}

// indicatorByReference finds an indicator of the job's owner by type and summary.
func (r *batchRun) indicatorByReference(typeName, summary string) (holder, *batchError) {
	t := r.indicatorType(typeName)
	if t != nil {
		if value, ok := t.read(summary); ok {
			if i := r.config.owner.find(t, t.key(value)); i != nil {
				return i, nil
			}
			if r.config.owner.hasPresence(t, value) {
				return r.config.owner.standIn(t, value), nil
			}
		}
	}
	return nil, &batchError{code: codeAssociation, message: "The " + typeName + " '" + summary + "' to associate with was not found"}
}

// checkDates ends the job if a date is malformed, as the platform does.
func checkDates(f fields, names ...string) *batchError {
	for _, name := range names {
		if !f.has(name) {
			continue
		}
		s, _ := f.text(name)
		if _, ok := parseBatchDate(s); !ok {
			return &batchError{code: codeSyntax, cause: "java.text.ParseException: Unparseable date: \"" + s + "\""}
		}
	}
	return nil
}

// parseBatchDate parses a time in ISO 8601. Only the zone is optional.
func parseBatchDate(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), hasYear(t)
		}
	}
	return time.Time{}, false
}
