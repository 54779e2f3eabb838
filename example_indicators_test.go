package threatconnect_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"regexp"
	"slices"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/ioc"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func ExampleTypedIndicators_Create() {
	ctx := context.Background()
	client := threatconnecttest.New().Client()

	host := threatconnect.NewHost("WWW.B\u00fccher.example")
	host.Rating, host.Confidence = new(3.0), new(60)
	created, err := client.Indicators.Hosts.Create(ctx, host)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(created.HostName, *created.Rating, *created.Confidence)

	// Output: www.xn--bcher-kva.example 3 60
}

func ExampleTypedIndicators_Get() {
	ctx := context.Background()
	client := threatconnecttest.New().Client()
	created, err := client.Indicators.Addresses.Create(ctx, threatconnect.NewAddress("192.0.2.7"))
	if err != nil {
		log.Fatal(err)
	}
	if err := client.Tags.Add(ctx, created, "Scanner"); err != nil {
		log.Fatal(err)
	}

	address, err := client.Indicators.Addresses.Get(ctx, "192.0.2.7", &threatconnect.IndicatorGetOptions{
		Include: threatconnect.Include{Tags: true},
	})
	if errors.Is(err, threatconnect.ErrNotFound) {
		fmt.Println("unknown")
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(address.IP, "is tagged", address.Tags[0].Name)
	// Output: 192.0.2.7 is tagged Scanner
}

// All reads one page of 500 hosts after another, when the loop needs it.
func ExampleTypedIndicators_All() {
	ctx := context.Background()
	srv := threatconnecttest.New()
	for _, name := range []string{"a.example", "b.example"} {
		if err := srv.Seed(&threatconnecttest.IndicatorRecord{Type: "Host", Summary: name}); err != nil {
			log.Fatal(err)
		}
	}
	client := srv.Client()

	for host, err := range client.Indicators.Hosts.All(ctx, nil) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(host.HostName)
	}
	// Output:
	// a.example
	// b.example
}

func ExampleTypedIndicators_Update() {
	ctx := context.Background()
	client := threatconnecttest.New().Client()

	host := threatconnect.NewHost("evil.example")
	host.Confidence = new(60)
	if _, err := client.Indicators.Hosts.Create(ctx, host); err != nil {
		log.Fatal(err)
	}

	// Fields that are nil stay as they are.
	updated, err := client.Indicators.Hosts.Update(ctx, "evil.example", threatconnect.IndicatorUpdate{Rating: new(4.0)})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(*updated.Rating, *updated.Confidence)

	// 0 is a rating: unknown.
	updated, err = client.Indicators.Hosts.Update(ctx, "evil.example", threatconnect.IndicatorUpdate{Rating: new(0.0)})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(*updated.Rating)

	_, err = client.Indicators.Hosts.Update(ctx, "evil.example", threatconnect.IndicatorUpdate{Size: new(int64(512))})
	fmt.Println(err)
	// Output:
	// 4 60
	// 0
	// threatconnect: IndicatorUpdate.Size is not a field of the type Host; leave it out, it is for File only
}

func ExampleIndicatorsService_All() {
	ctx := context.Background()
	client := threatconnecttest.New().Client()
	for _, value := range []string{"www.example.com", "192.0.2.7", "hxxp://evil[.]example/a"} {
		ind, err := threatconnect.ParseIndicator(value)
		if err != nil {
			log.Fatal(err)
		}
		ind.Meta().Rating = new(4.0)
		if _, err := client.Indicators.Create(ctx, ind); err != nil {
			log.Fatal(err)
		}
	}

	for ind, err := range client.Indicators.All(ctx, &threatconnect.IndicatorListOptions{
		Filters: threatconnect.Filters{threatconnect.ByRating.Above(3)},
	}) {
		if err != nil {
			log.Fatal(err)
		}
		switch ind := ind.(type) {
		case *threatconnect.Host:
			fmt.Println("host", ind.HostName)
		case *threatconnect.Address:
			fmt.Println("address", ind.IP)
		default:
			fmt.Println(ind.Type(), ind.Summary())
		}
	}
	// Unordered output:
	// host www.example.com
	// address 192.0.2.7
	// URL http://evil.example/a
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

// A type that the administrators of an instance have added is used by its name.
func ExampleIndicatorsService_Custom() {
	ctx := context.Background()
	srv := threatconnecttest.New()
	if err := srv.Seed(&threatconnecttest.IndicatorType{Name: "Wallet", Branch: "wallets", Entity: "wallet", Fields: []string{"Number", "Chain"}}); err != nil {
		log.Fatal(err)
	}
	wallets := srv.Client().Indicators.Custom("Wallet")

	if _, err := wallets.Create(ctx, threatconnect.NewCustomIndicator("Wallet", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT", "main")); err != nil {
		log.Fatal(err)
	}
	for wallet, err := range wallets.All(ctx, nil) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(wallet.Type(), wallet.Summary())
	}
	// Output: Wallet 1BoatSLRHtKNngkdXEeobR76b53LETtpyT : main
}

// Remove deleted indicators from a copy of an owner.
func ExampleIndicatorsService_Deleted() {
	ctx := context.Background()
	client := threatconnecttest.New().Client()
	if _, err := client.Indicators.Hosts.Create(ctx, threatconnect.NewHost("evil.example")); err != nil {
		log.Fatal(err)
	}
	if err := client.Indicators.Hosts.Delete(ctx, "evil.example"); err != nil {
		log.Fatal(err)
	}

	for deleted, err := range client.Indicators.Deleted(ctx, nil) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(deleted.Ref().Type, deleted.Ref().Value)
	}
	// Output: Host evil.example
}

func ExampleParseIndicator() {
	for _, text := range []string{"hxxps://evil[.]example/login", "192.0.2.7", "as64496", "two words"} {
		indicator, err := threatconnect.ParseIndicator(text)
		if err != nil {
			fmt.Println("not an indicator")
			continue
		}
		fmt.Println(indicator.Type(), indicator.Summary())
	}
	// Output:
	// URL https://evil.example/login
	// Address 192.0.2.7
	// ASN ASN64496
	// not an indicator
}

// Read the hosts that are rated above 3 and whose names begin with login.
func ExampleFilters() {
	ctx := context.Background()
	srv := threatconnecttest.New()
	for name, rating := range map[string]float64{"login.evil.example": 5, "login.example.com": 1, "www.evil.example": 5} {
		if err := srv.Seed(&threatconnecttest.IndicatorRecord{Type: "Host", Summary: name, Rating: &rating}); err != nil {
			log.Fatal(err)
		}
	}

	hosts, err := threatconnect.Collect(srv.Client().Indicators.Hosts.All(ctx, &threatconnect.IndicatorListOptions{
		Filters: threatconnect.Filters{
			threatconnect.ByRating.Above(3),
			threatconnect.BySummary.StartsWith("login"),
		},
	}))
	if err != nil {
		log.Fatal(err)
	}
	for _, host := range hosts {
		fmt.Println(host.HostName)
	}
	// Output: login.evil.example
}

// Read a long list faster: large pages, and up to 4 of them requested in parallel.
func ExampleListOptions() {
	ctx := context.Background()
	srv := threatconnecttest.New()
	for n := range 25 {
		if err := srv.Seed(&threatconnecttest.IndicatorRecord{Type: "Host", Summary: fmt.Sprintf("h%02d.example", n)}); err != nil {
			log.Fatal(err)
		}
	}

	n := 0
	for _, err := range srv.Client().Indicators.Hosts.All(ctx, &threatconnect.IndicatorListOptions{
		ListOptions: threatconnect.ListOptions{Limit: 5, Ahead: 4}, // with an instance: Limit: 10_000
	}) {
		if err != nil {
			log.Fatal(err)
		}
		n++
	}
	fmt.Println(n, "hosts in", len(srv.Requests()), "requests")
	// Output: 25 hosts in 5 requests
}

// Check values by the regular expressions of an instance.
func ExampleIndicatorTypeInfo_Patterns() {
	ctx := context.Background()
	client := threatconnecttest.New().Client()

	parser := &ioc.Parser{Strict: true, Patterns: make(map[ioc.Type][]*regexp.Regexp)}
	for info, err := range client.Types.Indicators(ctx, nil) {
		if err != nil {
			log.Fatal(err)
		}
		patterns, err := info.Patterns()
		if err != nil {
			log.Print(err) // values of this type are not matched
			continue
		}
		parser.Patterns[ioc.Type(info.Name)] = patterns
	}
	v, err := parser.Parse("as64496")
	fmt.Println(v.Type, v.Value, err)
	_, err = parser.Parse("_dmarc.example.com")
	fmt.Println(err)

	// Output:
	// ASN ASN64496 <nil>
	// ioc: host name holds an underscore where the platform allows none; correct it, or clear Strict of the ioc.Parser
}

func ExampleCanonicalHost() {
	host, err := threatconnect.CanonicalHost("Österreich.icom.museum.")
	fmt.Println(host, err)

	_, err = threatconnect.CanonicalHost("0x7f000001")
	fmt.Println(errors.Is(err, threatconnect.ErrValidation), err)
	// Output:
	// xn--sterreich-z7a.icom.museum <nil>
	// true threatconnect: host name ends in a number, so that it can be read as an IPv4 address; use an Address, written as four decimal numbers without leading zeros
}
