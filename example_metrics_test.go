package threatconnect_test

import (
	"context"
	"fmt"
	"log"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

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
