package deliver

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/importer/attribute"
	"github.com/threatconnect-go/threatconnect/internal/importer/item"
	"github.com/threatconnect-go/threatconnect/internal/importer/journal"
)

// TestDeliveries compares the events of short deliveries with testdata/deliveries.txt. UPDATE=1
// rewrites the file; review the changes.
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
		{name: "plain", content: n, replies: replies{"status 1": {working}}},
		{
			name:    "an outage of the creation",
			content: n,
			replies: replies{"create": {lost, Fault{Temporary: true, RetryAfter: 5 * time.Second}}},
		},
		{name: "a creation that fails", content: n, replies: replies{"create": {Fault{}}}},
		{name: "a creation through an outage that is too long", content: n, replies: replies{"create": {lost, lost, lost, lost, lost, lost}}},
		{name: "a page for people before any answer", content: n, replies: replies{"create": {Fault{Temporary: true, Foreign: true}}}},
		{name: "a page for people after an answer", content: n, replies: replies{"status 1": {Fault{Temporary: true, Foreign: true}}}},
		{name: "a caller that is gone during an outage", content: n, replies: replies{"create": {cancels(lost)}}},
		{name: "a caller that is gone while the job is created", content: n, replies: replies{"create": {cancels(nil)}}},
		{
			name:    "a caller that is gone before the upload is repeated",
			content: n,
			replies: replies{"upload 1": {cancels(lost)}, "status 1": {waiting}},
		},
		{name: "a caller that is gone while the job is processed", content: n, replies: replies{"status 1": {cancels(working)}}},
		{name: "a lost reply to the upload", content: n, replies: replies{"upload 1": {lost}, "status 1": {working}}},
		{name: "a lost upload", content: n, replies: replies{"upload 1": {lost}, "status 1": {waiting}}},
		{
			name:    "an upload that is refused for a while",
			content: n,
			replies: replies{"upload 1": {Fault{Refused: true}, Fault{Refused: true, RetryAfter: 5 * time.Second}}, "status 1": {waiting, waiting}},
		},
		{
			name:    "an upload that is refused for good",
			content: n,
			replies: replies{"upload 1": {Fault{Refused: true}, Fault{Refused: true}, Fault{Refused: true}}, "status 1": {waiting, waiting, waiting}},
		},
		{
			name:    "an upload through an outage that is too long",
			content: n,
			replies: replies{"upload 1": {lost, lost, lost, lost, lost}, "status 1": {waiting, waiting, waiting, waiting, waiting}},
		},
		{name: "an upload that fails", content: n, replies: replies{"upload 1": {Fault{}}, "status 1": {waiting}}},
		{name: "an upload that fails and arrives", content: n, replies: replies{"upload 1": {Fault{}}}},
		{name: "an upload that nobody can ask about", content: n, replies: replies{"upload 1": {lost}, "status 1": {Fault{}}}},
		{
			name:    "an upload that was refused and nobody can ask about",
			content: n,
			replies: replies{"upload 1": {Fault{Refused: true}}, "status 1": {Fault{}}},
		},
		{name: "a job that is gone after its upload", content: n, replies: replies{"upload 1": {lost}, "status 1": {gone}}},
		{name: "a job that is gone before its upload", content: n, replies: replies{"upload 1": {Fault{Refused: true}}, "status 1": {gone}}},
		{name: "jobs that are gone before their uploads", content: n, replies: replies{"upload 1": {Fault{Unsent: true, Temporary: true}}, "status 1": {gone},
			"upload 2": {Fault{Unsent: true, Temporary: true}}, "status 2": {gone}, "upload 3": {Fault{Unsent: true, Temporary: true}}, "status 3": {gone},
			"upload 4": {Fault{Unsent: true, Temporary: true}}, "status 4": {gone}}},
		{name: "a job that is gone while it is processed", content: n + ":d", replies: replies{"status 1": {working, gone}}},
		{name: "a job that takes too long", content: n, replies: nil, change: func(s *script) { s.last = working; s.WaitFor = 1187500 * time.Microsecond }},
		{name: "a status that cannot be read", content: n, replies: replies{"status 1": {Fault{}}}},
		{name: "an earlier process has uploaded", content: n, replies: nil, change: func(s *script) { s.Pieces[0].Job = 7 }},
		{name: "an earlier process has not uploaded", content: n, replies: replies{"status 7": {waiting}}, change: func(s *script) { s.Pieces[0].Job = 7 }},
		{
			name:    "nobody knows whether an earlier process has uploaded",
			content: n,
			replies: replies{"status 7": {Fault{}}},
			change:  func(s *script) { s.Pieces[0].Job = 7 },
		},
		{name: "the job of an earlier process is gone", content: n, replies: replies{"status 7": {gone}}, change: func(s *script) { s.Pieces[0].Job = 7 }},
		{name: "pieces of an earlier process", content: "a b c", replies: replies{"status 7": {done(1, 0, 0)}, "status 8": {working, cancels(working)}}, change: func(s *script) {
			s.Pieces = []journal.Piece{{Part: item.Part{To: 1}, Job: 7}, {Part: item.Part{From: 1, To: 2}, Job: 8}, {Part: item.Part{From: 2, To: 3}}}
		}},
		{name: "pieces of an earlier process, of which nobody can ask about one", content: "a b", replies: replies{"status 7": {done(1, 0, 0), done(1, 0, 0)}, "status 8": {Fault{}}}, change: func(s *script) {
			s.Pieces = []journal.Piece{{Part: item.Part{To: 1}, Job: 7}, {Part: item.Part{From: 1, To: 2}, Job: 8}}
		}},
		{name: "no item is refused, so nothing halts", content: n, replies: nil, change: func(s *script) { s.HaltOnError = true }},
		{name: "the import has ended", content: n + ":d", replies: nil, change: func(s *script) { s.stopped = true }},
		{name: "the import ends between pieces", content: n, replies: replies{"status 1": {stops(done(1, 0, 0))}}, change: func(s *script) {
			s.Pieces = []journal.Piece{{Part: item.Part{To: 1}}, {Part: item.Part{From: 1, To: 2}}}
		}},

		// Size.
		{
			name:    "too large",
			content: "a b c d",
			replies: replies{"upload 1": {Fault{TooLarge: true, Refused: true, Limit: 124}}, "status 1": {done(2, 0, 0)}, "status 2": {done(2, 0, 0)}},
		},
		{
			name:    "too large without a limit",
			content: "a b",
			replies: replies{"upload 1": {Fault{TooLarge: true, Refused: true}}, "status 1": {done(1, 0, 0)}, "status 2": {done(1, 0, 0)}},
		},
		{
			name:    "too large with a limit that is none",
			content: "a b",
			replies: replies{"upload 1": {Fault{TooLarge: true, Refused: true, Limit: 75}}, "status 1": {done(1, 0, 0)}, "status 2": {done(1, 0, 0)}},
		},
		{
			name:    "too large with a limit of nearly nothing",
			content: "a b",
			replies: replies{"upload 1": {Fault{TooLarge: true, Refused: true, Limit: 1}}, "status 1": {done(1, 0, 0)}, "status 2": {done(1, 0, 0)}},
		},
		{
			name:    "an item that is too large",
			content: "a:d",
			replies: replies{"upload 1": {Fault{TooLarge: true, Refused: true, Limit: 70}, Fault{TooLarge: true, Refused: true, Limit: 20}}, "status 1": {done(1, 0, 0)}},
		},
		{
			name:    "larger than the known limit",
			content: "a b",
			replies: replies{"status 1": {done(1, 0, 0)}, "status 2": {done(1, 0, 0)}},
			change:  func(s *script) { s.limit.Store(60) },
		},
		{name: "as large as the known limit", content: "a b", replies: nil, change: func(s *script) { s.limit.Store(s.Bytes(s.Pieces[0].Part)) }},

		{name: "the limit is smaller than was known", content: "a b", replies: replies{"upload 1": {Fault{TooLarge: true, Refused: true, Limit: 70}}, "status 1": {done(1, 0, 0)}, "status 2": {done(1, 0, 0)}},
			change: func(s *script) { s.limit.Store(80) }},
		{name: "the limit is larger than was known", content: "a b c d", replies: replies{"status 7": {waiting, done(2, 0, 0)}, "upload 7": {Fault{TooLarge: true, Refused: true, Limit: 124}}, "status 1": {stops(done(1, 0, 0))}},
			change: func(s *script) { s.Pieces[0].Job = 7; s.limit.Store(80) }},
		{name: "the limit is larger than files", content: n, replies: nil, change: func(s *script) { s.limit.Store(2 << 20) }},

		// Contents.
		{name: "contents", content: "a:d e", replies: nil},
		{name: "content of a group that was refused", content: "a:d e", replies: replies{"status 1": {done(2, 1, 0)}, "errors 1": {
			[]attribute.Entry{{Code: attribute.CodeGroup, Source: attribute.Source{XID: "d"}}}}}},
		{name: "content of a group that was partly saved", content: "a:d e", replies: replies{"status 1": {done(2, 1, 0)}, "errors 1": {
			[]attribute.Entry{{Code: attribute.CodeGroupLoss, Source: attribute.Source{XID: "d"}}}}}},
		{name: "content that fails", content: ":d e", replies: replies{"attach d": {Fault{}}}},
		{
			name:    "content that fails and can be repeated",
			content: ":d e",
			replies: replies{"attach d": {Fault{}}},
			change:  func(s *script) { s.again = true },
		},
		{name: "content through an outage", content: ":d e", replies: replies{"attach d": {lost}}, change: func(s *script) { s.again = true }},
		{name: "content that cannot be repeated", content: ":d e", replies: replies{"attach d": {lost}}},
		{
			name:    "content that is never taken",
			content: ":d e",
			replies: replies{"attach d": {lost, lost, lost, lost, lost}},
			change:  func(s *script) { s.again = true },
		},
		{
			name:    "content in an outage that is too long",
			content: ":d e",
			replies: replies{"attach d": {lost, lost, lost, lost, lost}, "status 1": {done(2, 0, 0), lost}},
			change:  func(s *script) { s.again = true },
		},
		{
			name:    "content in an outage, without a job",
			content: ":d e",
			replies: replies{"attach d": {lost, lost, lost, lost, lost}, "status 1": {lost}},
			change:  func(s *script) { s.again = true; s.Pieces = nil },
		},
		{name: "content whose caller is gone", content: ":d e", replies: replies{"attach d": {cancels(lost)}}, change: func(s *script) { s.again = true }},
		{name: "content whose outcome cannot be kept", content: ":d e", replies: replies{"attach d": {cancels(nil)}}},
		{name: "content of a group that was not processed", content: ":d e", replies: replies{"status 1": {done(1, 0, 1)}}},
		{
			name:    "content of groups behind one that ends jobs",
			content: ":d e f",
			replies: replies{"status 1": {done(1, 1, 1)}, "errors 1": {fatal(" Last known JSON path: '$.group[1]'")}},
			change:  func(s *script) { s.Again = maxBisections },
		},
		{name: "the import ends between contents", content: ":d e", replies: replies{"attach d": {stops(nil)}}},

		// Errors.
		{name: "an outcome that cannot be kept", content: n, replies: replies{"status 1": {cancels(done(2, 0, 0))}}},
		{
			name:    "an item that was refused",
			content: "a b c",
			replies: replies{"status 1": {done(2, 1, 0)}, "errors 1": {[]attribute.Entry{named("b")}}},
		},
		{
			name:    "an item that was refused halts",
			content: "a b c",
			replies: replies{"status 1": {done(2, 1, 0)}, "errors 1": {[]attribute.Entry{named("b")}}},
			change:  func(s *script) { s.HaltOnError = true },
		},
		{
			name:    "items that were not processed halt",
			content: "a b c:d",
			replies: replies{"status 1": {done(1, 0, 3)}},
			change:  func(s *script) { s.HaltOnError = true },
		},
		{name: "items that were not processed", content: "a b c", replies: replies{"status 1": {done(1, 0, 2)}}},
		{
			name:    "an error without a name",
			content: "a b",
			replies: replies{"status 1": {done(1, 1, 0)}, "errors 1": {[]attribute.Entry{{Reason: "no"}}}},
		},
		{name: "successes that are missing", content: "a b", replies: replies{"status 1": {done(1, 0, 0)}}},
		{
			name:    "errors that are not listed",
			content: "a b c d",
			replies: replies{"status 1": {done(1, 3, 0)}, "errors 1": {[]attribute.Entry{named("b")}}},
		},
		{
			name:    "a list that comes late",
			content: "a b",
			replies: replies{"status 1": {done(1, 1, 0)}, "errors 1": {Fault{NotReady: true}, Fault{NotReady: true}, []attribute.Entry{named("b")}}},
		},
		{name: "a list in the other place", content: "a b", replies: replies{"status 1": {done(1, 1, 0)}, "results 1": {[]attribute.Entry{named("b")}},
			"errors 1": {Fault{NotReady: true}, Fault{NotReady: true}, Fault{NotReady: true}, Fault{NotReady: true}, Fault{NotReady: true}, Fault{NotReady: true}, Fault{NotReady: true}}}},
		{
			name:    "a list that nobody has",
			content: "a b",
			replies: replies{"status 1": {done(1, 1, 0)}, "errors 1": {Fault{}}, "results 1": {Fault{}}},
		},
		{
			name:    "a list in an outage that is too long",
			content: "a b",
			replies: replies{"status 1": {done(1, 1, 0), lost}, "errors 1": {lost, lost, lost, lost, lost}, "results 1": {lost}},
		},
		{
			name:    "a list that breaks off",
			content: "a b",
			replies: replies{"status 1": {done(0, 2, 0)}, "errors 1": {partial{named("b")}, []attribute.Entry{named("a")}}},
		},
		{
			name:    "a list that breaks off for good",
			content: "a b",
			replies: replies{"status 1": {done(0, 2, 0)}, "errors 1": {partial{named("b")}, lost, lost, lost, lost}},
		},
		{
			name:    "a list whose caller is gone",
			content: "a b",
			replies: replies{"status 1": {done(1, 1, 0)}, "errors 1": {cancels(Fault{NotReady: true})}},
		},
		{
			name:    "a list whose caller is gone when it breaks off",
			content: "a b:d",
			replies: replies{"status 1": {done(1, 2, 0)}, "errors 1": {cancels(partial{named("b")})}},
		},
		{
			name:    "a list that breaks off in an outage that is too long",
			content: "a b",
			replies: replies{"status 1": {done(1, 1, 0), lost}, "errors 1": {partial{named("b")}, lost, lost, lost, lost}},
		},
		{
			name:    "a list whose outcome cannot be kept",
			content: "a b c",
			replies: replies{"status 1": {done(2, 1, 0)}, "errors 1": {cancels([]attribute.Entry{named("b")})}},
		},
		{
			name:    "a list of an aborted job whose outcome cannot be kept",
			content: "a b c",
			replies: replies{"status 1": {done(1, 1, 1)}, "errors 1": {cancels(fatal(" Last known JSON path: '$.indicator[1]'"))}},
		},
		{
			name:    "an owner that is full",
			content: "a b c",
			replies: replies{"status 1": {done(1, 1, 2)}, "errors 1": {[]attribute.Entry{{Code: attribute.CodeLimit, Reason: "full"}}}},
		},
		{
			name:    "an owner that is full, and one is left",
			content: "a b c",
			replies: replies{"status 1": {done(1, 1, 1)}, "errors 1": {[]attribute.Entry{{Code: attribute.CodeLimit, Source: named("b").Source}}}},
		},
		{
			name:    "an owner that was full before",
			content: "a b c",
			replies: replies{"status 1": {done(0, 1, 2)}, "errors 1": {[]attribute.Entry{{Code: attribute.CodeLimit, Source: named("a").Source}}}},
		},
		{
			name:    "an owner that was full before, and a count that is too large",
			content: "a b c",
			replies: replies{"status 1": {done(0, 1, 3)}, "errors 1": {[]attribute.Entry{{Code: attribute.CodeLimit, Source: named("a").Source}}}},
		},
		{
			name:    "an owner that is full, and all were processed",
			content: "a b",
			replies: replies{"status 1": {done(1, 1, 0)}, "errors 1": {[]attribute.Entry{{Code: attribute.CodeLimit, Source: named("b").Source}}}},
		},

		// Items that end jobs.
		{name: "an item that ends its job", content: "a b c", replies: replies{"status 1": {done(1, 1, 1)}, "errors 1": {fatal("")},
			"status 2": {done(0, 1, 0)}, "errors 2": {fatal("")}, "status 3": {done(1, 0, 0)}}},
		{
			name:    "an item that ends its job, with many behind it",
			content: "a b c d e",
			replies: replies{"status 1": {done(1, 1, 3)}, "errors 1": {fatal("")}, "status 2": {stops(done(1, 0, 0))}},
		},
		{name: "an item that ends its job alone", content: "a", replies: replies{"status 1": {done(0, 1, 0)}, "errors 1": {fatal("")}}},
		{name: "a document that ends its job alone", content: ":d", replies: replies{"status 1": {done(0, 1, 0)}, "errors 1": {fatal("")}}},
		{name: "the first item ends its job", content: "a b c d", replies: replies{"status 1": {done(0, 1, 0)}, "errors 1": {fatal("")},
			"status 2": {done(2, 0, 0)}, "status 3": {done(2, 0, 0)}}},
		{name: "a named item ends its job", content: "a b c d", replies: replies{"status 1": {done(1, 1, 0)}, "errors 1": {fatal(" Last known JSON path: '$.indicator[2]'")},
			"status 2": {done(1, 0, 0)}, "status 3": {done(0, 1, 0)}, "errors 3": {fatal("")}, "status 4": {done(1, 0, 0)}}},
		{name: "a named first item ends its job", content: "a b c d", replies: replies{"status 1": {done(0, 1, 0)}, "errors 1": {fatal(" Last known JSON path: '$.indicator[0]'")},
			"status 2": {done(0, 1, 0)}, "errors 2": {fatal("")}, "status 3": {done(3, 0, 0)}}},
		{
			name:    "an item that ends its job halts",
			content: "a b c",
			replies: replies{"status 1": {done(1, 1, 0)}, "errors 1": {fatal("")}},
			change:  func(s *script) { s.HaltOnError = true },
		},
		{
			name:    "a named first item that ends its job halts",
			content: "a b c",
			replies: replies{"status 1": {done(0, 1, 0)}, "errors 1": {fatal(" Last known JSON path: '$.indicator[0]'")}},
			change:  func(s *script) { s.HaltOnError = true },
		},
		{
			name:    "an item that ends its job, and an error that is not listed",
			content: "a b",
			replies: replies{"status 1": {done(0, 2, 0)}, "errors 1": {fatal("")}},
			change:  func(s *script) { s.HaltOnError = true },
		},
		{
			name:    "a named item that ends its job halts",
			content: "a b c:d",
			replies: replies{"status 1": {done(1, 1, 0)}, "errors 1": {fatal(" Last known JSON path: '$.indicator[1]'")}},
			change:  func(s *script) { s.HaltOnError = true },
		},
		{
			name:    "too many items end jobs",
			content: "a b c",
			replies: replies{"status 1": {done(1, 1, 0)}, "errors 1": {fatal("")}},
			change:  func(s *script) { s.Again = maxBisections },
		},
		{
			name:    "as many items end jobs as may",
			content: "a b c",
			replies: replies{"status 1": {done(1, 1, 0)}, "errors 1": {fatal("")}, "status 2": {stops(done(1, 0, 0))}},
			change:  func(s *script) { s.Again = maxBisections - 1 },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript(t, c.content)
				maps.Copy(s.replies, c.replies)
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

func TestJobName(t *testing.T) {
	t.Parallel()
	require.Equal(t, "batch job 4711", JobName(4711))
}
