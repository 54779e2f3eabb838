package threatconnect_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"
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
	fmt.Println(incident.Name, incident.EventDate)
	if err := client.Groups.Delete(ctx, incident); err != nil {
		log.Fatal(err)
	}
	// Output: Phish 42 2026-01-02 03:04:05 +0000 UTC
}

// Update sends the fields that are set and leaves the others as they are.
func ExampleTypedGroups_Update() {
	ctx := context.Background()
	client := threatconnecttest.New().Client()
	incident, err := client.Groups.Incidents.Create(ctx, threatconnect.NewIncident("Phish 42", time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)))
	if err != nil {
		log.Fatal(err)
	}

	open := threatconnect.GroupUpdate{IncidentStatus: new(threatconnect.IncidentOpen)}
	if _, err := client.Groups.Incidents.Update(ctx, incident.ID, open); err != nil {
		log.Fatal(err)
	}
	incident, err = client.Groups.Incidents.Get(ctx, incident.ID, nil) // with the status, which Update does not return
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(incident.Name, "is", incident.Status)
	// Output: Phish 42 is Open
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

func ExampleDocumentsService_Upload() {
	client := threatconnecttest.New().Client()
	ctx := context.Background()

	document, err := client.Groups.Documents.Create(ctx, threatconnect.NewDocument("Phishing kit notes", "notes.txt"))
	if err != nil {
		log.Fatal(err)
	}
	// For a file, use threatconnect.FileContent, which opens the file again for a retry.
	content := threatconnect.ReaderContent(strings.NewReader("seen on www.example.com\n"), -1)
	if err := client.Groups.Documents.Upload(ctx, document.ID, content, nil); err != nil {
		log.Fatal(err)
	}
	n, err := client.Groups.Documents.Download(ctx, document.ID, os.Stdout)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(n, "bytes")
	// Output:
	// seen on www.example.com
	// 24 bytes
}

// Download a document into a file. What was written before an error stays in the file.
func ExampleDocumentsService_Download() {
	ctx := context.Background()
	client := threatconnecttest.New().Client()
	document, err := client.Groups.Documents.Create(ctx, threatconnect.NewDocument("Analysis", "analysis.txt"))
	if err != nil {
		log.Fatal(err)
	}
	if err := client.Groups.Documents.Upload(ctx, document.ID, threatconnect.BytesContent([]byte("The loader beacons every hour.")), nil); err != nil {
		log.Fatal(err)
	}

	file, err := os.CreateTemp("", "analysis-*.txt")
	if err != nil {
		log.Fatal(err)
	}
	defer os.Remove(file.Name())
	n, err := client.Groups.Documents.Download(ctx, document.ID, file)
	if err := errors.Join(err, file.Close()); err != nil {
		log.Fatal(err)
	}
	fmt.Println(n, "bytes")
	// Output: 30 bytes
}

func ExampleReportsService_Upload() {
	ctx := context.Background()
	client := threatconnecttest.New().Client()
	report, err := client.Groups.Reports.Create(ctx, threatconnect.NewReport("Phishing in 2026", "report.pdf"))
	if err != nil {
		log.Fatal(err)
	}

	// FileContent streams a file and opens it again for a retry.
	content := threatconnect.BytesContent([]byte("%PDF-1.7 ..."))
	if err := client.Groups.Reports.Upload(ctx, report.ID, content, nil); err != nil {
		log.Fatal(err)
	}
	report, err = client.Groups.Reports.Get(ctx, report.ID, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report.FileName, report.Status)
	// Output: report.pdf Success
}

func ExampleSignaturesService_Text() {
	client := threatconnecttest.New().Client()
	ctx := context.Background()

	signature, err := client.Groups.Signatures.Create(ctx,
		threatconnect.NewSignature("Example rule", "example.yar", threatconnect.SignatureYARA, "rule example { condition: false }"))
	if err != nil {
		log.Fatal(err)
	}
	text, err := client.Groups.Signatures.Text(ctx, signature.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(text)
	// Output: rule example { condition: false }
}
