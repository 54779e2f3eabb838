package threatconnect

import (
	"bufio"
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

// Every API line names an operation that exists. (That every operation has a line is the other half.)
func TestNoMethodNamesAnOperationThatDoesNotExist(t *testing.T) {
	t.Parallel()
	known, documented := endpoints(t), documentedEndpoints(t)
	for _, op := range slices.Sorted(maps.Keys(documented)) {
		require.True(t, known[op], "%v: not in the endpoint table: %s", documented[op], op)
	}
}
