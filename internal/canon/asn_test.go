package canon

import "testing"

func TestASN(t *testing.T) {
	t.Parallel()
	runCanonicalCases(t, ASN, []canonicalCase{
		{name: "the canonical form stays", in: "ASN64496", want: "ASN64496"},
		{name: "a bare number gets its letters", in: "64496", want: "ASN64496"},
		{name: "AS becomes ASN", in: "AS64496", want: "ASN64496"},
		{name: "spaces are removed", in: " AS  64496 ", want: "ASN64496"},
		{name: "lower case becomes upper case", in: "asn 64496", want: "ASN64496"},
		{name: "a space after the letters is removed", in: "ASN 64496", want: "ASN64496"},
		{name: "a number of one digit gets its letters", in: "7", want: "ASN7"},
		{name: "leading zeros are removed", in: "ASN00064496", want: "ASN64496"},
		{name: "many leading zeros are removed", in: "AS00000000000000000000000000001", want: "ASN1"},
		{name: "zero passes", in: "AS000", want: "ASN0"},
		{name: "the largest number passes", in: "4294967295", want: "ASN4294967295"},

		{name: "a number over 32 bits is refused", in: "ASN4294967296", rule: "is larger than 4294967295"},
		{name: "a huge number is refused", in: "99999999999999999999999", rule: "is larger than 4294967295"},
		{name: "two letters alone are refused", in: "AS", rule: "is not a number after ASN"},
		{name: "letters alone are refused", in: "ASN", rule: "is not a number after ASN"},
		{name: "an empty value is refused", in: "", rule: "is not a number after ASN"},
		{name: "a hyphen is refused", in: "ASN-1", rule: "is not a number after ASN"},
		{name: "two numbers with a dot are refused", in: "AS1.10", rule: "is not a number after ASN"},
		{name: "a space between the letters is refused", in: "A SN1", rule: "is not a number after ASN"},
		{name: "digits of another script are refused", in: "ASN１", rule: "is not a number after ASN"},
	})
}
