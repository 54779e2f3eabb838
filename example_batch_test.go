package threatconnect_test

import (
	"context"
	"errors"
	"fmt"
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

	w, err := client.Batch.NewWriter(threatconnect.BatchConfig{Owner: "Example Source", Attributes: threatconnect.WriteReplace})
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
