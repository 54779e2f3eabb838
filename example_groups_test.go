package threatconnect_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func ExampleTypedGroups_Create() {
	ctx := context.Background()
	client := threatconnecttest.New().Client()

	incident, err := client.Groups.Incidents.Create(ctx, threatconnect.NewIncident("Phish 42", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(incident.Name, incident.EventDate, incident.ID > 0)

	update := threatconnect.GroupUpdate{IncidentStatus: new(threatconnect.IncidentOpen)}
	if incident, err = client.Groups.Incidents.Update(ctx, incident.ID, update); err != nil {
		log.Fatal(err)
	}
	if err := client.Groups.Delete(ctx, incident); err != nil {
		log.Fatal(err)
	}
	// Output: Phish 42 2026-01-02 03:04:05 +0000 UTC true
}

func ExampleGroupsService_All() {
	ctx := context.Background()
	client := threatconnecttest.New().Client()
	for _, g := range []threatconnect.Group{threatconnect.NewThreat("Threat 1"), threatconnect.NewAdversary("Adversary 1"), threatconnect.NewMalware("Other")} {
		if _, err := client.Groups.Create(ctx, g); err != nil {
			log.Fatal(err)
		}
	}

	groups, err := threatconnect.Collect(client.Groups.All(ctx, &threatconnect.GroupListOptions{
		Filters: threatconnect.Filters{threatconnect.ByName.StartsWith("Threat"), threatconnect.ByName.StartsWith("Adversary")},
		Any:     true,
	}))
	if err != nil {
		log.Fatal(err)
	}
	for _, g := range groups {
		fmt.Println(g.Type(), g.Meta().Name)
	}
	// Unordered output:
	// Threat Threat 1
	// Adversary Adversary 1
}
