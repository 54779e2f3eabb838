package lint

import (
	"bytes"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Examples are the first code that people copy. An example without output is compiled but never run.
func TestExamplesHaveOutput(t *testing.T) {
	t.Parallel()
	for dir, atLeast := range map[string]int{".": 70, "threatconnecttest": 15, "feeds": 5, "ioc": 8} {
		names := make(map[string]bool)
		for _, e := range examples(t, dir) {
			names[e.Name] = true
			assert.True(t, e.Output != "" || e.EmptyOutput, "Example%s in %s has no // Output: line", e.Name, dir)
		}
		assert.True(t, names[""], "package %s has no package example", dir)
		assert.GreaterOrEqual(t, len(names), atLeast, "examples in %s", dir)
	}
}

func TestEveryServiceHasAnExample(t *testing.T) {
	t.Parallel()
	services, shown := 0, make(map[string]bool)
	for _, e := range examples(t, ".") {
		name, _, _ := strings.Cut(e.Name, "_")
		shown[name] = true
	}
	for _, f := range parse(t, ".", "Service", false) {
		for _, decl := range f.Decls {
			types, ok := decl.(*ast.GenDecl)
			if !ok || types.Tok != token.TYPE {
				continue
			}
			for _, spec := range types.Specs {
				if name := spec.(*ast.TypeSpec).Name.Name; ast.IsExported(name) && strings.HasSuffix(name, "Service") {
					services++
					assert.True(t, shown[name], "%s has no example: write Example%s or an example of a method", name, name)
				}
			}
		}
	}
	assert.Greater(t, services, 20)
}

func examples(t *testing.T, dir string) []*doc.Example {
	t.Helper()
	return doc.Examples(parse(t, dir, "func Example", true)...)
}

// parse parses the files of a package that contain a text: its tests, or all other files. dir is
// relative to the root of the module.
func parse(t *testing.T, dir, with string, tests bool) []*ast.File {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("..", "..", dir, "*.go"))
	require.NoError(t, err)
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") != tests {
			continue
		}
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		if !bytes.Contains(text, []byte(with)) {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments)
		require.NoError(t, err)
		files = append(files, f)
	}
	return files
}
