package threatconnect_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"slices"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func ExampleBatchService_Import() {
	client := threatconnecttest.New().Client()
	hosts := []*threatconnect.Host{threatconnect.NewHost("one.example"), threatconnect.NewHost("two.example")}

	stats, err := client.Batch.Import(context.Background(), threatconnect.BatchConfig{
		Owner:      "Example Source",
		Attributes: threatconnect.WriteSingleton,
	}, threatconnect.BatchItems(slices.Values(hosts)))
	fmt.Println(stats.Indicators.Succeeded, err)
	// Output: 2 <nil>
}

func ExampleBatchWriter() {
	client := threatconnecttest.New().Client()
	ctx := context.Background()

	w, err := client.Batch.NewWriter(ctx, threatconnect.BatchConfig{Owner: "Example Source", Attributes: threatconnect.WriteReplace})
	if err != nil {
		fmt.Println(err)
		return
	}
	threat := threatconnect.NewThreat("Example Threat")
	threat.XID = threatconnect.XID("acme-feed", "Threat", "4711") // the same on every run
	host := threatconnect.NewHost("evil.example")
	host.Rating, host.Confidence = new(4.0), new(80)
	host.GroupXIDs = []string{threat.XID}
	unknown := threatconnect.NewHost("odd.example")
	unknown.Attributes = []threatconnect.Attribute{{Type: "No Such Type", Value: "x"}}

	for _, item := range []threatconnect.BatchItem{threat, host, unknown} {
		if err := w.Add(ctx, item); err != nil {
			fmt.Println("not added:", err)
		}
	}
	err = w.Close(ctx)
	if failed, ok := errors.AsType[*threatconnect.BatchError](err); ok {
		for _, item := range failed.Items {
			fmt.Println(item.Seq, item.Type, item.Ref, item.Code)
		}
	}
	fmt.Println(w.Stats().Total().Succeeded, "went in")
	// Output:
	// 2 Host odd.example 0x2001 indicator saved in part
	// 2 went in
}

// Follow the progress of an import, and log each refused item when it becomes known.
func ExampleBatchConfig() {
	client := threatconnecttest.New().Client()
	bad := threatconnect.NewHost("odd.example")
	bad.Attributes = []threatconnect.Attribute{{Type: "No Such Type", Value: "x"}}
	hosts := []*threatconnect.Host{threatconnect.NewHost("one.example"), bad, threatconnect.NewHost("two.example")}

	_, err := client.Batch.Import(context.Background(), threatconnect.BatchConfig{
		Owner:      "Example Source",
		Attributes: threatconnect.WriteReplace,
		OnEvent: func(e threatconnect.BatchEvent) {
			if e.Phase == threatconnect.BatchCompleted {
				fmt.Println("job", e.Job, "is done:", e.Stats.Total().Succeeded, "of", e.Stats.Total().Added)
			}
		},
		OnError: func(e threatconnect.BatchItemError) {
			fmt.Println("item", e.Seq, "was refused:", e.Code)
		},
	}, threatconnect.BatchItems(slices.Values(hosts)))
	fmt.Println(err != nil)
	// Output:
	// item 1 was refused: 0x2001 indicator saved in part
	// job 1 is done: 2 of 3
	// true
}

// An import with a spool resumes where the previous process stopped.
func ExampleBatchService_Import_spool() {
	srv := threatconnecttest.New()
	dir, err := os.MkdirTemp("", "spool-*")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	config := threatconnect.BatchConfig{
		Owner:      "Example Source",
		Attributes: threatconnect.WriteAppend,
		MaxItems:   2,
		Spool:      threatconnect.NewDirSpool(dir),
		Run:        "2026-11-26", // one import a day
	}
	var hosts []*threatconnect.Host
	for n := range 6 {
		hosts = append(hosts, threatconnect.NewHost(fmt.Sprintf("h%d.example", n)))
	}
	items := threatconnect.BatchItems(slices.Values(hosts))

	// Interrupt the import after the upload of its second job.
	ctx, end := context.WithCancel(context.Background())
	config.OnEvent = func(e threatconnect.BatchEvent) {
		if e.Phase == threatconnect.BatchUploaded && e.Job == 2 {
			end()
		}
	}
	_, err = srv.Client().Batch.Import(ctx, config, items)
	failed, _ := errors.AsType[*threatconnect.BatchError](err)
	fmt.Println("the rest is in the spool:", failed.Kept)

	config.OnEvent = nil
	stats, err := srv.Client().Batch.Import(context.Background(), config, items)
	fmt.Println(stats.Indicators.Succeeded, err)
	// Output:
	// the rest is in the spool: true
	// 6 <nil>
}

// The consumer of a queue commits its offset when the outcome of the items before it is final.
func ExampleBatchWriter_Watermark() {
	client := threatconnecttest.New().Client()
	ctx := context.Background()
	w, err := client.Batch.NewWriter(ctx, threatconnect.BatchConfig{Owner: "Example Source", Attributes: threatconnect.WriteReplace})
	if err != nil {
		log.Fatal(err)
	}
	defer w.Close(ctx)

	for n := range 3 {
		if err := w.Add(ctx, threatconnect.NewHost(fmt.Sprintf("h%d.example", n))); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("final before Flush:", w.Watermark().Seq)
	if err := w.Flush(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println("final after Flush:", w.Watermark().Seq)
	// Output:
	// final before Flush: 0
	// final after Flush: 3
}

func ExampleGroupContent() {
	client := threatconnecttest.New().Client()
	report := threatconnect.NewReport("Example Report", "report.pdf")
	report.XID = threatconnect.XID("acme-feed", "Report", "4711")

	stats, err := client.Batch.Import(context.Background(), threatconnect.BatchConfig{Owner: "Example Source", Attributes: threatconnect.WriteReplace},
		threatconnect.BatchItems(slices.Values([]threatconnect.BatchItem{
			&threatconnect.GroupContent{Group: report, Content: threatconnect.BytesContent([]byte("%PDF-1.7 ..."))},
		})))
	fmt.Println(stats.Groups.Succeeded, stats.Contents.Succeeded, err)
	// Output: 1 1 <nil>
}

func ExampleBatchService_Reconcile() {
	client := threatconnecttest.New().Client()
	ctx := context.Background()
	feed := func(names ...string) []*threatconnect.Host {
		var hosts []*threatconnect.Host
		for _, name := range names {
			hosts = append(hosts, threatconnect.NewHost(name))
		}
		return hosts
	}
	yesterday, today := feed("a.example", "b.example", "c.example", "d.example"), feed("a.example", "b.example", "C.Example")
	_, err := client.Batch.Import(ctx, threatconnect.BatchConfig{Owner: "Example Source", Attributes: threatconnect.WriteReplace},
		threatconnect.BatchItems(slices.Values(yesterday)))
	if err != nil {
		fmt.Println(err)
		return
	}

	config := threatconnect.ReconcileConfig{
		Owner:   "Example Source",
		OnStale: func(t threatconnect.IndicatorType, summary string) { fmt.Println("gone:", t, summary) },
	}
	report, err := client.Batch.Reconcile(ctx, config, threatconnect.BatchItems(slices.Values(today)))
	fmt.Println("too much:", errors.Is(err, threatconnect.ErrReconcileShare), report.Share)

	config.MaxShare = 0.25
	report, err = client.Batch.Reconcile(ctx, config, threatconnect.BatchItems(slices.Values(today)))
	fmt.Println(report.Total.Removed, "of", report.Total.Listed, "removed", err)
	// Output:
	// too much: true 0.25
	// gone: Host d.example
	// 1 of 4 removed <nil>
}

// Fingerprints find the items of a feed that are new or have changed. Package feeds keeps them from run to run.
func ExampleFingerprinter() {
	var fingerprinter threatconnect.Fingerprinter
	seen := make(map[[16]byte][16]byte) // item to content
	for _, rating := range []float64{3, 3, 5} {
		host := threatconnect.NewHost("evil.example")
		host.Rating = &rating

		f, err := fingerprinter.Of(host)
		if err != nil {
			log.Fatal(err)
		}
		content, known := seen[f.Item]
		fmt.Println("known:", known, "changed:", content != f.Content)
		seen[f.Item] = f.Content
	}
	// Output:
	// known: false changed: true
	// known: true changed: false
	// known: true changed: true
}
