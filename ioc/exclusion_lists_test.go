package ioc

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/scaletest"
)

func TestInvalidPlainListFailsClosed(t *testing.T) {
	t.Parallel()
	errBroken := errors.New("connection reset")
	for name, tc := range map[string]struct {
		in   io.Reader
		want string
	}{
		"an unrecognized value":         {strings.NewReader("ok.org\n\nsecret value\n"), `ioc: list "ours.txt", line 3: indicator is not recognized`},
		"a single label":                {strings.NewReader("ok.org\r\nsecret"), `list "ours.txt", line 2: `},
		"a wildcard":                    {strings.NewReader("*.secret.org"), `list "ours.txt", line 1: host name holds a wildcard`},
		"a file name":                   {strings.NewReader("secret.exe"), `list "ours.txt", line 1: `},
		"a block with host bits":        {strings.NewReader("8.8.8.8/24"), `line 1: CIDR block has an address that is not the first`},
		"a comment without white space": {strings.NewReader("ok.org#secret"), `list "ours.txt", line 1: `},
		"a line that is too long":       {strings.NewReader("ok.org\nhttp://ok.org/" + strings.Repeat("secret", 1000)), `list "ours.txt", line 2: is longer than 4096 bytes`},
		"UTF-16":                        {strings.NewReader("\xff\xfes\x00e\x00"), `list "ours.txt", line 1: is not valid UTF-8`},
		"a later byte order mark":       {strings.NewReader("ok.org\n\ufeffsecret.org"), `list "ours.txt", line 2: `},
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
			assert.True(t, exclude, "the content of the list is unknown")
			assert.Equal(t, "cannot be checked: a list was not added: ours.txt", reason)
			if name == "a read error" {
				require.ErrorIs(t, err, errBroken)
			}
		})
	}
	for name, want := range map[string]string{" ": "list name is blank", strings.Repeat("a", 256): "list name is longer than 255 characters"} {
		x := &Exclusions{}
		require.ErrorContains(t, x.AddList(name, strings.NewReader("ok.org")), want)
		reason, exclude := x.Exclude("Host", "evil.org")
		assert.True(t, exclude)
		assert.Equal(t, "cannot be checked: a list was not added", reason)
	}
	x := &Exclusions{}
	require.Error(t, x.AddList("first", strings.NewReader("a b")))
	require.Error(t, x.AddList("second", strings.NewReader("a b")))
	reason, _ := x.Exclude("Host", "evil.org")
	assert.Equal(t, "cannot be checked: a list was not added: first", reason)
}

func TestPlainListLimits(t *testing.T) {
	t.Parallel()
	longest := "http://ok.org/" + strings.Repeat("a", maxEntryLength-len("http://ok.org/"))
	x := excluding(t, &Exclusions{}, "a.org\t# comment", longest)
	for value, want := range map[string]bool{"http://a.org/": true, longest: true, longest + "a": false} {
		_, exclude := x.Exclude("URL", value)
		assert.Equal(t, want, exclude, "%d bytes", len(value))
	}
	require.NoError(t, x.AddList(strings.Repeat("ä", 255), strings.NewReader("b.org")))
	assert.Len(t, x.Lists(), 2)
}

// The reason names the first list that has an entry, regardless of the sizes of the lists.
func TestReasonNamesFirstList(t *testing.T) {
	t.Parallel()
	for _, lists := range [][]string{
		{"good.org\n8.8.8.8\nx@b.org", "good.org\n8.8.8.8\nx@b.org\nc.org\nx@c.org"},
		{"good.org\n8.8.8.8\nx@b.org\nc.org\nx@c.org", "good.org\n8.8.8.8\nx@b.org"},
		{"good.org\n8.8.8.8\nx@b.org", "good.org\n8.8.8.8\nx@b.org"},
	} {
		x := &Exclusions{}
		require.NoError(t, x.AddList("one", strings.NewReader(lists[0])))
		require.NoError(t, x.AddList("two", strings.NewReader(lists[1])))
		for _, value := range []string{"good.org", "8.8.8.8", "x@b.org"} {
			v, err := Parse(value)
			require.NoError(t, err)
			reason, _ := x.Exclude(string(v.Type), value)
			assert.Equal(t, "on list one", reason, value)
		}
	}
}

func TestListsReturnsAddedLists(t *testing.T) {
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
	factor := scaletest.Short(8, 16)
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
			scaletest.RequireLinear(t, scaletest.Size(32<<10), factor, func(n int) func() {
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

// numbered formats three numbers n times.
func numbered(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, 11+i>>16, i>>8&255, i&255)
	}
	return b.String()
}

// nested returns texts of 1 to 128 equal letters, about n bytes in total.
func nested(n int) []string {
	var texts []string
	for sum := 0; sum < n; sum += 64 {
		texts = append(texts, strings.Repeat("a", 1+sum/64%128))
	}
	return texts
}
