package ioc_test

import (
	"fmt"

	"github.com/threatconnect-go/threatconnect/ioc"
)

func ExampleParse() {
	v, err := ioc.Parse("hxxps://www[.]example[.]com/login")
	fmt.Println(v.Type, v.Value, err)

	_, err = ioc.Parse("192.0.2.01")
	fmt.Println(err)
	// Output:
	// URL https://www.example.com/login <nil>
	// ioc: address is not four decimal numbers from 0 to 255 without leading zeros; write it so; other notations mean different addresses to different programs
}

func ExampleCanonical() {
	fmt.Println(ioc.Canonical(ioc.TypeCIDR, "2001:0DB8:10::/48"))
	fmt.Println(ioc.Canonical(ioc.TypeRegistryKey, `HKLM\Software\Example : Version : reg_sz`))
	// Output:
	// 2001:db8:10:0:0:0:0:0/48 <nil>
	// HKEY_LOCAL_MACHINE\Software\Example : Version : REG_SZ <nil>
}

func ExampleRefang() {
	fmt.Println(ioc.Refang("hxxps://www[.]example[.]com/a"))
	fmt.Println(ioc.Refang("user [at] example [dot] com"))
	// Output:
	// https://www.example.com/a
	// user@example.com
}
