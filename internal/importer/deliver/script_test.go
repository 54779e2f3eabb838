package deliver

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/importer/attribute"
	"github.com/threatconnect-go/threatconnect/internal/importer/item"
	"github.com/threatconnect-go/threatconnect/internal/importer/journal"
)

// script is the delivery of one file to a platform with scripted replies. It records all events.
type script struct {
	replies map[string][]any // by call: a Fault, a Status, entries, a partial, or a function that returns one of them
	last    any              // reply to each call of Status without another reply
	again   bool             // whether a content upload can be retried
	*Deliverer
	*File
	cancel  context.CancelCauseFunc
	stopped bool
	began   time.Time
	jobs    int64
	text    strings.Builder
}

func (s *script) say(format string, args ...any) {
	fmt.Fprintf(&s.text, "%v "+format+"\n", append([]any{time.Since(s.began)}, args...)...)
}

// partial is an interrupted list of errors.
type partial []attribute.Entry

type faultError struct {
	Fault
	op string
}

func (e *faultError) Error() string { return e.op + " has failed" }

// reply returns the next scripted reply to a call.
func (s *script) reply(op string) (any, error) {
	s.say("%s", op)
	op = call.FindString(op)
	var r any
	if list := s.replies[op]; len(list) > 0 {
		r, s.replies[op] = list[0], list[1:]
	} else if strings.HasPrefix(op, "status") {
		r = s.last
	}
	if f, ok := r.(func(*script) any); ok {
		r = f(s)
	}
	if f, ok := r.(Fault); ok {
		return nil, &faultError{f, op}
	}
	return r, nil
}

func (s *script) Create(context.Context) (int64, error) {
	_, err := s.reply("create")
	if err != nil {
		return 0, err
	}
	s.jobs++
	return s.jobs, nil
}

var (
	names = regexp.MustCompile(`"(?:summary|xid)":"(\w+)"`)
	call  = regexp.MustCompile(`^\w+( \w+)?`) // without the details of the call
)

func (s *script) Upload(_ context.Context, job int64, file [][]byte) error {
	op := fmt.Sprintf("upload %d:", job)
	var text []byte
	for _, part := range file {
		text = append(text, part...)
	}
	for _, m := range names.FindAllSubmatch(text, -1) {
		op += " " + string(m[1])
	}
	_, err := s.reply(op)
	return err
}

func (s *script) Status(_ context.Context, job int64) (Status, error) {
	r, err := s.reply(fmt.Sprintf("status %d", job))
	st, _ := r.(Status)
	return st, err
}

func (s *script) Errors(_ context.Context, job int64, list string, skip int, use func(attribute.Entry)) error {
	r, err := s.reply(fmt.Sprintf("%s %d from %d", list, job, skip))
	entries, _ := r.([]attribute.Entry)
	if p, ok := r.(partial); ok {
		entries, err = p, &faultError{lost, "the rest of the list"}
	}
	for _, e := range entries {
		use(e)
	}
	return err
}

func (s *script) Attach(_ context.Context, c item.Content) (bool, error) {
	_, err := s.reply("attach " + c.XID)
	return s.again, err
}

func (s *script) Classify(err error) Fault {
	if err == nil {
		panic("Classify called without an error")
	}
	if e, ok := errors.AsType[*faultError](err); ok {
		return e.Fault
	}
	return Fault{}
}

// newScript returns the delivery of a file of hosts and documents. In "a b:c", a and b are hosts and c
// is a document.
func newScript(t *testing.T, content string) *script {
	t.Helper()
	s := &script{replies: map[string][]any{}, began: time.Now()}
	var f item.File
	s.File = &File{File: &f, Number: 5}
	hosts, documents, _ := strings.Cut(content, ":")
	for name := range strings.FieldsSeq(documents) {
		s.Contents = append(s.Contents, journal.Content{Position: f.Count(), Content: item.Content{Type: "Document", XID: name, Size: 3}})
		f.Add(item.Groups, int64(f.Count()), fmt.Appendf(nil, `{"name":"n","type":"Document","xid":%q}`, name))
	}
	for name := range strings.FieldsSeq(hosts) {
		f.Add(item.Indicators, int64(f.Count()), fmt.Appendf(nil, `{"type":"Host","summary":%q}`, name))
	}
	s.Pieces = []journal.Piece{{Part: f.All()}}
	s.last = done(f.Count(), 0, 0)
	j := journal.New(journal.Start{})
	for n := range int64(5) { // the file has number 5
		a := journal.Added{File: n + 1, Held: math.MaxInt64}
		if n == 4 {
			a = journal.Added{File: 5, Held: math.MaxInt64, Kinds: f.Kinds(f.All()), Contents: s.Contents}
		}
		require.NoError(t, j.Add(t.Context(), &a))
	}
	s.Deliverer = &Deliverer{Platform: s, Journal: j, MaxBytes: 1 << 20, RetryFor: 10 * time.Second, WaitFor: time.Hour,
		Backoff: func(n int) time.Duration { return time.Duration(n) * time.Second },
		Event: func(e Event) {
			phase := [...]string{"queued", "created", "uploaded", "running", "settled", "split", "attached"}[e.Phase]
			s.say("%s", strings.TrimSpace(fmt.Sprintf("%s: file %d, job %d, %d items, %d bytes %s", phase, e.File, e.Job, e.Items, e.Bytes, e.XID)))
		},
		Failed:  func(f item.Failure) { s.say("%s", shown(f)) },
		Stopped: func() bool { return s.stopped }}
	return s
}

func shown(f item.Failure) string {
	text := fmt.Sprintf("failure: item %d, job %d:", f.Seq, f.Job)
	for _, word := range []string{f.Type, f.Name, f.Code, f.Reason} {
		if word != "" {
			text += " " + word
		}
	}
	if f.Unprocessed {
		text += " unprocessed"
	}
	if f.Content {
		text += " content"
	}
	if f.Err != nil {
		text += " because " + f.Err.Error()
	}
	return text
}

// done returns the status of a completed job.
func done(success, errors, unprocessed int) Status {
	return Status{State: Completed, Counts: attribute.Counts{Success: success, Errors: errors, Unprocessed: unprocessed}}
}

func (s *script) outcome(o item.Outcome) {
	for i, c := range append(o.Kinds[:], o.Contents) {
		if c != (item.Counts{}) {
			name := [...]string{"hosts", "groups", "associations", "links", "contents"}[i]
			fmt.Fprintf(&s.text, "%s: %d succeeded, %d failed, %d unprocessed, %d unknown\n", name, c.Succeeded, c.Failed, c.Unprocessed, c.Unknown)
		}
	}
	fmt.Fprintf(&s.text, "%d jobs, %d bytes, lost %v, %d failures\n", o.Jobs, o.Bytes, o.Lost, len(o.Failures))
}

// run delivers the file and returns the events as text.
func (s *script) run(t *testing.T) string {
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	s.cancel = cancel
	left, err := s.Run(ctx, s.File)
	s.say("journal:")
	s.Journal.View(func(state *journal.State) {
		s.outcome(state.Outcome)
		for _, f := range state.Files {
			if f.Number == s.Number {
				fmt.Fprintf(&s.text, "to be resumed: pieces %v, again %d", f.Pieces, f.Again)
				for _, c := range f.Contents {
					fmt.Fprintf(&s.text, ", content %s refused %t", c.XID, c.Refused)
				}
				fmt.Fprintln(&s.text)
			}
		}
	})
	if limit := s.Limit(); limit != s.MaxBytes {
		fmt.Fprintf(&s.text, "files are closed at %d bytes\n", limit)
	}
	if left.Total() != (item.Counts{}) || left.Contents != (item.Counts{}) || left.Lost != nil {
		fmt.Fprintln(&s.text, "left:")
		s.outcome(left)
	}
	if err != nil {
		fmt.Fprintln(&s.text, "error:", err)
	}
	if full, ok := errors.AsType[FullError](err); ok {
		fmt.Fprintln(&s.text, shown(full.Failure))
	}
	return s.text.String()
}

var (
	working = Status{State: Working, Name: "Running"}
	waiting = Status{State: Waiting, Name: "Created"}
	lost    = Fault{Temporary: true}
	gone    = Fault{NotFound: true}
)

func named(name string) attribute.Entry {
	return attribute.Entry{Code: attribute.CodeIndicator, Reason: "no", Source: attribute.Source{Type: "Host", Refs: []string{name}}}
}
