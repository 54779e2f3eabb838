package ioc_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/ioc"
)

func TestCanonicalOfEveryType(t *testing.T) {
	t.Parallel()
	md5, sha1 := strings.Repeat("A", 32), strings.Repeat("B", 40)
	for _, tc := range []struct {
		typ            ioc.Type
		in, want, rule string
	}{
		{typ: ioc.TypeAddress, in: " ::1 ", want: "0:0:0:0:0:0:0:1"},
		{typ: ioc.TypeEmailAddress, in: "a@B.example", want: "a@b.example"},
		{typ: ioc.TypeFile, in: sha1 + ":" + strings.ToLower(md5), want: md5 + " : " + sha1},
		{typ: ioc.TypeHost, in: "A.example.", want: "a.example"},
		{typ: ioc.TypeURL, in: "HTTP://A.example", want: "http://a.example"},
		{typ: ioc.TypeASN, in: "as 1", want: "ASN1"},
		{typ: ioc.TypeCIDR, in: "::/0", want: "0:0:0:0:0:0:0:0/0"},
		{typ: ioc.TypeMutex, in: " m ", want: " m "},
		{typ: ioc.TypeMutex, in: "m\n", rule: "holds a control character"},
		{typ: ioc.TypeRegistryKey, in: `HKU\a :  : reg_sz`, want: `HKEY_USERS\a :   : REG_SZ`},
		{typ: ioc.TypeRegistryKey, in: `HKU\a`, rule: "is not a key name, a value name and a value type"},
		{typ: ioc.TypeUserAgent, in: " u ", want: " u "},
		{typ: ioc.TypeUserAgent, in: "u\n", rule: "holds a control character"},
		{typ: ioc.TypeEmailSubject, in: " s ", want: " s "},
		{typ: ioc.TypeEmailSubject, in: "s\n", rule: "holds a control character"},
		{typ: ioc.TypeHashtag, in: "#h", want: "#h"},
		{typ: ioc.TypeHashtag, in: "#h\n", rule: "holds a control character"},
		{typ: ioc.TypeVulnerability, in: " cve-1999-0001\n", want: "CVE-1999-0001"},
		{typ: ioc.TypeVulnerability, in: "CVE-2021-0123456789", want: "CVE-2021-0123456789"},
		{typ: ioc.TypeVulnerability, in: "CVE-2021-01234567890", rule: "is not a CVE id"},
		{typ: ioc.TypeVulnerability, in: "CVE-2021-123", rule: "is not a CVE id"},
		{typ: ioc.TypeVulnerability, in: "CVE", rule: "is not a CVE id"},
		{typ: ioc.TypeVulnerability, in: "CVE-1998-0001", rule: "is not a CVE id"},
		{typ: ioc.TypeVulnerability, in: "CVE-2021x44228", rule: "is not a CVE id"},
		{typ: "Purse", in: "x", rule: "is not a type of this package"},
	} {
		got, err := ioc.Canonical(tc.typ, tc.in)
		assert.Equal(t, tc.want, got, "%s %q", tc.typ, tc.in)
		if tc.rule == "" {
			require.NoError(t, err)
			continue
		}
		var refusal *ioc.Error
		require.ErrorAs(t, err, &refusal)
		assert.Contains(t, refusal.Rule, tc.rule)
	}
	_, err := ioc.Canonical(ioc.TypeUserAgent, "")
	require.ErrorContains(t, err, "user agent is blank")
}

func TestNamesAndSummaries(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("a", n) }
	for name, tc := range map[string]struct {
		canonical func(string) (string, error)
		longest   int
	}{"tag": {ioc.CanonicalTag, 128}, "security label": {ioc.CanonicalSecurityLabel, 0}, "group name": {ioc.CanonicalGroupName, 100}} {
		got, err := tc.canonical(" " + long(max(tc.longest, 500*(1-min(tc.longest, 1)))) + " ")
		require.NoError(t, err, name)
		assert.NotContains(t, got, " ")
		var refusal *ioc.Error
		_, err = tc.canonical("")
		require.ErrorAs(t, err, &refusal)
		assert.Equal(t, name, refusal.Field)
		if tc.longest > 0 {
			_, err = tc.canonical(long(tc.longest + 1))
			require.ErrorAs(t, err, &refusal, name)
		}
	}
	md5, sha1, sha256 := long(32), long(40), long(64)
	assert.Equal(t, md5+" : "+sha1+" : "+sha256, ioc.JoinFileSummary(md5, sha1, sha256))
	var refusal *ioc.Error
	_, _, _, err := ioc.SplitFileSummary("x")
	require.ErrorAs(t, err, &refusal)
	_, _, _, err = ioc.SplitRegistrySummary("x")
	require.ErrorAs(t, err, &refusal)
	got, err := ioc.JoinRegistrySummary(`HKU\a`, "v", "reg_sz")
	require.NoError(t, err)
	assert.Equal(t, `HKEY_USERS\a : v : REG_SZ`, got)
	_, err = ioc.JoinRegistrySummary("x", "v", "reg_sz")
	require.ErrorAs(t, err, &refusal)
}
