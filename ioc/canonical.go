package ioc

import (
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/canon"
)

// Canonical returns the spelling of a value that the platform accepts:
//
//   - host names in lower case, with internationalized labels in their IDNA form
//   - IPv6 addresses and blocks as eight groups
//   - hashes in upper case
//   - ASNs in the form ASN64496
//   - registry keys with the full name of their hive
//
// The value of a file is one hash, or several separated by " : ". The value of a registry key is
// its key name, value name and value type, separated by " : ". Canonical does not accept defanged
// values; call [Refang] first. Invalid values and unknown types return an [*Error]. Canonical is
// idempotent and safe for concurrent use.
func Canonical(t Type, value string) (string, error) { return (*Parser)(nil).Canonical(t, value) }

func canonical(t Type, value string) (string, error) {
	if t == TypeVulnerability {
		if id, ok := canonicalCVE(strings.TrimSpace(value)); ok {
			return id, nil
		}
		return "", &canon.Error{Field: "vulnerability", Rule: "is not a CVE id", Fix: "write it as in CVE-2021-44228"}
	}
	values, err := canon.Values(string(t), value)
	if err != nil {
		return "", err
	}
	return canon.Summary(string(t), values)
}

// canonicalCVE returns a CVE ID in upper case. It reports false if s is not a CVE ID.
func canonicalCVE(s string) (string, bool) {
	if len(s) < len("CVE-1999-0001") || len(s) > len("CVE-1999-0123456789") || !strings.EqualFold(s[:4], "CVE-") || s[8] != '-' {
		return "", false
	}
	for i := 4; i < len(s); i++ {
		if i != 8 && !isDigit(s[i]) {
			return "", false
		}
	}
	if s[4:8] < "1999" {
		return "", false
	}
	return "CVE" + s[3:], true
}

// CanonicalTag returns the name of a tag without surrounding white space.
//
// A name has 1 to 128 characters. Blank and longer names, invalid UTF-8, control characters and
// invisible characters return an [*Error].
func CanonicalTag(name string) (string, error) {
	return refused(canon.Tag(name))
}

// CanonicalSecurityLabel returns the name of a security label without surrounding white space.
//
// Letter case is significant and preserved. Blank names, invalid UTF-8, control characters and
// invisible characters return an [*Error].
func CanonicalSecurityLabel(name string) (string, error) {
	return refused(canon.SecurityLabel(name))
}

// CanonicalGroupName returns the name of a group without surrounding white space.
//
// A name has 1 to 100 characters. Blank and longer names, invalid UTF-8, control characters and
// invisible characters return an [*Error]. Names are never truncated.
func CanonicalGroupName(name string) (string, error) {
	return refused(canon.GroupName(name))
}

// JoinFileSummary returns the value of a file: its hashes in the order MD5, SHA-1, SHA-256,
// separated by " : ". It omits empty hashes and does not validate the others.
func JoinFileSummary(md5, sha1, sha256 string) string {
	return canon.JoinFileSummary(md5, sha1, sha256)
}

// SplitFileSummary returns the hashes in the value of a file in canonical form. Missing hashes are
// "".
//
// It accepts every form that the platform and its clients write: a single hash, or up to three
// hashes separated by colons and spaces, with or without empty places for missing ones. The length
// of a hash determines its type, and their order is not significant. A value without a hash, or
// with two hashes of the same type, returns an [*Error].
func SplitFileSummary(summary string) (md5, sha1, sha256 string, err error) {
	md5, sha1, sha256, err = canon.SplitFileSummary(summary)
	return md5, sha1, sha256, public(err)
}

// JoinRegistrySummary returns the value of a registry key: its key name, value name and value type
// in canonical form, separated by " : ".
//
// The key name is expanded to the full name of its hive: HKLM\Software becomes
// HKEY_LOCAL_MACHINE\Software. An empty value name, which denotes the default value of the key,
// becomes a space. The value type is one of the eleven that the platform accepts, such as REG_SZ,
// in any letter case. Other arguments return an [*Error]. So do arguments that contain " : " if
// they make the result ambiguous.
func JoinRegistrySummary(key, valueName, valueType string) (string, error) {
	return refused(canon.JoinRegistrySummary(key, valueName, valueType))
}

// SplitRegistrySummary returns the key name, value name and value type in the value of a registry
// key, in canonical form. A value in which a part contains " : " is ambiguous and returns an
// [*Error].
func SplitRegistrySummary(summary string) (key, valueName, valueType string, err error) {
	key, valueName, valueType, err = canon.SplitRegistrySummary(summary)
	return key, valueName, valueType, public(err)
}
