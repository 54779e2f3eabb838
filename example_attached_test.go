package threatconnect_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

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

func ExampleSecurityLabelsService_Add() {
	ctx := context.Background()
	client := threatconnecttest.New().Client()
	host, err := client.Indicators.Hosts.Create(ctx, threatconnect.NewHost("login.example.com"))
	if err != nil {
		log.Fatal(err)
	}

	if err := client.SecurityLabels.Add(ctx, host, "TLP:AMBER"); err != nil {
		log.Fatal(err)
	}
	labels, err := client.SecurityLabels.On(ctx, host)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(labels[0].Name)
	// Output: TLP:AMBER
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

func ExampleAttackTags() {
	tags, err := threatconnect.AttackTags(threatconnect.AttackEnterprise, "T1546.011", "Event Triggered Execution", "persistence", "privilege-escalation")
	if err != nil {
		log.Fatal(err)
	}
	for _, tag := range tags {
		fmt.Println(tag)
	}
	// Output:
	// T1546.011 - Event Triggered Execution - PER - ENT - ATT&CK
	// T1546.011 - Event Triggered Execution - PRI - ENT - ATT&CK
}

func ExampleParseAttackTag() {
	tag, ok := threatconnect.ParseAttackTag("T1003 - OS Credential Dumping - CRA - ENT - ATT&CK")
	fmt.Println(tag.TechniqueID, tag.Technique, "for", tag.Tactic.Name, ok)
	// Output: T1003 OS Credential Dumping for Credential Access true
}

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

// A link between two indicators needs a type. The error lists the types that the pair can have.
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
