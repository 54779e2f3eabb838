package changes

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/ioc"
)

// listArgs returns the flags for a block list in a file, with documentation values and without a limit on removals.
func listArgs(i *instance) []string {
	return []string{"--format", "blocklist", "--output", i.path("list"), "--state", i.path("state"), "--allow-reserved", "--max-share", "1"}
}

func TestBlocklistFileHasAllIndicators(t *testing.T) {
	t.Parallel()
	i := newInstance(t)
	list := func(args ...string) string {
		r := run(t, i.env, append(listArgs(i), args...)...)
		require.Equal(t, cli.Success, r.code, r.stderr)
		b, err := os.ReadFile(i.path("list"))
		require.NoError(t, err)
		return string(b)
	}
	const md5, sha1 = "00112233445566778899AABBCCDDEEFF", "00112233445566778899AABBCCDDEEFF00112233"
	i.add(t, "Host", "b.example", 3, time.Hour)
	i.add(t, "Host", "d.example", 3, time.Hour)
	i.add(t, "File", md5+" : "+sha1, 3, time.Hour)
	i.add(t, "Mutex", `Global\no-line`, 3, time.Hour)
	assert.Equal(t, md5+"\n"+sha1+"\nb.example\nd.example\n", list())

	for _, name := range []string{"a.example", "c.example", "e.example"} {
		i.add(t, "Host", name, 3, 0)
	}
	i.deleteHost(t, "b.example")
	want := md5 + "\n" + sha1 + "\na.example\nc.example\nd.example\ne.example\n"
	assert.Equal(t, want, list())
	assert.Equal(t, want, list(), "without changes")

	b, err := os.ReadFile(i.path("list"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(i.path("list"), append(b, "\n# by hand\nby-hand.example\n"...), 0o600))
	assert.Equal(t, "# by hand\n"+strings.Replace(want, "c.example", "by-hand.example\nc.example", 1), list(), "lines of others stay")
	assert.Equal(t, want, list("--reset"))
}

func TestBlocklistOnStdoutHasChangesOnly(t *testing.T) {
	t.Parallel()
	i := newInstance(t)
	args := []string{"--format", "blocklist", "--state", i.path("state"), "--allow-reserved"}
	i.add(t, "Host", "a.example", 3, time.Hour)
	assert.Equal(t, "a.example\n", run(t, i.env, args...).stdout)
	i.deleteHost(t, "a.example")
	i.add(t, "Host", "b.example", 3, 0)
	assert.Equal(t, "# removed: a.example\nb.example\n", run(t, i.env, args...).stdout)
}

func TestUnusableOldBlocklist(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(t *testing.T, path string)
		want   string
	}{
		"gone":      {func(t *testing.T, path string) { require.NoError(t, os.Remove(path)) }, "is gone, and --state has only"},
		"long line": {func(t *testing.T, path string) { require.NoError(t, os.Truncate(path, 1<<17)) }, "token too long"},
		"directory": {func(t *testing.T, path string) {
			require.NoError(t, os.Remove(path))
			require.NoError(t, os.Mkdir(path, 0o700))
		}, "is not a regular file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := newInstance(t)
			i.add(t, "Host", "m.example", 3, time.Hour)
			args := listArgs(i)
			require.Equal(t, cli.Success, run(t, i.env, args...).code)
			tc.change(t, i.path("list"))
			r := run(t, i.env, args...)
			assert.Equal(t, cli.Failure, r.code)
			assert.Contains(t, r.stderr, tc.want)
		})
	}
}

// Lines have the canonical form of a value, however the platform or an older list spells it. A value is also removed in
// any spelling.
func TestBlockListSpellings(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]struct {
		typ   ioc.Type
		lines []string
	}{
		"2001:DB8::1":            {ioc.TypeAddress, []string{"2001:db8:0:0:0:0:0:1"}},
		"2001:db8:0:0:0:0:0:1":   {ioc.TypeAddress, []string{"2001:db8:0:0:0:0:0:1"}},
		"2001:0db8:0:0::/32":     {ioc.TypeCIDR, []string{"2001:db8:0:0:0:0:0:0/32"}},
		"AS 1":                   {ioc.TypeASN, []string{"ASN1"}},
		"Evil.COM.":              {ioc.TypeHost, []string{"evil.com"}},
		"HTTP://Evil.com/A":      {ioc.TypeURL, []string{"http://evil.com/A"}},
		"Who@EVIL.com":           {ioc.TypeEmailAddress, []string{"Who@evil.com"}},
		strings.Repeat("ab", 16): {ioc.TypeFile, []string{strings.Repeat("AB", 16)}},
		" " + strings.Repeat("A", 32) + " : " + strings.Repeat("b", 40): {ioc.TypeFile, []string{strings.Repeat("A", 32), strings.Repeat("B", 40)}},
		"any": {ioc.TypeAddress, nil},
	} {
		l := &liner{leftOut: map[string]int64{}}
		assert.Equal(t, want.lines, l.of(&row{Action: changed, Type: threatconnect.IndicatorType(want.typ), Indicator: value}), value)
		assert.Equal(t, want.lines, l.of(&row{Action: deleted, Type: threatconnect.IndicatorType(want.typ), Indicator: value}), value)
		if line, reason := l.old(value); len(want.lines) == 1 {
			assert.Equal(t, want.lines[0], line)
			assert.Empty(t, reason)
		}
		assert.Equal(t, want.lines == nil, l.leftOut[notCanonical] == 1, value)
	}
}

func TestThreatBlockListExclusions(t *testing.T) {
	t.Parallel()
	i := newInstance(t)
	values := map[string]string{ // to types
		"0.0.0.0/0": "CIDR", "8.0.0.0/8": "CIDR", "10.0.0.0/24": "CIDR", "8.8.8.0/24": "CIDR", "0:0:0:0:0:0:0:0/0": "CIDR", "2a00:0:0:0:0:0:0:0/19": "CIDR",
		"10.0.0.1": "Address", "127.0.0.1": "Address", "203.0.113.9": "Address", "8.8.4.4": "Address", "fe80:0:0:0:0:0:0:1": "Address",
		"printer.local": "Host", "a.example": "Host", "evil.org": "Host", "login.good.org": "Host",
		"http://10.0.0.1/x": "URL", "http://evil.org:8080/x": "URL", "https://login.good.org/": "URL",
		"boss@good.org": "EmailAddress", "who@evil.org": "EmailAddress", "ASN64512": "ASN", "ASN13335": "ASN",
		"D41D8CD98F00B204E9800998ECF8427E": "File", "AABBCCDDEEFF00112233445566778899": "File",
	}
	for v, typ := range values {
		i.add(t, typ, v, 3, time.Hour)
	}
	exclude := i.path("exclude")
	require.NoError(t, os.WriteFile(exclude, []byte("good.org # ours\n8.8.8.8\n"), 0o600))
	public := []string{"8.8.4.4", "AABBCCDDEEFF00112233445566778899", "ASN13335", "evil.org", "http://evil.org:8080/x", "who@evil.org"}
	onlyListed := []string{"8.8.8.0/24", "boss@good.org", "https://login.good.org/", "login.good.org"}
	sorted := func(lines ...string) string {
		slices.Sort(lines)
		return strings.Join(lines, "\n") + "\n"
	}
	list := func(args ...string) (lines, stderr string) {
		r := run(t, i.env, append([]string{"--format", "blocklist", "--output", i.path("list"), "--state", i.path("state")}, args...)...)
		require.Equal(t, cli.Success, r.code, r.stderr)
		b, err := os.ReadFile(i.path("list"))
		require.NoError(t, err)
		return string(b), r.stderr
	}
	got, stderr := list()
	assert.Equal(t, sorted(append(onlyListed, public...)...), got)
	for _, want := range []string{"1 left out: block wider than /16\n", "1 left out: block wider than /32\n", "left out: not a public address (private, RFC 1918)\n"} {
		assert.Contains(t, stderr, want)
	}
	// Newly excluded values are removed, and so are invalid lines of other programs or older versions.
	require.NoError(t, os.WriteFile(i.path("list"), []byte(got+"any\n10.0.0.9\n0.0.0.0/0\n*.com\n# ours\n"), 0o600))
	got, stderr = list("--exclude", exclude, "--max-share", "0.6")
	assert.Equal(t, "# ours\n"+sorted(public...), got)
	assert.Contains(t, stderr, "4 left out: on list "+exclude)
	assert.Contains(t, stderr, "2 left out: "+notCanonical)
	r := run(t, i.env, "--format", "blocklist", "--state", "none", "--exclude", exclude)
	lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
	assert.Equal(t, sorted(public...), sorted(lines...), "on standard output")

	all, _ := list("--allow-reserved", "--reset")
	assert.Equal(t, sorted(slices.Collect(maps.Keys(values))...), all, "with --allow-reserved")
	r = run(t, i.env, "--format", "blocklist", "--output", i.path("list"), "--state", i.path("state"))
	assert.Contains(t, r.stderr, "--allow-reserved, now", "values that were left out would be missing")
	for _, args := range [][]string{{"--exclude", i.path("none")}, {"--exclude", exclude, "--allow-reserved"}, {"--format", "csv", "--allow-reserved"}, {"--max-share", "0"}, {"--max-share", "NaN"}} {
		r := run(t, i.env, append([]string{"--format", "blocklist", "--state", "none"}, args...)...)
		assert.Equal(t, cli.Failure, r.code)
		assert.Contains(t, r.stderr, args[0])
		assert.Empty(t, r.stdout)
	}
}

func TestThreatBlockListRemovalsAreLimited(t *testing.T) {
	t.Parallel()
	i := newInstance(t)
	host := func(n int) string { return fmt.Sprintf("h%02d.org", n) }
	for n := range 20 {
		i.add(t, "Host", host(n), 3, time.Hour)
	}
	args := []string{"--format", "blocklist", "--output", i.path("list"), "--state", i.path("state")}
	files := func() string {
		var all string
		for _, name := range []string{"list", "state.Example+Source"} {
			b, err := os.ReadFile(i.path(name))
			require.NoError(t, err)
			all += string(b)
		}
		return all
	}
	require.Equal(t, cli.Success, run(t, i.env, args...).code)
	for n := range 4 { // 4 of 20, which the default of --max-share allows
		i.deleteHost(t, host(n))
	}
	i.add(t, "Host", "new.org", 3, 0)
	require.Equal(t, cli.Success, run(t, i.env, args...).code)
	for n := 4; n < 8; n++ { // 4 of 17
		i.deleteHost(t, host(n))
	}
	for n := range 50 {
		i.add(t, "Host", fmt.Sprintf("more%02d.org", n), 3, 0)
	}
	before := files()
	for _, more := range [][]string{nil, {"--reset"}, {"--state", "none"}} {
		r := run(t, i.env, append(args, more...)...)
		assert.Equal(t, cli.Failure, r.code)
		assert.Contains(t, r.stderr, "4 of the 17 lines of the list would be removed, and --max-share allows 0.2 of them; the list and the state were not changed: if they should be removed, run once with --max-share 0.24")
		assert.Equal(t, before, files(), more)
	}
	require.Equal(t, cli.Success, run(t, i.env, append(args, "--max-share", "0.24")...).code)
	assert.Contains(t, files(), "h08.org\nh09.org")
	assert.NotContains(t, files(), "h07.org")
	require.NoError(t, os.WriteFile(i.path("list"), []byte("# a comment\nold.org\nolder.org\n"), 0o600))
	r := run(t, i.env, append(args, "--reset")...)
	assert.Contains(t, r.stderr, "2 of the 2 lines", "--reset has the same limit")
	assert.Contains(t, r.stderr, "run once with --max-share 1\n")
}

// The share that the error suggests is sufficient, at most 0.01 too high, and has at most two decimals.
func TestShareOfShortList(t *testing.T) {
	t.Parallel()
	for lines := 1; lines <= 30; lines++ {
		for gone := 1; gone <= lines; gone++ {
			share := shareOf(int64(gone), int64(lines))
			assert.GreaterOrEqual(t, share, float64(gone)/float64(lines))
			assert.InDelta(t, float64(gone)/float64(lines), share, 0.01+1e-9)
			assert.LessOrEqual(t, len(strconv.FormatFloat(share, 'g', -1, 64)), len("0.99"))
		}
	}
}

// isLine reports whether a line of a block list is the canonical form of a value.
func isLine(line string) bool {
	return !strings.HasPrefix(line, "#") && slices.ContainsFunc(lineTypes, func(typ ioc.Type) bool {
		v, err := ioc.Canonical(typ, line)
		return err == nil && v == line
	})
}

// FuzzThreatBlockListLines applies changes of any values to any old list and compares the result with the same changes
// in memory. Every line must be a comment of the old list or a canonical value.
func FuzzThreatBlockListLines(f *testing.F) {
	hostile := []string{
		"any", "8.8.8.8 # dns evil", "*.com", "!evil.example$@@all", " =1+1", "|cmd", "0.0.0.0/0", "::/0", "10.0.0.1", "8.8.8.8\u2028any", "8.8.8.8\rany",
		"2001:DB8::1", "2001:0db8:0:0:0:0:0:1", "AS 1", "ASN1", "1", "aabbccddeeff00112233445566778899", "AABBCCDDEEFF00112233445566778899 : 00112233445566778899AABBCCDDEEFF00112233",
		"Evil.COM.", "HTTP://Evil.com/#x", "#a@b.com", "A@B.com", "", "#", "# removed: any", "evil.com\x00", "e\u202evil.com", "http://a.com/" + strings.Repeat("a", maxLine),
	}
	for _, v := range hostile {
		f.Add("", v, byte(0))
		f.Add(v, "", byte(0))
		f.Add(v+"\nb.org", v+"\n-"+v+"\n-b.org", byte(0xff))
	}
	f.Add("d.org a.org", "a.org\nb.org\n-a.org\nc.org\n-c.org\nc.org", byte(5))
	f.Fuzz(func(t *testing.T, old, text string, salt byte) {
		if len(old) > maxLine {
			return // a line that is too long is an error
		}
		path := t.TempDir() + "/list"
		old = strings.ReplaceAll(strings.Join(strings.Fields(old), "\n"), "\r", "")
		require.NoError(t, os.WriteFile(path, []byte(old), 0o600))
		l := &liner{leftOut: map[string]int64{}}
		want := map[string]bool{}
		for line := range strings.SplitSeq(old, "\n") {
			if strings.HasPrefix(line, "#") {
				want[line] = true
			} else if v, reason := l.old(line); reason == "" {
				want[v] = true
			}
		}
		b, err := openBlocklist(path, false, l, 1)
		require.NoError(t, err)
		defer b.Abort()
		var stdout bytes.Buffer
		both := []sink{b, &listSink{newStream(&stdout), l, unchanged}}
		for n, v := range strings.Split(text, "\n") {
			v, isRemoved := strings.CutPrefix(v, "-")
			for _, typ := range append(lineTypes[(n+int(salt))%len(lineTypes):], ioc.TypeMutex) {
				r := &row{Action: changed, Type: threatconnect.IndicatorType(typ), Indicator: v}
				if isRemoved {
					r.Action = withdrawn
				}
				for _, to := range both {
					require.NoError(t, to.write(r))
				}
				for _, line := range l.of(r) {
					want[line] = !isRemoved
				}
			}
		}
		for _, to := range both {
			require.NoError(t, to.Commit())
		}
		for line := range strings.Lines(stdout.String()) {
			require.True(t, isLine(strings.TrimPrefix(strings.TrimSuffix(line, "\n"), "# removed: ")), "%q", line)
		}
		maps.DeleteFunc(want, func(_ string, isListed bool) bool { return !isListed })
		got, err := os.ReadFile(path)
		require.NoError(t, err)
		lines := strings.Split(strings.TrimSuffix(string(got), "\n"), "\n")
		if len(got) == 0 {
			lines = []string{}
		}
		require.Equal(t, slices.AppendSeq([]string{}, slices.Values(slices.Sorted(maps.Keys(want)))), lines)
		for _, line := range lines {
			require.True(t, strings.HasPrefix(line, "#") && strings.Contains("\n"+old+"\n", "\n"+line+"\n") || isLine(line), "%q", line)
		}
	})
}
