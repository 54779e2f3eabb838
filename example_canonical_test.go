package threatconnect_test

import (
	"errors"
	"fmt"

	"github.com/threatconnect-go/threatconnect"
)

func ExampleRefang() {
	fmt.Println(threatconnect.Refang("hxxps://www[.]example[.]com/a[.]b"))
	fmt.Println(threatconnect.Refang("user [at] example [dot] com"))
	// Output:
	// https://www.example.com/a[.]b
	// user@example.com
}

func ExampleCanonicalHost() {
	host, err := threatconnect.CanonicalHost("Österreich.icom.museum.")
	fmt.Println(host, err)

	_, err = threatconnect.CanonicalHost("0x7f000001")
	fmt.Println(errors.Is(err, threatconnect.ErrValidation), err)
	// Output:
	// xn--sterreich-z7a.icom.museum <nil>
	// true threatconnect: host name ends in a number, so that it can be read as an IPv4 address; use an Address, written as four decimal numbers without leading zeros
}

func ExampleCanonicalCIDR() {
	block, err := threatconnect.CanonicalCIDR("2001:0DB8:10::/48")
	fmt.Println(block, err)
	// Output: 2001:db8:10:0:0:0:0:0/48 <nil>
}

func ExampleCanonicalRegistryKey() {
	key, name, valueType, err := threatconnect.CanonicalRegistryKey(`HKLM\Software\Example`, "", "reg_sz")
	fmt.Printf("%q %q %q %v\n", key, name, valueType, err)
	// Output: "HKEY_LOCAL_MACHINE\\Software\\Example" " " "REG_SZ" <nil>
}
