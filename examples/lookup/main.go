// Command lookup prints what all owners of an instance know about the given values.
//
//	go run ./lookup 203.0.113.42 'hxxps://login[.]invoices[.]example/verify'
//
// The environment names the instance: TC_BASE_URL, TC_ACCESS_ID and TC_SECRET_KEY, or TC_TOKEN.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"slices"

	"github.com/threatconnect-go/threatconnect"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	client, err := threatconnect.NewClientFromEnv(threatconnect.WithUserAgent("acme-lookup/1.0"))
	if err != nil {
		log.Fatal(err)
	}
	if err := lookup(ctx, client, os.Args[1:], os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// lookup writes a line for each owner that has a value, and one for each value that no owner has.
func lookup(ctx context.Context, client *threatconnect.Client, values []string, w io.Writer) error {
	options := &threatconnect.LookupOptions{AllOwners: true, Include: threatconnect.Include{Tags: true}}
	for result, err := range client.Indicators.Lookup(ctx, slices.Values(values), options) {
		switch {
		case err != nil:
			return err // the platform cannot answer for the other values, either
		case result.Err != nil:
			fmt.Fprintf(w, "%s\tnot looked up: %v\n", result.Value, result.Err)
		case len(result.Found) == 0:
			fmt.Fprintf(w, "%s\tnot found\n", result.Ref.Value)
		}
		for _, indicator := range result.Found {
			m := indicator.Meta()
			fmt.Fprintf(w, "%s\t%s\trating %s\tThreatAssess score %s", indicator.Summary(), m.Owner.Name,
				known(m.Rating), known(m.ThreatAssessScore))
			for _, tag := range m.Tags {
				fmt.Fprintf(w, "\t#%s", tag.Name)
			}
			fmt.Fprintln(w)
		}
	}
	return nil
}

// known writes a number, and a dash if the platform did not give one.
func known[T any](n *T) string {
	if n == nil {
		return "-"
	}
	return fmt.Sprint(*n)
}
