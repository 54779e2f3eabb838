package canon

import "strings"

// registryHive is a root of the registry: the full name, which the platform requires, and the
// abbreviation that tools write, or "".
type registryHive struct{ full, short string }

// registryHives returns the roots that the platform accepts.
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

// registryValueTypes returns the value types that the platform accepts.
func registryValueTypes() [11]string {
	return [...]string{
		"REG_SZ", "REG_DWORD", "REG_BINARY", "REG_EXPAND_SZ", "REG_MULTI_SZ", "REG_NONE", "REG_QWORD",
		"REG_LINK", "REG_DWORD_LITTLE_ENDIAN", "REG_DWORD_BIG_ENDIAN", "REG_QWORD_LITTLE_ENDIAN",
	}
}

// RegistryKey returns the three values of a registry key in the form that the platform accepts.
//
// The key starts with a hive, which becomes its full name in upper case: HKLM\Software and
// hklm:\Software become HKEY_LOCAL_MACHINE\Software. The rest of the key and the value name are
// kept byte for byte. An empty value name denotes the default value of the key and becomes a single
// space, as the platform requires. The value type is one of the eleven that the platform accepts,
// such as REG_SZ, in any letter case. Anything else returns an [*Error], including an empty value
// type, because no type is a safe guess.
func RegistryKey(key, valueName, valueType string) (k, n, t string, err error) {
	k, err = canonicalRegistryPath(key)
	if err != nil {
		return "", "", "", err
	}
	if valueName == "" {
		valueName = " "
	}
	if err := CheckText("registry value name", valueName); err != nil {
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
	if err := CheckText(field, key); err != nil {
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

// splitHive returns the full name of the hive at the start of a key, or "", and the rest of the
// key, which is empty or starts with a backslash.
func splitHive(key string) (hive, rest string) {
	if len(key) < len("HKU") || !strings.EqualFold(key[:2], "HK") {
		return "", "" // the common case
	}
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

// JoinRegistrySummary returns the summary of a registry key, by which the platform identifies it:
// its three values in canonical form, separated by " : ".
//
// Values that [RegistryKey] refuses return an [*Error]. So do values that contain " : " if they
// make the summary ambiguous.
func JoinRegistrySummary(key, valueName, valueType string) (string, error) {
	k, n, t, err := RegistryKey(key, valueName, valueType)
	if err != nil {
		return "", err
	}
	summary := k + ValueSeparator + n + ValueSeparator + t
	if _, _, _, err := SplitRegistrySummary(summary); err != nil {
		return "", err
	}
	return summary, nil
}

// SplitRegistrySummary returns the three values in the summary of a registry key in canonical form:
// key name, value name and value type.
//
// A summary in which a value contains " : " is ambiguous and returns an [*Error]. So do values that
// [RegistryKey] refuses.
func SplitRegistrySummary(summary string) (key, valueName, valueType string, err error) {
	end := strings.LastIndex(summary, ValueSeparator)
	if end < 0 {
		return "", "", "", refuseIncomplete()
	}
	rest, valueType := summary[:end], summary[end+len(ValueSeparator):]
	i := strings.Index(rest, ValueSeparator)
	switch {
	case i >= 0 && strings.Contains(rest[i+1:], ValueSeparator):
		return "", "", "", refuseAmbiguous()
	case i >= 0:
		key, valueName = rest[:i], rest[i+len(ValueSeparator):]
	case strings.HasSuffix(rest, " :"): // an empty value name after collapsed spaces
		key = strings.TrimSuffix(rest, " :")
	default:
		return "", "", "", refuseIncomplete()
	}
	return RegistryKey(key, valueName, valueType)
}

func refuseAmbiguous() error {
	return refuse("registry key summary", `can be read in two ways, because a value holds " : "`,
		"use the three values on their own")
}

func refuseIncomplete() error {
	return refuse("registry key summary", `is not a key name, a value name and a value type with " : " between them`,
		`write it as in HKEY_LOCAL_MACHINE\Software : Version : REG_SZ`)
}
