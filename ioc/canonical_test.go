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
		{ioc.TypeAddress, " ::1 ", "0:0:0:0:0:0:0:1", ""},
		{ioc.TypeEmailAddress, "a@B.example", "a@b.example", ""},
		{ioc.TypeFile, sha1 + ":" + strings.ToLower(md5), md5 + " : " + sha1, ""},
		{ioc.TypeHost, "A.example.", "a.example", ""},
		{ioc.TypeURL, "HTTP://A.example", "http://a.example", ""},
		{ioc.TypeASN, "as 1", "ASN1", ""},
		{ioc.TypeCIDR, "::/0", "0:0:0:0:0:0:0:0/0", ""},
		{ioc.TypeMutex, " m ", " m ", ""},
		{ioc.TypeMutex, "m\n", "", "holds a control character"},
		{ioc.TypeRegistryKey, `HKU\a :  : reg_sz`, `HKEY_USERS\a :   : REG_SZ`, ""},
		{ioc.TypeRegistryKey, `HKU\a`, "", "is not a key name, a value name and a value type"},
		{ioc.TypeUserAgent, " u ", " u ", ""},
		{ioc.TypeUserAgent, "u\n", "", "holds a control character"},
		{ioc.TypeEmailSubject, " s ", " s ", ""},
		{ioc.TypeEmailSubject, "s\n", "", "holds a control character"},
		{ioc.TypeHashtag, "#h", "#h", ""},
		{ioc.TypeHashtag, "#h\n", "", "holds a control character"},
		{ioc.TypeVulnerability, " cve-1999-0001\n", "CVE-1999-0001", ""},
		{ioc.TypeVulnerability, "CVE-2021-0123456789", "CVE-2021-0123456789", ""},
		{ioc.TypeVulnerability, "CVE-2021-01234567890", "", "is not a CVE id"},
		{ioc.TypeVulnerability, "CVE-2021-123", "", "is not a CVE id"},
		{ioc.TypeVulnerability, "CVE", "", "is not a CVE id"},
		{ioc.TypeVulnerability, "CVE-1998-0001", "", "is not a CVE id"},
		{ioc.TypeVulnerability, "CVE-2021x44228", "", "is not a CVE id"},
		{"Purse", "x", "", "is not a type of this package"},
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
