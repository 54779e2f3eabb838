package threatconnect_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// Keep the progress of an app from run to run.
func ExampleDataStoreOf() {
	type progress struct {
		LastSeen string `json:"lastSeen"`
	}
	srv := threatconnecttest.New()
	client := srv.ClientAs(threatconnect.Token(srv.Token())) // the DataStore accepts tokens only
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

// Send a request that DataStoreOf has no method for.
func ExampleDataStoreService_Do() {
	srv := threatconnecttest.New()
	client := srv.ClientAs(threatconnect.Token(srv.Token()))
	answer, err := client.DataStore.Do(context.Background(), threatconnect.DataStoreRequest{
		Domain: threatconnect.DataStoreOrganization,
		Type:   "alerts",
		Method: http.MethodPut,
		ID:     "1",
		Body:   []byte(`{"score":7}`),
	})
	fmt.Println(strings.Contains(string(answer), `"created"`), err)
	// Output: true <nil>
}

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
	if err := handler.Close(ctx); err != nil { // sends the remaining entries
		log.Fatal(err)
	}
	for _, entry := range srv.Logs() {
		fmt.Println(entry.Level, entry.Message)
	}
	// Output:
	// INFO feed imported indicators=1200 took=4s
	// WARN items skipped count=3
}

func ExampleMetricsService_AddAndRead() {
	ctx := context.Background()
	client := threatconnecttest.New().Client()

	metric, err := client.Metrics.Create(ctx, threatconnect.Metric{
		Name:     "alertsProcessed",
		DataType: threatconnect.MetricSum,
		Interval: threatconnect.MetricYearly,
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := client.Metrics.Add(ctx, metric.Name, threatconnect.MetricPoint{Value: new(int64(40))}); err != nil {
		log.Fatal(err)
	}
	reading, err := client.Metrics.AddAndRead(ctx, metric.Name, threatconnect.MetricPoint{Value: new(int64(2))})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(reading.Value, "alerts this year")
	// Output:
	// 42 alerts this year
}

func ExampleNotificationsService_Send() {
	ctx := context.Background()
	srv := threatconnecttest.New()
	client := srv.Client()

	if err := client.Notifications.Send(ctx, threatconnect.Notification{
		Type:       "Example Alerts",
		Priority:   threatconnect.PriorityHigh,
		Message:    "**evil.example** was seen in the mail gateway.",
		Recipients: []string{"analyst@example.com"},
	}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(srv.Notifications()[0].Message)
	// Output:
	// **evil.example** was seen in the mail gateway.
}

// Copy a playbook from one instance to another and activate it.
func ExamplePlaybooksService_Export() {
	staging, production := threatconnecttest.New(), threatconnecttest.New()
	if err := staging.Seed(&threatconnecttest.Playbook{Name: "Triage alerts", GroupXID: "example-triage"}); err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	var pbx bytes.Buffer
	if _, err := staging.Client().Playbooks.Export(ctx, "example-triage", threatconnect.PlaybookPBX, &pbx); err != nil {
		log.Fatal(err)
	}
	playbooks := production.Client().Playbooks
	playbook, err := playbooks.Import(ctx, pbx.Bytes())
	if err != nil {
		log.Fatal(err)
	}
	if err := playbooks.Activate(ctx, playbook.Ref()); err != nil {
		log.Fatal(err)
	}
	active := &threatconnect.PlaybookListOptions{Status: threatconnect.PlaybookActive}
	for playbook, err := range playbooks.All(ctx, active) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(playbook.Name, playbook.Status)
	}
	// Output: Triage alerts Active
}

func ExamplePlaybookTrigger_Fire() {
	// A server in place of a playbook with an HTTP trigger.
	playbook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _, _ := r.BasicAuth()
		alert, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s sent %s", user, alert)
	}))
	defer playbook.Close()

	trigger, err := threatconnect.NewPlaybookTrigger(playbook.URL, &threatconnect.PlaybookTriggerOptions{Username: "sensor", Password: "example"})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	answer, err := trigger.Fire(ctx, map[string]any{"host": "www.example.com", "severity": 3})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", answer.Body)
	// Output: sensor sent {"host":"www.example.com","severity":3}
}
