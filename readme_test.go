package threatconnect_test

import (
	"encoding/json"
	"fmt"
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// snippet is a block of Go code in a page for users.
type snippet struct {
	page   string
	line   int // of the first line of code
	code   string
	prints string // the text block that follows the code, if any
	notRun bool   // preceded by the comment <!-- not run -->
}

// The Go blocks of README.md and the guides are formatted, compile and print the output in the page. They become one
// package, because compiling and linking take longer than running. README's lines for go.mod define its module.
//
//   - A block with a package clause is a program, whose main function is called.
//   - Test functions are run.
//   - A block that begins with another declaration is compiled as it is.
//   - Any other block is the body of a function with ctx and client. The blocks of a page share a test server.
//     If a block declares err and does not handle it, err must be nil. Example Community has 203.0.113.42.
//
// With -short, README.md is the only page.
func TestSnippetsInPagesRun(t *testing.T) {
	t.Parallel()
	pages := []string{"README.md"}
	if !testing.Short() {
		guides, err := filepath.Glob("docs/guides/*.md")
		require.NoError(t, err)
		require.NotEmpty(t, guides)
		pages = append(pages, guides...)
	}
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	require.LessOrEqual(t, strings.Count(string(readme), "\n"), 200, "lines of README.md")
	m := newSnippetModule(t, string(readme))
	for _, page := range pages {
		for _, s := range snippetsOf(t, page) {
			formatted, err := format.Source([]byte(s.code))
			if assert.NoError(t, err, "%s:%d", s.page, s.line) {
				assert.Equal(t, string(formatted), s.code, "%s:%d is not formatted", s.page, s.line)
			}
			m.add(s)
		}
	}
	m.run()
}

var (
	fencedBlock  = regexp.MustCompile("(?ms)^(<!-- not run[^\n]*-->\n+)?```go\n(.*?)^```\n(?:\n*```text\n(.*?)^```\n)?")
	declaration  = regexp.MustCompile(`^(//.*\n)*(func|type|var|const) `)
	testFunction = regexp.MustCompile(`(?m)^func Test`)
	declaresErr  = regexp.MustCompile(`(?m)^(\w+, )?err := `)
	finalReturn  = regexp.MustCompile(`\nreturn [^\n]*\n$`)
)

func snippetsOf(t *testing.T, page string) []snippet {
	t.Helper()
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	var snippets []snippet
	for _, m := range fencedBlock.FindAllSubmatchIndex(text, -1) {
		s := snippet{page: page, line: strings.Count(string(text[:m[4]]), "\n") + 1, code: string(text[m[4]:m[5]]), notRun: m[2] >= 0}
		if m[6] >= 0 {
			s.prints = string(text[m[6]:m[7]])
		}
		snippets = append(snippets, s)
	}
	require.Len(t, snippets, strings.Count(string(text), "```go\n"), "%s has a Go block that is not at the start of a line", page)
	return snippets
}

// snippetModule is a temporary module with the snippets. For go test, an overlay puts its files into docs/guides: the
// package's directory is always the same, so go compiles the package only if it, or a dependency, has changed.
type snippetModule struct {
	t      *testing.T
	dir    string
	calls  []string          // in the test function that runs snippets
	prints map[string]string // output of each snippet by page and line
}

func newSnippetModule(t *testing.T, readme string) *snippetModule {
	t.Helper()
	here, err := os.Getwd()
	require.NoError(t, err)
	lines := regexp.MustCompile(`(?m)^(require|replace) .*$`).FindAllString(readme, -1)
	require.Len(t, lines, 2, "require and replace")
	mod := "module example.com/snippets\n\ngo 1.26.0\n\n" + strings.Join(lines, "\n") + "\n"
	sums, err := os.ReadFile("go.sum") // verifies the dependencies of the module
	require.NoError(t, err)
	m := &snippetModule{t: t, dir: t.TempDir(), prints: map[string]string{}}
	m.write("go.mod", strings.Replace(mod, "=> ../threatconnect", "=> "+here, 1))
	m.write("go.sum", string(sums))
	return m
}

func (m *snippetModule) write(name, content string) {
	m.t.Helper()
	require.NoError(m.t, os.WriteFile(filepath.Join(m.dir, name), []byte(content), 0o600))
}

// add writes the file of a snippet.
func (m *snippetModule) add(s snippet) {
	page := regexp.MustCompile(`[^a-z]`).ReplaceAllString(strings.ToLower(strings.TrimSuffix(filepath.Base(s.page), ".md")), "")
	place := fmt.Sprintf("%s:%d", s.page, s.line)
	name := fmt.Sprintf("%s%d", page, s.line)
	code := "//line " + place + "\n" + s.code
	switch {
	case strings.HasPrefix(s.code, "package main\n"):
		code = strings.NewReplacer("package main\n", "package snippets\n", "\nfunc main() {\n", "\nfunc "+name+"() {\n").Replace(code)
		m.calls = append(m.calls, fmt.Sprintf("start(%q)\n%s()\n", place, name))
		m.prints[place] = s.prints
		m.write(name+"_test.go", code)
		return
	case testFunction.MatchString(s.code):
		code = testFunction.ReplaceAllString(code, "${0}_"+page+"_") // pages may have tests of the same name
	case !declaration.MatchString(s.code):
		code = "func " + name + "(ctx context.Context, client *threatconnect.Client) error {\n" + code
		switch {
		case finalReturn.MatchString(s.code):
		case declaresErr.MatchString(s.code):
			code += "return err\n"
		default:
			code += "return nil\n"
		}
		code += "}\n"
		call := fmt.Sprintf("runSnippet(t, %q, %q, %s)\n", s.page, place, name)
		if s.notRun {
			call = "_ = " + name + "\n"
		} else {
			m.prints[place] = s.prints
		}
		m.calls = append(m.calls, call)
	}
	m.write(name+"_test.go", "package snippets\n\n"+importsOf(code)+code)
}

// importsOf returns the import declaration for the packages that code refers to.
func importsOf(code string) string {
	const module = "github.com/threatconnect-go/threatconnect"
	paths := []string{
		"bytes", "context", "encoding/json", "errors", "fmt", "io", "iter", "log", "log/slog", "maps", "net/http", "os", "os/signal",
		"path/filepath", "slices", "strings", "testing", "testing/synctest", "time", "github.com/stretchr/testify/require",
		module, module + "/feeds", module + "/ioc", module + "/threatconnecttest",
	}
	var b strings.Builder
	for _, path := range paths {
		if regexp.MustCompile(`\b` + filepath.Base(path) + `\.[A-Z]`).MatchString(code) {
			fmt.Fprintf(&b, "import %q\n", path)
		}
	}
	return b.String()
}

const snippetMain = `
func start(place string) { fmt.Printf("\x00%s\n", place) }

func runSnippet(t *testing.T, page, place string, f func(context.Context, *threatconnect.Client) error) {
	srv, ok := servers[page]
	if !ok {
		srv = threatconnecttest.New()
		require.NoError(t, srv.Seed(&threatconnecttest.IndicatorRecord{
			Owner: "Example Community", Type: "Address", Summary: "203.0.113.42", Rating: new(4.0), Confidence: new(85),
		}))
		servers[page] = srv
	}
	start(place)
	require.NoError(t, f(t.Context(), srv.Client(threatconnect.WithOwner("Example Source"))), place)
}

var servers = map[string]*threatconnecttest.Server{}

func init() {
	if err := os.Chdir(os.Getenv("SNIPPETS")); err != nil { // not where the pages are
		panic(err)
	}
}
`

// run runs the programs, the snippets and the tests, and compares their output with the pages.
func (m *snippetModule) run() {
	m.t.Helper()
	code := snippetMain + "\nfunc TestSnippets(t *testing.T) {\n" + strings.Join(m.calls, "") + "start(\"the end\")\n}\n"
	m.write("snippets_test.go", "package snippets\n\n"+importsOf(code)+code)
	m.command(m.dir, "mod", "tidy")
	guides, err := filepath.Abs("docs/guides")
	require.NoError(m.t, err)
	printed, _, ended := strings.Cut(m.command(guides, "test", "-overlay="+m.overlay(guides)), "\x00the end\n")
	require.True(m.t, ended)
	ran := map[string]string{}
	for part := range strings.SplitSeq(strings.TrimPrefix(printed, "\x00"), "\x00") {
		place, text, _ := strings.Cut(part, "\n")
		ran[place] = text
	}
	assert.Equal(m.t, m.prints, ran)
}

// overlay writes an overlay file that adds the files of the module to dir, and returns its name.
func (m *snippetModule) overlay(dir string) string {
	m.t.Helper()
	files, err := filepath.Glob(filepath.Join(m.dir, "*"))
	require.NoError(m.t, err)
	replace := map[string]string{}
	for _, file := range files {
		replace[filepath.Join(dir, filepath.Base(file))] = file
	}
	content, err := json.Marshal(map[string]any{"Replace": replace})
	require.NoError(m.t, err)
	m.write("overlay.json", string(content))
	return filepath.Join(m.dir, "overlay.json")
}

// command runs go in dir and returns its standard output.
func (m *snippetModule) command(dir string, args ...string) string {
	m.t.Helper()
	cmd := exec.CommandContext(m.t.Context(), "go", args...)
	cmd.Dir = dir
	// Without debug information go links in half the time, and without inlining it compiles faster.
	cmd.Env = append(cmd.Environ(), "GOWORK=off", "GOFLAGS=-ldflags=-s -gcflags=-l", "SNIPPETS="+m.dir)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	require.NoError(m.t, err, "go %v: %s%s", args, out, &errs)
	return string(out)
}
