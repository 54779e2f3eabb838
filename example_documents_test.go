package threatconnect_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func ExampleDocumentsService_Upload() {
	client := threatconnecttest.New().Client()
	ctx := context.Background()

	document, err := client.Groups.Documents.Create(ctx, threatconnect.NewDocument("Phishing kit notes", "notes.txt"))
	if err != nil {
		log.Fatal(err)
	}
	// For a file, use threatconnect.FileContent: it is streamed, and opened again when a try fails.
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
