package threatconnect_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// An app that remembers how far it has come.
func ExampleDataStoreOf() {
	type progress struct {
		LastSeen string `json:"lastSeen"`
	}
	srv := threatconnecttest.New()
	client := srv.ClientAs(threatconnect.Token(srv.Token())) // an access id and secret key do not open the DataStore
	ctx := context.Background()

	store, err := threatconnect.DataStoreOf[progress](client, threatconnect.DataStoreLocal, "progress")
	if err != nil {
		log.Fatal(err)
	}
	if _, err := store.Get(ctx, "alerts"); errors.Is(err, threatconnect.ErrNotFound) {
		fmt.Println("first run")
	}
	if err := store.Put(ctx, "alerts", progress{LastSeen: "2026-01-02T03:04:05Z"}); err != nil {
		log.Fatal(err)
	}
	record, err := store.Get(ctx, "alerts")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(record.Value.LastSeen)
	// Output:
	// first run
	// 2026-01-02T03:04:05Z
}
