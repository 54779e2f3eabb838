package threatconnect

import "strings"

// registryHive is a root of the registry with its full name, which the platform wants, and the
// abbreviation that tools write, if there is one.
type registryHive struct{ full, short string }

// registryHives lists the roots that the platform knows.
func registryHives() [9]registryHive {
	return [...]registryHive{
		{"HKEY_LOCAL_MACHINE", "HKLM"},
		{"HKEY_CURRENT_USER", "HKCU"},
		{"HKEY_CLASSES_ROOT", "HKCR"},
		{"HKEY_USERS", "HKU"},
		{"HKEY_CURRENT_CONFIG", "HKCC"},
		{"HKEY_CURRENT_USER_LOCAL_SETTINGS", ""},
		{"HKEY_PERFORMANCE_DATA", "HKPD"},
		{"HKEY_PERFORMANCE_NLSTEXT", ""},
		{"HKEY_PERFORMANCE_TEXT", ""},
	}
}

// registryValueTypes lists the types that the platform knows.
func registryValueTypes() [11]string {
	return [...]string{
		"REG_SZ", "REG_DWORD", "REG_BINARY", "REG_EXPAND_SZ", "REG_MULTI_SZ", "REG_NONE", "REG_QWORD",
		"REG_LINK", "REG_DWORD_LITTLE_ENDIAN", "REG_DWORD_BIG_ENDIAN", "REG_QWORD_LITTLE_ENDIAN",
	}
}

// CanonicalRegistryKey returns the three values of a registry key in the form that the platform
// accepts.
//
// The key begins with a hive, which comes out with its full name in upper case: HKLM\Software and
// hklm:\Software become HKEY_LOCAL_MACHINE\Software. What follows it is kept byte for byte. The
// value name is kept byte for byte too; an empty one, the default value of a key, becomes a single
// space, which the platform asks for. The value type is one of the eleven that the platform knows,
// as in REG_SZ, in any letter case; an empty one is refused, since no type would be a safe guess.
// Everything else is refused with a [*ValidationError].
func CanonicalRegistryKey(key, valueName, valueType string) (k, n, t string, err error) {
	k, err = canonicalRegistryPath(key)
	if err != nil {
		return "", "", "", err
	}
	if valueName == "" {
		valueName = " "
	}
	if err := checkText("registry value name", valueName); err != nil {
		return "", "", "", err
	}
	t = registryValueType(valueType)
	if t == "" {
		return "", "", "", refuse("registry value type", "is not one of the platform's, such as REG_SZ or REG_DWORD",
			"use one of them, or REG_NONE for data without a type")
	}
	return k, valueName, t, nil
}

// canonicalRegistryPath expands and checks the hive of a key.
func canonicalRegistryPath(key string) (string, error) {
	const field = "registry key name"
	if err := checkText(field, key); err != nil {
		return "", err
	}
	hive, rest := splitHive(key)
	if hive == "" {
		return "", refuse(field, "does not begin with a hive and a backslash",
			`begin it with HKEY_LOCAL_MACHINE\, HKEY_CURRENT_USER\ or another hive`)
	}
	if strings.HasPrefix(key, hive) {
		return key, nil
	}
	return hive + rest, nil
}

// splitHive returns the full name of the hive that a key begins with, or "", and what follows it:
// nothing, or a backslash and the rest.
func splitHive(key string) (hive, rest string) {
	end := strings.IndexByte(key, '\\')
	if end < 0 {
		end = len(key)
	}
	name := key[:end]
	for _, h := range registryHives() {
		if strings.EqualFold(name, h.full) {
			return h.full, key[end:]
		}
		if h.short != "" && strings.EqualFold(strings.TrimSuffix(name, ":"), h.short) {
			return h.full, key[end:]
		}
	}
	return "", ""
}

// registryValueType returns the canonical spelling of a value type, or "".
func registryValueType(s string) string {
	s = strings.TrimSpace(s)
	for _, t := range registryValueTypes() {
		if strings.EqualFold(s, t) {
			return t
		}
	}
	return ""
}

// JoinRegistrySummary returns the summary of a registry key: its three values in canonical form,
// with " : " between them. The platform addresses the key by it.
//
// It refuses with a [*ValidationError] what [CanonicalRegistryKey] refuses, and values that could
// not be told apart in the summary because they hold " : " themselves.
func JoinRegistrySummary(key, valueName, valueType string) (string, error) {
	k, n, t, err := CanonicalRegistryKey(key, valueName, valueType)
	if err != nil {
		return "", err
	}
	summary := k + valueSeparator + n + valueSeparator + t
	if _, _, _, err := SplitRegistrySummary(summary); err != nil {
		return "", err
	}
	return summary, nil
}

// SplitRegistrySummary returns the three values that the summary of a registry key holds, in
// canonical form: key name, value name and value type.
//
// A summary that can be read in two ways, because one of its values holds " : ", is refused with a
// [*ValidationError], and so is what [CanonicalRegistryKey] refuses.
func SplitRegistrySummary(summary string) (key, valueName, valueType string, err error) {
	end := strings.LastIndex(summary, valueSeparator)
	if end < 0 {
		return "", "", "", refuseIncomplete()
	}
	rest, valueType := summary[:end], summary[end+len(valueSeparator):]
	i := strings.Index(rest, valueSeparator)
	switch {
	case i >= 0 && strings.Contains(rest[i+1:], valueSeparator):
		return "", "", "", refuseAmbiguous()
	case i >= 0:
		key, valueName = rest[:i], rest[i+len(valueSeparator):]
	case strings.HasSuffix(rest, " :"): // an empty value name whose spaces were merged
		key = strings.TrimSuffix(rest, " :")
	default:
		return "", "", "", refuseIncomplete()
	}
	return CanonicalRegistryKey(key, valueName, valueType)
}

func refuseAmbiguous() error {
	return refuse("registry key summary", `can be read in two ways, because a value holds " : "`,
		"use the three values on their own")
}

func refuseIncomplete() error {
	return refuse("registry key summary", `is not a key name, a value name and a value type with " : " between them`,
		`write it as in HKEY_LOCAL_MACHINE\Software : Version : REG_SZ`)
}
