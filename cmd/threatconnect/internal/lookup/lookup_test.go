package lookup

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// result is the exit code and output of a run.
type result struct {
	code           int
	stdout, stderr string
}

func run(t *testing.T, vars map[string]string, stdin string, args ...string) result {
	t.Helper()
	return runWith(t, vars, strings.NewReader(stdin), args...)
}

func runWith(t *testing.T, vars map[string]string, stdin io.Reader, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	env := &cli.Env{Stdin: stdin, Stdout: &stdout, Stderr: &stderr, Getenv: func(k string) string { return vars[k] }}
	return result{runIn(t.Context(), env, args...), stdout.String(), stderr.String()}
}

// runIn runs the command in an environment and returns its exit code.
func runIn(ctx context.Context, env *cli.Env, args ...string) int {
	root := &cobra.Command{Use: "threatconnect"}
	root.AddCommand(Command(env))
	return cli.Run(ctx, root, env, append([]string{"lookup"}, args...))
}

// served serves srv on a port and returns the environment of a client.
func served(t *testing.T, srv *threatconnecttest.Server) map[string]string {
	t.Helper()
	port := httptest.NewServer(srv)
	t.Cleanup(port.Close)
	return map[string]string{"TC_BASE_URL": port.URL + "/api", "TC_ACCESS_ID": srv.AccessID(), "TC_SECRET_KEY": srv.SecretKey()}
}

// elements decodes the JSON that lookup wrote.
func elements(t *testing.T, r result) []element {
	t.Helper()
	var all []element
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &all))
	return all
}

func TestLookup(t *testing.T) {
	t.Parallel()
	community := map[string]string{"TC_OWNER": "Example Community"}
	for name, tc := range map[string]struct {
		args   []string
		vars   map[string]string
		stdin  string
		code   int
		stdout []string
		stderr []string
		absent []string // from stdout
	}{
		"sample values": {
			code:   cli.Partial,
			stdout: []string{"INDICATOR", "TA RATING", "203.0.113.42", "Command and Control, Botnet", "xn--bcher-kva.example", "(not found)"},
			stderr: []string{"using a test server in this process", "6 of 7 values found"},
		},
		"all owners": {
			args:   []string{"203.0.113.42"},
			stdout: []string{"Example Source", "Example Community"},
		},
		"one owner": {
			args:   []string{"203.0.113.42", "--owner", "Example Community"},
			stdout: []string{"Example Community"},
			absent: []string{"Example Source"},
		},
		"two owners, of which one has it": {
			args:   []string{"--owner", "Example Source", "--owner", "Example Organization", "203.0.113.42"},
			stdout: []string{"Example Source"},
			absent: []string{"Example Community", "(not found)"},
		},
		"TC_OWNER": {
			args: []string{"203.0.113.42"}, vars: community,
			stdout: []string{"Example Community"},
			absent: []string{"Example Source"},
		},
		"TC_OWNER with --owner": {
			args: []string{"203.0.113.42", "--owner", "Example Source"}, vars: community,
			stdout: []string{"Example Source"},
			absent: []string{"Example Community"},
		},
		"TC_OWNER with --all-owners": {
			args: []string{"203.0.113.42", "--all-owners"}, vars: community,
			stdout: []string{"Example Community", "Example Source"},
		},
		"defanged lines and comments": {
			stdin:  "\ufeff# alerts of today\n\n  hxxps://login[.]invoices[.]example/verify?id=7 \r\n203[.]0.113[.]42\n",
			stdout: []string{"https://login.invoices.example/verify?id=7", "203.0.113.42"},
			stderr: []string{"2 of 2 values found"},
		},
		"the hash of a file that was asked for": {
			args:   []string{"--details=false", "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f"},
			stdout: []string{"275A021BBFB6489E54D471899F7DB9D1663FC695EC2FE2A2C4538AABF651FD0F", "EICAR"},
			absent: []string{"44D88612FEA8A8F36DE82E1278ABB02F"},
		},
		"a type that is not recognized by the value": {
			args:   []string{"--type", "mutex", `Global\example-mutex`},
			stdout: []string{`Global\example-mutex (Mutex)`},
		},
		"a defanged value with --type": {
			args:   []string{"--type", "ip", "203[.]0[.]113[.]42"},
			stdout: []string{"203.0.113.42 (Address)"},
		},
		"comments with --type": {
			args: []string{"--type", "mutex"}, stdin: "#a\n#b\n",
			code:   cli.Partial,
			stdout: []string{"#a ", "#b "},
		},
		"not found": {
			args: []string{"198.51.100.7"}, code: cli.Partial,
			stdout: []string{"198.51.100.7 (Address) (not found)\n"},
		},
		"refused value among others": {
			args: []string{"not-an-indicator", "203.0.113.42"}, code: cli.Failure,
			stdout: []string{"value 1 ", "(refused)", "203.0.113.42"},
			stderr: []string{"lookup: value 1: indicator is not recognized", "name its type with --type", "1 of 2 values found, 1 refused"},
		},
		"refused value alone": {
			args: []string{"not-an-indicator"}, code: cli.Failure,
			stdout: []string{"value 1 (refused)\n"},
		},
		"URL without its scheme": {
			args: []string{"evil.example.com/login?email=user@victim.example"}, code: cli.Failure,
			stdout: []string{"(refused)"},
			stderr: []string{"it may be a URL without its scheme, or a path; write http:// or https:// before it"},
		},
		"unknown owner": {
			args: []string{"--owner", "Exmaple Source", "203.0.113.42"}, code: cli.Failure,
			stderr: []string{`no owner "Exmaple Source"`, `"Example Source"`},
		},
		"unknown type": {
			args: []string{"--type", "color", "red"}, code: cli.Failure,
			stderr: []string{`no such indicator type; it has "`, `"User Agent"`},
		},
		"vulnerabilities are no indicators": {
			args: []string{"--type", "cve", "CVE-2021-44228"}, code: cli.Failure,
			stderr: []string{`no such indicator type; it has "`},
		},
		"owners": {
			args:   []string{"--owners"},
			stdout: []string{"OWNER                 TYPE\n", "Example Community     Community\n"},
		},
		"owners in JSON": {
			args:   []string{"--owners", "--json"},
			stdout: []string{`,{"id":2,"name":"Example Community","type":"Community"}` + "\n"},
		},
		"value that begins with a dash": {
			args: []string{"--type", "user-agent", "--", "-x"}, code: cli.Partial,
			stdout: []string{"-x (User Agent) (not found)"},
		},
		"unknown flag": {
			args: []string{"--owner-name", "x"}, code: cli.Failure,
			stderr: []string{"argument 2 is not a flag of this command; did you mean --owner?", "lookup -h"},
		},
		"too many requests at the same time": {
			args: []string{"--parallel", "65"}, code: cli.Failure,
			stderr: []string{"--parallel must be 1 to 64"},
		},
		"no requests at the same time": {
			args: []string{"--parallel", "0"}, code: cli.Failure,
			stderr: []string{"--parallel must be 1 to 64"},
		},
		"contradictory flags": {
			args: []string{"--all-owners", "--owner", "Example Source"}, code: cli.Failure,
			stderr: []string{"--all-owners and --owner cannot be used together"},
		},
		"values for --owners": {
			args: []string{"--owners", "203.0.113.42"}, code: cli.Failure,
			stderr: []string{"--owners takes no values"},
		},
		"credentials without an instance": {
			args: []string{"203.0.113.42"}, vars: map[string]string{"TC_ACCESS_ID": "1", "TC_SECRET_KEY": "s3cr3t-k3y"}, code: cli.Failure,
			stderr: []string{"there are credentials but no instance: set TC_BASE_URL"},
		},
		"log that cannot be written": {
			args: []string{"--tc_log_path", "no/such/folder", "203.0.113.42"}, code: cli.Failure,
			stderr: []string{"--tc_log_path"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := run(t, tc.vars, tc.stdin, tc.args...)
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

func TestJSON(t *testing.T) {
	t.Parallel()
	r := run(t, nil, "", "--json", "203[.]0[.]113[.]42", "nonsense", "198.51.100.7")
	assert.Equal(t, cli.Failure, r.code)
	assert.Equal(t, 3+2, strings.Count(r.stdout, "\n"), "an element per line")
	assert.NotContains(t, r.stdout, `\u0026`, "links stay readable")
	all := elements(t, r)
	require.Len(t, all, 3)

	assert.Equal(t, "203[.]0[.]113[.]42", all[0].Value)
	assert.Equal(t, "203.0.113.42", all[0].Indicator)
	assert.True(t, all[0].Found)
	require.Len(t, all[0].Owners, 2)
	source := all[0].Owners[1]
	assert.NotEmpty(t, source.WebLink)
	assert.False(t, source.DateAdded.IsZero())
	assert.Equal(t, record{
		Owner: "Example Source", Indicator: "203.0.113.42", Rating: new(4.0), Confidence: new(85),
		ThreatAssessRating: new(3.5), ThreatAssessConfidence: new(76.0), ThreatAssessScore: new(712),
		Active: new(true), Observations: new(int64(0)), FalsePositives: new(int64(0)),
		DateAdded: source.DateAdded, LastModified: source.LastModified, WebLink: source.WebLink,
		Description: "Server of a botnet. Infected machines connect to it every ten minutes.", Source: "https://blog.example/botnet",
		Tags: []string{"Command and Control", "Botnet"},
	}, source)

	assert.Contains(t, all[1].Error, "is not recognized")
	assert.False(t, all[1].Found)
	assert.Equal(t, []record{}, all[2].Owners)
	assert.Empty(t, all[2].Error)
	assert.NotContains(t, r.stdout, `"tags":null`)
	assert.NotContains(t, r.stdout, `"groups"`, "groups need --details")

	all = elements(t, run(t, nil, "198.51.100.7\n\n203.0.113.42\n", "--json", "--details"))
	assert.Equal(t, []int{1, 3}, []int{all[0].Line, all[1].Line})
	require.Len(t, all[1].Owners[1].Groups, 1)
	assert.Equal(t, group{all[1].Owners[1].Groups[0].ID, "Incident", "Invoice lures in October"}, all[1].Owners[1].Groups[0])
	assert.Equal(t, []string{"TLP:AMBER"}, all[1].Owners[1].SecurityLabels)
	assert.Len(t, all[1].Owners[1].Attributes, 2)
	assert.Equal(t, []group{}, all[1].Owners[0].Groups, "an empty list shows that groups were read")
}

func TestJSONWithoutValuesIsEmptyArray(t *testing.T) {
	t.Parallel()
	r := run(t, served(t, threatconnecttest.NewT(t)), "# nothing\n", "--json")
	assert.Equal(t, cli.Failure, r.code)
	assert.Equal(t, "[]\n", r.stdout)
	assert.Contains(t, r.stderr, "there is nothing to look up")
}

// The results are the same with every oddity of an instance.
func TestOddities(t *testing.T) {
	t.Parallel()
	var want []element
	for odd := threatconnecttest.Oddity(0); odd < threatconnecttest.OddityAll; odd = max(1, odd<<1) {
		srv := threatconnecttest.NewT(t, threatconnecttest.WithOddities(odd))
		require.NoError(t, fill(srv))
		vars := served(t, srv)
		r := run(t, vars, "", append([]string{"--json", "--details"}, sampleValues()...)...)
		assert.Equal(t, cli.Partial, r.code, "oddity %b: %s", odd, r.stderr)
		got := undated(elements(t, r))
		if odd == 0 {
			want = got
		}
		assert.Equal(t, want, got, "oddity %b", odd)
		r = run(t, vars, "", append([]string{"--json", "--owner", "Example Organization"}, sampleValues()...)...)
		assert.Equal(t, cli.Partial, r.code, "oddity %b: %s", odd, r.stderr)
	}
}

// undated returns the results without times, which differ between servers.
func undated(all []element) []element {
	for _, e := range all {
		for n := range e.Owners {
			e.Owners[n].DateAdded, e.Owners[n].LastModified = time.Time{}, time.Time{}
		}
	}
	return all
}

func TestLookupByDisplayedForm(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	vars := served(t, srv)
	for typ, value := range map[string]string{
		"Registry Key": `HKEY_LOCAL_MACHINE\Software\Example : Run : REG_SZ`,
		"File":         "00112233445566778899AABBCCDDEEFF : 00112233445566778899AABBCCDDEEFF00112233",
		"CIDR":         "192.0.2.0/24",
		"ASN":          "ASN64496",
		"EmailAddress": "someone@mail.example",
		"User Agent":   "curl/8.0 (example)",
	} {
		require.NoError(t, srv.Seed(&threatconnecttest.IndicatorRecord{Owner: "Example Source", Type: typ, Summary: value}))
		args := []string{value}
		if typ == "User Agent" {
			args = append(args, "--type", "user agent")
		}
		r := run(t, vars, "", append(args, "--details=false")...)
		assert.Equal(t, cli.Success, r.code, r.stderr)
		r = run(t, vars, "", append(args, "--owner", "Example Source", "--json")...)
		assert.Equal(t, cli.Success, r.code, r.stderr)
		assert.Equal(t, value, elements(t, r)[0].Owners[0].Indicator)
	}
}

func TestLookupOfCustomType(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	require.NoError(t, srv.Seed(&threatconnecttest.IndicatorType{
		Name: "Wallet", Branch: "wallets", Entity: "wallet", Fields: []string{"Address"},
	}))
	require.NoError(t, srv.Seed(&threatconnecttest.IndicatorRecord{Owner: "Example Source", Type: "Wallet", Summary: "w-0815", Rating: new(2.0)}))
	r := run(t, served(t, srv), "", "--type", "wallet", "w-0815")
	assert.Equal(t, cli.Success, r.code, r.stderr)
	assert.Contains(t, r.stdout, "w-0815 (Wallet)")
}

func TestUnusableInstances(t *testing.T) {
	t.Parallel()
	html := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte("<html>no API here</html>"))
	}))
	t.Cleanup(html.Close)
	closed := httptest.NewServer(nil)
	closed.Close()
	good := served(t, threatconnecttest.NewT(t, threatconnecttest.Allow(threatconnecttest.LapseUnverified)))
	url, id := good["TC_BASE_URL"], good["TC_ACCESS_ID"]
	for name, tc := range map[string]struct {
		vars   map[string]string
		stderr string
	}{
		"a wrong secret key":          {map[string]string{"TC_BASE_URL": url, "TC_ACCESS_ID": id, "TC_SECRET_KEY": "s3cr3t-k3y"}, "check TC_ACCESS_ID and TC_SECRET_KEY"},
		"no secret key":               {map[string]string{"TC_BASE_URL": url, "TC_ACCESS_ID": id}, "TC_SECRET_KEY is not set"},
		"both kinds of credentials":   {map[string]string{"TC_BASE_URL": url, "TC_ACCESS_ID": id, "TC_TOKEN": "s3cr3t-k3y"}, "unset one kind"},
		"a web server without an API": {map[string]string{"TC_BASE_URL": html.URL, "TC_ACCESS_ID": "1", "TC_SECRET_KEY": "s3cr3t-k3y"}, "is /api missing"},
		"a base URL without a scheme": {map[string]string{"TC_BASE_URL": "app.threatconnect.com", "TC_TOKEN": "s3cr3t-k3y"}, "base URL"},
		"a closed port":               {map[string]string{"TC_BASE_URL": closed.URL + "/api", "TC_TOKEN": "s3cr3t-k3y"}, "check the host and the port of TC_BASE_URL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := run(t, tc.vars, "", "203.0.113.42")
			assert.Equal(t, cli.Failure, r.code)
			assert.Contains(t, r.stderr, tc.stderr)
			assert.NotContains(t, r.stderr, "s3cr3t-k3y")
			assert.Empty(t, r.stdout)
		})
	}
}
