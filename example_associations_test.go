package threatconnect_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"slices"
	"time"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func ExampleAssociationsService_Link() {
	client, ctx := threatconnecttest.New().Client(), context.Background()
	host, err := client.Indicators.Hosts.Create(ctx, threatconnect.NewHost("login.example.com"))
	if err != nil {
		log.Fatal(err)
	}
	incident, err := client.Groups.Incidents.Create(ctx, threatconnect.NewIncident("Phish 42", time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)))
	if err != nil {
		log.Fatal(err)
	}
	if err := client.Associations.Link(ctx, host, incident); err != nil {
		log.Fatal(err)
	}
	for group, err := range client.Associations.Groups(ctx, host, &threatconnect.RelatedGroupOptions{Type: threatconnect.GroupIncident}) {
		if err != nil {
			log.Fatal(err)
		}
		if incident, ok := group.(*threatconnect.Incident); ok {
			fmt.Println(incident.Name, incident.EventDate.Format(time.DateOnly))
		}
	}
	// Output: Phish 42 2026-01-02
}

// Two indicators are linked in a certain way. What is refused says which ways there are.
func ExampleAssociationsService_LinkIndicators() {
	client, ctx := threatconnecttest.New().Client(), context.Background()
	url, err := client.Indicators.URLs.Create(ctx, threatconnect.NewURL("http://login.example.com/kit"))
	if err != nil {
		log.Fatal(err)
	}
	host, err := client.Indicators.Hosts.Create(ctx, threatconnect.NewHost("login.example.com"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(client.Associations.Link(ctx, url, host))
	fmt.Println(client.Associations.LinkIndicators(ctx, url, host, threatconnect.AssociationURLHost))
	for other, err := range client.Associations.Indicators(ctx, host, nil) {
		fmt.Println(other.Type(), other.Summary(), err)
	}
	// Output:
	// threatconnect: association needs a type or a file action between two indicators; use LinkIndicators with urlHost
	// <nil>
	// URL http://login.example.com/kit <nil>
}

func ExampleTagsService_Indicators() {
	client, ctx := threatconnecttest.New().Client(), context.Background()
	for _, name := range []string{"a.example.com", "b.example.com"} {
		host, err := client.Indicators.Hosts.Create(ctx, threatconnect.NewHost(name))
		if err != nil {
			log.Fatal(err)
		}
		if err := client.Tags.Add(ctx, host, "Phishing"); err != nil {
			log.Fatal(err)
		}
	}
	for indicator, err := range client.Tags.Indicators(ctx, "Phishing", nil) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(indicator.Summary())
	}
	_, err := threatconnect.Collect(client.Tags.Indicators(ctx, "Vishing", nil))
	fmt.Println(errors.Is(err, threatconnect.ErrNotFound))
	// Output:
	// a.example.com
	// b.example.com
	// true
}

func ExampleIndicatorsService_AcrossOwners() {
	srv := threatconnecttest.New()
	for owner, rating := range map[string]float64{"Example Organization": 2, "Example Source": 5} {
		if err := srv.Seed(&threatconnecttest.IndicatorRecord{Owner: owner, Type: "Address", Summary: "192.0.2.7", Rating: &rating}); err != nil {
			log.Fatal(err)
		}
	}
	address := threatconnect.NewAddress("192.0.2.7")
	for indicator, err := range srv.Client().Indicators.AcrossOwners(context.Background(), address, nil) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(indicator.Meta().Owner.Name, *indicator.Meta().Rating)
	}
	// Output:
	// Example Organization 2
	// Example Source 5
}

func ExampleFileOccurrencesService() {
	client, ctx := threatconnecttest.New().Client(), context.Background()
	file, err := client.Indicators.Files.Create(ctx, threatconnect.NewFile("d41d8cd98f00b204e9800998ecf8427e"))
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.FileOccurrences.Add(ctx, file, threatconnect.FileOccurrence{FileName: "update.exe", Path: `C:\Windows\Temp`})
	if err != nil {
		log.Fatal(err)
	}
	occurrences, err := client.FileOccurrences.On(ctx, file)
	if err != nil {
		log.Fatal(err)
	}
	for _, o := range occurrences {
		fmt.Println(o.FileName, o.Path)
	}
	// Output: update.exe C:\Windows\Temp
}

func ExampleTypesService_Associations() {
	client := threatconnecttest.New().Client()
	types, err := threatconnect.Collect(client.Types.Associations(context.Background(), nil))
	if err != nil {
		log.Fatal(err)
	}
	for _, t := range types {
		if t.Branch == threatconnect.AssociationURLHost || t.Branch == threatconnect.AssociationType(threatconnect.FileActionDrop) {
			fmt.Printf("%s is %s, a file action: %t\n", t.Name, t.Branch, t.FileAction)
		}
	}
	// Output:
	// URL Host is urlHost, a file action: false
	// File Drop is drop, a file action: true
}

func ExampleSecurityLabelsService_Indicators() {
	client, ctx := threatconnecttest.New().Client(), context.Background()
	host, err := client.Indicators.Hosts.Create(ctx, threatconnect.NewHost("login.example.com"))
	if err != nil {
		log.Fatal(err)
	}
	if err := client.SecurityLabels.Add(ctx, host, "TLP:AMBER+STRICT"); err != nil {
		log.Fatal(err)
	}
	for indicator, err := range client.SecurityLabels.Indicators(ctx, "TLP:AMBER+STRICT", nil) {
		fmt.Println(indicator.Summary(), err)
	}
	// Output: login.example.com <nil>
}

func ExampleIndicatorsService_Lookup() {
	srv := threatconnecttest.New()
	for _, record := range []threatconnecttest.IndicatorRecord{
		{Owner: "Example Organization", Type: "Address", Summary: "192.0.2.7", Rating: new(2.0)},
		{Owner: "Example Source", Type: "Address", Summary: "192.0.2.7", Rating: new(5.0)},
	} {
		if err := srv.Seed(&record); err != nil {
			log.Fatal(err)
		}
	}
	ctx, client := context.Background(), srv.Client()

	values := []string{"192[.]0[.]2[.]7", "hxxps://evil[.]example/login", "a sentence"}
	for result, err := range client.Indicators.Lookup(ctx, slices.Values(values), &threatconnect.LookupOptions{AllOwners: true}) {
		if err != nil {
			log.Fatal(err)
		}
		switch {
		case result.Err != nil:
			fmt.Printf("%q: %v\n", result.Value, result.Err)
		case len(result.Found) == 0:
			fmt.Printf("%s: not found\n", result.Ref.Value)
		}
		for _, indicator := range result.Found {
			fmt.Printf("%s: %s rates it %g\n", result.Ref.Value, indicator.Meta().Owner.Name, *indicator.Meta().Rating)
		}
	}
	// Output:
	// 192.0.2.7: Example Organization rates it 2
	// 192.0.2.7: Example Source rates it 5
	// https://evil.example/login: not found
	// "a sentence": threatconnect: indicator is not recognized as an address, block, host, URL, email address, hash, ASN or registry key; use a Mutex, UserAgent or another type by name if it is one
}
