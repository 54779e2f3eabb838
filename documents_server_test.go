package threatconnect_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// contentWorld is a server with a document in it, and a client.

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

func TestContentGoesUpAndComesDown(t *testing.T) {
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
	// A platform that overlooks updateIfExists and whose answer is lost: the second POST finds the
	// first one's content.
	srv, client, g := contentWorld(t, nil, threatconnecttest.WithoutUpdateIfExists(), threatconnecttest.Allow(threatconnecttest.LapseUnverified))
	require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultLostReply, Method: http.MethodPost}))
	require.NoError(t, client.Groups.Documents.Upload(t.Context(), g.ID, threatconnect.BytesContent(content), nil))
	require.Len(t, srv.Requests(), 3)
	assert.Equal(t, http.MethodPut, srv.Requests()[2].Method)

	wrong := srv.ClientAs(threatconnect.HMAC(srv.AccessID(), "wrong"), threatconnect.WithOwner("Example Source"))
	err := wrong.Groups.Documents.Upload(t.Context(), g.ID, threatconnect.BytesContent(content), nil)
	require.ErrorIs(t, err, threatconnect.ErrSignature)
	require.Len(t, srv.Requests(), 4, "a refused signature is no reason to put")
}

func TestMalwareGoesUpInAProtectedZipOnly(t *testing.T) {
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
	require.ErrorIs(t, client.Groups.Documents.Upload(t.Context(), g.ID, threatconnect.BytesContent([]byte("MZ")), nil), threatconnect.ErrBadRequest, "the platform looks as well")
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
			assert.Equal(t, content[:n], w.Bytes(), "what was written is the beginning, once")
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
