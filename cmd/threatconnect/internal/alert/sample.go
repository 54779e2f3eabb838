package alert

import (
	"context"
	_ "embed"
	"time"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// sampleOwner is the owner of the test server in which indicators are stored.
const sampleOwner = "Example Alerts"

// sampleAlert takes the place of an empty standard input if no instance is configured.
//
//go:embed sample.json
var sampleAlert string

// fillSample adds invented indicators and an owner for alerts to a test server.
func fillSample(srv *threatconnecttest.Server) error {
	if err := srv.Seed(&threatconnecttest.Owner{Name: sampleOwner, Type: "Source"}); err != nil {
		return err
	}
	for _, r := range []threatconnecttest.IndicatorRecord{
		{Owner: "Example Source", Type: "Address", Summary: "203.0.113.42", Rating: new(4.0), Confidence: new(85), Tags: []string{"Command and Control"}},
		{Owner: "Example Community", Type: "Host", Summary: "cdn.updates.example", Rating: new(3.0), Confidence: new(30)},
		{Owner: "Example Community", Type: "URL", Summary: "https://docs.example.org/manual.pdf", Rating: new(1.0), Confidence: new(20)},
		{Owner: "Example Source", Type: "Host", Summary: "www.example.com", Rating: new(4.0), Confidence: new(60)},
		{Owner: "Example Source", Type: "Mutex", Summary: `Global\example-mutex`, Rating: new(4.0), Confidence: new(70)},
	} {
		if err := srv.Seed(&r); err != nil {
			return err
		}
	}
	return reportFalsePositives(srv)
}

// reportFalsePositives reports an indicator as a false positive on the three days before today, because a
// user can do so once a day.
func reportFalsePositives(srv *threatconnecttest.Server) error {
	defer srv.SetClockOffset(0)
	for day := range 3 {
		ago := -time.Duration(day+1) * 24 * time.Hour
		srv.SetClockOffset(ago)
		client := srv.Client(threatconnect.WithClock(func() time.Time { return time.Now().Add(ago) }))
		host := threatconnect.IndicatorRef{Type: threatconnect.TypeHost, Value: "www.example.com", Owner: "Example Source"}
		if _, err := client.Indicators.ReportFalsePositive(context.Background(), host); err != nil {
			return err
		}
	}
	return nil
}
