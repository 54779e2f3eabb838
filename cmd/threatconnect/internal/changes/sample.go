package changes

import (
	"context"
	"log/slog"
	"time"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

const sampleOwner = "Example Source"

// sample runs twice against a test server in the process, and changes its indicators in between.
func (c *config) sample(ctx context.Context, env *cli.Env, log *slog.Logger) error {
	client, err := c.TestServer(env, log, fillSample)
	if err != nil {
		return err
	}
	state, err := c.openState(client)
	if err != nil {
		return err
	}
	env.Printf("The first run reads everything:")
	if err := c.run(ctx, env, client, state, log); err != nil {
		return err
	}
	if err := changeSample(ctx, client.InOwner(sampleOwner)); err != nil {
		return err
	}
	env.Printf("One indicator is added, one gets a higher rating, one is deactivated and one is deleted. The second run:")
	return c.run(ctx, env, client, state, log)
}

// fillSample adds invented indicators to the test server.
func fillSample(srv *threatconnecttest.Server) error {
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
		r.Owner, r.DateAdded = sampleOwner, day.AddDate(0, 0, i)
		if err := srv.Seed(&r); err != nil {
			return err
		}
	}
	return nil
}

// changeSample changes the indicators of fillSample.
func changeSample(ctx context.Context, client *threatconnect.Client) error {
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
