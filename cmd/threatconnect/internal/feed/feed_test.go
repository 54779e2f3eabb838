package feed

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func TestSampleNeedsNoConfiguration(t *testing.T) {
	t.Parallel()
	r := env{}.run(t.Context())
	assert.Equal(t, 0, r.exit, r.stderr)
	assert.Regexp(t, `(?m)^TYPE +IMPORTED +SKIPPED$`, r.stdout)
	assert.Regexp(t, `(?m)^Address +4 +1$`, r.stdout)
	assert.Regexp(t, `(?m)^Groups +2 +0$`, r.stdout)
	assert.Regexp(t, `(?m)^update\.loader\.example +Host +5 +95 +C2, Loader$`, r.stdout)
	assert.Contains(t, r.stdout, "\nImported 17 items into Example Source of the test server in this process: 15 indicators and 2 groups in 1 job, 1 skipped.\n")
	assert.Contains(t, r.stderr, "Nothing leaves this machine")
	assert.NotContains(t, r.stderr, "\x1b", "no bar without a terminal")
	for line := range strings.Lines(r.stdout) {
		assert.LessOrEqual(t, len([]rune(strings.TrimSuffix(line, "\n"))), 130, line)
	}
}

func TestSummaryOmitsUntypedSkippedEntries(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	const bundle = `{"type":"bundle","objects":[
{"type":"indicator","id":"indicator--1","pattern":"[domain-name:value = 'evil.test-name.com']"},
{"type":"indicator","id":"indicator--2","pattern":"[file:path = '/tmp/x']"}]}`
	r := to(t, srv).feed(bundle).run(t.Context(), "--input", "-")
	assert.Equal(t, 0, r.exit, r.stderr)
	assert.Regexp(t, `(?m)^TYPE +IMPORTED$`, r.stdout)
	assert.Contains(t, r.stdout, "1 skipped")
}

func TestInstanceNeedsInput(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	e := to(t, srv)
	token := env{vars: map[string]string{"TC_BASE_URL": e.vars["TC_BASE_URL"], "TC_TOKEN": srv.Token(), "TC_OWNER": owner}}
	out := t.TempDir()
	for name, c := range map[string]struct {
		env  env
		args []string
	}{
		"an access id":                    {e, nil},
		"a token":                         {token, nil},
		"an empty file name":              {e, []string{"--input", ""}},
		"an instance on the command line": {e.with("TC_BASE_URL", ""), []string{"--tc_api_path", e.vars["TC_BASE_URL"]}},
		"a state and removal":             {e, []string{"--state", filepath.Join(t.TempDir(), "state"), "--remove-stale"}},
	} {
		r := c.env.run(t.Context(), append(c.args, "--json", "--tc_out_path", out)...)
		assert.Equal(t, 1, r.exit, name)
		assert.Contains(t, r.stderr, "--input is missing: name the feed with --input FILE", name)
		message, err := os.ReadFile(filepath.Join(out, "message.tc"))
		require.NoError(t, err, name)
		assert.Contains(t, string(message), "--input is missing", name)
	}
	assert.Empty(t, srv.Requests())
}

func TestFeedImportsAllFields(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	e := to(t, srv)
	for run := 1; run <= 2; run++ { // feeds are imported every day
		r := e.feed(sample).run(t.Context(), "--input", "-", "--tag", "daily", "--json")
		s := reportOf(t, r)
		require.Equal(t, 0, r.exit, r.stderr)
		assert.Equal(t, "jsonl", s.Format)
		assert.False(t, s.InProcess)
		assert.EqualValues(t, 17, s.Imported)
		assert.EqualValues(t, 15, s.Indicators)
		assert.EqualValues(t, 2, s.Groups)
		assert.EqualValues(t, 1, s.Jobs, "the job of the preflight is not counted")
		assert.Positive(t, s.Bytes)
		assert.Contains(t, s.Types, kindSeen{Type: "Address", Sent: 4, Skipped: 1})
		assert.Equal(t, kindSeen{Type: "Groups", Sent: 2}, s.Types[len(s.Types)-1])

		assert.Equal(t, 15, srv.Counts(owner).Indicators, "run %d", run)
		ind, ok := srv.Indicator(owner, "Address", "203.0.113.44")
		require.True(t, ok)
		assert.InDelta(t, 4, *ind.Rating, 0)
		assert.Equal(t, 90, *ind.Confidence)
		assert.Equal(t, []string{"C2", "Botnet", "daily"}, ind.Tags)
		require.Len(t, ind.Attributes, 1, "run %d", run)
		require.Equal(t, []string{"sample-loader"}, ind.Groups)
		group, ok := srv.Group("sample-loader")
		require.True(t, ok)
		assert.Equal(t, "Example Loader", group.Name)
		assert.Len(t, group.Attributes, 1, "run %d", run)
		assert.Len(t, srv.Groups(owner), 2)
	}
	for _, q := range srv.Requests() {
		assert.Regexp(t, `^threatconnect-feed/`, q.Header.Get("User-Agent"))
	}
}

func TestFlagsFillMissingFields(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	r := to(t, srv).feed(`{"type":"Host","summary":"a.example","rating":1,"confidence":2}`+"\n"+`{"type":"Host","summary":"b.example"}`+"\n").
		run(t.Context(), "--input", "-", "--rating", "3", "--confidence", "40", "--tag", "x", "--tag", "x", "--tag", "y", "--attributes", "Append")
	require.Equal(t, 0, r.exit, r.stderr)
	a, _ := srv.Indicator(owner, "Host", "a.example")
	b, _ := srv.Indicator(owner, "Host", "b.example")
	assert.InDelta(t, 1, *a.Rating, 0)
	assert.Equal(t, 2, *a.Confidence)
	assert.InDelta(t, 3, *b.Rating, 0)
	assert.Equal(t, 40, *b.Confidence)
	assert.Equal(t, []string{"x", "y"}, b.Tags)
	assert.Contains(t, srv.Jobs()[1].Config, "Append")
}

func TestColumnsMapCSV(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	r := to(t, srv).feed("url,labels\nhttp://a.example/x,\"one,two\"\n").
		run(t.Context(), "--input", "-", "--format", "csv", "--columns", "url=value:URL,labels=tags")
	require.Equal(t, 0, r.exit, r.stderr)
	ind, ok := srv.Indicator(owner, "URL", "http://a.example/x")
	require.True(t, ok)
	assert.Equal(t, []string{"one", "two"}, ind.Tags)
}

// Values in an owner reach firewalls. No flag allows private values, and --allow-documentation is for tests.
func TestThreatReservedValuesAreNotImported(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	e := to(t, srv)
	e.args = nil
	reserved := []string{
		"10.0.0.1", "172.16.0.1", "192.168.0.1", "127.0.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.1", "192.0.2.1", "198.51.100.1",
		"::", "::1", "fe80::1", "fc00::1", "ff02::1", "2001:db8::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1",
		"0.0.0.0/0", "::/0", "10.0.0.0/8", "8.0.0.0/7", "8.0.0.0/8", "2000::/3", "2600::/19", "192.168.0.0/24", "fc00::/7",
		"printer.local", "mail.corp", "www.example.com", "localhost.localdomain",
		"http://192.168.0.1/", "http://192.168.0.1/%zz", "http://192.168.0.1/%", "http://user:password@10.0.0.1:8080/?a=%zz#%", "http://[::1]/%zz", "http://[::ffff:10.0.0.1]/",
		"http://0xa000001/", "http://167772161/", "http://0300.0250.0.1/%zz", "http://192.168.0.1./%zz", "http://1%392.168.0.1/", "http://printer.local/%zz", "https://127.1/%zz",
		"a@[10.0.0.1]", "a@printer.local", "AS64512", "AS0", "AS4294967295",
	}
	first := reportOf(t, e.feed(strings.Join(reserved, "\n")).run(t.Context(), "--input", "-", "--json", "--max-invalid", "100%"))
	assert.EqualValues(t, len(reserved), first.Read)
	assert.Zero(t, first.Imported)
	assert.Empty(t, srv.Indicators(owner))
	assert.Greater(t, first.Skipped, int64(len(reserved)*3/4), "the others are invalid: %+v", first.Rules)

	feed := "10.0.0.1\n192.168.1.1\n127.0.0.1\n8.8.8.8\nwww.google.com\nhost.example\n"
	s := reportOf(t, e.feed(feed).run(t.Context(), "--input", "-", "--json"))
	assert.Equal(t, 0, s.Exit, "skipped entries have no effect on the exit code")
	assert.EqualValues(t, 4, s.Skipped)
	assert.EqualValues(t, 2, s.Imported)
	assert.True(t, srv.Has(owner, "Host", "www.google.com"), "it is on no list")

	list := filepath.Join(t.TempDir(), "popular.txt")
	require.NoError(t, os.WriteFile(list, []byte("# popular\ngoogle.com\n8.8.8.0/24\n"), 0o600))
	r := e.feed(feed).run(t.Context(), "--input", "-", "--exclude", list, "--json")
	s = reportOf(t, r)
	assert.Equal(t, 0, s.Exit)
	assert.EqualValues(t, 6, s.Skipped)
	assert.Contains(t, s.Rules, ruleSeen{skipped, "on list popular.txt", 2, []int{4, 5}})
	assert.Contains(t, r.stderr, "2 skipped: on list popular.txt (lines 4, 5)")
	assert.Contains(t, s.Message, "Nothing to import into Example Source, 6 skipped.")

	for name, args := range map[string][]string{
		"no such file": {"--exclude", list + "x"},
		"line 1":       {"--exclude", filepath.Join(t.TempDir(), "bad.txt")},
	} {
		if name == "line 1" {
			require.NoError(t, os.WriteFile(args[1], []byte("what is this\n"), 0o600))
		}
		r := e.feed(feed).run(t.Context(), append(args, "--input", "-")...)
		assert.Equal(t, 1, r.exit)
		assert.Contains(t, r.stdout, "--exclude", "the flag is named")
		assert.Contains(t, r.stdout, name)
	}
}

func TestMaxInvalid(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	e := to(t, srv)
	feed := "one.example\n# c\n0177.1\n\nsecret value\ntwo.example\n"
	for limit, exit := range map[string]int{"1%": 3, "49%": 3, "50%": 0, "100%": 0, "1": 3, "2": 0} {
		r := e.feed(feed).run(t.Context(), "--input", "-", "--json", "--max-invalid", limit)
		s := reportOf(t, r)
		assert.Equal(t, exit, r.exit, limit)
		assert.EqualValues(t, 4, s.Read)
		assert.EqualValues(t, 2, s.Invalid)
		assert.EqualValues(t, 2, s.Imported)
		require.Len(t, s.Errors, 2)
		assert.Equal(t, []int{3, 5}, []int{s.Errors[0].Line, s.Errors[1].Line})
		assert.NotContains(t, r.stderr+r.stdout, "secret value", "rules are shown, values are not")
		assert.Equal(t, exit != 0, strings.Contains(s.Message, "--max-invalid is "+limit), s.Message)
	}
	s := reportOf(t, e.feed(feed).run(t.Context(), "--input", "-", "--json"))
	assert.Equal(t, 3, s.Exit, "the default is 1%")
	s = reportOf(t, e.feed("0177.1\n0177.2\n").run(t.Context(), "--input", "-", "--json"))
	assert.Equal(t, 1, s.Exit, "nothing was imported")
	s = reportOf(t, e.feed(strings.Repeat("same.example\n", 99)+"0177.1\n").run(t.Context(), "--input", "-", "--json"))
	assert.Equal(t, 0, s.Exit, "one in a hundred")
	assert.Contains(t, s.Message, "1 invalid")
}

func TestShowLinesEscapesInput(t *testing.T) {
	t.Parallel()
	logs := t.TempDir()
	e := to(t, threatconnecttest.NewT(t))
	bad := "bad\x1b[31m \u202e" + strings.Repeat("z", 300)
	r := e.feed("one.example\n"+bad+"\ntwo.example\n10.0.0.1").
		run(t.Context(), "--input", "-", "--json", "--show-lines", "--tc_log_path", logs, "--tc_log_level", "DEBUG")
	s := reportOf(t, r)
	assert.EqualValues(t, 1, s.Invalid)
	assert.Contains(t, r.stderr, `  2: "bad\x1b[31m \u202e`+strings.Repeat("z", 10))
	assert.NotContains(t, r.stderr, "\x1b")
	assert.NotContains(t, r.stderr, strings.Repeat("z", 201))
	assert.Contains(t, r.stderr, `  4: "10.0.0.1"`)
	assert.NotContains(t, r.stdout, "31m")
	log, err := os.ReadFile(filepath.Join(logs, "app.log"))
	require.NoError(t, err)
	assert.NotContains(t, string(log), "[31m", "a duration can end in 31ms")
}

func TestEntryErrorsOmitGoNames(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"--json=true", "--json=false"} {
		r := env{}.feed("one.example/path\n").run(t.Context(), "--input", "-", flag)
		assert.Contains(t, r.stdout+r.stderr, "write http:// or https:// before it")
		assert.NotContains(t, r.stdout+r.stderr, "Parser")
	}
}

func TestShowLinesPrintsLineOnce(t *testing.T) {
	t.Parallel()
	r := env{}.feed("::1 ip6-localhost ip6-loopback\n0.0.0.0 one.example\n").run(t.Context(), "--input", "-", "--show-lines")
	assert.Equal(t, 0, r.exit, r.stderr)
	assert.Contains(t, r.stderr, "2 skipped: names the local machine or network, which is part of every hosts file (line 1)")
	assert.Equal(t, 1, strings.Count(r.stderr, `1: "::1 ip6-localhost ip6-loopback"`), r.stderr)
}

func TestManyErrorsAreCountedByRule(t *testing.T) {
	t.Parallel()
	r := env{}.feed("one.example\n"+strings.Repeat("0177.1\n", 500)).run(t.Context(), "--input", "-", "--json")
	s := reportOf(t, r)
	assert.Len(t, s.Errors, maxErrors)
	assert.EqualValues(t, 400, s.MoreErrors)
	require.Len(t, s.Rules, 1)
	assert.EqualValues(t, 500, s.Rules[0].Count)
	assert.Equal(t, []int{2, 3, 4, 5, 6}, s.Rules[0].Lines)
	assert.Contains(t, r.stderr, "500 invalid: ")
	assert.Contains(t, r.stderr, "(lines 2, 3, 4, 5, 6, …)")
}

func TestRejectedItemsAreReportedWithLines(t *testing.T) {
	t.Parallel()
	feed := `{"type":"Host","summary":"a.example"}

{"type":"Host","summary":"c.example","attributes":[{"type":"No Such Attribute","value":"secret"}]}
{"type":"Host","summary":"d.example","attributes":[{"type":"No Such Attribute","value":"secret"}]}
`
	for _, flag := range []string{"--full=false", "--merge"} {
		r := to(t, threatconnecttest.NewT(t)).feed(feed).run(t.Context(), "--input", "-", "--json", flag)
		s := reportOf(t, r)
		assert.Equal(t, 3, r.exit)
		assert.EqualValues(t, 1, s.Imported)
		assert.EqualValues(t, 2, s.Failed)
		require.Len(t, s.Rules, 1)
		assert.Equal(t, ruleSeen{failed, `the platform saved it without its attribute of the type "No Such Attribute": 0x2001 indicator saved in part`, 2, []int{3, 4}}, s.Rules[0])
		assert.Contains(t, r.stderr, "2 failed: the platform saved it without")
		assert.NotContains(t, r.stderr+r.stdout, "secret")
	}
}

func TestUnusableInputEndsWithOneMessage(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	e := to(t, srv)
	dir := t.TempDir()
	for name, c := range map[string]struct {
		env  env
		args []string
		want string
	}{
		"a missing file":             {e, []string{"--input", filepath.Join(dir, "none")}, "no such file"},
		"a directory":                {e, []string{"--input", dir}, "is a directory"},
		"an empty feed":              {e.feed(""), nil, "the feed is empty"},
		"a feed of comments":         {e.feed("# 0 entries\n"), nil, "the feed is empty"},
		"an HTML page":               {e.feed("<html>"), nil, "HTML page"},
		"a bundle that is cut off":   {e.feed(`{"type":"bundle","objects":[{"type":"malware","name":"A","id":"malware--1"},`), nil, "STIX"},
		"a pipe that breaks at once": {env{vars: e.vars, stdin: iotest.ErrReader(errors.New("broken pipe"))}, nil, "broken pipe"},
		"only invalid lines":         {e.feed("0177.1\n0177.2\n"), nil, "2 invalid (--max-invalid is 1%): address"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := c.env
			if e.stdin == nil {
				e = e.feed("one.example\n") // a valid feed
			}
			out := t.TempDir()
			r := e.run(t.Context(), append([]string{"--input", "-", "--tc_out_path", out}, c.args...)...)
			assert.Equal(t, 1, r.exit)
			assert.Equal(t, 1, strings.Count(r.stdout, "\n"), "one message: %q", r.stdout)
			assert.Contains(t, r.stdout, "Nothing was imported")
			assert.Contains(t, r.stdout, c.want)
			message, err := os.ReadFile(filepath.Join(out, "message.tc"))
			require.NoError(t, err)
			assert.Equal(t, strings.TrimSpace(r.stdout), string(message))
			assert.LessOrEqual(t, len([]rune(string(message))), 255)
		})
	}
	t.Cleanup(func() { assert.Zero(t, srv.Counts(owner).Indicators) })
}

func TestWrongFlags(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	e := to(t, srv)
	for name, c := range map[string]struct {
		env  env
		args []string
		want string
	}{
		"no owner":                        {e.with("TC_OWNER", ""), nil, "--owner is missing"},
		"credentials without an instance": {env{vars: map[string]string{"TC_SECRET_KEY": "s"}}, nil, "no instance"},
		"an unknown flag":                 {e, []string{"--bogus"}, "is not a flag of this command"},
		"an argument":                     {e, []string{"feed.txt"}, "is not a flag"},
		"an unknown format":               {e, []string{"--format", "pdf"}, "must be one of"},
		"csv without columns":             {e, []string{"--format", "csv"}, "--columns is missing"},
		"columns without csv":             {e, []string{"--columns", "url=value"}, "--format csv"},
		"bad columns":                     {e, []string{"--format", "csv", "--columns", "url"}, "--columns: column map"},
		"a rating that is too high":       {e, []string{"--rating", "6"}, "--rating must be 0 to 5"},
		"a confidence that is too high":   {e, []string{"--confidence", "101"}, "--confidence must be 0 to 100"},
		"a negative number of bytes":      {e, []string{"--max-bytes", "-1"}, "--max-bytes must be"},
		"too few bytes":                   {e, []string{"--max-bytes", "10"}, "--max-bytes must be"},
		"an unknown write type":           {e, []string{"--attributes", "merge"}, "must be singleton"},
		"a tag that is too long":          {e, []string{"--tag", strings.Repeat("x", 129)}, "128 characters"},
		"a tag that is the owner":         {e, []string{"--tag", "example source"}, "tag the kind of threat instead"},
		"a share of 0":                    {e, []string{"--max-share", "0"}, "--max-share must be"},
		"full without a state":            {e, []string{"--full"}, "--full is for --state"},
		"a negative limit":                {e, []string{"--max-invalid", "-1"}, "must be a number"},
		"a limit over 100%":               {e, []string{"--max-invalid", "101%"}, "must be a number"},
		"no time to retry":                {e, []string{"--retry-for", "0s"}, "--retry-for"},
		"an unprotected URL":              {e, []string{"--input", "http://feed.example/"}, "use https://"},
		"headers for a file":              {e, []string{"--header-file", "h"}, "are for an --input of https://"},
		"an invalid size":                 {e, []string{"--max-size", "much"}, "must be a size"},
		"a state without an instance":     {env{}, []string{"--state", "s"}, "need an instance"},
		"a log that cannot be written":    {e, []string{"--tc_log_path", filepath.Join(t.TempDir(), "none")}, "--tc_log_path: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := t.TempDir()
			r := c.env.feed("one.example\n").run(t.Context(), append([]string{"--input", "-", "--tc_out_path", out}, c.args...)...)
			assert.Equal(t, 1, r.exit)
			assert.Empty(t, r.stdout)
			assert.Contains(t, r.stderr, c.want)
			message, err := os.ReadFile(filepath.Join(out, "message.tc"))
			require.NoError(t, err)
			assert.Contains(t, string(message), "Nothing was imported: ")
			assert.LessOrEqual(t, len([]rune(string(message))), 255)
		})
	}
	t.Cleanup(func() { assert.Empty(t, srv.Requests()) })
}

func TestTagStartingWithOwnerWarns(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	r := to(t, srv).feed(`{"type":"Host","summary":"a.example","tags":["Example Source"]}`+"\n").run(t.Context(), "--input", "-", "--tag", "Example Source C2")
	assert.Equal(t, 0, r.exit)
	assert.Contains(t, r.stderr, `The tag "Example Source C2" begins with the name of the owner`)
	assert.Contains(t, r.stderr, "level=WARN", "the tag in the feed repeats the name of the owner")
	assert.Contains(t, r.stderr, "tag")
}

func TestClockSkewIsReportedAndCorrected(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	srv.SetClockOffset(10 * time.Minute)
	r := to(t, srv).feed(sample).run(t.Context(), "--input", "-")
	assert.Equal(t, 0, r.exit, r.stderr)
	assert.Contains(t, r.stderr, "the clock is wrong")
	assert.Regexp(t, `offset=(9m5\ds|10m\ds)`, r.stderr)
	assert.Equal(t, 15, srv.Counts(owner).Indicators)
}

func TestMessageAndLog(t *testing.T) {
	t.Parallel()
	out, logs := t.TempDir(), t.TempDir()
	e := to(t, threatconnecttest.NewT(t))
	flags := []string{"--input", "-", "--allow-documentation", "--tc_api_path", e.vars["TC_BASE_URL"], "--api_access_id", e.vars["TC_ACCESS_ID"],
		"--api_secret_key", e.vars["TC_SECRET_KEY"], "--tc_owner", owner, "--tc_log_path", logs, "--tc_out_path", out}
	r := env{}.feed("one.example\n0177.1\n").run(t.Context(), flags...)
	assert.Equal(t, 3, r.exit, r.stderr)
	message, err := os.ReadFile(filepath.Join(out, "message.tc"))
	require.NoError(t, err)
	assert.Contains(t, r.stdout, string(message)+"\n")
	r = env{}.feed("one.example\n").run(t.Context(), append(flags, "--owner", "Nobody")...)
	assert.Equal(t, 1, r.exit)
	b, err := os.ReadFile(filepath.Join(logs, "app.log"))
	require.NoError(t, err)
	log := string(b)
	assert.Regexp(t, `level=INFO msg="feed started" version=\S+ input=stdin format="" owner="Example Source"`, log)
	assert.Contains(t, log, "msg=invalid line=2")
	assert.Regexp(t, `level=INFO msg="feed ended" exit=3 read=2 imported=1 .* invalid=1 `, log)
	assert.Regexp(t, `level=ERROR msg="feed ended" exit=1 .* error="the API user sees no owner`, log)
	assert.NotContains(t, log, "one.example")
	assert.NotContains(t, log, e.vars["TC_SECRET_KEY"])
	assert.NotContains(t, r.stderr, "level=", "the log is in its file")

	logs = t.TempDir()
	env{}.feed(strings.Repeat("0177.1\n", 1000)).run(t.Context(), append(flags, "--tc_log_path", logs)...)
	b, err = os.ReadFile(filepath.Join(logs, "app.log"))
	require.NoError(t, err)
	assert.Equal(t, maxErrors, bytes.Count(b, []byte("msg=invalid")), "the first ones only")
}

func TestDryRunSendsNothing(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	e := to(t, srv)
	state := filepath.Join(t.TempDir(), "state")
	feed := "a.example\nb.example\nb.example\n10.0.0.1\n0177.1\n"
	args := []string{"--input", "-", "--state", state, "--json", "--max-invalid", "50%", "--remove-stale", "--max-share", "1", "--merge"}
	s := reportOf(t, e.feed(feed).run(t.Context(), append(args, "--dry-run")...))
	assert.Equal(t, 0, s.Exit)
	assert.Equal(t, []int64{5, 2, 1, 1, 1}, []int64{s.Read, s.ToImport, s.Merged, s.Skipped, s.Invalid})
	assert.Contains(t, s.Message, "Nothing was sent: 2 items would be imported into Example Source, 1 merged, 1 skipped, 1 invalid.")
	_, err := os.Stat(state)
	require.ErrorIs(t, err, os.ErrNotExist)

	require.Equal(t, 0, e.feed(feed).run(t.Context(), args...).exit)
	before, err := os.ReadFile(state)
	require.NoError(t, err)
	srv.ResetRequests()
	s = reportOf(t, e.feed("a.example\nc.example\n").run(t.Context(), append(args, "--dry-run")...))
	assert.Equal(t, []int64{1, 1, 1, 1, 0}, []int64{s.ToImport, s.Unchanged, s.Vanished, s.Stale, s.Removed})
	for _, q := range srv.Requests() {
		assert.Equal(t, "GET", q.Method)
	}
	after, err := os.ReadFile(state)
	require.NoError(t, err)
	assert.Equal(t, before, after)
	_, err = os.Stat(state + ".running")
	require.ErrorIs(t, err, os.ErrNotExist)
	s = reportOf(t, e.feed("0177.1\na.example\nd.example\n").run(t.Context(), append(args, "--dry-run", "--max-invalid", "0")...))
	assert.Equal(t, 3, s.Exit)
	assert.Contains(t, s.Message, "1 item would be imported into Example Source, 1 unchanged, 1 invalid (--max-invalid is 0)")
	s = reportOf(t, e.feed(feed).run(t.Context(), args...))
	assert.EqualValues(t, 2, s.Unchanged, "dry runs do not affect the next run")
}

func TestRemoveStaleRequiresIndicatorsAndShare(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	e := to(t, srv)
	const group = `{"group":{"type":"Threat","name":"Bear","xid":"1"}}` + "\n"
	require.Equal(t, 0, e.feed(sample).run(t.Context(), "--input", "-").exit)
	s := reportOf(t, e.feed(group).run(t.Context(), "--input", "-", "--format", "jsonl", "--feed", "x", "--remove-stale", "--json"))
	assert.Equal(t, 3, s.Exit)
	assert.Contains(t, s.Message, "the feed has no indicators to compare the owner with")
	assert.Zero(t, s.Removed)
	s = reportOf(t, e.feed("a.example\n203.0.113.9\n").run(t.Context(), "--input", "-", "--remove-stale", "--json"))
	assert.Equal(t, 3, s.Exit)
	assert.Contains(t, s.Message, "--max-share allows 0.2 of them")
	assert.NotContains(t, s.Message, "MaxShare")
}
