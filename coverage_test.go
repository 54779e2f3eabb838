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
	"path/filepath"
	"slices"
	"strings"
	"sync"
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
	require.Len(t, all, 277)
	return all
}

// parents are the values of {resource} in an API line.
var parents = []string{"groups/{type}/{id}", "indicators/{type}/{indicator}", "tasks/{id}", "victims/{id}"}

// documentedEndpoints returns the methods of each operation, from the API lines of all doc comments.
func documentedEndpoints(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	forEachDecl(t, func(name string) bool { return !strings.HasSuffix(name, "_test.go") }, func(d ast.Decl) {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || !fn.Name.IsExported() {
			return
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
	})
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

// Every operation of the API must have a method, and every API line must name an existing operation.
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

// serviceFields returns the type of each exported field of the client and of its services.
func serviceFields(t *testing.T) map[string]string {
	t.Helper()
	fields := map[string]string{}
	forEachDecl(t, func(name string) bool { return !strings.HasSuffix(name, "_test.go") }, func(d ast.Decl) {
		ast.Inspect(d, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			s, ok := spec.Type.(*ast.StructType)
			if !ok || spec.Name.Name != "Client" && !strings.HasSuffix(spec.Name.Name, "Service") {
				return false
			}
			for _, f := range s.Fields.List {
				typ := f.Type
				if star, ok := typ.(*ast.StarExpr); ok {
					typ = star.X
				}
				if generic, ok := typ.(*ast.IndexExpr); ok {
					typ = generic.X
				}
				for _, name := range f.Names {
					if id, ok := typ.(*ast.Ident); ok && name.IsExported() {
						fields[name.Name] = id.Name
					}
				}
			}
			return false
		})
	})
	return fields
}

// callers returns, for each method of a service, a test or example that calls it: the most specific one, or the
// first of those in the order of the files. It recognizes a method by the field of its service, for example
// client.Groups.Incidents.Get.
func callers(t *testing.T) map[string]string {
	t.Helper()
	fields, found := serviceFields(t), map[string]string{}
	forEachDecl(t, func(name string) bool { return strings.HasSuffix(name, "_test.go") }, func(d ast.Decl) {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			return
		}
		test := fn.Name.Name
		switch {
		case receiver(fn) == "tour.":
			test = tour
		case fn.Recv != nil || !strings.HasPrefix(test, "Test") && !strings.HasPrefix(test, "Example"):
			return
		}
		holds := map[string]string{} // variables of the test that hold a service
		ast.Inspect(fn, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				for i, to := range n.Lhs {
					if len(n.Lhs) != len(n.Rhs) {
						break
					}
					id, named := to.(*ast.Ident)
					from, field := n.Rhs[i].(*ast.SelectorExpr)
					if named && field && fields[from.Sel.Name] != "" {
						holds[id.Name] = fields[from.Sel.Name]
					}
				}
			case *ast.SelectorExpr:
				service := ""
				switch x := n.X.(type) {
				case *ast.SelectorExpr:
					service = fields[x.Sel.Name]
				case *ast.Ident:
					service = holds[x.Name]
				}
				method := service + "." + n.Sel.Name
				if have := found[method]; service != "" && (have == "" || telling(test) > telling(have)) {
					found[method] = test
				}
			}
			return true
		})
	})
	return found
}

// telling ranks how well a test shows the use of a method. A test of invalid arguments sends nothing.
func telling(test string) int {
	switch {
	case strings.Contains(test, "Refuse") || strings.Contains(test, "Reject"):
		return 0
	case strings.HasPrefix(test, "Example"):
		return 1
	case test == tour: // it only sends requests
		return 2
	}
	return 3
}

// forEachDecl calls use for each declaration in the wanted files of the package, in the order of the
// file names.
func forEachDecl(t *testing.T, want func(name string) bool, use func(ast.Decl)) {
	t.Helper()
	files, err := parsedFiles()
	require.NoError(t, err)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if want(name) {
			for _, d := range files[name].Decls {
				use(d)
			}
		}
	}
}

var parsedFiles = sync.OnceValues(func() (map[string]*ast.File, error) {
	names, err := filepath.Glob("*.go")
	if err != nil {
		return nil, err
	}
	files := map[string]*ast.File{}
	for _, name := range names {
		if files[name], err = parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.SkipObjectResolution); err != nil {
			return nil, err
		}
	}
	return files, nil
})

// tour is the test that requests every operation.
const tour = "TestTourRequestsEveryOperation"

// docs/coverage.md must match the API lines. To update it: UPDATE=1 go test -run Coverage .
func TestCoveragePageMatchesMethods(t *testing.T) {
	t.Parallel()
	known, documented, tested := endpoints(t), documentedEndpoints(t), callers(t)
	var b strings.Builder
	fmt.Fprintf(&b, `# Coverage

%d of %d operations of the v2 API have a typed method. A test writes this page from the API lines
of the doc comments (`+"`UPDATE=1 go test -run Coverage .`"+`), and checks it.
`+tour+` requests each of them, and the test server's router and signature
check confirm it. The column tests lists one test or example for each method.

| operation | methods | tests |
|---|---|---|
`, len(documented), len(known))
	for _, op := range slices.SortedFunc(maps.Keys(known), func(a, b string) int {
		return cmp.Or(cmp.Compare(a[strings.Index(a, " "):], b[strings.Index(b, " "):]), cmp.Compare(a, b))
	}) {
		var tests []string
		for _, method := range documented[op] {
			if test := tested[method]; test != "" && !slices.Contains(tests, test) {
				tests = append(tests, test)
			}
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", op, strings.Join(documented[op], ", "), strings.Join(tests, ", "))
	}
	if os.Getenv("UPDATE") != "" {
		require.NoError(t, os.WriteFile("docs/coverage.md", []byte(b.String()), 0o644))
	}
	have, err := os.ReadFile("docs/coverage.md")
	require.NoError(t, err)
	require.Equal(t, b.String(), string(have), "docs/coverage.md does not match the API lines; update it with UPDATE=1")
}
