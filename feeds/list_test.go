package feeds

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestListReadsIndicatorsOfAllRecognizableTypes(t *testing.T) {
	t.Parallel()
	found, bad := read(t, Options{Format: FormatList}, strings.Join([]string{
		"# a comment",
		"// another",
		"; a third",
		"",
		"WWW.Example.COM",
		"  198.51.100.7\t# seen twice",
		"203.0.113.0/24 ; SBL1",
		"hxxps://bad[.]example/a#fragment",
		"d41d8cd98f00b204e9800998ecf8427e // empty",
		"user[@]example.org\r",
		"0.0.0.0 one.example two.example # blocked",
		"::1 three.example",
		"0177.0.0.1",
		"readme.txt",
		"one.example,two.example",
		"0.0.0.0",
		"evil.example.com/login?email=user@victim.example",
		"caf\xe9.example",
		"four.example # caf\xe9",
	}, "\n"))
	assert.Equal(t, []string{
		"5 Host www.example.com",
		"6 Address 198.51.100.7",
		"7 CIDR 203.0.113.0/24",
		"8 URL https://bad.example/a#fragment",
		"9 File D41D8CD98F00B204E9800998ECF8427E",
		"10 EmailAddress user@example.org",
		"11 Host one.example",
		"11 Host two.example",
		"12 Host three.example",
		"16 Address 0.0.0.0",
		"19 Host four.example",
	}, shown(found))
	require.Len(t, bad, 5)
	assert.Equal(t, []int{13, 14, 15, 17, 18}, []int{bad[0].Line, bad[1].Line, bad[2].Line, bad[3].Line, bad[4].Line})
	for _, b := range bad {
		assert.False(t, b.Skipped)
		for _, value := range []string{"readme", "0177", "victim", "two", "caf"} {
			assert.NotContains(t, b.Error(), value)
		}
	}
}

func TestHostsFilesBlockOnlyHosts(t *testing.T) {
	t.Parallel()
	found, bad := read(t, Options{}, "0.0.0.0 bad.example\n0.0.0.0 d41d8cd98f00b204e9800998ecf8427e\n0.0.0.0 192.0.2.1 AS64496 worse.example\n")
	assert.Equal(t, []string{"1 Host bad.example", "3 Host worse.example"}, shown(found))
	require.Len(t, bad, 3)
	for _, b := range bad {
		assert.Contains(t, b.Rule, "something other than a host")
	}
}

func TestHostsFileSkipsLocalEntries(t *testing.T) {
	t.Parallel()
	found, bad := read(t, Options{}, strings.Join([]string{
		"127.0.0.1 localhost localhost.localdomain local",
		"255.255.255.255\tbroadcasthost",
		"::1 localhost ip6-localhost ip6-loopback",
		"fe80::1%lo0 localhost",
		"fe00::0 ip6-localnet",
		"ff00::0 ip6-mcastprefix",
		"ff02::1 ip6-allnodes",
		"ff02::2 ip6-allrouters",
		"ff02::3 ip6-allhosts",
		"0.0.0.0 0.0.0.0",
		"0.0.0.0 LOCALHOST. bad.example",
		"192.0.2.1 router.example",
		"127.0.1.1 router.example",
	}, "\n"))
	assert.Equal(t, []string{"11 Host bad.example"}, shown(found))
	require.Len(t, bad, 17)
	for _, b := range bad[:15] {
		assert.True(t, b.Skipped, b.Line)
	}
	assert.Equal(t, 12, bad[15].Line)
	assert.False(t, bad[15].Skipped, "an address other than a sinkhole is the indicator or the real address of the name")
	assert.False(t, bad[16].Skipped)
	assert.NotContains(t, bad[15].Error(), "router")
}
