// Command customtype lists the indicator types of an instance that are not built in, and adds an indicator
// of one of them.
//
//	go run ./customtype                                  # list the types
//	go run ./customtype 'Example Source' 'MAC Address' 00-00-5e-00-53-01
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
	"strings"

	"github.com/threatconnect-go/threatconnect"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	client, err := threatconnect.NewClientFromEnv(threatconnect.WithUserAgent("acme-types/1.0"))
	if err != nil {
		log.Fatal(err)
	}
	switch args := os.Args[1:]; {
	case len(args) == 0:
		err = list(ctx, client, os.Stdout)
	case len(args) >= 3 && len(args) <= 5:
		err = add(ctx, client, os.Stdout, args[0], threatconnect.IndicatorType(args[1]), args[2], args[3:]...)
	default:
		log.Fatal("usage: customtype [OWNER TYPE VALUE1 [VALUE2 [VALUE3]]]")
	}
	if err != nil {
		log.Fatal(err)
	}
}

// list writes the types that are not built in, each with the labels of its values.
func list(ctx context.Context, client *threatconnect.Client, w io.Writer) error {
	for info, err := range client.Types.Indicators(ctx, nil) {
		if err != nil {
			return err
		}
		if info.Custom {
			fmt.Fprintf(w, "%s: %s\n", info.Name, strings.Join(info.Labels(), ", "))
		}
	}
	return nil
}

// add creates an indicator of a custom type and reads it back. The client reads the types of the
// instance when it first needs them, so the type needs no declaration.
func add(ctx context.Context, client *threatconnect.Client, w io.Writer, owner string, typ threatconnect.IndicatorType, value1 string, more ...string) error {
	service := client.InOwner(owner).Indicators.Custom(typ)
	indicator := threatconnect.NewCustomIndicator(typ, value1, more...)
	indicator.Rating = new(3.0)
	created, err := service.Create(ctx, indicator)
	if err != nil {
		return err
	}
	read, err := service.Get(ctx, created.Summary(), nil)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s %s in %s, rating %v\n", read.Type(), read.Summary(), read.Owner.Name, *read.Rating)
	return nil
}
