package threatconnect

import (
	"context"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
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

// TestAnImportUsesAsMuchMemoryAsItsJobsNeed imports in jobs that may be as large as the platform takes,
// and are small.
func TestAnImportUsesAsMuchMemoryAsItsJobsNeed(t *testing.T) { // not in parallel: it measures memory
	c, err := NewClient("https://app.example.com/api", Token("a token"), WithHTTPClient(&http.Client{Transport: taker{}}))
	require.NoError(t, err)
	for _, maxBytes := range []int{defaultBatchBytes, 75_000_000, maxBatchBytes} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		stats, err := c.Batch.Import(t.Context(), BatchConfig{Owner: "Example Source", Attributes: WriteReplace, MaxBytes: maxBytes},
			func(yield func(BatchItem, error) bool) {
				h := NewHost("")
				for n := range 2 * maxBatchItems {
					h.HostName = "h" + strconv.Itoa(n) + ".example"
					if !yield(h, nil) {
						return
					}
				}
			})
		require.NoError(t, err)
		runtime.ReadMemStats(&after)
		require.EqualValues(t, 2, stats.Jobs)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(16<<20), "in jobs of at most %d bytes", maxBytes)
	}
}

func TestAJobReservesWhatItNeeds(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]func(n int) int{
		"small items":             func(int) int { return 50 },
		"large items":             func(int) int { return 5000 },
		"items that become large": func(n int) int { return 20 + n/10 },
		"items that become small": func(n int) int { return 20 + 200_000/(1+n) },
		"one that is huge":        func(n int) int { return map[bool]int{false: 50, true: 20 << 20}[n == 20_000] },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var c content
			moved, room := 0, 0
			item := make([]byte, 20<<20)
			for n := range maxBatchItems {
				text := item[:max(size(n), 1)]
				c.reserve(inIndicators, len(text)+1, maxBatchBytes, maxBatchItems)
				if c.add(inIndicators, int64(n), text); cap(c.lists[inIndicators].text) != room {
					room = cap(c.lists[inIndicators].text)
					moved++
				}
			}
			require.LessOrEqual(t, room, 4*c.size)
			require.LessOrEqual(t, moved, 25)
		})
	}
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
