package lookup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/examples/internal/command"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// result is what a run of the command came to.
type result struct {
	code           int
	stdout, stderr string
}

func run(t *testing.T, env map[string]string, stdin string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := Run(t.Context(), &command.Env{
		Args: args, Stdin: strings.NewReader(stdin), Stdout: &stdout, Stderr: &stderr,
		Getenv: func(k string) string { return env[k] },
	})
	return result{code, stdout.String(), stderr.String()}
}

// served returns the environment of a client of srv, which is served on a port.
func served(t *testing.T, srv *threatconnecttest.Server) map[string]string {
	t.Helper()
	port := httptest.NewServer(srv)
	t.Cleanup(port.Close)
	return map[string]string{"TC_BASE_URL": port.URL + "/api", "TC_ACCESS_ID": srv.AccessID(), "TC_SECRET_KEY": srv.SecretKey()}
}

func TestLookupInTheTestServer(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		args   []string
		env    map[string]string
		stdin  string
		code   int
		stdout []string
		stderr []string
		absent []string // of stdout
	}{
		{
			name:   "values of its own are looked up when there are none",
			code:   someNotFound,
			stdout: []string{"IDENTIFIER", "TA SCORE", "203.0.113.42", "Command and Control, Botnet", "xn--bcher-kva.example", "(not found)"},
			stderr: []string{"test server in the process", "6 of 7 values found"},
		},
		{
			name:   "a value is found in every owner that has it",
			args:   []string{"203.0.113.42"},
			stdout: []string{"Example Source", "Example Community"},
		},
		{
			name:   "only the named owner is looked in",
			args:   []string{"203.0.113.42", "-owner", "Example Community"},
			stdout: []string{"Example Community"},
			absent: []string{"Example Source"},
		},
		{
			name:   "two named owners are looked in, in their order",
			args:   []string{"-owner", "Example Source", "-owner", "Example Organization", "203.0.113.42"},
			stdout: []string{"Example Source"},
			absent: []string{"Example Community", "(not found)"},
		},
		{
			name:   "TC_OWNER is looked in when no owner is named",
			args:   []string{"203.0.113.42"},
			env:    map[string]string{"TC_OWNER": "Example Community"},
			stdout: []string{"Example Community"},
			absent: []string{"Example Source"},
		},
		{
			name:   "all owners are looked in when that is asked for",
			args:   []string{"203.0.113.42", "-all-owners"},
			env:    map[string]string{"TC_OWNER": "Example Community"},
			stdout: []string{"Example Community", "Example Source"},
		},
		{
			name:   "defanged lines on standard input, with comments between them",
			stdin:  "\ufeff# alerts of today\n\n  hxxps://login[.]invoices[.]example/verify?id=7 \r\n203[.]0.113[.]42\n",
			stdout: []string{"https://login.invoices.example/verify?id=7", "203.0.113.42"},
			stderr: []string{"2 of 2 values found"},
		},
		{
			name:   "a file by one of its hashes",
			args:   []string{"275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f"},
			stdout: []string{"44D88612FEA8A8F36DE82E1278ABB02F", "EICAR"},
		},
		{
			name:   "a type that cannot be told by its value",
			args:   []string{"-type", "mutex", `Global\example-mutex`},
			stdout: []string{`Global\example-mutex`},
		},
		{
			name:   "a value that no owner has",
			args:   []string{"198.51.100.7"},
			code:   someNotFound,
			stdout: []string{"198.51.100.7", "(not found)"},
		},
		{
			name:   "a value that is none does not keep the others from being found",
			args:   []string{"not-an-indicator", "203.0.113.42"},
			code:   command.Error,
			stdout: []string{"not-an-indicator", "(refused)", "203.0.113.42"},
			stderr: []string{`"not-an-indicator": indicator is not recognized`, "-type", "1 of 2 values found, 1 refused"},
		},
		{
			name:   "a URL without its scheme that has an email address in it",
			args:   []string{"evil.example.com/login?email=user@victim.example"},
			code:   command.Error,
			stdout: []string{"(refused)"},
			stderr: []string{"it may be a URL without its scheme"},
		},
		{
			name:   "an owner that is not there",
			args:   []string{"-owner", "Exmaple Source", "203.0.113.42"},
			code:   command.Error,
			stderr: []string{`no owner "Exmaple Source"`, `"Example Source"`},
		},
		{
			name:   "a type that is not there",
			args:   []string{"-type", "colour", "red"},
			code:   command.Error,
			stderr: []string{`no indicator type "colour"`, "registrykey"},
		},
		{
			name:   "the owners",
			args:   []string{"-owners"},
			stdout: []string{"OWNER", "Example Organization", "Community"},
		},
		{
			name:   "a value that begins with a dash",
			args:   []string{"-type", "user-agent", "--", "-x"},
			code:   someNotFound,
			stdout: []string{"-x"},
		},
		{
			name:   "help",
			args:   []string{"-help"},
			stdout: []string{"lookup [flags] VALUE...", "TC_SECRET_KEY", "history of the shell", "Exit codes: 0"},
		},
		{
			name:   "a flag that is not there",
			args:   []string{"-owner-name", "x"},
			code:   command.Error,
			stderr: []string{"flag provided but not defined: -owner-name", "lookup -help"},
		},
		{
			name:   "too many at a time",
			args:   []string{"-parallel", "33"},
			code:   command.Error,
			stderr: []string{"-parallel: want 1 to 32"},
		},
		{
			name:   "credentials without an instance",
			args:   []string{"203.0.113.42"},
			env:    map[string]string{"TC_ACCESS_ID": "1", "TC_SECRET_KEY": "s3cr3t-k3y"},
			code:   command.Error,
			stderr: []string{"there are credentials but no instance: set TC_BASE_URL"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := run(t, tc.env, tc.stdin, tc.args...)
			assert.Equal(t, tc.code, r.code, r.stderr)
			for _, s := range tc.stdout {
				assert.Contains(t, r.stdout, s)
			}
			for _, s := range tc.stderr {
				assert.Contains(t, r.stderr, s)
			}
			for _, s := range tc.absent {
				assert.NotContains(t, r.stdout, s)
			}
			assert.NotContains(t, r.stdout+r.stderr, "s3cr3t-k3y")
		})
	}
}

func TestLookupInJSON(t *testing.T) {
	t.Parallel()
	r := run(t, nil, "", "-json", "203[.]0[.]113[.]42", "nonsense", "198.51.100.7")
	assert.Equal(t, command.Error, r.code)
	assert.Equal(t, 3+2, strings.Count(r.stdout, "\n"), "an element stands on a line of its own")
	var all []element
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &all))
	require.Len(t, all, 3)

	assert.Equal(t, "203[.]0[.]113[.]42", all[0].Value)
	assert.Equal(t, "203.0.113.42", all[0].Identifier)
	assert.True(t, all[0].Found)
	require.Len(t, all[0].Owners, 2)
	source := all[0].Owners[1]
	assert.Equal(t, record{
		Owner: "Example Source", Identifier: "203.0.113.42", Rating: new(4.0), Confidence: new(85),
		ThreatAssessRating: new(4.0), ThreatAssessConfidence: new(85.0), ThreatAssessScore: source.ThreatAssessScore,
		Tags: []string{"Command and Control", "Botnet"},
	}, source)
	assert.NotNil(t, source.ThreatAssessScore)

	assert.Contains(t, all[1].Error, "is not recognized")
	assert.False(t, all[1].Found)
	assert.Equal(t, []record{}, all[2].Owners)
	assert.Empty(t, all[2].Error)
}

func TestALineThatIsTooLongCostsOnlyItself(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", maxLine+1)
	in := "203.0.113.42\n\n" + long + "\n203[.]0.113[.]42\r\n" + long
	const why = "is longer than 65536 bytes, and no indicator is: look for a missing line break"
	r := run(t, nil, in)
	assert.Equal(t, command.Error, r.code)
	assert.Equal(t, 4, strings.Count(r.stdout, "203.0.113.42"), "both values, in two owners each")
	assert.Regexp(t, `(?m)^line 3 +\(refused\)`, r.stdout)
	assert.Regexp(t, `(?m)^line 5 +\(refused\)`, r.stdout)
	assert.Contains(t, r.stderr, "lookup: line 3: "+why+"\nlookup: line 5: "+why+"\n")
	assert.Contains(t, r.stderr, "2 of 4 values found, 2 refused")

	r = run(t, nil, in, "-json")
	assert.Equal(t, command.Error, r.code)
	var all []element
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &all))
	require.Len(t, all, 4)
	assert.Equal(t, element{Line: 3, Error: why, Owners: []record{}}, all[1])
	assert.Equal(t, element{Line: 5, Error: why, Owners: []record{}}, all[3])
	assert.Equal(t, "203[.]0.113[.]42", all[2].Value)
	assert.True(t, all[2].Found)

	r = run(t, nil, strings.Repeat("a", maxLine-1)+"\n")
	assert.Equal(t, command.Error, r.code)
	assert.False(t, strings.Contains(r.stderr, why), "a line that fits is read")
}

func TestALineThatBreaksOffIsNoValue(t *testing.T) {
	t.Parallel()
	in := io.MultiReader(strings.NewReader("a.example\nb.exam"), iotest.ErrReader(errors.New("broken pipe")))
	var got []string
	for v, err := range readValues(in, true) {
		if err != nil {
			v = err.Error()
		}
		got = append(got, v)
	}
	assert.Equal(t, []string{"a.example", "read standard input: broken pipe"}, got)
}

func TestALongLineIsNotHeldInMemory(t *testing.T) {
	in := io.MultiReader(io.LimitReader(endless{}, 64<<20), strings.NewReader("\nb.example\n"))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var errs []error
	var got []string
	for v, err := range readValues(in, true) {
		got, errs = append(got, v), append(errs, err)
	}
	runtime.ReadMemStats(&after)
	assert.Equal(t, []string{"", "b.example"}, got)
	assert.Equal(t, []error{longLine(1), nil}, errs)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
}

// endless is a line without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}

func TestLookupOfNothingInJSONIsAnEmptyArray(t *testing.T) {
	t.Parallel()
	r := run(t, served(t, threatconnecttest.New()), "# nothing\n", "-json")
	assert.Equal(t, command.Error, r.code)
	assert.JSONEq(t, "[]", r.stdout)
	assert.Contains(t, r.stderr, "there is nothing to look up")
}

func TestLookupKeepsTheOrderOfTheValues(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.New()
	srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultDelay, Delay: 20_000_000, Probability: 0.3, Seed: 1, Times: -1})
	var in strings.Builder
	var want []string
	for _, c := range "abcdefghijklmnopqrstuvwxyz" {
		host := string(c) + ".example"
		want = append(want, host)
		in.WriteString(host + "\n")
	}
	r := run(t, served(t, srv), in.String(), "-json", "-parallel", "8")
	assert.Equal(t, someNotFound, r.code, r.stderr)
	var all []element
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &all))
	var got []string
	for _, e := range all {
		got = append(got, e.Value)
	}
	assert.Equal(t, want, got)
}

func TestLookupEndsWhileItWaitsForTheNextValue(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]bool{"on an error": true, "on an interrupt": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := threatconnecttest.New()
			env := served(t, srv)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if fault {
				srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Status: http.StatusForbidden, Times: -1})
			} else {
				time.AfterFunc(50*time.Millisecond, cancel)
			}
			in, typed := io.Pipe()
			defer typed.Close()
			go func() { _, _ = io.WriteString(typed, "203.0.113.42\n") }()
			ended := make(chan int, 1)
			go func() {
				ended <- Run(ctx, &command.Env{
					Args: []string{"-all-owners"}, Stdin: in, Stdout: io.Discard, Stderr: io.Discard,
					Getenv: func(k string) string { return env[k] },
				})
			}()
			select {
			case code := <-ended:
				assert.Equal(t, command.Error, code)
			case <-time.After(10 * time.Second):
				t.Fatal("it still waits")
			}
		})
	}
}

func TestLookupFindsEveryTypeByTheFormThatItIsShownIn(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.New()
	env := served(t, srv)
	for typ, value := range map[string]string{
		"Registry Key": `HKEY_LOCAL_MACHINE\Software\Example : Run : REG_SZ`,
		"File":         "00112233445566778899AABBCCDDEEFF : 00112233445566778899AABBCCDDEEFF00112233",
		"CIDR":         "192.0.2.0/24",
		"ASN":          "ASN64496",
		"EmailAddress": "someone@mail.example",
		"User Agent":   "curl/8.0 (example)",
	} {
		_, err := srv.AddIndicator(threatconnecttest.IndicatorRecord{Owner: "Example Source", Type: typ, Summary: value})
		require.NoError(t, err)
		args := []string{value}
		if typ == "User Agent" {
			args = append(args, "-type", "user agent")
		}
		r := run(t, env, "", args...)
		assert.Equal(t, command.OK, r.code, r.stderr)
		r = run(t, env, "", append(args, "-owner", "Example Source", "-json")...)
		assert.Equal(t, command.OK, r.code, r.stderr)
		var all []element
		require.NoError(t, json.Unmarshal([]byte(r.stdout), &all))
		assert.Equal(t, value, all[0].Owners[0].Identifier)
	}
}

func TestLookupFindsATypeOfTheInstancesOwn(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.New(threatconnecttest.WithIndicatorType(threatconnecttest.IndicatorType{
		Name: "Wallet", Branch: "wallets", Entity: "wallet", Fields: []string{"Address"},
	}))
	_, err := srv.AddIndicator(threatconnecttest.IndicatorRecord{Owner: "Example Source", Type: "Wallet", Summary: "w-0815", Rating: new(2.0)})
	require.NoError(t, err)
	r := run(t, served(t, srv), "", "-type", "wallet", "w-0815")
	assert.Equal(t, command.OK, r.code, r.stderr)
	assert.Contains(t, r.stdout, "w-0815")
}

func TestLookupSaysWhatIsWrongWithTheInstance(t *testing.T) {
	t.Parallel()
	html := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte("<html>no API here</html>"))
	}))
	t.Cleanup(html.Close)
	good := served(t, threatconnecttest.New())
	for name, tc := range map[string]struct {
		env    map[string]string
		args   []string
		stderr string
	}{
		"a wrong secret key":          {map[string]string{"TC_BASE_URL": good["TC_BASE_URL"], "TC_ACCESS_ID": good["TC_ACCESS_ID"], "TC_SECRET_KEY": "s3cr3t-k3y"}, []string{"203.0.113.42"}, "401"},
		"no secret key":               {map[string]string{"TC_BASE_URL": good["TC_BASE_URL"], "TC_ACCESS_ID": "1"}, []string{"203.0.113.42"}, "TC_SECRET_KEY is not set"},
		"both kinds of credentials":   {map[string]string{"TC_BASE_URL": good["TC_BASE_URL"], "TC_ACCESS_ID": "1", "TC_TOKEN": "s3cr3t-k3y"}, []string{"203.0.113.42"}, "unset one kind"},
		"a web server without an API": {map[string]string{"TC_BASE_URL": html.URL, "TC_ACCESS_ID": "1", "TC_SECRET_KEY": "s3cr3t-k3y"}, []string{"203.0.113.42"}, "is /api missing"},
		"a base URL that is none":     {map[string]string{"TC_BASE_URL": "app.threatconnect.com", "TC_TOKEN": "s3cr3t-k3y"}, []string{"203.0.113.42"}, "base URL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := run(t, tc.env, "", tc.args...)
			assert.Equal(t, command.Error, r.code)
			assert.Contains(t, r.stderr, tc.stderr)
			assert.NotContains(t, r.stderr, "s3cr3t-k3y")
			assert.Empty(t, r.stdout)
		})
	}
}

// Every line that is a value is looked up once, whatever is in it, and what is recognized is a value
// that can be asked for.
func FuzzInput(f *testing.F) {
	for _, s := range []string{"", "www.example.com\n# comment\n\n192.0.2.1", "\ufeffhxxps://evil[.]example/a\r\n", "\ufeff www.example.com", "\x00\n\xff\n#", " # x \n  y  ", "d41d8cd98f00b204e9800998ecf8427e : "} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, text string, comments bool) {
		n := 0
		for line, err := range readValues(strings.NewReader(text), comments) {
			n++
			if err != nil {
				require.IsType(t, longLine(0), err)
				require.Greater(t, len(text), maxLine)
				continue
			}
			require.NotEmpty(t, line)
			require.Equal(t, strings.TrimSpace(line), line)
			require.NotContains(t, line, "\n")
			ref, err := readWith(recognize)(line)
			if err != nil {
				require.ErrorIs(t, err, threatconnect.ErrValidation)
				continue
			}
			require.NotEmpty(t, ref.Value)
		}
		require.LessOrEqual(t, n, strings.Count(text, "\n")+1)
	})
}
