package threatconnect

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

func BenchmarkEncodeBatchItems(b *testing.B) {
	known := newKnownGroups([]string{"group-1"})
	e := encoder{version: BatchV2, action: BatchCreate, known: &known}
	for _, ind := range []Indicator{
		NewAddress("192.0.2.17"),
		NewHost("node-1.feed.example"),
		NewURL("https://node-1.feed.example/download/file.bin?id=17"),
		&File{SHA256: "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"},
	} {
		m := ind.Meta()
		m.Rating, m.Confidence = new(4.0), new(75)
		m.Tags = []Tag{{Name: "Nightly feed"}, {Name: "Campaign 7"}}
		m.Attributes = []Attribute{{Type: "Description", Value: "Seen by the sensor in the nightly run as number " + strconv.Itoa(17) + ", with traffic to two more places"}}
		m.GroupXIDs = []string{"group-1"}
		b.Run(string(ind.Type()), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.encode(ind); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(len(e.Buf)))
		})
	}
}

// taker answers as the platform does and drops what is uploaded.
type taker struct{}

func (taker) RoundTrip(req *http.Request) (*http.Response, error) {
	answer := `{"status":"Success","data":{"batchStatus":{"id":1,"status":"Completed","errorCount":0,"successCount":1,"unprocessCount":0}}}`
	switch {
	case req.Method == http.MethodPost && strings.HasSuffix(req.URL.Path, "/batch"):
		answer = `{"status":"Success","data":{"batchId":1}}`
	case req.Method == http.MethodPost:
		answer = `{"status":"Queued"}`
	}
	if req.Body != nil {
		_, _ = io.Copy(io.Discard, req.Body)
		_ = req.Body.Close()
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(answer)), Request: req}, nil
}

// BenchmarkBatchWriter is an import without a network: what an item costs on its way through.
func BenchmarkBatchWriter(b *testing.B) {
	c, err := NewClient("https://app.example.com/api", Token("a token"), WithHTTPClient(&http.Client{Transport: taker{}}))
	if err != nil {
		b.Fatal(err)
	}
	w, err := c.Batch.NewWriter(BatchConfig{Owner: "Example Source", Attributes: WriteReplace, GroupsInOwner: []string{"group-1"}})
	if err != nil {
		b.Fatal(err)
	}
	ind := NewHost("node-1.feed.example")
	m := ind.Meta()
	m.Rating, m.Confidence = new(4.0), new(75)
	m.Tags = []Tag{{Name: "Nightly feed"}, {Name: "Campaign 7"}}
	m.Attributes = []Attribute{{Type: "Description", Value: "Seen by the sensor in the nightly run as number 17, with traffic to two more places"}}
	m.GroupXIDs = []string{"group-1"}
	b.ReportAllocs()
	for b.Loop() {
		if err := w.Add(b.Context(), ind); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(context.WithoutCancel(b.Context())); err != nil {
		b.Fatal(err)
	}
}
