package threatconnect

import (
	"bufio"
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// endpoints reads the project's table of the API's operations.
func endpoints(t *testing.T) map[string]bool {
	t.Helper()
	f, err := os.Open("testdata/endpoints.txt")
	require.NoError(t, err)
	defer f.Close()
	all := map[string]bool{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if line := lines.Text(); line != "" && !strings.HasPrefix(line, "#") {
			require.False(t, all[line], "listed twice: %s", line)
			all[line] = true
		}
	}
	require.Len(t, all, 274)
	return all
}

// parents are what {resource} stands for in an API line.
var parents = []string{"groups/{type}/{id}", "indicators/{type}/{indicator}", "tasks/{id}", "victims/{id}"}

// documentedEndpoints reads the API lines of all doc comments: operation to the methods that have it.
func documentedEndpoints(t *testing.T) map[string][]string {
	t.Helper()
	files, err := os.ReadDir(".")
	require.NoError(t, err)
	found := map[string][]string{}
	for _, file := range files {
		if name := file.Name(); !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file.Name(), nil, parser.ParseComments)
		require.NoError(t, err)
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || !fn.Name.IsExported() {
				continue
			}
			method := receiver(fn) + fn.Name.Name
			for line := range strings.Lines(fn.Doc.Text()) {
				op, ok := strings.CutPrefix(strings.TrimSpace(line), "API: ")
				if !ok {
					continue
				}
				if !strings.Contains(op, "{resource}") {
					found[op] = append(found[op], method)
					continue
				}
				for _, p := range parents {
					op := strings.Replace(op, "{resource}", p, 1)
					found[op] = append(found[op], method)
				}
			}
		}
	}
	return found
}

func receiver(fn *ast.FuncDecl) string {
	if fn.Recv == nil {
		return ""
	}
	t := fn.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	if generic, ok := t.(*ast.IndexExpr); ok {
		t = generic.X
	}
	return t.(*ast.Ident).Name + "."
}

// Every operation of the API has a method, and every API line names an operation that exists.
func TestEveryOperationHasAMethod(t *testing.T) {
	t.Parallel()
	known, documented := endpoints(t), documentedEndpoints(t)
	for _, op := range slices.Sorted(maps.Keys(documented)) {
		require.True(t, known[op], "%v: not in the endpoint table: %s", documented[op], op)
	}
	for _, op := range slices.Sorted(maps.Keys(known)) {
		require.NotEmpty(t, documented[op], "no method has the line API: %s", op)
	}
}

// COVERAGE.md is what the API lines say. To write it anew: UPDATE=1 go test -run Coverage .
func TestCoverageIsWhatTheMethodsSay(t *testing.T) {
	t.Parallel()
	known, documented := endpoints(t), documentedEndpoints(t)
	var b strings.Builder
	fmt.Fprintf(&b, `# Coverage

%d of %d operations of the v2 API have a typed method. This page is written by a test from the API lines of the doc
comments (`+"`UPDATE=1 go test -run Coverage .`"+`) and checked by it. TestTourRequestsEveryOperation requests each of them, and the test
server's router and signature check confirm it; the tests of each noun beside its file look at the requests and answers in detail.

| operation | methods |
|---|---|
`, len(documented), len(known))
	for _, op := range slices.SortedFunc(maps.Keys(known), func(a, b string) int {
		return cmp.Or(cmp.Compare(a[strings.Index(a, " "):], b[strings.Index(b, " "):]), cmp.Compare(a, b))
	}) {
		fmt.Fprintf(&b, "| `%s` | %s |\n", op, strings.Join(documented[op], ", "))
	}
	if os.Getenv("UPDATE") != "" {
		require.NoError(t, os.WriteFile("COVERAGE.md", []byte(b.String()), 0o644))
	}
	have, err := os.ReadFile("COVERAGE.md")
	require.NoError(t, err)
	require.Equal(t, b.String(), string(have), "COVERAGE.md is not what the methods say; write it with UPDATE=1")
}
