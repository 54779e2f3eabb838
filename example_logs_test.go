package threatconnect_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"time"

	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func ExampleLogsService_NewHandler() {
	srv := threatconnecttest.New()
	client := srv.Client()

	handler, err := client.Logs.NewHandler(nil)
	if err != nil {
		log.Fatal(err)
	}
	logger := slog.New(handler)
	logger.Info("feed imported", "indicators", 1200, "took", 4*time.Second)
	logger.Warn("items skipped", "count", 3)

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := handler.Close(ctx); err != nil { // sends what was logged
		log.Fatal(err)
	}
	for _, entry := range srv.Logs() {
		fmt.Println(entry.Level, entry.Message)
	}
	// Output:
	// INFO feed imported indicators=1200 took=4s
	// WARN items skipped count=3
}
