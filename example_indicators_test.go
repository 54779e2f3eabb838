package threatconnect_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"regexp"

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

// The regular expressions of an instance tell which values it accepts.
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

func ExampleTagsService_Add() {
	ctx := context.Background()
	client := threatconnecttest.New().Client()
	host, err := client.Indicators.Hosts.Create(ctx, threatconnect.NewHost("www.example.com"))
	if err != nil {
		log.Fatal(err)
	}

	if err := client.Tags.Add(ctx, host, "Phishing", "Nation State"); err != nil {
		log.Fatal(err)
	}
	tags, err := client.Tags.On(ctx, host)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(tags), "tags")
	// Output: 2 tags
}

func ExampleAttributesService_Add() {
	ctx := context.Background()
	client := threatconnecttest.New().Client()
	host, err := client.Indicators.Hosts.Create(ctx, threatconnect.NewHost("www.example.com"))
	if err != nil {
		log.Fatal(err)
	}

	a, err := client.Attributes.Add(ctx, host, threatconnect.Attribute{Type: "Description", Value: "Seen in a phishing mail.", Displayed: new(true)})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(a.ID > 0, a.Value)
	// Output: true Seen in a phishing mail.
}

func ExampleClient_Changes() {
	srv := threatconnecttest.New()
	client, ctx := srv.Client(), context.Background()
	hosts := client.Indicators.Hosts
	for _, name := range []string{"evil.example", "worse.example"} {
		if _, err := hosts.Create(ctx, threatconnect.NewHost(name)); err != nil {
			log.Fatal(err)
		}
	}

	var saved []byte // a program keeps it in a file or in the DataStore
	run := func() {
		var cursor threatconnect.Cursor
		if saved != nil {
			if err := json.Unmarshal(saved, &cursor); err != nil {
				log.Fatal(err)
			}
		}
		changes := client.Changes(ctx, cursor, nil)
		for change, err := range changes.All() {
			switch {
			case err != nil:
				log.Fatal(err) // the next run begins where this one began
			case change.Deleted:
				fmt.Println("unblock", change.Ref.Value)
			default:
				fmt.Println("block", change.Ref.Value)
			}
		}
		var err error
		if saved, err = json.Marshal(changes.Cursor()); err != nil {
			log.Fatal(err)
		}
	}
	run()
	if err := hosts.Delete(ctx, "evil.example"); err != nil {
		log.Fatal(err)
	}
	run()
	// Output:
	// block evil.example
	// block worse.example
	// unblock evil.example
}
