package feeds

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHostsReadsAnythingThatStandsAloneOnALine(t *testing.T) {
	t.Parallel()
	found, bad := read(t, Hosts, strings.Join([]string{
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
	}, "\n"))
	assert.Equal(t, []string{
		"5 Host www.example.com",
		"6 Address 198.51.100.7",
		"7 CIDR 203.0.113.0/24",
		"8 URL https://bad.example/a#fragment",
		"9 File d41d8cd98f00b204e9800998ecf8427e",
		"10 EmailAddress user@example.org",
		"11 Host one.example",
		"11 Host two.example",
		"12 Host three.example",
		"16 Address 0.0.0.0",
	}, lower(shown(found)))
	require.Len(t, bad, 4)
	assert.Equal(t, []int{13, 14, 15, 17}, []int{bad[0].Line, bad[1].Line, bad[2].Line, bad[3].Line})
	for _, b := range bad {
		assert.NotContains(t, b.Error(), "readme")
		assert.NotContains(t, b.Error(), "0177")
		assert.NotContains(t, b.Error(), "victim")
	}
}

// lower writes hashes in lower case, which is all that differs between spellings of them.
func lower(lines []string) []string {
	for i, l := range lines {
		if strings.Contains(l, " File ") {
			head, hash, _ := strings.Cut(l, " File ")
			lines[i] = head + " File " + strings.ToLower(hash)
		}
	}
	return lines
}

func FuzzHosts(f *testing.F) {
	for _, s := range []string{"a.example\n", "0.0.0.0 a.example b.example\n", "# c\n\n//\n;", "x #y", "\r\n\r", "0.0.0.0\t", "hxxp://a[.]example/ // c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		found, bad, err := readAll(Hosts, s)
		if err != nil {
			require.ErrorIs(t, err, ErrFormat)
			return
		}
		last := 0
		for _, e := range found {
			require.NotNil(t, e.Indicator)
			assert.NotEmpty(t, e.Indicator.Summary())
			assert.GreaterOrEqual(t, e.Line, last)
			last = e.Line
		}
		lines := strings.Count(s, "\n") + 1
		assert.LessOrEqual(t, last, lines)
		for _, b := range bad {
			assert.True(t, b.Line >= 1 && b.Line <= lines)
			assert.NotEmpty(t, b.Rule)
		}
	})
}
