package threatconnect

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/importer/errorlist"
)

// TestRulesBeginWithVerb checks in the source that the rule of each validation error begins with a
// verb, because the error text is "field rule".
func TestRulesBeginWithVerb(t *testing.T) {
	t.Parallel()
	verbs := strings.Fields("is are was has have holds hold contains contain must cannot can needs carries begins consists names belongs ends takes may repeats does")
	fset := token.NewFileSet()
	var names []string
	for _, pattern := range []string{"*.go", "internal/canon/*.go", "ioc/*.go"} {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		names = append(names, found...)
	}
	var files []*ast.File
	for _, name := range names {
		if !strings.HasSuffix(name, "_test.go") {
			file, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
			require.NoError(t, err)
			files = append(files, file)
		}
	}
	positions := map[string]int{} // positions of the parameter "rule", by function
	for _, file := range files {
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				if i := ruleParameter(f.Type); i >= 0 {
					positions[f.Name.Name] = i
				}
			}
		}
	}
	n := 0
	check := func(e ast.Expr) {
		text, ok := leadingText(e)
		if !ok {
			return // a parameter: checked in the callers
		}
		n++
		verb, _, _ := strings.Cut(text, " ")
		assert.Contains(t, verbs, verb, "%s: %q does not begin with a verb", fset.Position(e.Pos()), text)
	}
	for _, file := range files {
		for _, d := range file.Decls {
			local := map[string]int{}
			ast.Inspect(d, func(node ast.Node) bool {
				switch node := node.(type) {
				case *ast.AssignStmt:
					if f, ok := node.Rhs[0].(*ast.FuncLit); ok && ruleParameter(f.Type) >= 0 {
						local[node.Lhs[0].(*ast.Ident).Name] = ruleParameter(f.Type)
					}
				case *ast.KeyValueExpr:
					if key, ok := node.Key.(*ast.Ident); ok && key.Name == "Rule" {
						check(node.Value)
					}
				case *ast.CallExpr:
					if f, ok := node.Fun.(*ast.Ident); ok {
						i, found := local[f.Name]
						if !found {
							i, found = positions[f.Name]
						}
						if found {
							check(node.Args[i])
						}
					}
				}
				return true
			})
		}
	}
	assert.Greater(t, n, 300)
}

// ruleParameter returns the position of the parameter "rule", or -1.
func ruleParameter(f *ast.FuncType) int {
	var names []string
	for _, field := range f.Params.List {
		for _, name := range field.Names {
			names = append(names, name.Name)
		}
	}
	return slices.Index(names, "rule")
}

// leadingText returns the text that an expression begins with; ok is false for a bare variable.
func leadingText(e ast.Expr) (text string, ok bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil
	case *ast.BinaryExpr:
		text, _ := leadingText(e.X)
		return text, true
	case *ast.CallExpr:
		if f, ok := e.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "Sprintf" {
			return leadingText(e.Args[0])
		}
	}
	return "", false
}

// TestDocumentedLimitsMatchCode compares numbers in the package's documentation with the code.
func TestDocumentedLimitsMatchCode(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	doc := strings.Join(strings.Fields(strings.ReplaceAll(string(text), "\n//", " ")), " ")
	p := RetryPolicy{}.withDefaults()
	log, err := (&LogsService{}).NewHandler(nil)
	require.NoError(t, err)
	tr := (&config{base: &url.URL{}}).newTransport()
	for promise, holds := range map[string]bool{
		"until it has made 5 attempts ([RetryPolicy])":                   p.MaxAttempts == 5,
		"so a call sends at most 6 requests":                             p.MaxAttempts+1 == 6,
		"doubles from 250 ms to 20 s":                                    p.BaseDelay == 250*time.Millisecond && p.MaxDelay == 20*time.Second,
		"If Retry-After is over 2 minutes":                               p.MaxWait == 2*time.Minute,
		"It ignores an offset over 24 hours":                             mostOffset == 24*time.Hour,
		"Responses: up to 64 MiB ([WithMaxResponseBytes])":               defaultMaxBody == 64<<20,
		"Response headers: up to 1 MiB":                                  tr.MaxResponseHeaderBytes == 1<<20,
		"[ListOptions].Ahead pages (at most 32)":                         maxAhead == 32,
		"256 KiB in a CSV report":                                        mostRow == 256<<10,
		"1 MiB in a list of errors":                                      errorlist.MaxObject == 1<<20,
		"buffers of 32 KiB, or 64 KiB for malware":                       contentChunk == 32<<10 && zipWindow == 64<<10,
		"A [LogHandler]: 10,000 entries or 16 MiB of messages":           log.b.most == 10_000 && mostLogBytes == 16<<20,
		"transfers no data for 2 minutes times out ([WithStallTimeout])": defaultStall == 2*time.Minute,
	} {
		assert.True(t, holds, "the code differs from %q", promise)
		assert.Contains(t, doc, promise)
	}
}
