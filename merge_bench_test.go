package threatconnect

import (
	"fmt"
	"iter"
	"runtime"
	"runtime/metrics"
	"strconv"
	"testing"
	"time"
)

// repeated is a feed in which three of four items have come before: hosts, and files by another one
// of their hashes each time, with rating, confidence, tags and an attribute.
func repeated(n int) iter.Seq2[BatchItem, error] {
	return func(yield func(BatchItem, error) bool) {
		for i := range n {
			k, turn := i%(n/4), i/(n/4)
			var ind Indicator
			if k%2 == 0 {
				ind = NewHost("node-" + strconv.Itoa(k) + ".feed.example")
			} else {
				f := new(File)
				if turn%3 != 0 {
					f.MD5 = fmt.Sprintf("%032X", k)
				}
				if turn%3 != 1 {
					f.SHA1 = fmt.Sprintf("%040X", k)
				}
				if turn%3 != 2 {
					f.SHA256 = fmt.Sprintf("%064X", k)
				}
				ind = f
			}
			m := ind.Meta()
			m.Rating, m.Confidence = new(float64(i%6)), new(i%101)
			m.Tags = []Tag{{Name: "Nightly feed"}, {Name: "Campaign " + strconv.Itoa(i%50)}}
			m.Attributes = []Attribute{{Type: "Description", Value: "Seen by the sensor in the nightly run as number " + strconv.Itoa(k) + ", with traffic to two more places"}}
			if !yield(ind, nil) {
				return
			}
		}
	}
}

// BenchmarkMergeItems shows that memory does not grow with the number of items.
func BenchmarkMergeItems(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			runtime.GC()
			stop, peak := make(chan struct{}), make(chan uint64)
			go func() { peak <- watchHeap(stop) }()
			for b.Loop() {
				left := 0
				for _, err := range MergeItems(b.Context(), repeated(n), &MergeOptions{Dir: b.TempDir()}) {
					if err != nil {
						b.Fatal(err)
					}
					left++
				}
				if left != n/4 {
					b.Fatalf("%d are left of %d", left, n)
				}
			}
			close(stop)
			b.ReportMetric(float64(<-peak)/(1<<20), "peak-heap-MiB")
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "items/s")
		})
	}
}

// watchHeap returns the largest heap that there was until stop is closed, garbage included.
func watchHeap(stop <-chan struct{}) (peak uint64) {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	for t := time.NewTicker(time.Millisecond); ; {
		metrics.Read(sample)
		peak = max(peak, sample[0].Value.Uint64())
		select {
		case <-stop:
			t.Stop()
			return peak
		case <-t.C:
		}
	}
}
