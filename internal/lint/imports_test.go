package lint

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/threatconnect-go/threatconnect"

// allowedImports lists the packages that each package of the module imports in addition to the
// standard library. Every package has a row and must import everything in it.
var allowedImports = map[string][]string{
	module: {
		module + "/internal/canon",
		module + "/internal/durable",
		module + "/internal/filehash",
		module + "/internal/importer",
		module + "/internal/importer/attribute",
		module + "/internal/importer/deliver",
		module + "/internal/importer/errorlist",
		module + "/internal/importer/item",
		module + "/internal/importer/journal",
		module + "/internal/jsonmerge",
		module + "/internal/parallel",
		module + "/internal/redact",
		module + "/internal/merge",
		module + "/internal/setdiff",
		module + "/internal/sentence",
		module + "/internal/secret",
		module + "/internal/wire",
		"github.com/google/go-querystring/query",
	},
	module + "/feeds":             {module, module + "/internal/durable", module + "/internal/extsort", module + "/internal/wire", module + "/ioc"},
	module + "/internal/canon":    {"golang.org/x/net/idna"},
	module + "/internal/durable":  {},
	module + "/internal/extsort":  {},
	module + "/internal/filehash": {module + "/internal/extsort"},
	module + "/internal/importer": {
		module + "/internal/importer/deliver",
		module + "/internal/importer/item",
		module + "/internal/importer/journal",
		module + "/internal/importer/pack",
	},
	module + "/internal/importer/attribute": {module + "/internal/importer/item"},
	module + "/internal/importer/deliver":   {module + "/internal/importer/attribute", module + "/internal/importer/item", module + "/internal/importer/journal"},
	module + "/internal/importer/errorlist": {module + "/internal/canon", module + "/internal/importer/attribute", module + "/internal/wire"},
	module + "/internal/importer/item":      {module + "/internal/canon", module + "/internal/wire"},
	module + "/internal/importer/journal":   {module + "/internal/importer/item"},
	module + "/internal/importer/pack":      {module + "/internal/extsort", module + "/internal/importer/item", module + "/internal/importer/journal", module + "/internal/wire"},
	module + "/internal/jsonmerge":          {module + "/internal/wire"},
	module + "/internal/lint":               {},
	module + "/internal/parallel":           {},
	module + "/internal/redact":             {},
	module + "/internal/merge":              {module + "/internal/extsort", module + "/internal/filehash", module + "/internal/importer/item", module + "/internal/jsonmerge", module + "/internal/wire"},
	module + "/internal/setdiff":            {module + "/internal/canon", module + "/internal/extsort"},
	module + "/internal/sentence":           {},
	module + "/internal/secret":             {},
	module + "/internal/scaletest":          {},
	module + "/internal/wire":               {},
	module + "/internal/wiretest":           {"github.com/jarcoal/httpmock", "github.com/stretchr/testify/assert"},
	module + "/ioc":                         {module + "/internal/canon", module + "/internal/wire", "golang.org/x/net/publicsuffix"},
	module + "/threatconnecttest":           {module},
}

const root = "../.."

// sources parses the files in a directory of the module and below it, for all platforms, except tests
// and nested modules. It calls f with the import path of the package and the name of each file.
func sources(t *testing.T, dir string, mode parser.Mode, f func(pkg, name string, file *ast.File)) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name == root {
				return nil
			}
			_, err := os.Stat(filepath.Join(name, "go.mod"))
			if err == nil || entry.Name() == "testdata" || strings.HasPrefix(entry.Name(), ".") {
				return fs.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, mode)
		if err != nil {
			return err
		}
		f(path.Join(module, filepath.ToSlash(filepath.Dir(rel))), filepath.ToSlash(rel), file)
		return nil
	}))
}

// imported returns the import paths of a file.
func imported(t *testing.T, file *ast.File) []string {
	t.Helper()
	var paths []string
	for _, spec := range file.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		require.NoError(t, err)
		paths = append(paths, p)
	}
	return paths
}

func TestPackageImportsAreAllowed(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	sources(t, root, parser.ImportsOnly, func(pkg, name string, file *ast.File) {
		allowed, known := allowedImports[pkg]
		assert.True(t, known, "%s: package %s is not in the table: add it, and ARCHITECTURE.md", name, pkg)
		for _, p := range imported(t, file) {
			first, _, _ := strings.Cut(p, "/")
			if !strings.Contains(first, ".") {
				continue // the standard library
			}
			assert.Contains(t, allowed, p, "%s imports %s", name, p)
			used[pkg+" imports "+p] = true
		}
	})
	for pkg, allowed := range allowedImports {
		for _, p := range allowed {
			assert.True(t, used[pkg+" imports "+p], "%s does not import %s: remove it from the table", pkg, p)
			assert.False(t, p == module && strings.HasPrefix(pkg, module+"/internal/"), "%s: internal packages must not import the root", pkg)
		}
	}
}

// The test server shares no rules with the client, so it detects the client's mistakes. It uses the
// client only to create clients and for the interface that TestSpool tests.
func TestTestServerOnlyCreatesClients(t *testing.T) {
	t.Parallel()
	allowed := []string{"Client", "ClientAs", "TestSpool"}
	var functions []string
	sources(t, root+"/threatconnecttest", parser.SkipObjectResolution, func(pkg, name string, file *ast.File) {
		if pkg != module+"/threatconnecttest" || !slices.Contains(imported(t, file), module) {
			return
		}
		for _, spec := range file.Imports {
			require.Nil(t, spec.Name, "%s: import the root under its own name", name)
		}
		for _, d := range file.Decls {
			fn, isFunc := d.(*ast.FuncDecl)
			ast.Inspect(d, func(n ast.Node) bool {
				s, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "threatconnect" {
					if assert.True(t, isFunc && slices.Contains(allowed, fn.Name.Name), "%s uses threatconnect.%s", name, s.Sel.Name) {
						functions = append(functions, fn.Name.Name)
					}
				}
				return true
			})
		}
	})
	slices.Sort(functions)
	assert.Equal(t, allowed, slices.Compact(functions))
}
