package ioc

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPlainListsThatCannotBeReadAddNothing(t *testing.T) {
	t.Parallel()
	errBroken := errors.New("connection reset")
	for name, tc := range map[string]struct {
		in   io.Reader
		want string
	}{
		"a value that is none":          {strings.NewReader("ok.org\n\nsecret value\n"), `ioc: list "ours.txt", line 3: indicator is not recognized`},
		"a single label":                {strings.NewReader("ok.org\r\nsecret"), `list "ours.txt", line 2: `},
		"a wildcard":                    {strings.NewReader("*.secret.org"), `list "ours.txt", line 1: host name holds a wildcard`},
		"a file name":                   {strings.NewReader("secret.exe"), `list "ours.txt", line 1: `},
		"a block with host bits":        {strings.NewReader("8.8.8.8/24"), `line 1: CIDR block has an address that is not the first`},
		"a comment without white space": {strings.NewReader("ok.org#secret"), `list "ours.txt", line 1: `},
		"a line that is too long":       {strings.NewReader("ok.org\nhttp://ok.org/" + strings.Repeat("secret", 1000)), `list "ours.txt", line 2: is longer than 4096 bytes`},
		"UTF-16":                        {strings.NewReader("\xff\xfes\x00e\x00"), `list "ours.txt", line 1: is not valid UTF-8`},
		"a read error":                  {io.MultiReader(strings.NewReader("ok.org\nsecr"), iotest.ErrReader(errBroken)), `list "ours.txt", after line 1: connection reset`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := &Exclusions{}
			err := x.AddList("ours.txt", tc.in)
			require.ErrorContains(t, err, tc.want)
			assert.NotContains(t, err.Error(), "secret")
			assert.Empty(t, x.Lists())
			assert.Empty(t, x.sets)
			reason, exclude := x.Exclude("Host", "evil.org")
			assert.True(t, exclude, "what the list would have excluded is not known")
			assert.Equal(t, "cannot be checked: a list was not added: ours.txt", reason)
			if name == "a read error" {
				require.ErrorIs(t, err, errBroken)
			}
		})
	}
	x := &Exclusions{}
	require.ErrorContains(t, x.AddList(" ", strings.NewReader("ok.org")), "list name is blank")
	_, exclude := x.Exclude("Host", "evil.org")
	assert.True(t, exclude)
}

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

func TestWarningListsExcludeWhatTheyExcludeInMISP(t *testing.T) {
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
		"hostname": {
			warningJSON("hostname", all, "good.org", ".Dotted.org.", "*.wild.org", "zip", "bad-.org", "8.8.8.8", "bücher.de"),
			map[string]Type{
				"good.org": TypeHost, "a.b.good.org": TypeHost, "dotted.org": TypeHost, "a.wild.org": TypeHost, "evil.zip": TypeHost, "http://8.8.8.8:80/": TypeURL, "8.8.8.8": TypeAddress,
				"http://a.good.org/x": TypeURL, "x@good.org": TypeEmailAddress, "www.xn--bcher-kva.de": TypeHost,
			},
			map[string]Type{"notgood.org": TypeHost, "good.org.evil.net": TypeHost, "http://evil.net/good.org": TypeURL, "zip.org": TypeHost},
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

func TestWarningListsThatCannotBeReadAddNothing(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ list, want string }{
		"a lookahead":               {warningJSON("regex", nil, "/ok/", "/(?=secret)/"), `ioc: warning list "w", entry 2: is not a supported regular expression (invalid or unsupported Perl syntax)`},
		"a backreference":           {warningJSON("regex", nil, `/(secret)\1/`), `warning list "w", entry 1: is not a supported regular expression (invalid escape sequence)`},
		"a huge repetition":         {warningJSON("regex", nil, `/((secret{100}){100}){100}/`), `warning list "w", entry 1: is not a supported regular expression (`},
		"no delimiters":             {warningJSON("regex", nil, `secret`), `entry 1: has no delimiter; write it as in`},
		"no closing delimiter":      {warningJSON("regex", nil, `(secret`), `entry 1: has no closing delimiter`},
		"an unknown modifier":       {warningJSON("regex", nil, `/secret/x`), `entry 1: has a modifier other than`},
		"a block that is none":      {warningJSON("cidr", nil, "8.8.8.8", "secret.org"), `warning list "w", entry 2: is not an address or a block`},
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

func TestListsTellsWhatWasAdded(t *testing.T) {
	t.Parallel()
	x := excluding(t, &Exclusions{}, "good.org", "# comment", "8.8.8.8")
	for _, list := range []string{
		warningJSON("hostname", []string{"domain", "url"}, "a.org", "", "b.org"),
		warningJSON("string", []string{"x509-fingerprint-sha1"}, "aa", "bb"),
		warningJSON("hostname", []string{"domain", "url"}, "good.org", "c.org"),
	} {
		require.NoError(t, x.AddWarningList(strings.NewReader(list)))
	}
	assert.Equal(t, []ExclusionList{
		{Name: "ours.txt", Types: listedTypes[:], Entries: 2},
		{Name: "w", Types: []Type{TypeHost, TypeURL}, Entries: 2},
		{Name: "w", Entries: 2},
		{Name: "w", Types: []Type{TypeHost, TypeURL}, Entries: 2},
	}, x.Lists())
	x.Lists()[0].Types[0] = "changed"
	assert.Equal(t, TypeAddress, x.Lists()[0].Types[0])
	for host, want := range map[string]string{"x.a.org": "on list w", "x.b.org": "on list w", "x.c.org": "on list w", "x.good.org": "on list ours.txt", "x.d.org": ""} {
		reason, _ := x.Exclude("Host", host)
		assert.Equal(t, want, reason, host)
	}
}

func FuzzExclusionLists(f *testing.F) {
	for _, s := range []string{
		"good.org\n8.8.8.8\n", "\ufeff# c\r\nhxxp://a[.]org # x\n", "\x00", "a\n\n\xff", `{"name":"w","type":"regex","list":["/a/i","{x}"]}`,
		`{"list":["good.org","8.8.8.0/24","\u0061\\\"",""],"matching_attributes":["ip-dst","domain|ip"],"name":"w","type":"hostname","version":1}`,
		`{"name":"w","type":"cidr","list":["::ffff:1.2.3.4/100","1.2.3.4/0"]}`, `{"name":"w","type":"substring","list":["a","ab"]}`, `{"name":"w","list":["a\`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		plain := &Exclusions{AllowDocumentation: true}
		if err := plain.AddList("fuzz", strings.NewReader(s)); err == nil {
			for line := range strings.Lines(s) {
				if v, err := Parse(strings.TrimPrefix(line, "\ufeff")); err == nil && !strings.ContainsAny(line, "#\ufeff") {
					_, exclude := plain.Exclude(string(v.Type), v.Value)
					require.True(t, exclude, "%q is on the list and was not excluded", line)
				}
			}
		} else {
			require.Empty(t, plain.sets)
			_, exclude := plain.Exclude("Host", "evil.org")
			require.True(t, exclude)
		}
		warning := &Exclusions{}
		err := warning.AddWarningList(strings.NewReader(s))
		require.Equal(t, err == nil, len(warning.Lists()) == 1)
		for _, typ := range listedTypes {
			warning.Exclude(string(typ), s)
		}
	})
}

func TestListsAreReadInLinearTime(t *testing.T) {
	for name, list := range map[string]func(n int) string{
		"lines":           func(n int) string { return strings.Repeat("\n", n) },
		"number signs":    func(n int) string { return "a" + strings.Repeat("#", n) },
		"short comments":  func(n int) string { return strings.Repeat("#\n", n/2) },
		"white space":     func(n int) string { return strings.Repeat(" ", n) + "x" },
		"one long line":   func(n int) string { return strings.Repeat("[.]", n/3) },
		"blocks":          func(n int) string { return numbered(n/16, "%d.%d.%d.0/24\n") },
		"nested arrays":   func(n int) string { return `{"x":` + strings.Repeat("[", n) },
		"one long string": func(n int) string { return `{"name":"` + strings.Repeat("a", n) + `"}` },
		"escapes":         func(n int) string { return `{"name":"w","list":["` + strings.Repeat(`\"`, n/2) + `"]}` },
		"escaped entries": func(n int) string { return `{"name":"w","list":["` + strings.Repeat(`\"","`, n/5) + `"]}` },
		"members":         func(n int) string { return `{"name":"w"` + numbered(n/12, `,"x%d%d%d":1`) + `}` },
		"nested parts":    func(n int) string { return warningJSON("substring", nil, nested(n)...) },
		"regular expressions": func(n int) string {
			return warningJSON("regex", nil, strings.Split(strings.TrimSuffix(strings.Repeat("/(a|b)*c/,", n/10), ","), ",")...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			requireLinear(t, 32<<10, 16, func(n int) func() {
				text := list(n)
				return func() {
					x := &Exclusions{}
					if strings.HasPrefix(text, "{") {
						_ = x.AddWarningList(strings.NewReader(text))
					} else {
						_ = x.AddList("list", strings.NewReader(text))
					}
				}
			})
		})
	}
}

// numbered returns n lines with three numbers each.
func numbered(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, 11+i>>16, i>>8&255, i&255)
	}
	return b.String()
}

// nested returns texts of which each is the beginning of the next, of n bytes in sum or a bit more.
func nested(n int) []string {
	var texts []string
	for sum := 0; sum < n; sum += 64 {
		texts = append(texts, strings.Repeat("a", 1+sum/64%128))
	}
	return texts
}
