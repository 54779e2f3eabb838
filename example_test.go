package threatconnect_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// Create an indicator, look it up, and handle a value that the platform does not know.
func Example() {
	// With an instance of your own:
	//	client, err := threatconnect.NewClient("https://app.threatconnect.com/api",
	//		threatconnect.HMAC(accessID, secretKey), threatconnect.WithOwner("Example Source"))
	client := threatconnecttest.New().Client(threatconnect.WithOwner("Example Source"))
	ctx := context.Background()

	host := threatconnect.NewHost("login.evil.example")
	host.Rating, host.Confidence = new(4.0), new(80)
	if _, err := client.Indicators.Hosts.Create(ctx, host); err != nil {
		log.Fatal(err)
	}

	for _, name := range []string{"login.evil.example", "www.example.com"} {
		host, err := client.Indicators.Hosts.Get(ctx, name, nil)
		switch {
		case errors.Is(err, threatconnect.ErrNotFound):
			fmt.Println(name, "is unknown")
		case err != nil:
			log.Fatal(err)
		default:
			fmt.Printf("%s in %s: rating %g, confidence %d\n", host.HostName, host.Owner.Name, *host.Rating, *host.Confidence)
		}
	}
	// Output:
	// login.evil.example in Example Source: rating 4, confidence 80
	// www.example.com is unknown
}
