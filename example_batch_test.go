package threatconnect_test

import (
	"context"
	"errors"
	"fmt"
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
		Attributes: threatconnect.WriteReplace,
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

// An import with a spool goes on where the process before ended, whatever ended it.
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

	// The import is interrupted when its second job is on the platform.
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
