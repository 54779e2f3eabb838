package canon

import (
	"strconv"
	"strings"
)

// ASN returns the number of an autonomous system in the form that the platform accepts: ASN64496.
//
// The input is a number from 0 to 4294967295, alone or after AS or ASN in any letter case, with
// optional spaces in between. Leading zeros and surrounding white space are removed. Anything else
// returns an [*Error], including the asdot notation (1.10).
//
// ASN does not allocate for a canonical ASN.
func ASN(asn string) (string, error) {
	const field = "ASN"
	s := strings.TrimSpace(asn)
	digits := asnDigits(s)
	if digits == "" {
		return "", refuse(field, "is not a number after ASN", "write it as in ASN64496")
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil {
		return "", refuse(field, "is larger than 4294967295", "correct the number")
	}
	if len(s) == len("ASN")+len(digits) && s[:len("ASN")] == "ASN" && (digits[0] != '0' || digits == "0") {
		return s, nil
	}
	return "ASN" + strconv.FormatUint(n, 10), nil
}

// asnDigits returns the digits of an ASN in any spelling, or "" if s is not an ASN.
func asnDigits(s string) string {
	if len(s) >= 2 && strings.EqualFold(s[:2], "AS") {
		s = s[2:]
		if s != "" && s[0]|0x20 == 'n' {
			s = s[1:]
		}
		s = strings.TrimLeft(s, " ")
	}
	if !allDigits(s) {
		return ""
	}
	return s
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func allDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}
