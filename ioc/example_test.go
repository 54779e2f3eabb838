package ioc_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/ioc"
)

// Find the indicators of a report, leave out those that must not be shared, and show the rest defanged.
func Example() {
	report := "The kit on hxxps://login[.]evil-invoices[.]com/pay talks to 10.0.0.7 and 203.0.113.9."
	exclusions := ioc.Exclusions{AllowDocumentation: true} // only because the example uses a documentation address
	for match, err := range ioc.Extract(strings.NewReader(report)) {
		if err != nil {
			fmt.Println(err)
			return
		}
		if reason, exclude := exclusions.Exclude(string(match.Type), match.Value); exclude {
			fmt.Println("excluded:", reason)
			continue
		}
		fmt.Println(match.Type, ioc.Defang(match.Value))
	}
	// Output:
	// URL hxxps://login[.]evil-invoices[.]com/pay
	// excluded: not a public address (private, RFC 1918)
	// Address 203[.]0[.]113[.]9
}

func ExampleParse() {
	v, err := ioc.Parse("hxxps://www[.]example[.]com/login")
	fmt.Println(v.Type, v.Value, err)

	_, err = ioc.Parse("192.0.2.01")
	fmt.Println(err)
	// Output:
	// URL https://www.example.com/login <nil>
	// ioc: address is not four decimal numbers from 0 to 255 without leading zeros; write it so; other notations mean different addresses to different programs
}

func ExampleParser() {
	parser := &ioc.Parser{SplitPort: true, AssumeScheme: "http", MaskBlock: true}
	for _, s := range []string{"192.0.2.1:443", "example.com/login", "192.0.2.1/24"} {
		v, err := parser.Parse(s)
		fmt.Println(v.Type, v.Value, v.Port, v.AssumedScheme, v.Address, err)
	}
	// Output:
	// Address 192.0.2.1 443 false  <nil>
	// URL http://example.com/login 0 true  <nil>
	// CIDR 192.0.2.0/24 0 false 192.0.2.1 <nil>
}

func ExampleCanonical() {
	fmt.Println(ioc.Canonical(ioc.TypeCIDR, "2001:0DB8:10::/48"))
	fmt.Println(ioc.Canonical(ioc.TypeRegistryKey, `HKLM\Software\Example : Version : reg_sz`))
	// Output:
	// 2001:db8:10:0:0:0:0:0/48 <nil>
	// HKEY_LOCAL_MACHINE\Software\Example : Version : REG_SZ <nil>
}

func ExampleDefang() {
	fmt.Println(ioc.Defang("https://www.example.com/login.php"))
	fmt.Println(ioc.Defang("user@example.com"))
	fmt.Println(ioc.Defang("192.0.2.0/24"))
	// Output:
	// hxxps://www[.]example[.]com/login.php
	// user[@]example[.]com
	// 192[.]0[.]2[.]0/24
}

func ExampleRefang() {
	fmt.Println(ioc.Refang("hxxps://www[.]example[.]com/a"))
	fmt.Println(ioc.Refang("user [at] example [dot] com"))
	fmt.Println(ioc.Refang("hxxp[://]example[.]com/login[.]php"))
	fmt.Println(ioc.Refang("http://example.com/search[.]php")) // a plain URL keeps its path
	// Output:
	// https://www.example.com/a
	// user@example.com
	// http://example.com/login.php
	// http://example.com/search[.]php
}

// This program omits indicators that must not be shared.
func ExampleExclusions() {
	var x ioc.Exclusions
	err := x.AddList("ours.txt", strings.NewReader("threatconnect.com # and every name below it\n8.8.8.0/24\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range []string{
		"hxxp://app[.]threatconnect[.]com/login", "8.8.8.8", "192.168.0.1", "d41d8cd98f00b204e9800998ecf8427e", "printer.local", "example.com", "185.199.108.153",
	} {
		v, err := ioc.Parse(s)
		if err != nil {
			fmt.Println(err)
			continue
		}
		if reason, exclude := x.Exclude(string(v.Type), v.Value); exclude {
			fmt.Println("excluded:", reason)
			continue
		}
		fmt.Println("share:", v.Type, v.Value)
	}
	// Output:
	// excluded: on list ours.txt
	// excluded: on list ours.txt
	// excluded: not a public address (private, RFC 1918)
	// excluded: hash of an empty file
	// excluded: not a public name (.local, RFC 6762)
	// excluded: not a public name (example.com, documentation, RFC 2606)
	// share: Address 185.199.108.153
}

// The lists of the misp-warninglists project are JSON files.
func ExampleExclusions_AddWarningList() {
	var x ioc.Exclusions
	err := x.AddWarningList(strings.NewReader(`{
		"name": "Common contact addresses",
		"type": "regex",
		"matching_attributes": ["email-src", "email-dst"],
		"list": ["/^(abuse|noc|security|soc)@/i"]
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, list := range x.Lists() {
		fmt.Println(list.Name, list.Types, list.Entries)
	}
	fmt.Println(x.Exclude("EmailAddress", "Abuse@provider.net"))
	// Output:
	// Common contact addresses [EmailAddress] 1
	// on list Common contact addresses true
}

// loadExclusions is printed in docs/integrations.md.
func loadExclusions(ours, lists string) (*ioc.Exclusions, error) {
	x := &ioc.Exclusions{}
	f, err := os.Open(ours) // one value per line
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := x.AddList("ours", f); err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(lists, "*", "list.json"))
	if err != nil {
		return nil, err
	}
	for _, file := range files { // of the project misp-warninglists
		list, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if err := x.AddWarningList(bytes.NewReader(list)); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	return x, nil
}

func TestExclusionsOfTheIntegrationsPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/integrations.md")
	require.NoError(t, err)
	this, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	_, snippet, _ := strings.Cut(string(page), "```go\n")
	snippet, _, _ = strings.Cut(snippet, "```")
	require.Contains(t, string(this), "\n"+snippet+"\n")
	require.True(t, strings.HasPrefix(snippet, "func loadExclusions("))

	dir := t.TempDir()
	ours := filepath.Join(dir, "ours.txt")
	require.NoError(t, os.WriteFile(ours, []byte("ours.org\n"), 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "top"), 0o700))
	list := filepath.Join(dir, "top", "list.json")
	require.NoError(t, os.WriteFile(list, []byte(`{"name": "top sites", "type": "hostname", "list": ["top.org"]}`), 0o600))
	x, err := loadExclusions(ours, dir)
	require.NoError(t, err)
	for host, want := range map[string]string{"www.ours.org": "on list ours", "www.top.org": "on list top sites", "evil.org": ""} {
		reason, _ := x.Exclude("Host", host)
		assert.Equal(t, want, reason, host)
	}
	require.NoError(t, os.WriteFile(list, []byte(`{`), 0o600))
	_, err = loadExclusions(ours, dir)
	require.ErrorContains(t, err, list)
}

func ExampleExtract() {
	report := `Version 4.2.0.1 of the loader (setup.sh, Trojan.Agent.BT) connects to
hxxps://cdn[.]evil-update[.]com/a[.]php and to 203.0.113.7:8443. It exploits CVE-2021-44228.`
	for match, err := range ioc.Extract(strings.NewReader(report)) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("line %d: %s %s, defanged %t, port %d\n", match.Line, match.Type, match.Value, match.Defanged, match.Port)
	}
	// Output:
	// line 2: URL https://cdn.evil-update.com/a.php, defanged true, port 0
	// line 2: Address 203.0.113.7, defanged false, port 8443
	// line 2: Vulnerability CVE-2021-44228, defanged false, port 0
}

func ExampleParser_Extract() {
	parser := &ioc.Parser{AssumeScheme: "http", Strict: true}
	for match, err := range parser.Extract(strings.NewReader("evil-update[.]com/gate.php and my_host.evil-update[.]com")) {
		fmt.Println(match.Type, match.Value, err)
	}
	// Output: URL http://evil-update.com/gate.php <nil>
}

func ExampleExclusions_extract() {
	var exclusions ioc.Exclusions
	for match, err := range ioc.Extract(strings.NewReader("from 10.1.2.3 to 198.18.5.6 and evil-update[.]com")) {
		if err != nil {
			fmt.Println(err)
			return
		}
		reason, exclude := exclusions.Exclude(string(match.Type), match.Value)
		fmt.Println(match.Type, match.Value, exclude, reason)
	}
	// Output:
	// Address 10.1.2.3 true not a public address (private, RFC 1918)
	// Address 198.18.5.6 true not a public address (reserved for benchmarks, RFC 2544)
	// Host evil-update.com false
}
