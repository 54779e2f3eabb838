package threatconnect_test

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// contentWorld returns a server, a client, and a document on the server.
func contentWorld(t *testing.T, fields map[string]string, opts ...threatconnecttest.Option) (*threatconnecttest.Server, *threatconnect.Client, threatconnecttest.GroupRecord) {
	t.Helper()
	srv := threatconnecttest.NewT(t, opts...)
	if fields == nil {
		fields = map[string]string{}
	}
	fields["fileName"] = "example.bin"
	g := &threatconnecttest.GroupRecord{Type: "Document", Owner: "Example Source", Name: "Example", XID: "feed/1 ?", Fields: fields}
	require.NoError(t, srv.Seed(g))
	client := srv.Client(threatconnect.WithOwner("Example Source"), threatconnect.WithRetry(threatconnect.RetryPolicy{BaseDelay: 1, MaxDelay: 1}))
	return srv, client, *g
}

func TestContentUploadAndDownload(t *testing.T) {
	t.Parallel()
	first, second := bytes.Repeat([]byte{0, 1, 2, 0xff}, 50_000), []byte("second")
	for name, opts := range map[string][]threatconnecttest.Option{"with updateIfExists": nil, "without": {threatconnecttest.WithoutUpdateIfExists()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv, client, g := contentWorld(t, nil, opts...)
			var w bytes.Buffer
			_, err := client.Groups.Documents.Download(t.Context(), g.ID, &w)
			require.ErrorIs(t, err, threatconnect.ErrNotFound)

			require.NoError(t, client.Groups.Documents.UploadByXID(t.Context(), g.XID, threatconnect.BytesContent(first), nil))
			n, err := client.Groups.Documents.Download(t.Context(), g.ID, &w)
			require.NoError(t, err)
			assert.Equal(t, int64(len(first)), n)
			assert.Equal(t, first, w.Bytes())
			got, err := client.Groups.Documents.Get(t.Context(), g.ID, nil)
			require.NoError(t, err)
			assert.Equal(t, threatconnect.DocumentSuccess, got.Status)

			require.NoError(t, client.Groups.Documents.Upload(t.Context(), got.ID, threatconnect.ReaderContent(bytes.NewReader(second), -1), nil))
			record, _ := srv.Group(g.XID)
			assert.Equal(t, second, record.Content)
		})
	}
}

func TestUploadSurvivesFaults(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("example "), 20_000)
	for _, kind := range []threatconnecttest.FaultKind{threatconnecttest.FaultReset, threatconnecttest.FaultLostReply, threatconnecttest.FaultCutBody,
		threatconnecttest.FaultGarbage, threatconnecttest.FaultStatus, threatconnecttest.FaultLateStatus} {
		t.Run(fmt.Sprint(kind), func(t *testing.T) {
			t.Parallel()
			srv, client, g := contentWorld(t, nil)
			require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: kind, Method: http.MethodPost, Times: 2}))
			require.NoError(t, client.Groups.Documents.Upload(t.Context(), g.ID, threatconnect.BytesContent(content), nil))
			record, _ := srv.Group(g.XID)
			assert.Equal(t, content, record.Content)
			assert.Equal(t, 2, srv.FaultCounts()[kind])
			for _, r := range srv.Requests() {
				assert.True(t, r.Verified)
			}
		})
	}
	// If the platform ignores updateIfExists and the response is lost, the second POST finds the content of
	// the first.
	srv, client, g := contentWorld(t, nil, threatconnecttest.WithoutUpdateIfExists(), threatconnecttest.Allow(threatconnecttest.LapseUnverified))
	require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultLostReply, Method: http.MethodPost}))
	require.NoError(t, client.Groups.Documents.Upload(t.Context(), g.ID, threatconnect.BytesContent(content), nil))
	require.Len(t, srv.Requests(), 3)
	assert.Equal(t, http.MethodPut, srv.Requests()[2].Method)

	wrong := srv.ClientAs(threatconnect.HMAC(srv.AccessID(), "wrong"), threatconnect.WithOwner("Example Source"))
	err := wrong.Groups.Documents.Upload(t.Context(), g.ID, threatconnect.BytesContent(content), nil)
	require.ErrorIs(t, err, threatconnect.ErrSignature)
	require.Len(t, srv.Requests(), 4, "a refused signature must not cause a PUT")
}

func TestMalwareUploadNeedsEncryptedZip(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	f, err := z.CreateRaw(&zip.FileHeader{Name: "sample.bin", Flags: 1, CompressedSize64: 4, UncompressedSize64: 4})
	require.NoError(t, err)
	_, _ = f.Write([]byte("none"))
	require.NoError(t, z.Close())

	srv, client, g := contentWorld(t, map[string]string{"malware": "true", "password": "TCInfected"})
	malware := &threatconnect.UploadOptions{Malware: true}
	require.ErrorIs(t, client.Groups.Documents.Upload(t.Context(), g.ID, threatconnect.BytesContent([]byte("MZ")), malware), threatconnect.ErrValidation)
	assert.Empty(t, srv.Requests())
	require.ErrorIs(t, client.Groups.Documents.Upload(t.Context(), g.ID, threatconnect.BytesContent([]byte("MZ")), nil), threatconnect.ErrBadRequest, "the platform checks, too")
	require.NoError(t, client.Groups.Documents.Upload(t.Context(), g.ID, threatconnect.BytesContent(b.Bytes()), malware))
}

func TestDownloadOverFaults(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("example "), 20_000)
	for kind, whole := range map[threatconnecttest.FaultKind]bool{
		threatconnecttest.FaultReset: true, threatconnecttest.FaultHTML: true, threatconnecttest.FaultEmpty: true, threatconnecttest.FaultStatus: true,
		threatconnecttest.FaultCutBody: false,
	} {
		t.Run(fmt.Sprint(kind), func(t *testing.T) {
			t.Parallel()
			srv, client, g := contentWorld(t, nil)
			require.NoError(t, client.Groups.Documents.Upload(t.Context(), g.ID, threatconnect.BytesContent(content), nil))
			require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: kind, Method: http.MethodGet}))
			var w bytes.Buffer
			n, err := client.Groups.Documents.Download(t.Context(), g.ID, &w)
			if whole {
				require.NoError(t, err)
				assert.Equal(t, content, w.Bytes())
				return
			}
			require.ErrorIs(t, err, threatconnect.ErrBadResponse)
			assert.Equal(t, int64(w.Len()), n)
			assert.Equal(t, content[:n], w.Bytes(), "the beginning was written once")
		})
	}
}

func TestSignaturesReportsAndPublications(t *testing.T) {
	t.Parallel()
	srv, client, _ := contentWorld(t, nil)
	rule := threatconnect.NewSignature("Example", "example.yar", threatconnect.SignatureYARA, "rule example { condition: false } // <é>")
	made, err := client.Groups.Signatures.Create(t.Context(), rule)
	require.NoError(t, err)
	text, err := client.Groups.Signatures.Text(t.Context(), made.ID)
	require.NoError(t, err)
	assert.Equal(t, rule.FileText, text)

	report, err := client.Groups.Reports.Create(t.Context(), threatconnect.NewReport("Example", "example.txt"))
	require.NoError(t, err)
	var content bytes.Buffer
	_, err = client.Groups.Reports.Download(t.Context(), report.ID, &content)
	require.ErrorIs(t, err, threatconnect.ErrNotFound)
	require.NoError(t, client.Groups.Reports.Upload(t.Context(), report.ID, threatconnect.BytesContent([]byte("A report.")), nil))
	_, err = client.Groups.Reports.Download(t.Context(), report.ID, &content)
	require.NoError(t, err)
	assert.Equal(t, "A report.", content.String())
	published := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	report, err = client.Groups.Reports.Update(t.Context(), report.ID, threatconnect.GroupUpdate{PublishDate: &published})
	require.NoError(t, err)
	assert.Equal(t, published, report.PublishDate)

	var pdf bytes.Buffer
	n, err := client.Groups.PDF(t.Context(), made, &pdf)
	require.NoError(t, err)
	assert.Equal(t, int64(pdf.Len()), n)
	assert.True(t, strings.HasPrefix(pdf.String(), "%PDF-"))

	require.NoError(t, client.Groups.Publish(t.Context(), made, &threatconnect.PublishOptions{ExcludeLabels: []string{"TLP:RED"}, ExcludeUnlabeled: true}))
	require.Len(t, srv.Publications(), 1)
	assert.Equal(t, []string{"TLP:RED"}, srv.Publications()[0].ExcludeLabels)
	assert.True(t, srv.Publications()[0].ExcludeUnlabeled)
}

func TestBulkReportsAgainstTheServer(t *testing.T) {
	t.Parallel()
	for name, odd := range map[string]threatconnecttest.Oddity{"as usual": 0, "with every oddity": threatconnecttest.OddityAll} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := threatconnecttest.NewT(t, threatconnecttest.WithOddities(odd))
				client := srv.Client()
				add := func(summary string, rating *float64) {
					t.Helper()
					require.NoError(t, srv.Seed(&threatconnecttest.IndicatorRecord{Owner: "Example Source", Type: "Host", Summary: summary, Rating: rating, Tags: []string{"Example"}}))
				}
				three := 3.0
				add("www.example.com", &three)
				_, err := threatconnect.Collect(client.InOwner("Example Source").Bulk.JSON(t.Context()))
				require.ErrorIs(t, err, threatconnect.ErrNotFound, "not switched on")
				require.NoError(t, srv.SetBulkReports("Example Source", threatconnecttest.BulkReports{JSON: true, CSV: true, Duration: 10 * time.Minute}))

				before, err := client.InOwner("Example Source").Bulk.Status(t.Context())
				require.NoError(t, err)
				assert.True(t, before.JSONEnabled && before.CSVEnabled)
				add("www.example.net", nil)
				time.Sleep(time.Hour)
				require.NoError(t, client.InOwner("Example Source").Bulk.Run(t.Context(), threatconnect.BulkJSON))
				old, err := threatconnect.Collect(client.InOwner("Example Source").Bulk.JSON(t.Context()))
				require.NoError(t, err)
				assert.Len(t, old, 1, "the latest finished report is the old one")

				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				now, err := client.InOwner("Example Source").Bulk.Wait(ctx, before)
				require.NoError(t, err)
				assert.True(t, now.LastRun.After(before.LastRun))
				all, err := threatconnect.Collect(client.InOwner("Example Source").Bulk.JSON(t.Context()))
				require.NoError(t, err)
				require.Len(t, all, 2)
				assert.Equal(t, "Example", all[0].Meta().Tags[0].Name)
				rows, err := threatconnect.Collect(client.InOwner("Example Source").Bulk.CSV(t.Context()))
				require.NoError(t, err)
				assert.Equal(t, []threatconnect.BulkRow{{Type: threatconnect.TypeHost, Value: "www.example.com", Rating: &three}, {Type: threatconnect.TypeHost, Value: "www.example.net"}}, rows)

				require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultTruncate, Route: "/v2/indicators/bulk/{format}"}))
				_, err = threatconnect.Collect(client.InOwner("Example Source").Bulk.JSON(t.Context()))
				require.ErrorIs(t, err, threatconnect.ErrBadResponse)
				require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultCutBody, Route: "/v2/indicators/bulk/{format}", Times: -1}))
				_, err = threatconnect.Collect(client.InOwner("Example Source").Bulk.CSV(t.Context()))
				require.ErrorIs(t, err, threatconnect.ErrBadResponse)
				srv.ClearFaults()

				require.NoError(t, srv.SetBulkReports("Example Source", threatconnecttest.BulkReports{JSON: true, Duration: time.Minute, Fail: true}))
				require.NoError(t, client.InOwner("Example Source").Bulk.Run(t.Context(), threatconnect.BulkJSON))
				_, err = client.InOwner("Example Source").Bulk.Wait(ctx, now)
				require.ErrorIs(t, err, threatconnect.ErrBulkFailed)
			})
		})
	}
}

type sighting struct {
	Host  string `json:"host"`
	Count int    `json:"count"`
}

func TestDataStoreAgainstTheServer(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	client := srv.ClientAs(threatconnect.Token(srv.Token()))
	store, err := threatconnect.DataStoreOf[sighting](client, threatconnect.DataStoreOrganization, "sightings")
	require.NoError(t, err)
	_, err = store.Get(t.Context(), "a")
	require.ErrorIs(t, err, threatconnect.ErrNotFound)
	require.NoError(t, store.SetMappings(t.Context(), map[string]bool{"dynamic": false}))
	require.NoError(t, store.Put(t.Context(), "a/1", sighting{"www.example.com", 1}))
	require.NoError(t, store.Put(t.Context(), "a/1", sighting{"www.example.com", 2}))
	got, err := store.Get(t.Context(), "a/1")
	require.NoError(t, err)
	assert.Equal(t, threatconnect.DataRecord[sighting]{ID: "a/1", Version: 2, Value: sighting{"www.example.com", 2}}, got)
	id, err := store.Create(t.Context(), sighting{"www.example.net", 1})
	require.NoError(t, err)
	list, err := store.List(t.Context())
	require.NoError(t, err)
	assert.Len(t, list.Items, 2)
	found, err := store.Search(t.Context(), map[string]any{"query": map[string]any{"match": map[string]any{"host": "www.example.net"}}, "size": 1})
	require.NoError(t, err)
	require.Len(t, found.Items, 1)
	assert.Equal(t, id, found.Items[0].ID)
	require.NoError(t, store.Delete(t.Context(), id))
	require.ErrorIs(t, store.Delete(t.Context(), id), threatconnect.ErrNotFound)
	assert.Equal(t, map[string]string{"a/1": `{"host":"www.example.com","count":2}`}, srv.DataStore("organization", "sightings"))

	plain := threatconnecttest.NewT(t, threatconnecttest.WithPlainDataStoreErrors())
	store, err = threatconnect.DataStoreOf[sighting](plain.ClientAs(threatconnect.Token(plain.Token())), threatconnect.DataStoreLocal, "sightings")
	require.NoError(t, err)
	_, err = store.Get(t.Context(), "a")
	require.ErrorIs(t, err, threatconnect.ErrBadResponse, "the body is not JSON")
}

func TestDataStoreDoReturnsRawResponse(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	store := srv.ClientAs(threatconnect.Token(srv.Token())).DataStore
	for _, c := range []struct {
		request threatconnect.DataStoreRequest
		want    string // a part of the answer
	}{
		{threatconnect.DataStoreRequest{Method: "PUT", ID: "a", Body: []byte(`{"host":"www.example.com"}`)}, `"result":"created"`},
		{threatconnect.DataStoreRequest{Method: "GET", ID: "a"}, `"_source":{"host":"www.example.com"}`},
		{threatconnect.DataStoreRequest{Method: "POST", Body: []byte(`{"host":"www.example.net"}`)}, `"result":"created"`},
		{threatconnect.DataStoreRequest{Method: "PUT", ID: "_mappings", Body: []byte(`{"dynamic":false}`)}, `"acknowledged":true`},
		{threatconnect.DataStoreRequest{Method: "GET", ID: "_search", Body: []byte(`{"size":1}`)}, `"hits"`},
		{threatconnect.DataStoreRequest{Method: "GET"}, `"hits"`},
		{threatconnect.DataStoreRequest{Method: "DELETE", ID: "a"}, `"result":"deleted"`},
	} {
		c.request.Domain, c.request.Type = threatconnect.DataStoreLocal, "example"
		answer, err := store.Do(t.Context(), c.request)
		require.NoError(t, err, "%s %s", c.request.Method, c.request.ID)
		assert.Contains(t, string(answer), c.want, "%s %s", c.request.Method, c.request.ID)
	}
}

func TestPlaybooksAgainstTheServer(t *testing.T) {
	t.Parallel()
	for name, odd := range map[string]threatconnecttest.Oddity{"as usual": 0, "with every oddity": threatconnecttest.OddityAll} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := threatconnecttest.NewT(t, threatconnecttest.WithOddities(odd))
			client := srv.Client()
			none, err := client.Playbooks.List(t.Context(), nil)
			require.NoError(t, err)
			assert.Empty(t, none.Items)

			made, err := client.Playbooks.Import(t.Context(), []byte(`{"name":"Triage","jobList":[]}`))
			require.NoError(t, err)
			assert.Equal(t, threatconnect.PlaybookInactive, made.Status)
			require.NoError(t, client.Playbooks.Activate(t.Context(), made.Ref()))
			got, err := client.Playbooks.Get(t.Context(), fmt.Sprint(made.ID))
			require.NoError(t, err)
			assert.Equal(t, threatconnect.PlaybookActive, got.Status)
			require.NoError(t, client.Playbooks.Deactivate(t.Context(), made.Ref()))
			_, err = client.Playbooks.AddVersion(t.Context(), made.Ref(), []byte(`{"name":"Triage 2"}`))
			require.NoError(t, err)
			var pbx, pack bytes.Buffer
			_, err = client.Playbooks.Export(t.Context(), made.Ref(), "", &pbx)
			require.NoError(t, err)
			assert.JSONEq(t, `{"name":"Triage 2"}`, pbx.String())
			_, err = client.Playbooks.Export(t.Context(), made.Ref(), threatconnect.PlaybookContentPack, &pack)
			require.NoError(t, err)
			assert.True(t, strings.HasPrefix(pack.String(), "PK"))

			for n := range 5 {
				require.NoError(t, srv.Seed(&threatconnecttest.Playbook{Name: fmt.Sprintf("Alert %d", n), Status: "Active", TriggerType: "WebHook", Labels: []string{"alerts"}}))
			}
			found, err := threatconnect.Collect(client.Playbooks.All(t.Context(), &threatconnect.PlaybookListOptions{
				ListOptions: threatconnect.ListOptions{Limit: 2}, Name: "alert", Status: threatconnect.PlaybookActive, Labels: []string{"alerts"}, SortOn: "name"}))
			require.NoError(t, err)
			assert.Len(t, found, 5)
			assert.Equal(t, "Alert 4", found[4].Name)
			require.NoError(t, client.Playbooks.Delete(t.Context(), made.Ref()))
			_, err = client.Playbooks.Get(t.Context(), made.Ref())
			require.ErrorIs(t, err, threatconnect.ErrNotFound)
			assert.Len(t, srv.Playbooks(), 5)
		})
	}
}

func TestLogsAgainstTheServer(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	h, err := srv.Client().Logs.NewHandler(&threatconnect.LogHandlerOptions{Batch: 2})
	require.NoError(t, err)
	l := slog.New(h)
	l.Info("imported", "items", 3)
	l.Warn("skipped", "reason", "no value")
	l.Error("gave up")
	require.NoError(t, h.Close(t.Context()))
	logs := srv.Logs()
	require.Len(t, logs, 3)
	assert.Equal(t, "imported items=3", logs[0].Message)
	assert.Equal(t, "WARN", logs[1].Level)
	assert.WithinDuration(t, time.Now(), logs[2].Time, time.Minute)
	assert.Len(t, srv.Requests(), 2)
}
