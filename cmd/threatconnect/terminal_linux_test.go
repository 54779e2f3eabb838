package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// openTerminal returns a pseudoterminal and the end from which its output is read.
func openTerminal(t *testing.T) (terminal, reader *os.File) {
	t.Helper()
	reader, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	fd := int(reader.Fd())
	require.NoError(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	require.NoError(t, err)
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	return terminal, reader
}

// onTerminal runs the command line with stdout and stderr on a terminal and returns the output.
func onTerminal(t *testing.T, vars map[string]string, stdin string, args ...string) string {
	t.Helper()
	terminal, reader := openTerminal(t)
	defer reader.Close()
	got := make(chan string)
	go func() {
		b, _ := io.ReadAll(reader) // fails when the terminal is closed
		got <- string(b)
	}()
	env := &cli.Env{Stdin: strings.NewReader(stdin), Stdout: terminal, Stderr: terminal, Getenv: func(name string) string { return vars[name] }}
	require.True(t, cli.IsTerminal(terminal))
	cli.Run(t.Context(), root(env, nil), env, args)
	require.NoError(t, terminal.Close())
	return <-got
}

// payload sets the terminal's title, clears the screen, hides text, reverses its direction, and has invisible
// characters.
const payload = "\x1b]0;owned\a\x1b[2J\x1b[8m\u009b31m\u0090\u202egpj\u2066\u200b\u2028\ufeff\x7f\b\t\U000E0041"

// hostile starts an instance that adds payload to the texts in its responses, and returns the variables of a client.
func hostile(t *testing.T) map[string]string {
	t.Helper()
	srv, vars := serve(t, threatconnecttest.Allow(threatconnecttest.LapseUnverified))
	var spoil func(key string, v any) any
	spoil = func(key string, v any) any {
		switch v := v.(type) {
		case map[string]any:
			for k := range v {
				v[k] = spoil(k, v[k])
			}
		case []any:
			for n := range v {
				v[n] = spoil(key, v[n])
			}
		case string:
			switch key {
			case "summary", "text", "userAgent", "User Agent String", "mutex", "Mutex", "description", "source", "webLink", "value", "message", "role", "userName", "name":
				if !strings.HasPrefix(v, "Example ") {
					return v + payload + "owned"
				}
			}
		}
		return v
	}
	port := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		srv.ServeHTTP(answer, r)
		var v any
		body := answer.Body.Bytes()
		if json.Unmarshal(body, &v) == nil && !strings.Contains(r.URL.Path, "/types/") {
			var err error
			body, err = json.Marshal(spoil("", v))
			assert.NoError(t, err)
			answer.Header().Del("Content-Length")
		}
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = io.Copy(w, bytes.NewReader(body)) // fails if the client is gone
	}))
	t.Cleanup(port.Close)
	vars["TC_BASE_URL"] = port.URL + "/api"
	require.NoError(t, srv.Seed(&threatconnecttest.Owner{Name: "Another", Type: "Source"}))
	for _, r := range []threatconnecttest.IndicatorRecord{
		{Type: "User Agent", Summary: "Mozilla", Tags: []string{"Phishing"}, Rating: new(3.0)},
		{Type: "Host", Summary: "evil.org", Tags: []string{"Phishing"}, Rating: new(5.0), Confidence: new(90)},
	} {
		r.Owner = "Example Source"
		require.NoError(t, srv.Seed(&r))
	}
	return vars
}

// colors matches the color codes that the command writes.
var colors = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// progress matches the progress bar of feed, which only long runs show, and the characters that erase it.
var progress = regexp.MustCompile(`(\r[0-9,]+ imported[0-9a-z ,%|█]*)+(\r *)*\r`)

func TestThreatTerminalsGetPrintableText(t *testing.T) {
	t.Parallel()
	vars := hostile(t)
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	text := "http://evil.org/" + payload + " evil.org" + payload + "\n"
	feed := file("feed.txt", "evil.org\nnot "+payload+"an indicator owned\nhttp://evil.org/\u202egpj\n")
	alert, err := json.Marshal(map[string]any{"id": "1" + payload, "title": "owned" + payload, "indicators": []string{"evil.org", "bad " + payload + "owned"}, "host" + payload: "evil.org"})
	require.NoError(t, err)
	changes := []string{"changes", "--state", "none", "--format"}
	for name, tc := range map[string]struct {
		stdin string
		args  []string
		want  string // part of the output, to prove that the command printed it
	}{
		"changes csv":       {"", append(changes, "csv"), "owned"},
		"changes csv raw":   {"", append(changes, "csv", "--raw"), "owned"},
		"changes jsonl":     {"", append(changes, "jsonl"), "owned"},
		"changes blocklist": {"", append(changes, "blocklist"), "left out"},
		"changes state":     {"", []string{"changes", "--state", filepath.Join(dir, payload, "owned")}, "owned"},
		"lookup":            {"evil.org\nowned" + payload + "\n", []string{"lookup"}, "owned"},
		"lookup details":    {"", []string{"lookup", "evil.org"}, "owned"},
		"lookup argument":   {"", []string{"lookup", "owned" + payload}, "value 1"},
		"lookup json":       {"evil.org\nowned" + payload + "\n", []string{"lookup", "--json", "--details"}, "owned"},
		"lookup owners":     {"", []string{"lookup", "--owners"}, "owned"},
		"lookup owner":      {"", []string{"lookup", "--owner", "owned" + payload, "evil.org"}, "owned"},
		"extract":           {text, []string{"extract"}, "evil.org"},
		"extract json":      {"", []string{"extract", "--json", file("owned"+payload, text)}, "owned"},
		"extract file":      {"", []string{"extract", filepath.Join(dir, "no", "owned"+payload)}, "owned"},
		"doctor":            {"", []string{"doctor"}, "owned"},
		"doctor json":       {"", []string{"doctor", "--json"}, "checks"},
		"alert":             {string(alert), []string{"alert", "--owner", "Example Community", "--dry-run"}, "owned"},
		"alert json":        {string(alert), []string{"alert", "--owner", "Example Community", "--dry-run", "--json"}, "owned"},
		"alert wrong":       {payload, []string{"alert", "--owner", "Example Community"}, "alert"},
		"feed":              {"", []string{"feed", "--input", feed, "--show-lines", "--max-invalid", "9", "--log-level", "debug"}, "owned"},
		"feed json":         {"", []string{"feed", "--input", feed, "--show-lines", "--max-invalid", "9", "--json", "--tag", "owned"}, "message"},
		"feed input":        {"", []string{"feed", "--input", "owned" + payload}, "cannot be opened"},
		"wrong flag":        {"", []string{"lookup", "--x" + payload}, "not a flag"},
		"wrong command":     {"", []string{"lookup" + payload}, "not a command"},
		"help":              {"", []string{"changes", "--help"}, "changes"},
	} {
		for _, color := range []bool{false, true} {
			delete(vars, "NO_COLOR")
			if !color {
				vars["NO_COLOR"] = "1"
			}
			got := strings.ReplaceAll(onTerminal(t, vars, tc.stdin, tc.args...), "\r\n", "\n")
			got = progress.ReplaceAllString(got, "")
			if color {
				got = colors.ReplaceAllString(got, "")
				require.NotContains(t, got, "\x1b[8m")
			}
			assert.Contains(t, got, tc.want, name)
			i := strings.IndexFunc(got, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) })
			if i >= 0 {
				t.Errorf("%s: %q", name, got[max(0, i-60):min(len(got), i+60)])
			}
		}
	}
}
