package threatconnect_test

import (
	"errors"
	"fmt"

	"github.com/threatconnect-go/threatconnect"
)

func ExampleCanonicalHost() {
	host, err := threatconnect.CanonicalHost("Österreich.icom.museum.")
	fmt.Println(host, err)

	_, err = threatconnect.CanonicalHost("0x7f000001")
	fmt.Println(errors.Is(err, threatconnect.ErrValidation), err)
	// Output:
	// xn--sterreich-z7a.icom.museum <nil>
	// true threatconnect: host name ends in a number, so that it can be read as an IPv4 address; use an Address, written as four decimal numbers without leading zeros
}
