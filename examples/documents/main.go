// Command documents uploads a file as a document that is associated with an incident, and downloads it
// again.
//
//	go run ./documents 'Example Source' report.pdf
//
// The environment names the instance: TC_BASE_URL, TC_ACCESS_ID and TC_SECRET_KEY, or TC_TOKEN.
package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/threatconnect-go/threatconnect"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(os.Args) != 3 {
		log.Fatal("usage: documents OWNER FILE")
	}
	client, err := threatconnect.NewClientFromEnv(threatconnect.WithUserAgent("acme-documents/1.0"))
	if err != nil {
		log.Fatal(err)
	}
	id, err := upload(ctx, client.InOwner(os.Args[1]), os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	if err := check(ctx, client.InOwner(os.Args[1]), id, os.Args[2]); err != nil {
		log.Fatal(err)
	}
	fmt.Println("document", id, "has the content of the file")
}

// upload creates an incident and a document, associates them, and uploads the file, which is streamed:
// its size does not matter. A failed upload is retried with the file opened again.
func upload(ctx context.Context, client *threatconnect.Client, path string) (int64, error) {
	content, err := threatconnect.FileContent(path)
	if err != nil {
		return 0, err
	}
	name := filepath.Base(path)
	incident, err := client.Groups.Incidents.Create(ctx, threatconnect.NewIncident("Report "+name, time.Now()))
	if err != nil {
		return 0, err
	}
	document, err := client.Groups.Documents.Create(ctx, threatconnect.NewDocument(name, name))
	if err != nil {
		return 0, err
	}
	if err := client.Associations.Link(ctx, incident, document); err != nil {
		return 0, err
	}
	return document.ID, client.Groups.Documents.Upload(ctx, document.ID, content, nil)
}

// check compares the document with the file.
func check(ctx context.Context, client *threatconnect.Client, id int64, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	want, got := sha256.New(), sha256.New()
	if _, err := io.Copy(want, file); err != nil {
		return err
	}
	if _, err := client.Groups.Documents.Download(ctx, id, got); err != nil {
		return err
	}
	if string(want.Sum(nil)) != string(got.Sum(nil)) {
		return errors.New("the document differs from the file")
	}
	return nil
}
