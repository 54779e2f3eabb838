package alert

import (
	_ "embed"

	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// demoOwner is the owner that the test server stores in.
const demoOwner = "Example Alerts"

// demoAlert is decided about when there is no other alert.
//
//go:embed alert.json
var demoAlert string

// fillDemo puts invented indicators into the test server, and an owner for alerts.
func fillDemo(srv *threatconnecttest.Server) error {
	if _, err := srv.AddOwner(threatconnecttest.Owner{Name: demoOwner, Type: "Source"}); err != nil {
		return err
	}
	for _, r := range []threatconnecttest.IndicatorRecord{
		{Owner: "Example Source", Type: "Address", Summary: "203.0.113.42", Rating: new(4.0), Confidence: new(85), Tags: []string{"Command and Control"}},
		{Owner: "Example Community", Type: "Host", Summary: "cdn.updates.example", Rating: new(3.0), Confidence: new(30)},
		{Owner: "Example Community", Type: "URL", Summary: "https://docs.example.org/manual.pdf", Rating: new(1.0), Confidence: new(20)},
		{Owner: "Example Source", Type: "Host", Summary: "www.example.com", Rating: new(4.0), Confidence: new(60), FalsePositives: 12},
		{Owner: "Example Source", Type: "Mutex", Summary: `Global\example-mutex`, Rating: new(4.0), Confidence: new(70)},
	} {
		if _, err := srv.AddIndicator(r); err != nil {
			return err
		}
	}
	return nil
}
