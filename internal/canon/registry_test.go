package canon

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRegistryKey(t *testing.T) {
	t.Parallel()
	const noHive = "does not begin with a hive"
	for _, tc := range []struct {
		name, key, value, kind             string
		wantKey, wantValue, wantKind, rule string
	}{
		{name: "a canonical key stays", key: `HKEY_USERS\a\B`, value: "V", kind: "REG_SZ", wantKey: `HKEY_USERS\a\B`, wantValue: "V", wantKind: "REG_SZ"},
		{name: "HKLM is expanded", key: `HKLM\Software`, value: "V", kind: "REG_SZ", wantKey: `HKEY_LOCAL_MACHINE\Software`, wantValue: "V", wantKind: "REG_SZ"},
		{name: "HKCU is expanded", key: `HKCU\x`, value: "V", kind: "REG_SZ", wantKey: `HKEY_CURRENT_USER\x`, wantValue: "V", wantKind: "REG_SZ"},
		{name: "HKCR is expanded", key: `HKCR\x`, value: "V", kind: "REG_SZ", wantKey: `HKEY_CLASSES_ROOT\x`, wantValue: "V", wantKind: "REG_SZ"},
		{name: "HKU is expanded", key: `HKU\x`, value: "V", kind: "REG_SZ", wantKey: `HKEY_USERS\x`, wantValue: "V", wantKind: "REG_SZ"},
		{name: "HKCC is expanded", key: `HKCC\x`, value: "V", kind: "REG_SZ", wantKey: `HKEY_CURRENT_CONFIG\x`, wantValue: "V", wantKind: "REG_SZ"},
		{name: "HKPD is expanded", key: `HKPD\x`, value: "V", kind: "REG_SZ", wantKey: `HKEY_PERFORMANCE_DATA\x`, wantValue: "V", wantKind: "REG_SZ"},
		{name: "a drive of PowerShell is expanded", key: `hklm:\Software`, value: "V", kind: "REG_SZ", wantKey: `HKEY_LOCAL_MACHINE\Software`, wantValue: "V", wantKind: "REG_SZ"},
		{name: "a hive in lower case gets capitals", key: `hkey_current_user_local_settings\x`, value: "V", kind: "REG_SZ", wantKey: `HKEY_CURRENT_USER_LOCAL_SETTINGS\x`, wantValue: "V", wantKind: "REG_SZ"},
		{name: "a hive alone passes", key: "HKEY_PERFORMANCE_TEXT", value: "V", kind: "REG_SZ", wantKey: "HKEY_PERFORMANCE_TEXT", wantValue: "V", wantKind: "REG_SZ"},
		{name: "no value name becomes a space", key: `HKU\x`, kind: "reg_dword", wantKey: `HKEY_USERS\x`, wantValue: " ", wantKind: "REG_DWORD"},
		{name: "spaces in key and value name stay", key: `HKU\ x `, value: " V ", kind: " Reg_None ", wantKey: `HKEY_USERS\ x `, wantValue: " V ", wantKind: "REG_NONE"},

		{name: "an unknown hive is refused", key: `HKEY_FOO\x`, value: "V", kind: "REG_SZ", rule: noHive},
		{name: "a longer name that begins like a hive is refused", key: `HKLMX\x`, value: "V", kind: "REG_SZ", rule: noHive},
		{name: "slashes are refused", key: "HKLM/Software", value: "V", kind: "REG_SZ", rule: noHive},
		{name: "a space before the hive is refused", key: ` HKLM\Software`, value: "V", kind: "REG_SZ", rule: noHive},
		{name: "an empty value is refused", value: "V", kind: "REG_SZ", rule: noHive},
		{name: "a missing value type is refused", key: `HKU\x`, value: "V", rule: "is not one of the platform's"},
		{name: "an unknown value type is refused", key: `HKU\x`, value: "V", kind: "REG_RESOURCE_LIST", rule: "is not one of the platform's"},
		{name: "a control character in the key is refused", key: "HKU\\x\x00", value: "V", kind: "REG_SZ", rule: "holds a control character"},
		{name: "a control character in the value name is refused", key: `HKU\x`, value: "V\n", kind: "REG_SZ", rule: "holds a control character"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			k, n, vt, err := RegistryKey(tc.key, tc.value, tc.kind)
			if tc.rule != "" {
				requireRule(t, err, tc.rule)
			} else {
				require.NoError(t, err)
			}
			assert.Equal(t, []string{tc.wantKey, tc.wantValue, tc.wantKind}, []string{k, n, vt})
		})
	}
}

func TestRegistryKeyHivesAndValueTypes(t *testing.T) {
	t.Parallel()
	for _, hive := range registryHives() {
		for _, valueType := range registryValueTypes() {
			k, _, vt, err := RegistryKey(strings.ToLower(hive.full)+`\x`, "v", strings.ToLower(valueType))
			require.NoError(t, err)
			assert.Equal(t, hive.full+`\x`, k)
			assert.Equal(t, valueType, vt)
		}
	}
}

func TestRegistrySummary(t *testing.T) {
	t.Parallel()
	const ambiguous, incomplete = "can be read in two ways", "is not a key name"
	for _, tc := range []struct {
		name, in         string
		key, value, kind string
		rule             string
	}{
		{name: "three values", in: `HKEY_USERS\x : V : REG_SZ`, key: `HKEY_USERS\x`, value: "V", kind: "REG_SZ"},
		{name: "a blank value name", in: `HKEY_USERS\x :   : REG_SZ`, key: `HKEY_USERS\x`, value: " ", kind: "REG_SZ"},
		{name: "an empty value name", in: `HKU\x :  : REG_SZ`, key: `HKEY_USERS\x`, value: " ", kind: "REG_SZ"},
		{name: "an empty value name with merged spaces", in: `HKU\x : : REG_SZ`, key: `HKEY_USERS\x`, value: " ", kind: "REG_SZ"},
		{name: "a colon without spaces", in: `HKU\C:\x : a:b : REG_SZ`, key: `HKEY_USERS\C:\x`, value: "a:b", kind: "REG_SZ"},
		{name: "a separator inside a value is refused", in: `HKU\x : a : b : REG_SZ`, rule: ambiguous},
		{name: "separators that overlap are refused", in: `HKU\x : : b : REG_SZ`, rule: ambiguous},
		{name: "two values are refused", in: `HKU\x : REG_SZ`, rule: incomplete},
		{name: "one value is refused", in: `HKU\x`, rule: incomplete},
		{name: "an unknown type is refused", in: `HKU\x : V : SZ`, rule: "is not one of the platform's"},
		{name: "an empty key is refused", in: " : V : REG_SZ", rule: "does not begin with a hive"},
		{name: "an unknown hive is refused", in: `x : V : REG_SZ`, rule: "does not begin with a hive"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			k, n, vt, err := SplitRegistrySummary(tc.in)
			assert.Equal(t, []string{tc.key, tc.value, tc.kind}, []string{k, n, vt})
			if tc.rule != "" {
				requireRule(t, err, tc.rule)
				return
			}
			require.NoError(t, err)
			joined, err := JoinRegistrySummary(k, n, vt)
			require.NoError(t, err)
			assert.Equal(t, tc.key+" : "+tc.value+" : "+tc.kind, joined)
		})
	}
}

func TestJoinRegistrySummaryRejectsAmbiguity(t *testing.T) {
	t.Parallel()
	_, err := JoinRegistrySummary(`HKU\a`, "v", "SZ")
	requireRule(t, err, "is not one of the platform's")
	for _, tc := range []struct{ name, key, value string }{
		{"a separator in the key", `HKU\a : b`, "v"},
		{"a separator in the value name", `HKU\a`, "v : w"},
		{"a key that ends like a separator", `HKU\a :`, "v"},
		{"a value name that begins like a separator", `HKU\a`, ": v"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := JoinRegistrySummary(tc.key, tc.value, "REG_SZ")
			requireRule(t, err, "can be read in two ways")
		})
	}
}
