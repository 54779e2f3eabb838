package ioc

import (
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func warningJSON(kind string, attributes []string, entries ...string) string {
	if attributes == nil {
		attributes = []string{}
	}
	list, err := json.Marshal(map[string]any{
		"description": "nested", "list": entries, "matching_attributes": attributes, "name": "w", "type": kind, "version": 3,
	})
	if err != nil {
		panic(err)
	}
	return string(list)
}

func TestWarningListsMatchMISP(t *testing.T) {
	t.Parallel()
	all := []string{}
	for name, tc := range map[string]struct {
		list     string
		excluded map[string]Type
		shared   map[string]Type
	}{
		"string": {
			warningJSON("string", all, "good.org", "WWW.Caps.org", "8.8.8.8", "9.9.9.0/24", "D41d8cd98f00b204e9800998ecf8427f", "Info@Good.org", "http://good.org/x",
				"Global\\ours", "AS3320", `HKCU\Software\Ours`, "bücher.de", "3::", "single", "run.php", "CVE-2021-44228", ".dotted.org"),
			map[string]Type{
				"good.org": TypeHost, "www.caps.org": TypeHost, "8.8.8.8": TypeAddress, "8.8.8.0/24": TypeCIDR, "9.9.9.9": TypeAddress, "D41D8CD98F00B204E9800998ECF8427F": TypeFile,
				"info@good.org": TypeEmailAddress, "http://good.org/x": TypeURL, "Global\\ours": TypeMutex, "ASN3320": TypeASN, `HKCU\software\ours : x : REG_SZ`: TypeRegistryKey,
				"xn--bcher-kva.de": TypeHost, "run.php": TypeHost, "CVE-2021-44228": TypeVulnerability,
			},
			map[string]Type{"www.good.org": TypeHost, "http://good.org/": TypeURL, "http://8.8.8.8/": TypeURL, "x@good.org": TypeEmailAddress, "Global\\OURS": TypeMutex, "dotted.org": TypeHost},
		},
		"string of other types": {
			warningJSON("string", all, "WWW.Caps.org", "d41d8cd98f00b204e9800998ecf8427f", "run.php"),
			map[string]Type{"WWW.Caps.org": TypeMutex, "d41d8cd98f00b204e9800998ecf8427f": TypeMutex, "run.php": TypeHost},
			map[string]Type{"WWW.CAPS.org": TypeMutex},
		},
		"string of addresses in a list of mutexes": {
			warningJSON("string", []string{"mutex"}, "8.8.8.8"),
			map[string]Type{"8.8.8.8": TypeMutex},
			map[string]Type{"8.8.8.8": TypeAddress},
		},
		"string of registry keys with values": {
			warningJSON("string", all, `HKLM\Software\Ours : Version : REG_SZ`),
			map[string]Type{`HKEY_LOCAL_MACHINE\SOFTWARE\Ours : Version : REG_SZ`: TypeRegistryKey},
			map[string]Type{`HKLM\Software\Ours : Other : REG_SZ`: TypeRegistryKey},
		},
		"substring": {
			warningJSON("substring", all, "", "@mail-1.", "virustotal.com", "e3b0c44", "2a00::5", "AS3320"),
			map[string]Type{
				"x@mail-1.org": TypeEmailAddress, "http://www.virustotal.com/x": TypeURL, "virustotal.com.evil.org": TypeHost, "2a00:0:0:0:0:0:0:5": TypeAddress, "ASN3320": TypeASN,
				"E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B856": TypeFile,
			},
			map[string]Type{"virustotal.org": TypeHost, "VIRUSTOTAL.COM": TypeMutex},
		},
		"substring of blocks": {
			warningJSON("substring", []string{"ip-dst"}, "8.8.8", "2a00::/4"),
			map[string]Type{"8.8.8.0/24": TypeCIDR, "2a00:0:0:0:0:0:0:0/48": TypeCIDR},
			map[string]Type{"8.8.9.0/24": TypeCIDR},
		},
		"hostname": {
			warningJSON("hostname", all, "good.org", ".Dotted.org.", "*.wild.org", "zip", "bad-.org", "8.8.8.8", "bücher.de"),
			map[string]Type{
				"good.org": TypeHost, "a.b.good.org": TypeHost, "dotted.org": TypeHost, "a.wild.org": TypeHost, "evil.zip": TypeHost, "http://8.8.8.8:80/": TypeURL, "8.8.8.8": TypeAddress,
				"http://a.good.org/x": TypeURL, "x@good.org": TypeEmailAddress, "www.xn--bcher-kva.de": TypeHost,
			},
			map[string]Type{"notgood.org": TypeHost, "good.org.evil.net": TypeHost, "http://evil.net/good.org": TypeURL, "zip.org": TypeHost},
		},
		"hostname of top-level domains": {
			warningJSON("hostname", all, " .zip ", "MOV"),
			map[string]Type{"evil.zip": TypeHost, "http://a.evil.mov/": TypeURL},
			map[string]Type{"zip.org": TypeHost},
		},
		"hostname that is invalid": {
			warningJSON("hostname", all, "x1-.org", "a_-.org"),
			nil,
			map[string]Type{"org.net": TypeHost, "x1.org": TypeHost},
		},
		"hostname of some types": {
			warningJSON("hostname", []string{"hostname", "domain"}, "good.org"),
			map[string]Type{"a.good.org": TypeHost},
			map[string]Type{"http://a.good.org/x": TypeURL, "x@good.org": TypeEmailAddress, "good.org": TypeMutex},
		},
		"cidr": {
			warningJSON("cidr", []string{"ip-src", "ip-dst", "domain|ip"}, "8.8.8.0/24", "9.9.9.9", "9.9.9.77/30", "2a00::/32", "::ffff:7.7.7.0/120"),
			map[string]Type{
				"8.8.8.8": TypeAddress, "8.8.0.0/16": TypeCIDR, "8.8.8.128/25": TypeCIDR, "9.9.9.9": TypeAddress, "9.9.9.76": TypeAddress, "2a00:0:1::": TypeAddress, "2a00:0:5::/48": TypeCIDR,
				"7.7.7.7": TypeAddress, "2002:808:808::1": TypeAddress,
			},
			map[string]Type{"8.8.9.8": TypeAddress, "9.9.9.8": TypeAddress, "2a01::1": TypeAddress, "http://8.8.8.8/": TypeURL},
		},
		"cidr of mapped addresses": {
			warningJSON("cidr", all, " 9.9.9.0/24 ", "::ffff:8.8.0.0/112"),
			map[string]Type{"8.8.8.8": TypeAddress, "9.9.9.9": TypeAddress, "http://[::ffff:8.8.8.8]/": TypeURL},
			map[string]Type{"8.9.8.8": TypeAddress},
		},
		"cidr of all mapped addresses": {
			warningJSON("cidr", all, "::ffff:0:0/96"),
			map[string]Type{"8.8.8.8": TypeAddress},
			map[string]Type{"2a00::1": TypeAddress},
		},
		"cidr of more than the mapped addresses": {
			warningJSON("cidr", all, "::ffff:0:0/95"),
			map[string]Type{"http://[::ffff:8.8.8.8]/": TypeURL},
			map[string]Type{"8.8.8.8": TypeAddress},
		},
		"cidr of URLs": {
			warningJSON("cidr", []string{"URL"}, "8.8.8.0/24"),
			map[string]Type{"http://8.8.8.8/": TypeURL},
			map[string]Type{"8.8.8.8": TypeAddress},
		},
		"regex": {
			warningJSON("regex", all, `/^(security|noc|soc|abuse)\@.*\..*$/i`, `#^http://[^/]+/ok\#$#`, "{^x{2,3}$}m", `/\.gov$/gu`, "/D41D8CD98F00B204E9800998ECF8427F|d41d8cd98f00b204e9800998ecf8427a/"),
			map[string]Type{
				"Abuse@evil.org": TypeEmailAddress, "http://evil.org/ok#": TypeURL, "xxx": TypeMutex, "www.evil.gov": TypeHost, "D41D8CD98F00B204E9800998ECF8427A": TypeFile,
			},
			map[string]Type{"abused@evil.org": TypeEmailAddress, "xxxx": TypeMutex, "evil.gov.org": TypeHost, "D41D8CD98F00B204E9800998ECF8427F": TypeFile},
		},
		"regex with white space and modifiers": {
			warningJSON("regex", all, " /^x$/i \n", "/y$/m"),
			map[string]Type{"X": TypeMutex, "y": TypeMutex},
			map[string]Type{"Y": TypeMutex},
		},
		"regex for the spellings of MISP": {
			warningJSON("regex", all, "/^2a00::/", "/Ours$/", "/^ASN3320$/", "/^AS3321$/"),
			map[string]Type{"2a00:0:0:0:0:0:0:0/48": TypeCIDR, `HKCU\Software\Ours : a : REG_SZ`: TypeRegistryKey, "3320": TypeASN, "3321": TypeASN},
			map[string]Type{"3322": TypeASN},
		},
		"no type and no attributes": {
			`{"name": "w", "list": ["good.org", "\u0078\"y\\"]}`,
			map[string]Type{"good.org": TypeHost, `x"y\`: TypeMutex},
			map[string]Type{"www.good.org": TypeHost},
		},
		"a byte order mark": {
			"\ufeff" + `{"name": "w", "list": ["good.org"]}`,
			map[string]Type{"good.org": TypeHost},
			map[string]Type{"evil.org": TypeHost},
		},
		"ALL": {
			warningJSON("string", []string{"ip-dst", "ALL"}, "good.org", "1x"),
			map[string]Type{"good.org": TypeHost, "1x": "Coin"},
			map[string]Type{"good.net": TypeHost, "2x": "Coin"},
		},
		"attributes without an equivalent": {
			warningJSON("regex", []string{"phone-number", "x509-fingerprint-sha1"}, `/(?=x)/g`),
			nil,
			map[string]Type{"good.org": TypeHost, "1x": "Coin"},
		},
		"the types of attributes": {
			warningJSON("substring", []string{"filename|md5", "email-src", "AS", "mutex", "regkey|value", "user-agent", "email-subject", "vulnerability"}, "3320", "a", "0"),
			map[string]Type{"D41D8CD98F00B204E9800998ECF8427F": TypeFile, "x0@evil.org": TypeEmailAddress, "a": TypeMutex, `HKCU\x : a : REG_SZ`: TypeRegistryKey, "curl 0": TypeUserAgent, "Final 0": TypeEmailSubject, "CVE-2020-1000": TypeVulnerability, "ASN3320": TypeASN},
			map[string]Type{"a.org": TypeHost, "http://a.org/": TypeURL, "#a": TypeHashtag, "8.8.8.0": TypeAddress, "8.8.8.0/24": TypeCIDR},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := &Exclusions{OtherTypes: []string{"Coin"}}
			require.NoError(t, x.AddWarningList(strings.NewReader(tc.list)))
			for value, typ := range tc.excluded {
				reason, exclude := x.Exclude(string(typ), value)
				assert.True(t, exclude, "%s %s", typ, value)
				assert.Equal(t, "on list w", reason, "%s %s", typ, value)
			}
			for value, typ := range tc.shared {
				reason, exclude := x.Exclude(string(typ), value)
				assert.False(t, exclude, "%s %s: %s", typ, value, reason)
			}
		})
	}
}

func TestInvalidWarningListFailsClosed(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ list, want string }{
		"a lookahead":               {warningJSON("regex", nil, "/ok/", "/(?=secret)/"), `ioc: warning list "w", entry 2: is not a supported regular expression (invalid or unsupported Perl syntax)`},
		"a backreference":           {warningJSON("regex", nil, `/(secret)\1/`), `warning list "w", entry 1: is not a supported regular expression (invalid escape sequence)`},
		"a huge repetition":         {warningJSON("regex", nil, `/((secret{100}){100}){100}/`), `warning list "w", entry 1: is not a supported regular expression (`},
		"no delimiters":             {warningJSON("regex", nil, `secret`), `entry 1: has no delimiter; write it as in`},
		"white space only":          {warningJSON("regex", nil, " "), `entry 1: has no delimiter`},
		"a backslash as delimiter":  {warningJSON("regex", nil, `\secret\`), `entry 1: has no delimiter`},
		"a delimiter beyond ASCII":  {warningJSON("regex", nil, "ésecreté"), `entry 1: has no delimiter`},
		"no closing delimiter":      {warningJSON("regex", nil, `(secret`), `entry 1: has no closing delimiter`},
		"an unknown modifier":       {warningJSON("regex", nil, `/secret/x`), `entry 1: has a modifier other than`},
		"an invalid block":          {warningJSON("cidr", nil, "8.8.8.8", "secret.org"), `warning list "w", entry 2: is not an address or a block`},
		"a zone":                    {warningJSON("cidr", nil, "fe80::1%secret"), `entry 1: is not an address or a block`},
		"a host with a path":        {warningJSON("hostname", nil, "secret.org/x"), `warning list "w", entry 1: host name holds a path`},
		"a host of dots":            {warningJSON("hostname", nil, "ok.org", ".."), `entry 2: host name is blank`},
		"an entry that is too long": {warningJSON("string", nil, strings.Repeat("secret", 1000)), `entry 1: is longer than 4096 bytes`},
		"an unknown type":           {warningJSON("glob", nil, "secret"), `warning list "w": has an unknown type; use string`},
		"a number as entry":         {`{"name": "w", "list": ["secret", 5]}`, `warning list "w": has a list whose entry 2 is not text`},
		"an array as entry":         {`{"list": ["secret", ["secret"]], "name": "w"}`, `warning list: has a list whose entry 2 is not text`},
		"an object as list":         {`{"name": "w", "list": {"secret": ""}}`, `has a list that is not an array; write it in brackets`},
		"no list":                   {`{"name": "w"}`, `warning list "w": has no list`},
		"no name":                   {`{"list": ["secret"]}`, `warning list: has no name`},
		"a blank name":              {`{"list": [], "name": " "}`, `warning list: name is blank`},
		"a name with a line break":  {`{"list": [], "name": "a\nb"}`, `warning list: name holds a control character`},
		"a number as name":          {`{"name": 5}`, `warning list: has a name that is not text`},
		"a number as type":          {`{"name": "w", "type": 5, "list": []}`, `warning list "w": has a type that is not text`},
		"a long name":               {`{"list": [], "name": "` + strings.Repeat("a", 256) + `"}`, `warning list: name is longer than 255 characters`},
		"a replacement character":   {`{"name": "w", "list": ["secret\ufffd"]}`, `entry 1: is not valid UTF-8`},
		"two lists":                 {`{"name": "w", "list": ["secret"], "list": []}`, `warning list "w": has a member twice`},
		"a member in other case":    {`{"name": "w", "List": ["secret"]}`, `warning list "w": has no list`},
		"invalid UTF-8":             {"{\"name\": \"w\", \"list\": [\"secret\xff\"]}", `entry 1: is not valid UTF-8`},
		"an array":                  {`["secret"]`, `warning list: is not a JSON object`},
		"text":                      {`secret`, `warning list: is malformed, JSON at byte 0: want an object; download it again`},
		"nothing":                   {``, `warning list: is malformed, JSON at byte 0: unexpected end; download it again`},
		"data after the end":        {`{"name": "w", "list": []} {"secret": 1}`, `warning list "w": is malformed, JSON at byte 26: text after the value`},
		"half a list":               {`{"name": "w", "list": ["secret", "sec`, `warning list "w": is malformed, JSON at byte 37: unexpected end`},
		"half an object":            {`{"name": "w", "list": ["secret"]`, `warning list "w": is malformed, JSON at byte 32: unexpected end`},
		"a trailing comma":          {`{"name": "w", "list": ["secret",]}`, `warning list "w": is malformed, JSON at byte`},
		"deep arrays":               {`{"name": "w", "secret": ` + strings.Repeat("[", 1<<20), `warning list "w": is malformed, JSON at byte`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := excluding(t, &Exclusions{}, "good.org")
			err := x.AddWarningList(strings.NewReader(tc.list))
			require.ErrorContains(t, err, tc.want)
			assert.NotContains(t, err.Error(), "secret")
			assert.Len(t, x.Lists(), 1)
			assert.Len(t, x.sets, 1)
			reason, exclude := x.Exclude("Host", "evil.org")
			assert.True(t, exclude)
			assert.Contains(t, reason, "cannot be checked: a list was not added")
		})
	}
	err := (&Exclusions{}).AddWarningList(io.MultiReader(strings.NewReader(`{"name": "w", "list": ["secret`), iotest.ErrReader(errors.New("connection reset"))))
	require.EqualError(t, err, `ioc: warning list: was not read to its end: connection reset`)
}

// Each MISP attribute maps to indicator types.
func TestWarningListAttributesMapToTypes(t *testing.T) {
	t.Parallel()
	const hash = "AA0D8CD98F00B204E9800998ECF8427F"
	samples := map[Type]string{
		TypeAddress: "8.0.0.8", TypeCIDR: "8.0.0.0/16", TypeHost: "aa0.org", TypeURL: "http://evil.net/0.0", TypeEmailAddress: "0.0@evil.net", TypeFile: hash, TypeASN: "ASN3300",
		TypeMutex: "0.0", TypeRegistryKey: `HKCU\0 : 0 : REG_SZ`, TypeUserAgent: "0.0", TypeEmailSubject: "0.0", TypeHashtag: "#0", TypeVulnerability: "CVE-2020-1000",
	}
	for attributes, types := range map[string][]Type{
		"ip-src ip-dst ip ip-dst|port": {TypeAddress, TypeCIDR},
		"domain hostname Domain":       {TypeHost},
		"url uri link URL":             {TypeURL},
		"email email-src email-dst email-reply-to target-email whois-registrant-email dns-soa-email": {TypeEmailAddress},
		"md5 sha1 sha256 MD5 filename|sha256 malware-sample":                                         {TypeFile},
		"as AS":                      {TypeASN},
		"mutex":                      {TypeMutex},
		"regkey regkey|value":        {TypeRegistryKey},
		"user-agent http-user-agent": {TypeUserAgent},
		"email-subject":              {TypeEmailSubject},
		"vulnerability":              {TypeVulnerability},
		"domain|ip":                  {TypeAddress, TypeCIDR, TypeHost},
		"phone-number":               nil,
	} {
		for attribute := range strings.FieldsSeq(attributes) {
			x := &Exclusions{}
			require.NoError(t, x.AddWarningList(strings.NewReader(warningJSON("substring", []string{attribute}, "0"))))
			for typ, value := range samples {
				reason, exclude := x.Exclude(string(typ), value)
				assert.Equal(t, slices.Contains(types, typ), exclude, "%s of a list with %s: %s", typ, attribute, reason)
			}
		}
	}
}
