package canon

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAddress(t *testing.T) {
	t.Parallel()
	const loose = "is not four decimal numbers"
	runCanonicalCases(t, Address, []canonicalCase{
		{name: "IPv4 stays", in: "192.0.2.1", want: "192.0.2.1"},
		{name: "white space around it is removed", in: " 192.0.2.1 \r\n", want: "192.0.2.1"},
		{name: "short IPv6 gets eight groups", in: "2001:db8::1", want: "2001:db8:0:0:0:0:0:1"},
		{name: "IPv6 in capitals and with leading zeros becomes plain", in: "2001:0DB8:0000:0000:0000:0000:0000:000A", want: "2001:db8:0:0:0:0:0:a"},
		{name: "eight groups stay", in: "2001:db8:0:0:0:0:0:1", want: "2001:db8:0:0:0:0:0:1"},
		{name: "the zero address gets eight groups", in: "::", want: "0:0:0:0:0:0:0:0"},
		{name: "IPv4 mapped into IPv6 becomes IPv4", in: "::ffff:192.0.2.1", want: "192.0.2.1"},
		{name: "IPv4 mapped into IPv6 in hexadecimal becomes IPv4", in: "::FFFF:C000:201", want: "192.0.2.1"},
		{name: "IPv4 at the end of any other IPv6 is written in hexadecimal", in: "64:ff9b::192.0.2.1", want: "64:ff9b:0:0:0:0:c000:201"},

		{name: "a blank value is refused", in: " ", rule: "is blank"},
		{name: "leading zeros are refused", in: "192.0.02.1", rule: loose},
		{name: "octal is refused", in: "0300.0000.0002.0001", rule: loose},
		{name: "a hexadecimal integer is refused", in: "0xC0000201", rule: loose},
		{name: "a decimal integer is refused", in: "3221225985", rule: loose},
		{name: "three numbers are refused", in: "192.0.513", rule: loose},
		{name: "five numbers are refused", in: "192.0.2.1.5", rule: loose},
		{name: "a number over 255 is refused", in: "192.0.2.256", rule: loose},
		{name: "a final dot is refused", in: "192.0.2.1.", rule: loose},
		{name: "a zone is refused", in: "fe80::1%eth0", rule: "has a zone"},
		{name: "IPv4 with a port is refused", in: "192.0.2.1:80", rule: "has a port"},
		{name: "brackets are refused", in: "[2001:db8::1]", rule: "has brackets"},
		{name: "a block is refused", in: "192.0.2.0/24", rule: "holds a slash"},
		{name: "a defanged address is refused", in: "192[.]0.2.1", rule: "is defanged"},
		{name: "a name is refused", in: "www.example.com", rule: "is neither an IPv4 nor an IPv6 address"},
		{name: "nine groups are refused", in: "1:2:3:4:5:6:7:8:9", rule: "is neither an IPv4 nor an IPv6 address"},
		{name: "a NUL is refused", in: "192.0.2.1\x00", rule: "holds a control character"},
	})
}

func TestCIDR(t *testing.T) {
	t.Parallel()
	runCanonicalCases(t, CIDR, []canonicalCase{
		{name: "an IPv4 block stays", in: "192.0.2.0/24", want: "192.0.2.0/24"},
		{name: "a block of one address stays", in: "192.0.2.1/32", want: "192.0.2.1/32"},
		{name: "the whole of IPv4 stays", in: "0.0.0.0/0", want: "0.0.0.0/0"},
		{name: "white space around it is removed", in: " 192.0.2.0/24\n", want: "192.0.2.0/24"},
		{name: "a short IPv6 block gets eight groups", in: "2001:db8::/32", want: "2001:db8:0:0:0:0:0:0/32"},
		{name: "capitals and leading zeros become plain", in: "2001:0DB8:0010:0000:0000:0000:0000:0000/48", want: "2001:db8:10:0:0:0:0:0/48"},
		{name: "the whole of IPv6 gets eight groups", in: "::/0", want: "0:0:0:0:0:0:0:0/0"},

		{name: "an empty value is refused", in: "", rule: "has no length"},
		{name: "an address is refused", in: "192.0.2.1", rule: "has no length"},
		{name: "bits after the length are refused", in: "192.0.2.1/24", rule: "has an address that is not the first"},
		{name: "bits after the length of IPv6 are refused", in: "2001:db8::1/32", rule: "has an address that is not the first"},
		{name: "a length over 32 is refused", in: "192.0.2.0/33", rule: "has a length that is not a number from 0 to 32"},
		{name: "a length over 128 is refused", in: "2001:db8::/129", rule: "has a length that is not a number from 0 to 128"},
		{name: "a negative length is refused", in: "192.0.2.0/-1", rule: "has a length"},
		{name: "a length with a leading zero is refused", in: "192.0.2.0/024", rule: "has a length"},
		{name: "a netmask is refused", in: "192.0.2.0/255.255.255.0", rule: "has a length"},
		{name: "two slashes are refused", in: "192.0.2.0/24/24", rule: "has a length"},
		{name: "leading zeros in the address are refused", in: "192.0.02.0/24", rule: "is not four decimal numbers"},
		{name: "a zone is refused", in: "fe80::%eth0/64", rule: "has a zone"},
		{name: "an IPv4 block inside IPv6 is refused", in: "::ffff:192.0.2.0/120", rule: "is an IPv4 block written as IPv6"},
		{name: "a defanged block is refused", in: "192[.]0.2.0/24", rule: "is defanged"},
	})
}

func TestAddressDoesNotAllocateForCanonicalAddresses(t *testing.T) {
	for _, address := range []string{"203.0.113.255", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"} {
		_, err := Address(address)
		assert.NoError(t, err)
		assert.Zero(t, testing.AllocsPerRun(100, func() { _, _ = Address(address) }), address)
	}
}
