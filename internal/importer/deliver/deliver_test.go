package deliver

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/importer/attribute"
	"github.com/threatconnect-go/threatconnect/internal/importer/item"
	"github.com/threatconnect-go/threatconnect/internal/importer/journal"
)

// script is the delivery of one file to a platform that replies as a test says. It writes down what happens.
type script struct {
	replies map[string][]any // by the call: a Fault, a Status, entries, a partial, or a function that returns one of them
	last    any              // reply to each call of Status that has no other
	again   bool             // whether an upload of content can be repeated
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

// partial is a list of errors whose end is lost.
type partial []attribute.Entry

type faultError struct {
	Fault
	op string
}

func (e *faultError) Error() string { return e.op + " has failed" }

// reply is the reply to a call.
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
	call  = regexp.MustCompile(`^\w+( \w+)?`) // without what the call sends or skips
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
		panic("nobody asks what no error means")
	}
	if e, ok := errors.AsType[*faultError](err); ok {
		return e.Fault
	}
	return Fault{}
}

// newScript returns the delivery of hosts and documents, which are named "a b:c": c is a document.
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
	for n := range int64(5) { // the file is the fifth
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

// done is the status of a completed job.
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

// run delivers the file and returns what has happened.
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

// TestDeliveries compares what happens in short deliveries with testdata/deliveries.txt. With UPDATE=1 it writes the
// file; read what changes.
func TestDeliveries(t *testing.T) {
	t.Parallel()
	const n = "a b"
	var got strings.Builder
	cancels := func(r any) func(*script) any {
		return func(s *script) any { s.cancel(errors.New("the caller is gone")); return r }
	}
	stops := func(r any) func(*script) any { return func(s *script) any { s.stopped = true; return r } }
	fatal := func(path string) []attribute.Entry {
		return []attribute.Entry{{Code: attribute.CodeSyntax, Reason: "Encountered an unexpected Exception while processing batch job." + path}}
	}
	type replies = map[string][]any
	for _, c := range []struct {
		name    string
		content string
		replies replies
		change  func(s *script)
	}{
		{"plain", n, replies{"status 1": {working}}, nil},
		{"an outage of the creation", n, replies{"create": {lost, Fault{Temporary: true, RetryAfter: 5 * time.Second}}}, nil},
		{"a creation that fails", n, replies{"create": {Fault{}}}, nil},
		{"a creation through an outage that is too long", n, replies{"create": {lost, lost, lost, lost, lost, lost}}, nil},
		{"a page for people before any answer", n, replies{"create": {Fault{Temporary: true, Foreign: true}}}, nil},
		{"a page for people after an answer", n, replies{"status 1": {Fault{Temporary: true, Foreign: true}}}, nil},
		{"a caller that is gone during an outage", n, replies{"create": {cancels(lost)}}, nil},
		{"a caller that is gone while the job is created", n, replies{"create": {cancels(nil)}}, nil},
		{"a caller that is gone before the upload is repeated", n, replies{"upload 1": {cancels(lost)}, "status 1": {waiting}}, nil},
		{"a caller that is gone while the job is processed", n, replies{"status 1": {cancels(working)}}, nil},
		{"a lost reply to the upload", n, replies{"upload 1": {lost}, "status 1": {working}}, nil},
		{"a lost upload", n, replies{"upload 1": {lost}, "status 1": {waiting}}, nil},
		{"an upload that is refused for a while", n, replies{"upload 1": {Fault{Refused: true}, Fault{Refused: true, RetryAfter: 5 * time.Second}}, "status 1": {waiting, waiting}}, nil},
		{"an upload that is refused for good", n, replies{"upload 1": {Fault{Refused: true}, Fault{Refused: true}, Fault{Refused: true}}, "status 1": {waiting, waiting, waiting}}, nil},
		{"an upload through an outage that is too long", n, replies{"upload 1": {lost, lost, lost, lost, lost}, "status 1": {waiting, waiting, waiting, waiting, waiting}}, nil},
		{"an upload that fails", n, replies{"upload 1": {Fault{}}, "status 1": {waiting}}, nil},
		{"an upload that fails and arrives", n, replies{"upload 1": {Fault{}}}, nil},
		{"an upload that nobody can ask about", n, replies{"upload 1": {lost}, "status 1": {Fault{}}}, nil},
		{"an upload that was refused and nobody can ask about", n, replies{"upload 1": {Fault{Refused: true}}, "status 1": {Fault{}}}, nil},
		{"a job that is gone after its upload", n, replies{"upload 1": {lost}, "status 1": {gone}}, nil},
		{"a job that is gone before its upload", n, replies{"upload 1": {Fault{Refused: true}}, "status 1": {gone}}, nil},
		{"jobs that are gone before their uploads", n, replies{"upload 1": {Fault{Unsent: true, Temporary: true}}, "status 1": {gone},
			"upload 2": {Fault{Unsent: true, Temporary: true}}, "status 2": {gone}, "upload 3": {Fault{Unsent: true, Temporary: true}}, "status 3": {gone},
			"upload 4": {Fault{Unsent: true, Temporary: true}}, "status 4": {gone}}, nil},
		{"a job that is gone while it is processed", n + ":d", replies{"status 1": {working, gone}}, nil},
		{"a job that takes too long", n, nil, func(s *script) { s.last = working; s.WaitFor = 1187500 * time.Microsecond }},
		{"a status that cannot be read", n, replies{"status 1": {Fault{}}}, nil},
		{"an earlier process has uploaded", n, nil, func(s *script) { s.Pieces[0].Job = 7 }},
		{"an earlier process has not uploaded", n, replies{"status 7": {waiting}}, func(s *script) { s.Pieces[0].Job = 7 }},
		{"nobody knows whether an earlier process has uploaded", n, replies{"status 7": {Fault{}}}, func(s *script) { s.Pieces[0].Job = 7 }},
		{"the job of an earlier process is gone", n, replies{"status 7": {gone}}, func(s *script) { s.Pieces[0].Job = 7 }},
		{"pieces of an earlier process", "a b c", replies{"status 7": {done(1, 0, 0)}, "status 8": {working, cancels(working)}}, func(s *script) {
			s.Pieces = []journal.Piece{{Part: item.Part{To: 1}, Job: 7}, {Part: item.Part{From: 1, To: 2}, Job: 8}, {Part: item.Part{From: 2, To: 3}}}
		}},
		{"pieces of an earlier process, of which nobody can ask about one", "a b", replies{"status 7": {done(1, 0, 0), done(1, 0, 0)}, "status 8": {Fault{}}}, func(s *script) {
			s.Pieces = []journal.Piece{{Part: item.Part{To: 1}, Job: 7}, {Part: item.Part{From: 1, To: 2}, Job: 8}}
		}},
		{"no item is refused, so nothing halts", n, nil, func(s *script) { s.HaltOnError = true }},
		{"the import has ended", n + ":d", nil, func(s *script) { s.stopped = true }},
		{"the import ends between pieces", n, replies{"status 1": {stops(done(1, 0, 0))}}, func(s *script) {
			s.Pieces = []journal.Piece{{Part: item.Part{To: 1}}, {Part: item.Part{From: 1, To: 2}}}
		}},

		// Size.
		{"too large", "a b c d", replies{"upload 1": {Fault{TooLarge: true, Refused: true, Limit: 124}}, "status 1": {done(2, 0, 0)}, "status 2": {done(2, 0, 0)}}, nil},
		{"too large without a limit", "a b", replies{"upload 1": {Fault{TooLarge: true, Refused: true}}, "status 1": {done(1, 0, 0)}, "status 2": {done(1, 0, 0)}}, nil},
		{"too large with a limit that is none", "a b", replies{"upload 1": {Fault{TooLarge: true, Refused: true, Limit: 75}}, "status 1": {done(1, 0, 0)}, "status 2": {done(1, 0, 0)}}, nil},
		{"too large with a limit of nearly nothing", "a b", replies{"upload 1": {Fault{TooLarge: true, Refused: true, Limit: 1}}, "status 1": {done(1, 0, 0)}, "status 2": {done(1, 0, 0)}}, nil},
		{"an item that is too large", "a:d", replies{"upload 1": {Fault{TooLarge: true, Refused: true, Limit: 70}, Fault{TooLarge: true, Refused: true, Limit: 20}}, "status 1": {done(1, 0, 0)}}, nil},
		{"larger than the known limit", "a b", replies{"status 1": {done(1, 0, 0)}, "status 2": {done(1, 0, 0)}}, func(s *script) { s.limit.Store(60) }},
		{"as large as the known limit", "a b", nil, func(s *script) { s.limit.Store(s.Bytes(s.Pieces[0].Part)) }},

		{"the limit is smaller than was known", "a b", replies{"upload 1": {Fault{TooLarge: true, Refused: true, Limit: 70}}, "status 1": {done(1, 0, 0)}, "status 2": {done(1, 0, 0)}},
			func(s *script) { s.limit.Store(80) }},
		{"the limit is larger than was known", "a b c d", replies{"status 7": {waiting, done(2, 0, 0)}, "upload 7": {Fault{TooLarge: true, Refused: true, Limit: 124}}, "status 1": {stops(done(1, 0, 0))}},
			func(s *script) { s.Pieces[0].Job = 7; s.limit.Store(80) }},
		{"the limit is larger than files", n, nil, func(s *script) { s.limit.Store(2 << 20) }},

		// Contents.
		{"contents", "a:d e", nil, nil},
		{"content of a group that was refused", "a:d e", replies{"status 1": {done(2, 1, 0)}, "errors 1": {
			[]attribute.Entry{{Code: attribute.CodeGroup, Source: attribute.Source{XID: "d"}}}}}, nil},
		{"content of a group that was partly saved", "a:d e", replies{"status 1": {done(2, 1, 0)}, "errors 1": {
			[]attribute.Entry{{Code: attribute.CodeGroupLoss, Source: attribute.Source{XID: "d"}}}}}, nil},
		{"content that fails", ":d e", replies{"attach d": {Fault{}}}, nil},
		{"content that fails and can be repeated", ":d e", replies{"attach d": {Fault{}}}, func(s *script) { s.again = true }},
		{"content through an outage", ":d e", replies{"attach d": {lost}}, func(s *script) { s.again = true }},
		{"content that cannot be repeated", ":d e", replies{"attach d": {lost}}, nil},
		{"content that is never taken", ":d e", replies{"attach d": {lost, lost, lost, lost, lost}}, func(s *script) { s.again = true }},
		{"content in an outage that is too long", ":d e", replies{"attach d": {lost, lost, lost, lost, lost}, "status 1": {done(2, 0, 0), lost}}, func(s *script) { s.again = true }},
		{"content in an outage, without a job", ":d e", replies{"attach d": {lost, lost, lost, lost, lost}, "status 1": {lost}}, func(s *script) { s.again = true; s.Pieces = nil }},
		{"content whose caller is gone", ":d e", replies{"attach d": {cancels(lost)}}, func(s *script) { s.again = true }},
		{"content whose outcome cannot be kept", ":d e", replies{"attach d": {cancels(nil)}}, nil},
		{"content of a group that was not processed", ":d e", replies{"status 1": {done(1, 0, 1)}}, nil},
		{"content of groups behind one that ends jobs", ":d e f", replies{"status 1": {done(1, 1, 1)}, "errors 1": {fatal(" Last known JSON path: '$.group[1]'")}}, func(s *script) { s.Again = maxBisections }},
		{"the import ends between contents", ":d e", replies{"attach d": {stops(nil)}}, nil},

		// Errors.
		{"an outcome that cannot be kept", n, replies{"status 1": {cancels(done(2, 0, 0))}}, nil},
		{"an item that was refused", "a b c", replies{"status 1": {done(2, 1, 0)}, "errors 1": {[]attribute.Entry{named("b")}}}, nil},
		{"an item that was refused halts", "a b c", replies{"status 1": {done(2, 1, 0)}, "errors 1": {[]attribute.Entry{named("b")}}}, func(s *script) { s.HaltOnError = true }},
		{"items that were not processed halt", "a b c:d", replies{"status 1": {done(1, 0, 3)}}, func(s *script) { s.HaltOnError = true }},
		{"items that were not processed", "a b c", replies{"status 1": {done(1, 0, 2)}}, nil},
		{"an error without a name", "a b", replies{"status 1": {done(1, 1, 0)}, "errors 1": {[]attribute.Entry{{Reason: "no"}}}}, nil},
		{"successes that are missing", "a b", replies{"status 1": {done(1, 0, 0)}}, nil},
		{"errors that are not listed", "a b c d", replies{"status 1": {done(1, 3, 0)}, "errors 1": {[]attribute.Entry{named("b")}}}, nil},
		{"a list that comes late", "a b", replies{"status 1": {done(1, 1, 0)}, "errors 1": {Fault{NotReady: true}, Fault{NotReady: true}, []attribute.Entry{named("b")}}}, nil},
		{"a list in the other place", "a b", replies{"status 1": {done(1, 1, 0)}, "results 1": {[]attribute.Entry{named("b")}},
			"errors 1": {Fault{NotReady: true}, Fault{NotReady: true}, Fault{NotReady: true}, Fault{NotReady: true}, Fault{NotReady: true}, Fault{NotReady: true}, Fault{NotReady: true}}}, nil},
		{"a list that nobody has", "a b", replies{"status 1": {done(1, 1, 0)}, "errors 1": {Fault{}}, "results 1": {Fault{}}}, nil},
		{"a list in an outage that is too long", "a b", replies{"status 1": {done(1, 1, 0), lost}, "errors 1": {lost, lost, lost, lost, lost}, "results 1": {lost}}, nil},
		{"a list that breaks off", "a b", replies{"status 1": {done(0, 2, 0)}, "errors 1": {partial{named("b")}, []attribute.Entry{named("a")}}}, nil},
		{"a list that breaks off for good", "a b", replies{"status 1": {done(0, 2, 0)}, "errors 1": {partial{named("b")}, lost, lost, lost, lost}}, nil},
		{"a list whose caller is gone", "a b", replies{"status 1": {done(1, 1, 0)}, "errors 1": {cancels(Fault{NotReady: true})}}, nil},
		{"an owner that is full", "a b c", replies{"status 1": {done(1, 1, 2)}, "errors 1": {[]attribute.Entry{{Code: attribute.CodeLimit, Reason: "full"}}}}, nil},
		{"an owner that is full, and one is left", "a b c", replies{"status 1": {done(1, 1, 1)}, "errors 1": {[]attribute.Entry{{Code: attribute.CodeLimit, Source: named("b").Source}}}}, nil},
		{"an owner that was full before", "a b c", replies{"status 1": {done(0, 1, 2)}, "errors 1": {[]attribute.Entry{{Code: attribute.CodeLimit, Source: named("a").Source}}}}, nil},
		{"an owner that was full before, and a count that is too large", "a b c", replies{"status 1": {done(0, 1, 3)}, "errors 1": {[]attribute.Entry{{Code: attribute.CodeLimit, Source: named("a").Source}}}}, nil},
		{"an owner that is full, and all were processed", "a b", replies{"status 1": {done(1, 1, 0)}, "errors 1": {[]attribute.Entry{{Code: attribute.CodeLimit, Source: named("b").Source}}}}, nil},

		// Items that end jobs.
		{"an item that ends its job", "a b c", replies{"status 1": {done(1, 1, 1)}, "errors 1": {fatal("")},
			"status 2": {done(0, 1, 0)}, "errors 2": {fatal("")}, "status 3": {done(1, 0, 0)}}, nil},
		{"an item that ends its job, with many behind it", "a b c d e", replies{"status 1": {done(1, 1, 3)}, "errors 1": {fatal("")}, "status 2": {stops(done(1, 0, 0))}}, nil},
		{"an item that ends its job alone", "a", replies{"status 1": {done(0, 1, 0)}, "errors 1": {fatal("")}}, nil},
		{"a document that ends its job alone", ":d", replies{"status 1": {done(0, 1, 0)}, "errors 1": {fatal("")}}, nil},
		{"the first item ends its job", "a b c d", replies{"status 1": {done(0, 1, 0)}, "errors 1": {fatal("")},
			"status 2": {done(2, 0, 0)}, "status 3": {done(2, 0, 0)}}, nil},
		{"a named item ends its job", "a b c d", replies{"status 1": {done(1, 1, 0)}, "errors 1": {fatal(" Last known JSON path: '$.indicator[2]'")},
			"status 2": {done(1, 0, 0)}, "status 3": {done(0, 1, 0)}, "errors 3": {fatal("")}, "status 4": {done(1, 0, 0)}}, nil},
		{"a named first item ends its job", "a b c d", replies{"status 1": {done(0, 1, 0)}, "errors 1": {fatal(" Last known JSON path: '$.indicator[0]'")},
			"status 2": {done(0, 1, 0)}, "errors 2": {fatal("")}, "status 3": {done(3, 0, 0)}}, nil},
		{"an item that ends its job halts", "a b c", replies{"status 1": {done(1, 1, 0)}, "errors 1": {fatal("")}}, func(s *script) { s.HaltOnError = true }},
		{"a named first item that ends its job halts", "a b c", replies{"status 1": {done(0, 1, 0)}, "errors 1": {fatal(" Last known JSON path: '$.indicator[0]'")}}, func(s *script) { s.HaltOnError = true }},
		{"an item that ends its job, and an error that is not listed", "a b", replies{"status 1": {done(0, 2, 0)}, "errors 1": {fatal("")}}, func(s *script) { s.HaltOnError = true }},
		{"a named item that ends its job halts", "a b c:d", replies{"status 1": {done(1, 1, 0)}, "errors 1": {fatal(" Last known JSON path: '$.indicator[1]'")}}, func(s *script) { s.HaltOnError = true }},
		{"too many items end jobs", "a b c", replies{"status 1": {done(1, 1, 0)}, "errors 1": {fatal("")}}, func(s *script) { s.Again = maxBisections }},
		{"as many items end jobs as may", "a b c", replies{"status 1": {done(1, 1, 0)}, "errors 1": {fatal("")}, "status 2": {stops(done(1, 0, 0))}}, func(s *script) { s.Again = maxBisections - 1 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript(t, c.content)
				for op, list := range c.replies {
					s.replies[op] = list
				}
				if c.change != nil {
					c.change(s)
				}
				fmt.Fprintf(&got, "== %s\n%s\n", c.name, s.run(t))
			})
		})
	}
	const file = "testdata/deliveries.txt"
	if os.Getenv("UPDATE") != "" {
		require.NoError(t, os.WriteFile(file, []byte(got.String()), 0o600))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got.String())
}
