package threatconnect_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/scaletest"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// batchDocument is a document with an xid.
func batchDocument(xid string) *threatconnect.Document {
	d := threatconnect.NewDocument("document "+xid, xid+".txt")
	d.XID = xid
	return d
}

func batchReport(xid string) *threatconnect.Report {
	r := threatconnect.NewReport("report "+xid, xid+".pdf")
	r.XID = xid
	return r
}

// contentOf downloads the content of a document.
func contentOf(t *testing.T, srv *threatconnecttest.Server, xid string) string {
	t.Helper()
	g, ok := srv.Group(xid)
	require.True(t, ok, xid)
	var got bytes.Buffer
	_, err := srv.Client().InOwner(batchOwner).Groups.Documents.Download(t.Context(), g.ID, &got)
	require.NoError(t, err)
	return got.String()
}

func uploads(srv *threatconnecttest.Server) (all []string) {
	for _, r := range srv.Requests() {
		if strings.HasSuffix(r.Path, "/upload") {
			all = append(all, fmt.Sprintf("%s %s %d", r.Method, strings.TrimPrefix(r.Path, "/api/v2/groups/"), r.Status))
		}
	}
	return all
}

func TestContentsAreUploadedAfterGroups(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	cfg := appendConfig()
	var events []string
	cfg.OnEvent = func(e threatconnect.BatchEvent) {
		if e.Phase == threatconnect.BatchContentUploaded {
			events = append(events, fmt.Sprint(e.XID, " ", e.Bytes, " ", e.Stats.Contents.Succeeded))
		}
	}
	w, err := srv.Client().Batch.NewWriter(t.Context(), cfg)
	require.NoError(t, err)
	addAll(t, w,
		batchHost(1, "d-1"),
		&threatconnect.GroupContent{Group: batchDocument("d-1"), Content: threatconnect.BytesContent([]byte("first"))},
		&threatconnect.GroupContent{Group: batchReport("r/1"), Content: threatconnect.ReaderContent(strings.NewReader("%PDF"), 4)},
		batchDocument("d-2"),
	)
	require.NoError(t, w.Close(t.Context()))
	assert.Equal(t, "first", contentOf(t, srv, "d-1"))
	assert.Equal(t, []string{"POST documents/d-1/upload 200", "POST reports/r%2F1/upload 200"}, uploads(srv), "groups without content have no upload")
	assert.Equal(t, []string{"d-1 5 1", "r/1 4 2"}, events)
	assert.Equal(t, threatconnect.BatchCounts{Added: 2, Succeeded: 2}, w.Stats().Contents)
	assert.EqualValues(t, 4, w.Stats().Total().Added, "contents are not items")
}

func TestExistingContentsAreReplaced(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t, threatconnecttest.WithoutUpdateIfExists())
	for _, text := range []string{"first", "second"} {
		w, err := srv.Client().Batch.NewWriter(t.Context(), appendConfig())
		require.NoError(t, err)
		addAll(t, w, &threatconnect.GroupContent{Group: batchDocument("d-1"), Content: threatconnect.BytesContent([]byte(text))})
		require.NoError(t, w.Close(t.Context()))
		assert.Equal(t, text, contentOf(t, srv, "d-1"))
	}
	assert.Equal(t, "PUT documents/d-1/upload 200", uploads(srv)[2])
}

func TestFailedContentsAreReportedPerItem(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	w, err := srv.Client().Batch.NewWriter(t.Context(), appendConfig())
	require.NoError(t, err)
	gone := errors.New("the file is gone")
	refused := batchDocument("d-1")
	refused.Password = "x" // the platform accepts a password without malware, but not the attribute below
	refused.Attributes = []threatconnect.Attribute{{Type: "No Such Type", Value: "x"}}
	malware := batchDocument("d-3")
	malware.Malware, malware.Password = new(true), "TCInfected"
	addAll(t, w,
		&threatconnect.GroupContent{Group: refused, Content: threatconnect.BytesContent([]byte("saved in part, so that it gets its content"))},
		&threatconnect.GroupContent{Group: batchDocument("d-2"), Content: threatconnect.Content{Open: func() (io.ReadCloser, error) { return nil, gone }, Size: -1}},
		&threatconnect.GroupContent{Group: malware, Content: threatconnect.BytesContent([]byte("not a zip"))},
		&threatconnect.GroupContent{Group: batchDocument("d-4"), Content: threatconnect.ReaderContent(strings.NewReader("short"), 99)},
		&threatconnect.GroupContent{Group: batchDocument("d-5"), Content: threatconnect.BytesContent([]byte("fifth"))},
	)
	err = w.Close(t.Context())
	var b *threatconnect.BatchError
	require.ErrorAs(t, err, &b)
	var told []string
	for _, e := range b.Items {
		if e.Content {
			told = append(told, fmt.Sprint(e.Seq, " ", e.Type, " ", e.Ref))
			assert.Contains(t, e.Error(), "its content: ")
		}
	}
	assert.Equal(t, []string{"1 Document d-2", "2 Document d-3", "3 Document d-4"}, told)
	require.ErrorIs(t, &b.Items[1], gone)
	assert.Equal(t, threatconnect.BatchCounts{Added: 5, Succeeded: 2, Failed: 3}, w.Stats().Contents)
	assert.Contains(t, err.Error(), "3 contents were not uploaded")
	assert.Equal(t, "fifth", contentOf(t, srv, "d-5"), "the other contents are uploaded")
}

func TestContentsOfRejectedGroupsAreNotUploaded(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	p := &poisoning{srv: srv}
	w, err := srv.Client(threatconnect.WithTransport(p)).Batch.NewWriter(t.Context(), appendConfig())
	require.NoError(t, err)
	bad := batchDocument("d-1")
	bad.FileName = "poison"
	addAll(t, w,
		&threatconnect.GroupContent{Group: bad, Content: threatconnect.BytesContent([]byte("x"))},
		&threatconnect.GroupContent{Group: batchDocument("d-2"), Content: threatconnect.BytesContent([]byte("second"))},
	)
	require.Error(t, w.Close(t.Context()))
	assert.Equal(t, threatconnect.BatchCounts{Added: 2, Succeeded: 1, Unprocessed: 1}, w.Stats().Contents)
	assert.Equal(t, []string{"POST documents/d-2/upload 200"}, uploads(srv))
}

func TestContentUploadIgnoresIndicatorOfSameName(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	w, err := srv.Client().Batch.NewWriter(t.Context(), appendConfig())
	require.NoError(t, err)
	addAll(t, w,
		&threatconnect.GroupContent{Group: batchDocument("d-1"), Content: threatconnect.BytesContent([]byte("x"))},
		threatconnect.NewCustomIndicator("No Such Type", "d-1"),
	)
	assert.Equal(t, []string{"1 No Such Type d-1: 0x1005"}, failures(t, w.Close(t.Context())))
	assert.Equal(t, threatconnect.BatchCounts{Added: 1, Succeeded: 1}, w.Stats().Contents)
}

func TestReopenableContentUploadIsRetried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := threatconnecttest.NewT(t)
		require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Route: "/v2/groups/documents/{id}/upload", Status: http.StatusServiceUnavailable, Times: 12}))
		w, err := srv.Client().Batch.NewWriter(t.Context(), appendConfig())
		require.NoError(t, err)
		opened := 0
		addAll(t, w, &threatconnect.GroupContent{Group: batchDocument("d-1"), Content: threatconnect.Content{Open: func() (io.ReadCloser, error) {
			opened++
			return io.NopCloser(strings.NewReader("text")), nil
		}, Size: -1}})
		require.NoError(t, w.Close(t.Context()))
		assert.Equal(t, "text", contentOf(t, srv, "d-1"))
		assert.GreaterOrEqual(t, opened, 13)
	})
}

func TestInvalidGroupContentIsRejected(t *testing.T) {
	t.Parallel()
	content := threatconnect.BytesContent([]byte("x"))
	digits := batchDocument("123")
	for field, item := range map[string]threatconnect.BatchItem{
		"no group":            &threatconnect.GroupContent{Content: content},
		"a nil document":      &threatconnect.GroupContent{Group: (*threatconnect.Document)(nil), Content: content},
		"a threat":            &threatconnect.GroupContent{Group: batchGroup("x-1"), Content: content},
		"no content":          &threatconnect.GroupContent{Group: batchDocument("d-1")},
		"a negative size":     &threatconnect.GroupContent{Group: batchDocument("d-1"), Content: threatconnect.Content{Open: content.Open, Size: -2}},
		"an xid of digits":    &threatconnect.GroupContent{Group: digits, Content: content},
		"nil":                 (*threatconnect.GroupContent)(nil),
		"a group without xid": &threatconnect.GroupContent{Group: batchDocument(""), Content: content},
	} {
		w, err := threatconnecttest.NewT(t).Client().Batch.NewWriter(t.Context(), appendConfig())
		require.NoError(t, err)
		require.ErrorIs(t, w.Add(t.Context(), item), threatconnect.ErrValidation, field)
		require.NoError(t, w.Close(t.Context()))
		assert.Zero(t, w.Stats().Contents)
	}
	w, err := threatconnecttest.NewT(t).Client().Batch.NewWriter(t.Context(), threatconnect.BatchConfig{Owner: batchOwner, Action: threatconnect.BatchDelete})
	require.NoError(t, err)
	require.ErrorIs(t, w.Add(t.Context(), &threatconnect.GroupContent{Group: batchDocument("d-1"), Content: content}), threatconnect.ErrValidation)
	require.NoError(t, w.Close(t.Context()))
}

func TestContentUploadResumesAfterCrashAtEveryMoment(t *testing.T) {
	t.Parallel()
	const documents = 5
	for moment := 0; ; moment += scaletest.Short(4, 1) {
		done := false
		synctest.Test(t, func(t *testing.T) {
			srv := threatconnecttest.NewT(t)
			spool := newMemSpool()
			run := func(moments int, open func(threatconnect.GroupType, string) (threatconnect.Content, error)) (threatconnect.BatchStats, error, bool) {
				ctx, kill := context.WithCancel(t.Context())
				defer kill()
				d := &death{moments: moments, srv: srv, kill: kill}
				spool.act = d.moment
				cfg := appendConfig()
				cfg.MaxItems, cfg.Spool, cfg.Run, cfg.OpenContent = 2, spool, "today", open
				var items []threatconnect.BatchItem
				for n := range documents {
					xid := fmt.Sprintf("d-%d", n)
					items = append(items, &threatconnect.GroupContent{Group: batchDocument(xid), Content: threatconnect.BytesContent([]byte("text of " + xid))})
				}
				stats, err := srv.Client(threatconnect.WithTransport(d)).Batch.Import(ctx, cfg, sequence(items))
				return stats, err, d.dead
			}
			_, _, died := run(moment, nil)
			stats, err, _ := run(-1, func(typ threatconnect.GroupType, xid string) (threatconnect.Content, error) {
				assert.Equal(t, threatconnect.GroupDocument, typ)
				return threatconnect.BytesContent([]byte("text of " + xid)), nil
			})
			require.NoError(t, err)
			assert.Equal(t, threatconnect.BatchCounts{Added: documents, Succeeded: documents}, stats.Contents)
			for n := range documents {
				xid := fmt.Sprintf("d-%d", n)
				assert.Equal(t, "text of "+xid, contentOf(t, srv, xid))
			}
			done = !died
		})
		if t.Failed() {
			t.Logf("moment %d", moment)
			return
		}
		if done {
			assert.Greater(t, moment, 40)
			return
		}
	}
}

// TestResumeSkipsContentsOfRejectedGroups has a group that makes the platform give up its
// job, in a process that dies at each moment in turn.
func TestResumeSkipsContentsOfRejectedGroups(t *testing.T) {
	t.Parallel()
	bad := batchDocument("d-1")
	bad.FileName = "poison"
	var items []threatconnect.BatchItem
	for _, d := range []*threatconnect.Document{batchDocument("d-0"), bad, batchDocument("d-2")} {
		items = append(items, &threatconnect.GroupContent{Group: d, Content: threatconnect.BytesContent([]byte("text"))})
	}
	for moment, died := 0, true; died && !t.Failed(); moment += scaletest.Short(4, 1) {
		synctest.Test(t, func(t *testing.T) {
			srv := threatconnecttest.NewT(t)
			cfg := appendConfig()
			spool := newMemSpool()
			cfg.Spool, cfg.Run = spool, "today"
			cfg.OpenContent = func(threatconnect.GroupType, string) (threatconnect.Content, error) {
				return threatconnect.BytesContent([]byte("text")), nil
			}
			ctx, kill := context.WithCancel(t.Context())
			defer kill()
			d := &death{moments: moment, srv: &poisoning{srv: srv}, kill: kill}
			spool.act = d.moment
			_, err := srv.Client(threatconnect.WithTransport(d)).Batch.Import(ctx, cfg, sequence(items))
			require.Error(t, err)
			died, spool.act = d.dead, nil
			stats, err := srv.Client(threatconnect.WithTransport(&poisoning{srv: srv})).Batch.Import(t.Context(), cfg, sequence(items))
			require.Error(t, err)
			assert.Equal(t, threatconnect.BatchCounts{Added: 3, Succeeded: 2, Failed: 1}, stats.Groups, "moment %d", moment)
			assert.Equal(t, threatconnect.BatchCounts{Added: 3, Succeeded: 2, Unprocessed: 1}, stats.Contents, "moment %d", moment)
			for _, u := range uploads(srv) {
				assert.NotContains(t, u, "d-1", "moment %d", moment)
			}
		})
	}
}

func TestResumeNeedsOpenContentForUploads(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	cfg := appendConfig()
	cfg.Spool, cfg.Run = newMemSpool(), "today"
	items := []threatconnect.BatchItem{&threatconnect.GroupContent{Group: batchDocument("d-1"), Content: threatconnect.BytesContent([]byte("x"))}}
	interrupt(t, srv, cfg, items, 3) // create, upload, poll
	_, err := srv.Client().Batch.Import(t.Context(), cfg, sequence(items))
	require.ErrorIs(t, itemError(t, err), threatconnect.ErrValidation)
	assert.ErrorContains(t, err, "OpenContent")
}

func TestMergeItemsKeepsGroupContent(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	first, second := batchDocument("d-1"), batchDocument("d-1")
	first.Tags = []threatconnect.Tag{{Name: "first"}}
	second.Tags = []threatconnect.Tag{{Name: "second"}}
	var origins []threatconnect.MergeOrigin
	merged := threatconnect.MergeItems(t.Context(), sequence([]threatconnect.BatchItem{
		&threatconnect.GroupContent{Group: first, Content: threatconnect.BytesContent([]byte("first"))},
		batchHost(1),
		&threatconnect.GroupContent{Group: batchDocument("d-2")},
		&threatconnect.GroupContent{Group: second, Content: threatconnect.BytesContent([]byte("second"))},
		batchHost(1),
	}), &threatconnect.MergeOptions{OnItem: func(o threatconnect.MergeOrigin) { origins = append(origins, o) }})
	stats, err := srv.Client().Batch.Import(t.Context(), appendConfig(), merged)
	var v *threatconnect.ValidationError
	require.ErrorAs(t, itemError(t, err), &v)
	assert.Equal(t, "content", v.Field, "the item without content is rejected")
	assert.EqualValues(t, 1, stats.Invalid)
	assert.Equal(t, threatconnect.BatchCounts{Added: 1, Succeeded: 1}, stats.Contents)
	assert.Equal(t, "second", contentOf(t, srv, "d-1"))
	g, _ := srv.Group("d-1")
	assert.ElementsMatch(t, []string{"first", "second"}, g.Tags)
	assert.Equal(t, []threatconnect.MergeOrigin{{First: 0, Count: 2}, {First: 1, Count: 2}, {First: 2, Count: 1}}, origins)

	var f threatconnect.Fingerprinter
	_, err = f.Of(&threatconnect.GroupContent{Group: first, Content: threatconnect.BytesContent([]byte("first"))})
	require.ErrorIs(t, err, threatconnect.ErrValidation)
}
