// Package ci tests the scripts in .ci.
package ci

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/mod/zip"
)

const folder = "../../.ci"

// commands returns the lines of a script that are neither comments nor headings.
func commands(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, name))
	require.NoError(t, err)
	return regexp.MustCompile(`(?m)^\s*(#|step ").*\n`).ReplaceAllString(string(text), "")
}

// script runs lines of bash in a folder, after .ci/isolate, with additional environment variables.
func script(t *testing.T, dir, lines string, environment ...string) (string, error) {
	t.Helper()
	isolate, err := filepath.Abs(filepath.Join(folder, "isolate"))
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", ". "+isolate+"\n"+lines)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), environment...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// The scripts run no command as path@version, because no go.sum has its checksum: without the checksum database, a
// module proxy could serve any code. Other programs come from Debian, whose packages are signed, or from npm with a
// hash; see package browser.
func TestThreatCIRunsOnlyVerifiedCode(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"run", "test", "fuzz", "bench", "coverage", "release", "race", "gosec", "isolate", "env"} {
		text := commands(t, name)
		assert.NotRegexp(t, `[\w.-]+\.\w+/[\w./-]+@`, text, "%s: add the command to .ci/go.mod as a tool", name)
		assert.NotRegexp(t, `\b(curl|wget|npx|pip3?|cargo|docker|GONOSUMDB|GOPRIVATE|GONOSUMCHECK|GOINSECURE)\b|\bgo (get|install)\b`, text, name)
		for _, run := range regexp.MustCompile(`\bgo (?:-C \S+ )?(?:run|tool) (\S+)`).FindAllStringSubmatch(text, -1) {
			assert.Regexp(t, `^\./`, run[1], "%s: a command of another module", name)
		}
		for _, packages := range regexp.MustCompile(`install ([^;\n]*)`).FindAllStringSubmatch(text, -1) {
			assert.Equal(t, "--no-install-recommends chromium", packages[1], name)
		}
	}
	assert.Contains(t, commands(t, "run"), "go -C .ci mod verify")
	sums, err := os.ReadFile(filepath.Join(folder, "go.sum"))
	require.NoError(t, err)
	for _, tool := range []string{"honnef.co/go/tools", "github.com/securego/gosec/v2", "golang.org/x/perf", "golang.org/x/vuln"} {
		assert.Regexp(t, `(?m)^`+regexp.QuoteMeta(tool)+` v\S+ h1:`, string(sums))
	}

	// .ci/run also starts the programs of this module, which may start only these programs.
	allowed := []string{"bash", "git", "go", "npm", "sh"}
	programs := 0
	require.NoError(t, filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			selector, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || !slices.Contains([]string{"Command", "CommandContext"}, selector.Sel.Name) {
				return true
			}
			for _, arg := range call.Args[:min(2, len(call.Args))] {
				if text, ok := arg.(*ast.BasicLit); ok && text.Kind == token.STRING {
					program, err := strconv.Unquote(text.Value)
					assert.NoError(t, err)
					assert.Contains(t, allowed, program, path)
					programs++
					break
				}
			}
			return true
		})
		return nil
	}))
	assert.Greater(t, programs, 3)
}

// Each script sources .ci/isolate before it executes anything. Its commands see only a few environment variables.
func TestThreatToolsGetNoSecrets(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"run", "test", "fuzz", "bench", "coverage", "release"} {
		before, _, ok := strings.Cut(commands(t, name), ". .ci/isolate\n")
		require.True(t, ok, name)
		assert.Regexp(t, `^set -euo pipefail\ncd "\$\(dirname "\$0"\)/\.\."\n(\w+=\S*\n)*\s*$`, before, name)
	}
	secrets := []string{
		"TC_SECRET_KEY", "TC_TOKEN", "TC_ACCESS_ID", "TC_BASE_URL", "TC_SECRET_KEY_FILE", "ALERT_PASSWORD", "GITHUB_TOKEN", "CI_JOB_TOKEN", "AWS_SECRET_ACCESS_KEY",
		"NPM_TOKEN", "SSH_AUTH_SOCK", "GOAUTH", "GIT_ASKPASS", "BASH_FUNC_go%%",
	}
	var environment []string
	for _, name := range secrets {
		environment = append(environment, name+"=() { echo do-not-show; }")
	}
	out, err := script(t, t.TempDir(), "env", environment...)
	require.NoError(t, err, out)
	assert.NotContains(t, out, "do-not-show")
	known := regexp.MustCompile(`^(PATH|PWD|HOME|TMPDIR|XDG_CACHE_HOME|LANG|FUZZTIME|ALLOW_NO_VULNDB|GO(PROXY|TOOLCHAIN|PATH|MODCACHE|CACHE|ENV|FLAGS)|` +
		`SYSTEMROOT|WINDIR|COMSPEC|PATHEXT|TE?MP|USERPROFILE|(LOCAL)?APPDATA|` +
		`(?i:https?|no)_(?i:proxy)|SSL_CERT_(FILE|DIR)|npm_config_registry|SHLVL|_)=`)
	for line := range strings.Lines(out) {
		assert.Regexp(t, known, line)
	}
}

// publish writes a module with this body of function F into a module proxy, and returns its lines of a go.sum file.
func publish(t *testing.T, proxy, function string) string {
	t.Helper()
	m := module.Version{Path: "dependency.example/d", Version: "v1.0.0"}
	source, dir := t.TempDir(), filepath.Join(proxy, m.Path, "@v")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	mod := "module " + m.Path + "\n\ngo 1.26.0\n"
	for path, text := range map[string]string{
		filepath.Join(source, "go.mod"):       mod,
		filepath.Join(source, "d.go"):         "package d\n\nfunc F() { " + function + " }\n",
		filepath.Join(dir, m.Version+".mod"):  mod,
		filepath.Join(dir, m.Version+".info"): `{"Version":"` + m.Version + `","Time":"` + time.Unix(0, 0).UTC().Format(time.RFC3339) + `"}`,
		filepath.Join(dir, "list"):            m.Version + "\n",
	} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	var b bytes.Buffer
	require.NoError(t, zip.CreateFromDir(&b, m, source))
	archive := filepath.Join(dir, m.Version+".zip")
	require.NoError(t, os.WriteFile(archive, b.Bytes(), 0o644))
	sum, err := dirhash.HashZip(archive, dirhash.Hash1)
	require.NoError(t, err)
	modSum, err := dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(mod)), nil })
	require.NoError(t, err)
	return m.Path + " " + m.Version + " " + sum + "\n" + m.Path + " " + m.Version + "/go.mod " + modSum + "\n"
}

// The build fails if a module proxy serves other code under the same version, even if the environment exempts every
// module from every check.
func TestThreatPoisonedModuleProxyIsRejected(t *testing.T) {
	t.Parallel()
	honest, poisoned, dir := t.TempDir(), t.TempDir(), t.TempDir()
	sums := publish(t, honest, "")
	publish(t, poisoned, `panic("poison")`)
	for name, text := range map[string]string{
		"go.mod":  "module main.example/m\n\ngo 1.26.0\n\nrequire dependency.example/d v1.0.0\n",
		"main.go": "package main\n\nimport \"dependency.example/d\"\n\nfunc main() { d.F() }\n",
		"go.sum":  sums,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	build := func(proxy string) (string, error) {
		cache := t.TempDir()
		out, err := script(t, dir, "go run .", "GOPROXY=file://"+filepath.ToSlash(proxy), "GOMODCACHE="+cache, "GOSUMDB=off", "GONOSUMDB=*", "GONOSUMCHECK=1", "GOPRIVATE=*",
			"GONOPROXY=none", "GOINSECURE=*", "GOFLAGS=-mod=mod -modcacherw", "GOWORK=off", "GOENV="+filepath.Join(cache, "env"))
		cleaned, cleanErr := script(t, dir, "go clean -modcache", "GOMODCACHE="+cache)
		assert.NoError(t, cleanErr, cleaned)
		return out, err
	}
	out, err := build(honest)
	require.NoError(t, err, out)
	out, err = build(poisoned)
	require.Error(t, err)
	assert.Contains(t, out, "SECURITY ERROR")
	assert.NotContains(t, out, "poison\"")

	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.sum"), nil, 0o644))
	out, err = build(poisoned)
	require.Error(t, err, "a missing line is not added")
	assert.Contains(t, out, "missing go.sum entry")
}

// gosec.txt explains each finding by its rule and line of code. Any other finding fails, even one in the same file, of
// the same rule, or on the same or an equal line. An explanation without its finding fails, too.
func TestThreatNewGosecFindingsFail(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, ".ci"), 0o755))
	for name, text := range map[string]string{
		".ci/gosec.txt": "# Findings.\na.go G304 it opens its own files\n\tf, err := os.Open(name)\n",
		"a.go":          "package a\n\tf, err := os.Open(name)\n\tg, err := os.Open(other)\n\tf, err :=  os.Open(name)\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	self, err := filepath.Abs(filepath.Join(folder, "gosec"))
	require.NoError(t, err)
	root, err := filepath.EvalSymlinks(dir)
	require.NoError(t, err)
	finding := func(line, rule string) string {
		return root + "/a.go:" + line + ":12: [CWE-22] Potential file inclusion via variable (Rule:" + rule + ", Severity:MEDIUM, Confidence:HIGH)\n"
	}
	for name, tc := range map[string]struct {
		found string
		ok    bool
	}{
		"the explained one":    {finding("2", "G304"), true},
		"a second one":         {finding("2", "G304") + finding("3", "G304"), false},
		"one on an equal line": {finding("2", "G304") + finding("4", "G304"), false},
		"twice on its line":    {finding("2", "G304") + finding("2", "G304"), false},
		"another rule":         {finding("2", "G304") + finding("2", "G703"), false},
		"instead of it":        {finding("3", "G304"), false},
		"none":                 {"", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "found")
			require.NoError(t, os.WriteFile(path, []byte(tc.found), 0o644))
			cmd := exec.CommandContext(t.Context(), self, path)
			cmd.Dir = dir
			out, err := cmd.CombinedOutput()
			assert.Equal(t, tc.ok, err == nil, "%s", out)
		})
	}
	assert.Contains(t, commands(t, "run"), "\n.ci/gosec ")
	assert.Contains(t, commands(t, "run"), "gosec\" -nosec ")
}

// Only packages in which the race detector itself crashed run again, once, and only if nothing else failed.
func TestPackagesRerunAfterRaceDetectorCrash(t *testing.T) {
	t.Parallel()
	const (
		passed = "ok  \ta.example/m/a\t1.0s\n"
		died   = "-test.shuffle 1\nThreadSanitizer: CHECK failed: tsan_rtl.cpp:346 (tid=1)\nFAIL\ta.example/m/b\t1.1s\nFAIL\n"
		failed = "--- FAIL: TestC (0.00s)\nFAIL\nFAIL\ta.example/m/c\t1.0s\nFAIL\n"
		raced  = "WARNING: DATA RACE\nRead at 0x01\n"
		built  = "# a.example/m/c\nc.go:1: syntax error\nFAIL\ta.example/m/c [build failed]\nFAIL\n"
	)
	self, err := filepath.Abs(filepath.Join(folder, "race"))
	require.NoError(t, err)
	const all = "-C m test -count=1 -shuffle=on -race -skip X ./...\n"
	const again = "-C m test -count=1 -shuffle=on -race -skip X a.example/m/b\n"
	for name, tc := range map[string]struct {
		first, second string // output of the go command, which fails if it contains FAIL
		ok            bool
		commands      string
	}{
		"all pass":                        {passed, "", true, all},
		"the detector dies once":          {passed + died, "ok  \ta.example/m/b\t1.0s\n", true, all + again},
		"the detector dies twice":         {passed + died, died, false, all + again},
		"a test fails the second time":    {passed + died, failed, false, all + again},
		"a test fails":                    {passed + failed, "", false, all},
		"a race":                          {raced + failed, "", false, all},
		"a race, and the detector dies":   {raced + died, "", false, all},
		"a failure in another package":    {died + failed, "", false, all},
		"a package that cannot be built":  {died + built, "", false, all},
		"a panic after the detector dies": {"panic: p\n" + died, "", false, all},
		"a package that ends silently":    {died + "FAIL\ta.example/m/c\t1.0s\n", "", false, all},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for name, text := range map[string]string{
				"1": tc.first,
				"2": tc.second,
				"go": `#!/bin/sh
echo "$@" >>commands
out=$(wc -l <commands)
cat "$out"
! grep -q FAIL "$out"
`,
			} {
				require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755))
			}
			cmd := exec.CommandContext(t.Context(), self, "m", "-skip", "X")
			cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"))
			out, err := cmd.CombinedOutput()
			assert.Equal(t, tc.ok, err == nil, "%s", out)
			ran, err := os.ReadFile(filepath.Join(dir, "commands"))
			require.NoError(t, err)
			assert.Equal(t, tc.commands, string(ran))
		})
	}
	assert.Contains(t, commands(t, "run"), ".ci/race ")
}

// An input that the URL standard reads differently stops a change neither in .ci/fuzz nor in the tests that run after
// it. Any other finding does, also in tools, and its input is kept.
func TestOnlyDisagreementsOfToolsAreForgiven(t *testing.T) {
	t.Parallel()
	const target = `package p

	import "testing"

	func FuzzP(f *testing.F) { // indented, because .ci/fuzz finds targets by the beginning of a line
		f.Add("")
		f.Fuzz(func(t *testing.T, s string) {
			if len(s) > 1 {
				FAIL
			}
		})
	}
`
	const says = `t.Errorf("%q as Host: strict {}, the standard {}", s)` // as tools/whatwg does
	for name, tc := range map[string]struct {
		dir  string
		fail string
		says string
		ok   bool
	}{
		"a disagreement":     {"tools/p", says, "tools/p FuzzP: DISAGREES in a way that docs/canonical.md does not explain yet", true},
		"a panic in tools":   {"tools/p", `panic("found")`, "tools/p FuzzP: FOUND", false},
		"a finding in tools": {"tools/p", `t.Error("found")`, "tools/p FuzzP: FOUND", false},
		"a finding":          {"p", says, "p FuzzP: FOUND", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			require.NoError(t, os.MkdirAll(filepath.Join(dir, tc.dir), 0o755))
			require.NoError(t, os.MkdirAll(filepath.Join(dir, ".ci"), 0o755))
			for name, text := range map[string]string{tc.dir + "/p_test.go": strings.NewReplacer("\n\t", "\n", "FAIL", tc.fail).Replace(target), tc.dir + "/go.mod": "module p.example/p\n\ngo 1.26\n"} {
				require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
			}
			for _, name := range []string{"fuzz", "isolate"} {
				text, err := os.ReadFile(filepath.Join(folder, name))
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(filepath.Join(dir, ".ci", name), text, 0o755))
			}
			out, err := script(t, dir, "git init -q; git add -A; .ci/fuzz 20s 1")
			assert.Equal(t, tc.ok, err == nil, "%s", out)
			assert.Contains(t, out, tc.says)
			assert.Contains(t, out, "go test fuzz v1\nstring(", "the input")
			again, err := script(t, dir, "go -C "+tc.dir+" test ./...")
			assert.Equal(t, tc.ok, err == nil, "%s", again)
		})
	}
	assert.Contains(t, commands(t, "run"), "\n.ci/fuzz ")
}
