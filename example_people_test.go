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

func ExampleTasksService_Create() {
	ctx := context.Background()
	client := threatconnecttest.New().Client() // with an instance: threatconnect.NewClientFromEnv()

	task, err := client.Tasks.Create(ctx, &threatconnect.Task{
		Name:      "Call the bank",
		DueDate:   time.Date(2050, time.January, 2, 15, 0, 0, 0, time.UTC),
		Assignees: []threatconnect.User{{UserName: "analyst@example.com"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(task.Name, "is", task.Status, "and with", task.Assignees[0].FirstName)

	done, err := client.Tasks.Update(ctx, task.ID, threatconnect.TaskUpdate{Status: new(threatconnect.TaskCompleted)})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("now it is", done.Status)
	// Output:
	// Call the bank is Not Started and with Alex
	// now it is Completed
}

func ExampleTasksService_All() {
	ctx := context.Background()
	srv := threatconnecttest.New()
	for name, due := range map[string]time.Time{"Call the bank": time.Now().Add(-time.Hour), "Write the report": time.Now().Add(time.Hour)} {
		if err := srv.Seed(&threatconnecttest.TaskRecord{Name: name, DueDate: due}); err != nil {
			log.Fatal(err)
		}
	}
	client := srv.Client()

	for task, err := range client.Tasks.All(ctx, &threatconnect.TaskListOptions{
		Filters: threatconnect.Filters{threatconnect.ByOverdue.Is(true)},
	}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(task.Name)
	}
	// Output:
	// Call the bank
}

func ExampleTaskUsersService_Add() {
	ctx := context.Background()
	srv := threatconnecttest.New()
	task := &threatconnecttest.TaskRecord{Name: "Call the bank"}
	if err := srv.Seed(task); err != nil {
		log.Fatal(err)
	}
	client := srv.Client()

	ref := threatconnect.TaskRef{ID: task.ID}
	if err := client.Tasks.Escalatees.Add(ctx, ref, "analyst@example.com"); err != nil {
		log.Fatal(err)
	}
	users, err := client.Tasks.Escalatees.On(ctx, ref)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(users[0].UserName)
	// Output:
	// analyst@example.com
}

func ExampleVictimsService() {
	ctx := context.Background()
	client := threatconnecttest.New().Client()

	victim, err := client.Victims.Create(ctx, &threatconnect.Victim{Name: "Jo Example", Org: "Example Inc"})
	if err != nil {
		log.Fatal(err)
	}
	victim, err = client.Victims.Update(ctx, victim.ID, threatconnect.VictimUpdate{Name: &victim.Name, Suborg: new("Accounting")})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(victim.Name, "works in", victim.Suborg, "of", victim.Org)

	if err := client.Victims.Delete(ctx, victim.ID); err != nil {
		log.Fatal(err)
	}
	_, err = client.Victims.Get(ctx, victim.ID, nil)
	fmt.Println(errors.Is(err, threatconnect.ErrNotFound))
	// Output:
	// Jo Example works in Accounting of Example Inc
	// true
}

func ExampleVictimAssetsService() {
	ctx := context.Background()
	client := threatconnecttest.New().Client()

	victim, err := client.Victims.Create(ctx, &threatconnect.Victim{Name: "Jo Example", Org: "Example Inc"})
	if err != nil {
		log.Fatal(err)
	}
	for _, asset := range []threatconnect.VictimAsset{
		&threatconnect.VictimEmailAddress{Address: "jo@example.com", AddressType: "Work"},
		&threatconnect.VictimPhone{Number: "555-0100"},
	} {
		if _, err := client.VictimAssets.Add(ctx, victim, asset); err != nil {
			log.Fatal(err)
		}
	}

	assets, err := client.VictimAssets.On(ctx, victim)
	if err != nil {
		log.Fatal(err)
	}
	for _, asset := range assets {
		switch asset := asset.(type) {
		case *threatconnect.VictimEmailAddress:
			fmt.Println("write to", asset.Address)
		case *threatconnect.VictimPhone:
			fmt.Println("call", asset.Number)
		default:
			fmt.Println(asset.Type(), asset.Summary())
		}
	}
	// Output:
	// write to jo@example.com
	// call 555-0100
}

func ExampleAdversaryAssetsService() {
	ctx := context.Background()
	srv := threatconnecttest.New()
	group := &threatconnecttest.GroupRecord{Type: "Adversary", Name: "Bad Guy"}
	if err := srv.Seed(group); err != nil {
		log.Fatal(err)
	}
	client := srv.Client()

	adversary := threatconnect.GroupRef{Type: threatconnect.GroupAdversary, ID: group.ID}
	handle := threatconnect.AdversaryAsset{Type: threatconnect.AdversaryAssetHandle, Value: "badguy42"}
	if _, err := client.AdversaryAssets.Add(ctx, adversary, handle); err != nil {
		log.Fatal(err)
	}
	assets, err := client.AdversaryAssets.On(ctx, adversary)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(assets[0].Type, assets[0].Value)
	// Output:
	// Handle badguy42
}
