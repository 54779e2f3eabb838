package threatconnect_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/scaletest"
)

// taker is a platform on which every item of every job succeeds. It discards uploads and counts items by their
// braces.
type taker struct {
	braces int // per item

	mu   sync.Mutex
	jobs []int // items per job
	buf  [32 << 10]byte
}

func (p *taker) RoundTrip(req *http.Request) (*http.Response, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	job, _ := strconv.Atoi(req.URL.Path[strings.LastIndexByte(req.URL.Path, '/')+1:]) // 0 in a request for a job
	var answer string
	switch {
	case req.Method == http.MethodGet:
		answer = fmt.Sprintf(`{"status":"Success","data":{"batchStatus":{"id":%d,"status":"Completed","errorCount":0,"successCount":%d,"unprocessCount":0}}}`, job, p.jobs[job-1])
	case isUpload(req):
		braces := -1 // not counting that of the file
		for {
			n, err := req.Body.Read(p.buf[:])
			braces += bytes.Count(p.buf[:n], []byte("{"))
			if err == io.EOF {
				break
			} else if err != nil {
				return nil, err
			}
		}
		p.jobs[job-1] = braces / p.braces
		answer = `{"status":"Queued"}`
	default:
		p.jobs = append(p.jobs, 0)
		answer = fmt.Sprintf(`{"status":"Success","data":{"batchId":%d}}`, len(p.jobs))
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(answer)), Request: req}, nil
}

// TestImportAllocationsFollowItemSize imports in jobs of up to the maximum size that the platform accepts.
// Allocations must be proportional to the size of the items.
func TestImportAllocationsFollowItemSize(t *testing.T) { // not in parallel: it measures memory
	job := scaletest.Size(25_000) // items
	huge := scaletest.Size(20 << 20)
	text := strings.Repeat("x", huge)
	for name, c := range map[string]struct {
		maxBytes int
		size     func(n int) int // of the description of the nth item
	}{
		"jobs of the default size":        {0, func(int) int { return 0 }},
		"small items in large jobs":       {75_000_000, func(int) int { return 0 }},
		"small items in the largest jobs": {1 << 30, func(int) int { return 0 }},
		"large items":                     {1 << 30, func(int) int { return 1000 }},
		"items that become large":         {1 << 30, func(n int) int { return n / 20 }},
		"items that become small":         {1 << 30, func(n int) int { return 200_000 / (1 + n) }},
		"one that is huge":                {1 << 30, func(n int) int { return map[bool]int{true: huge}[n == job/5*4] }},
	} {
		t.Run(name, func(t *testing.T) {
			c1, err := threatconnect.NewClient(batchBase, threatconnect.Token("a token"), threatconnect.WithTransport(&taker{braces: 1}))
			require.NoError(t, err)
			cfg := appendConfig()
			cfg.MaxItems, cfg.MaxBytes = job, c.maxBytes
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			stats, err := c1.Batch.Import(t.Context(), cfg, func(yield func(threatconnect.BatchItem, error) bool) {
				h := threatconnect.NewHost("")
				for n := range 2 * job {
					h.HostName, h.Description = "h"+strconv.Itoa(n)+".example", text[:c.size(n%job)]
					if !yield(h, nil) {
						return
					}
				}
			})
			require.NoError(t, err)
			runtime.ReadMemStats(&after)
			require.EqualValues(t, 2*job, stats.Indicators.Succeeded)
			require.EqualValues(t, 2, stats.Jobs)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(scaletest.Size(16<<20))+4*uint64(stats.Bytes))
		})
	}
}

// BenchmarkBatchWriter measures the cost per item of an import without a network.
func BenchmarkBatchWriter(b *testing.B) {
	for _, ind := range []threatconnect.Indicator{
		threatconnect.NewAddress("192.0.2.17"),
		threatconnect.NewHost("node-1.feed.example"),
		threatconnect.NewURL("https://node-1.feed.example/download/file.bin?id=17"),
		&threatconnect.File{SHA256: "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"},
	} {
		m := ind.Meta()
		m.Rating, m.Confidence = new(4.0), new(75)
		m.Tags = []threatconnect.Tag{{Name: "Nightly feed"}, {Name: "Campaign 7"}}
		m.Attributes = []threatconnect.Attribute{{Type: "Description", Value: "Seen by the sensor in the nightly run as number 17, with traffic to two more places"}}
		m.GroupXIDs = []string{"group-1"}
		b.Run(string(ind.Type()), func(b *testing.B) {
			c, err := threatconnect.NewClient(batchBase, threatconnect.Token("a token"), threatconnect.WithTransport(&taker{braces: 5}))
			if err != nil {
				b.Fatal(err)
			}
			cfg := appendConfig()
			cfg.KnownGroup = func(string) bool { return true }
			w, err := c.Batch.NewWriter(b.Context(), cfg)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := w.Add(b.Context(), ind); err != nil {
					b.Fatal(err)
				}
			}
			if err := w.Close(context.WithoutCancel(b.Context())); err != nil {
				b.Fatal(err)
			}
			s := w.Stats()
			b.SetBytes(s.Bytes / s.Indicators.Added)
		})
	}
}

// TestAddDoesNotAllocate adds items after full jobs, so that the buffers already have the size of a job.
func TestAddDoesNotAllocate(t *testing.T) { // not in parallel: it counts allocations
	for name, spool := range map[string]threatconnect.Spool{"without a spool": nil, "with a spool": newMemSpool()} {
		t.Run(name, func(t *testing.T) {
			var platform acceptor
			client, err := threatconnect.NewClient(batchBase, threatconnect.Token("token"), threatconnect.WithTransport(&platform))
			require.NoError(t, err)
			cfg := appendConfig()
			cfg.MaxItems = scaletest.Size(20_000)
			if cfg.Spool = spool; spool != nil {
				cfg.Run = "today"
			}
			w, err := client.Batch.NewWriter(t.Context(), cfg)
			require.NoError(t, err)
			h := batchHost(1, "x-1")
			addAll(t, w, batchGroup("x-1"))
			for range 2*cfg.MaxItems - 1 {
				addAll(t, w, h)
			}
			require.NoError(t, w.Flush(t.Context()))
			require.Zero(t, testing.AllocsPerRun(cfg.MaxItems/2, func() { addAll(t, w, h) }))
			require.NoError(t, w.Close(t.Context()))
		})
	}
}
