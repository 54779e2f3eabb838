package threatconnect_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// directOf returns the direct requirements in the go.mod at a path, and those that provide its tools.
func directOf(t *testing.T, path string) (paths []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var tools []string
	for _, block := range regexp.MustCompile(`(?s)\ntool \((.*?)\n\)`).FindAllStringSubmatch(string(text), -1) {
		tools = append(tools, strings.Fields(block[1])...)
	}
	block := false
	for line := range strings.Lines(string(text)) {
		line, comment, _ := strings.Cut(strings.TrimSpace(line), "//")
		fields := strings.Fields(line)
		switch {
		case len(fields) == 2 && fields[0] == "require" && fields[1] == "(":
			block = true
			continue
		case len(fields) == 1 && fields[0] == ")":
			block = false
			continue
		case len(fields) == 3 && fields[0] == "require":
			fields = fields[1:]
		case !block || len(fields) != 2:
			continue
		}
		direct := strings.TrimSpace(comment) != "indirect" && !strings.HasPrefix(fields[0], "github.com/threatconnect-go/")
		if direct || slices.ContainsFunc(tools, func(tool string) bool { return strings.HasPrefix(tool+"/", fields[0]+"/") }) {
			paths = append(paths, fields[0])
		}
	}
	return paths
}

// SECURITY.md has a row for each dependency of each module, with a licence and a reason, and for
// nothing else.
func TestEveryDependencyIsInSECURITY(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("SECURITY.md")
	require.NoError(t, err)
	_, section, ok := strings.Cut(string(text), "\n## Dependencies\n")
	require.True(t, ok)
	section, _, _ = strings.Cut(section, "\n## ")
	listed := map[string]string{} // "module path" to the row
	for line := range strings.Lines(section) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 6 || !strings.Contains(cells[1], "`") {
			continue
		}
		for i := range cells {
			cells[i] = strings.Trim(strings.TrimSpace(cells[i]), "`")
		}
		for _, c := range cells[1:5] {
			assert.NotEmpty(t, c, line)
		}
		for module := range strings.SplitSeq(cells[2], ",") {
			listed[strings.TrimSpace(module)+" "+cells[1]] = line
		}
	}
	modules := 0
	require.NoError(t, filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() != "go.mod" {
			return err
		}
		modules++
		for _, dep := range directOf(t, path) {
			module := filepath.ToSlash(filepath.Dir(path))
			if module == "." {
				module = "root"
			}
			assert.Contains(t, listed, module+" "+dep, "SECURITY.md does not name it")
			delete(listed, module+" "+dep)
		}
		return nil
	}))
	require.Greater(t, modules, 2)
	assert.Empty(t, listed, "no go.mod requires it")
}

// TestThreatNothingRunsAtImport reads every package that a program can import: there is no cgo, no init, and no unsafe,
// without which there is no linkname either. The value of a variable starts no goroutine and calls nothing of a package
// that reads or writes something or starts a process.
func TestThreatNothingRunsAtImport(t *testing.T) {
	t.Parallel()
	outside := []string{"os", "exec", "net", "http", "tls", "syscall", "signal", "filepath", "plugin", "sql", "log", "slog", "runtime", "debug", "rand"}
	files := 0
	require.NoError(t, filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if _, err := os.Stat(filepath.Join(name, "go.mod")); name != "." && (err == nil || strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
				return filepath.SkipDir // another module
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		files++
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, spec := range f.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			require.NoError(t, err)
			assert.NotContains(t, []string{"C", "unsafe", "plugin"}, path, name)
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil {
					assert.NotEqual(t, "init", d.Name.Name, name)
				}
			case *ast.GenDecl:
				for _, part := range runAtImport(d) {
					assert.NotContains(t, append(outside, "go"), part, "%s: a variable is initialized with it", name)
				}
			}
		}
		return nil
	}))
	assert.Greater(t, files, 200)
}

// runAtImport returns the packages whose functions a declaration calls, and "go" for a goroutine that it starts. A
// function that is only declared runs later.
func runAtImport(d *ast.GenDecl) (parts []string) {
	ast.Inspect(d, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			parts = append(parts, "go")
		case *ast.CallExpr:
			switch fun := n.Fun.(type) {
			case *ast.FuncLit: // it is called where it is declared
				ast.Inspect(fun.Body, func(n ast.Node) bool {
					if _, ok := n.(*ast.GoStmt); ok {
						parts = append(parts, "go")
					}
					if sel, ok := n.(*ast.SelectorExpr); ok {
						if pkg, ok := sel.X.(*ast.Ident); ok {
							parts = append(parts, pkg.Name)
						}
					}
					return true
				})
			case *ast.SelectorExpr:
				if pkg, ok := fun.X.(*ast.Ident); ok {
					parts = append(parts, pkg.Name)
				}
			}
		case *ast.FuncLit:
			return false
		}
		return true
	})
	return parts
}
