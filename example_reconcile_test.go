package threatconnect_test

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

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
