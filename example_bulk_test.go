package threatconnect_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// A server with one host in "Example Source", whose bulk reports are switched on.
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
			log.Fatal(err) // what came before is good
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
	srv.SetClockOffset(time.Minute) // so that this example need not wait for the next second
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
