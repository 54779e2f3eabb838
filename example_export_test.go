package threatconnect_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"time"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// bulkExampleServer returns a server with one host in "Example Source" and bulk reports.
func bulkExampleServer() *threatconnecttest.Server {
	srv := threatconnecttest.New()
	rating, confidence := 3.0, 75
	err := srv.Seed(&threatconnecttest.IndicatorRecord{Owner: "Example Source", Type: "Host", Summary: "www.example.com", Rating: &rating, Confidence: &confidence})
	if err != nil {
		log.Fatal(err)
	}
	if err := srv.SetBulkReports("Example Source", threatconnecttest.BulkReports{JSON: true, CSV: true}); err != nil {
		log.Fatal(err)
	}
	return srv
}

func ExampleBulkService_JSON() {
	client := bulkExampleServer().Client()

	for indicator, err := range client.InOwner("Example Source").Bulk.JSON(context.Background()) {
		if err != nil {
			log.Fatal(err) // the indicators before the error are valid
		}
		fmt.Println(indicator.Type(), indicator.Summary(), *indicator.Meta().Rating)
	}
	// Output: Host www.example.com 3
}

func ExampleBulkService_CSV() {
	client := bulkExampleServer().Client()

	for row, err := range client.InOwner("Example Source").Bulk.CSV(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(row.Type, row.Value, *row.Confidence)
	}
	// Output: Host www.example.com 75
}

func ExampleBulkService_Wait() {
	srv := bulkExampleServer()
	client := srv.Client()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()

	reports := client.InOwner("Example Source").Bulk
	before, err := reports.Status(ctx)
	if err != nil {
		log.Fatal(err)
	}
	srv.SetClockOffset(time.Minute) // saves the example a wait
	if err := reports.Run(ctx, threatconnect.BulkJSON); err != nil {
		log.Fatal(err)
	}
	now, err := reports.Wait(ctx, before)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(now.Status, now.LastRun.After(before.LastRun))
	// Output: Complete true
}

func ExampleClient_Changes() {
	srv := threatconnecttest.New()
	client, ctx := srv.Client(), context.Background()
	hosts := client.Indicators.Hosts
	for _, name := range []string{"evil.example", "worse.example"} {
		if _, err := hosts.Create(ctx, threatconnect.NewHost(name)); err != nil {
			log.Fatal(err)
		}
	}

	var saved []byte // package feeds has stores for a file and the DataStore
	run := func() {
		var cursor threatconnect.Cursor
		if saved != nil {
			if err := json.Unmarshal(saved, &cursor); err != nil {
				log.Fatal(err)
			}
		}
		changes := client.Changes(ctx, cursor, nil)
		for change, err := range changes.All() {
			switch {
			case err != nil:
				log.Fatal(err) // the next run starts at the old cursor
			case change.Deleted:
				fmt.Println("unblock", change.Ref.Value)
			default:
				fmt.Println("block", change.Ref.Value)
			}
		}
		var err error
		if saved, err = json.Marshal(changes.Cursor()); err != nil {
			log.Fatal(err)
		}
	}
	run()
	if err := hosts.Delete(ctx, "evil.example"); err != nil {
		log.Fatal(err)
	}
	run()
	// Output:
	// block evil.example
	// block worse.example
	// unblock evil.example
}
