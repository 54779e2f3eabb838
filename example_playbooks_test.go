package threatconnect_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// Bringing a playbook from one instance to another.
func ExamplePlaybooksService_Export() {
	staging, production := threatconnecttest.New(), threatconnecttest.New()
	if err := staging.Seed(&threatconnecttest.Playbook{Name: "Triage alerts", GroupXID: "example-triage"}); err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	var pbx bytes.Buffer
	if _, err := staging.Client().Playbooks.Export(ctx, "example-triage", threatconnect.PlaybookPBX, &pbx); err != nil {
		log.Fatal(err)
	}
	playbooks := production.Client().Playbooks
	playbook, err := playbooks.Import(ctx, pbx.Bytes())
	if err != nil {
		log.Fatal(err)
	}
	if err := playbooks.Activate(ctx, playbook.Ref()); err != nil {
		log.Fatal(err)
	}
	active := &threatconnect.PlaybookListOptions{Status: threatconnect.PlaybookActive}
	for playbook, err := range playbooks.All(ctx, active) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(playbook.Name, playbook.Status)
	}
	// Output: Triage alerts Active
}

func ExamplePlaybookTrigger_Fire() {
	// What stands in for a playbook with an HTTP trigger.
	playbook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _, _ := r.BasicAuth()
		alert, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s sent %s", user, alert)
	}))
	defer playbook.Close()

	trigger, err := threatconnect.NewPlaybookTrigger(playbook.URL, &threatconnect.PlaybookTriggerOptions{Username: "sensor", Password: "example"})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	answer, err := trigger.Fire(ctx, map[string]any{"host": "www.example.com", "severity": 3})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", answer.Body)
	// Output: sensor sent {"host":"www.example.com","severity":3}
}
