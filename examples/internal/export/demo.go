package export

import (
	"context"
	"strings"
	"time"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/examples/internal/command"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// demo exports from a test server in the process: everything, and what has changed after that. With
// a state of its own it exports once, as from an instance.
func (c *config) demo(ctx context.Context, e *command.Env) error {
	client, srv, err := c.Demo(e, name, fillDemo)
	if err != nil {
		return err
	}
	if c.state != "" {
		if strings.HasPrefix(c.state, "datastore:") {
			client = srv.ClientAs(threatconnect.Token(srv.Token())) // the DataStore takes nothing else
		}
		return c.export(ctx, e, client)
	}
	store := &memoryStore{}
	e.Say(name, "the first run exports everything:")
	if err := c.run(ctx, e, client, store); err != nil {
		return err
	}
	e.Say(name, "now one indicator is added, one is rated higher, one is switched off and one is deleted; the next run:")
	if err := changeDemo(ctx, client); err != nil {
		return err
	}
	return c.run(ctx, e, client, store)
}

// fillDemo puts invented indicators into the test server.
func fillDemo(srv *threatconnecttest.Server) error {
	day := time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)
	for i, r := range []threatconnecttest.IndicatorRecord{
		{Type: "Host", Summary: "login.invoices.example", Rating: new(4.0), Confidence: new(80), Tags: []string{"Phishing"}},
		{Type: "URL", Summary: "https://login.invoices.example/verify?id=7", Rating: new(5.0), Confidence: new(95), Tags: []string{"Phishing", "Credential Theft"}},
		{Type: "Address", Summary: "203.0.113.42", Rating: new(3.0), Confidence: new(70), Tags: []string{"Command and Control"}},
		{Type: "Address", Summary: "198.51.100.7", Rating: new(2.0), Confidence: new(40), Tags: []string{"Scanner"}},
		{Type: "CIDR", Summary: "192.0.2.0/28", Rating: new(3.0), Confidence: new(60)},
		{Type: "User Agent", Summary: "=cmd|' /C calc'!A0", Rating: new(3.0), Confidence: new(50), Tags: []string{"Spreadsheet Formula"}},
		{Type: "File", Summary: "44D88612FEA8A8F36DE82E1278ABB02F", Rating: new(0.0), Confidence: new(100), Tags: []string{"Test File"}},
	} {
		r.Owner = "Example Source"
		r.DateAdded = day.AddDate(0, 0, i)
		if _, err := srv.AddIndicator(r); err != nil {
			return err
		}
	}
	return nil
}

// changeDemo changes what fillDemo has put into the server.
func changeDemo(ctx context.Context, client *threatconnect.Client) error {
	client = client.InOwner("Example Source")
	added := threatconnect.NewHost("cdn.invoices.example")
	added.Rating, added.Confidence = new(4.0), new(75)
	if _, err := client.Indicators.Hosts.Create(ctx, added); err != nil {
		return err
	}
	if _, err := client.Indicators.Addresses.Update(ctx, "198.51.100.7", threatconnect.IndicatorUpdate{Rating: new(4.0)}); err != nil {
		return err
	}
	off := threatconnect.IndicatorUpdate{Active: new(false), Rating: new(3.0)}
	if _, err := client.Indicators.Addresses.Update(ctx, "203.0.113.42", off); err != nil {
		return err
	}
	return client.Indicators.Hosts.Delete(ctx, "login.invoices.example")
}
