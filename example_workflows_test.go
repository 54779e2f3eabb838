package threatconnect_test

import (
	"context"
	"fmt"
	"log"
	"slices"
	"time"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// Record an incident in a source: create it, describe, tag and label it, and link a host to it.
func Example_incident() {
	ctx := context.Background()
	client := threatconnecttest.New().Client().InOwner("Example Source") // with an instance: threatconnect.NewClientFromEnv()

	day := time.Date(2026, time.January, 2, 0, 0, 0, 0, time.UTC)
	incident, err := client.Groups.Incidents.Create(ctx, threatconnect.NewIncident("Phish 42", day))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.Attributes.Add(ctx, incident, threatconnect.Attribute{Type: "Description", Value: "Invoices with a link"}); err != nil {
		log.Fatal(err)
	}
	if err := client.Tags.Add(ctx, incident, "Phishing", "Invoices"); err != nil {
		log.Fatal(err)
	}
	if err := client.SecurityLabels.Add(ctx, incident, "TLP:AMBER"); err != nil {
		log.Fatal(err)
	}
	host, err := client.Indicators.Hosts.Create(ctx, threatconnect.NewHost("login.evil.example"))
	if err != nil {
		log.Fatal(err)
	}
	if err := client.Associations.Link(ctx, host, incident); err != nil {
		log.Fatal(err)
	}

	for group, err := range client.Associations.Groups(ctx, host, nil) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(host.HostName, "belongs to", group.Type(), group.Meta().Name, "in", group.Meta().Owner.Name)
	}
	// Output:
	// login.evil.example belongs to Incident Phish 42 in Example Source
}

// Enrich an alert: look its values up in all owners and take the highest score.
func Example_enrichment() {
	ctx := context.Background()
	srv := threatconnecttest.New()
	client := srv.Client()
	for _, owner := range []string{"Example Organization", "Example Source"} {
		host := threatconnect.NewHost("evil.example")
		host.Rating = new(4.0)
		if _, err := client.InOwner(owner).Indicators.Hosts.Create(ctx, host); err != nil {
			log.Fatal(err)
		}
	}

	values := slices.Values([]string{"hxxps://www[.]example[.]com/a", "evil[.]example", "not a value"})
	for result, err := range client.Indicators.Lookup(ctx, values, &threatconnect.LookupOptions{AllOwners: true}) {
		if err != nil {
			log.Fatal(err)
		}
		switch {
		case result.Err != nil:
			fmt.Println(result.Value, "was not looked up")
		case len(result.Found) == 0:
			fmt.Println(result.Value, "is unknown")
		default:
			fmt.Println(result.Value, "is in", len(result.Found), "owners, rated", *result.Found[0].Meta().Rating)
		}
	}
	// Output:
	// hxxps://www[.]example[.]com/a is unknown
	// evil[.]example is in 2 owners, rated 4
	// not a value was not looked up
}

// Change the rating of many indicators, and no other field.
func Example_ratings() {
	ctx := context.Background()
	client := threatconnecttest.New().Client()
	for _, name := range []string{"a.example", "b.example", "c.example"} {
		host := threatconnect.NewHost(name)
		host.Rating, host.Confidence = new(4.0), new(80)
		if _, err := client.Indicators.Hosts.Create(ctx, host); err != nil {
			log.Fatal(err)
		}
	}

	above := &threatconnect.IndicatorListOptions{Filters: threatconnect.Filters{threatconnect.ByRating.Above(3)}}
	for ind, err := range client.Indicators.All(ctx, above) {
		if err != nil {
			log.Fatal(err)
		}
		updated, err := client.Indicators.Update(ctx, ind, threatconnect.IndicatorUpdate{Rating: new(2.0)})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(updated.Summary(), *updated.Meta().Rating, *updated.Meta().Confidence)
	}
	// Output:
	// a.example 2 80
	// b.example 2 80
	// c.example 2 80
}

// Walk two hops: from a host to its incidents, and from there to other indicators.
func Example_twoHops() {
	ctx := context.Background()
	client := threatconnecttest.New().Client()
	incident, err := client.Groups.Incidents.Create(ctx, threatconnect.NewIncident("Phish 42", time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)))
	if err != nil {
		log.Fatal(err)
	}
	for _, value := range []string{"evil.example", "192.0.2.7", "https://evil.example/pay"} {
		ind, err := threatconnect.ParseIndicator(value)
		if err != nil {
			log.Fatal(err)
		}
		if ind, err = client.Indicators.Create(ctx, ind); err != nil {
			log.Fatal(err)
		}
		if err := client.Associations.Link(ctx, ind, incident); err != nil {
			log.Fatal(err)
		}
	}

	host := threatconnect.IndicatorRef{Type: threatconnect.TypeHost, Value: "evil.example"}
	for group, err := range client.Associations.Groups(ctx, host, nil) {
		if err != nil {
			log.Fatal(err)
		}
		for ind, err := range client.Associations.Indicators(ctx, group, nil) {
			if err != nil {
				log.Fatal(err)
			}
			if ind.Summary() != host.Value {
				fmt.Println(ind.Type(), ind.Summary())
			}
		}
	}
	// Unordered output:
	// Address 192.0.2.7
	// URL https://evil.example/pay
}

// Record who was attacked: a victim needs an asset before it can be linked.
func Example_victim() {
	ctx := context.Background()
	client := threatconnecttest.New().Client()
	incident, err := client.Groups.Incidents.Create(ctx, threatconnect.NewIncident("Phish 42", time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)))
	if err != nil {
		log.Fatal(err)
	}

	victim, err := client.Victims.Create(ctx, &threatconnect.Victim{Name: "Jo Example", Org: "Example Inc"})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.VictimAssets.Add(ctx, victim, &threatconnect.VictimEmailAddress{Address: "jo@example.com"}); err != nil {
		log.Fatal(err)
	}
	if err := client.Associations.Link(ctx, victim, incident); err != nil {
		log.Fatal(err)
	}
	for victim, err := range client.Associations.Victims(ctx, incident, nil) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(victim.Name, "of", victim.Org)
	}
	// Output:
	// Jo Example of Example Inc
}

// Tag a group with ATT&CK techniques, in the form that the platform recognizes.
func Example_attackTags() {
	ctx := context.Background()
	client := threatconnecttest.New().Client()
	malware, err := client.Groups.Malware.Create(ctx, threatconnect.NewMalware("Loader"))
	if err != nil {
		log.Fatal(err)
	}

	tags, err := threatconnect.AttackTags(threatconnect.AttackEnterprise, "T1566", "Phishing", "initial-access")
	if err != nil {
		log.Fatal(err)
	}
	if err := client.Tags.Add(ctx, malware, tags...); err != nil {
		log.Fatal(err)
	}
	fmt.Println(tags)
	// Output:
	// [T1566 - Phishing - INI - ENT - ATT&CK]
}

// Report observations of an indicator, and read their number.
func Example_observations() {
	ctx := context.Background()
	client := threatconnecttest.New().Client()
	host, err := client.Indicators.Hosts.Create(ctx, threatconnect.NewHost("evil.example"))
	if err != nil {
		log.Fatal(err)
	}

	if err := client.Indicators.Observe(ctx, host, threatconnect.Observation{Count: 3}); err != nil {
		log.Fatal(err)
	}
	seen, err := client.Indicators.ObservationCount(ctx, host)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(host.HostName, "was seen", seen.Count, "times")
	// Output:
	// evil.example was seen 3 times
}
