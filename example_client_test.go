package threatconnect_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func ExampleNewClient() {
	client, err := threatconnect.NewClient(" https://app.threatconnect.com/api/v2/ ",
		threatconnect.HMAC("01234567890123456789", "the secret key"), threatconnect.WithOwner("Example Source"), threatconnect.WithUserAgent("acme-feed/1.4.2"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(client)

	_, err = threatconnect.NewClient("app.threatconnect.com/api", threatconnect.Token("the token"))
	fmt.Println(err)
	// Output:
	// threatconnect.Client(https://app.threatconnect.com/api, owner "Example Source")
	// threatconnect: base URL has no https:// scheme; write it as in https://app.threatconnect.com/api
}

func ExampleAPIError() {
	srv := threatconnecttest.New()
	client := srv.Client()

	_, err := client.Indicators.Hosts.Get(context.Background(), "www.example.com", nil)
	fmt.Println(err)
	fmt.Println(errors.Is(err, threatconnect.ErrNotFound))
	if api, ok := errors.AsType[*threatconnect.APIError](err); ok {
		fmt.Println(api.StatusCode, api.Route)
	}
	// Output:
	// threatconnect: GET /v2/indicators/hosts/{}: 404 Not Found: "The requested resource was not found"
	// true
	// 404 /v2/indicators/hosts/{}
}

func ExampleValidationError() {
	client := threatconnecttest.New().Client()

	_, err := client.Indicators.Hosts.Create(context.Background(), threatconnect.NewHost("not a host"))
	fmt.Println(errors.Is(err, threatconnect.ErrValidation))
	if invalid, ok := errors.AsType[*threatconnect.ValidationError](err); ok {
		fmt.Println(invalid.Field)
	}
	// Output:
	// true
	// host name
}

func ExampleSign() {
	fmt.Println(threatconnect.Sign("secret", http.MethodGet, "/v2/owners", time.Unix(1700000000, 0)))
	// Output: 6jy36dIubhuo3RrR8Y/6qQjNuOdFNF49FeMrmB5dHYY=
}

func ExampleClient_Do() {
	client := threatconnecttest.New().Client()

	resp, err := client.Do(context.Background(), threatconnect.Request{
		Method: http.MethodGet,
		Path:   "/v2/indicators/hosts/" + threatconnect.PathSegment("www.example.com"),
	})
	if errors.Is(err, threatconnect.ErrNotFound) {
		fmt.Println("not there")
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	// Output: not there
}

func ExampleOwnersService_Whoami() {
	client := threatconnecttest.New().Client()

	_, err := client.Owners.Whoami(context.Background())
	fmt.Println("base URL and credentials are right:", err == nil)
	// Output: base URL and credentials are right: true
}
