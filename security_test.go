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

// Nothing of the package or its test server runs before it is called, or around the compiler; go:linkname needs the
// import of unsafe.
func TestNothingIsUnsafe(t *testing.T) {
	t.Parallel()
	files := 0
	for _, pattern := range []string{"*.go", "internal/*/*.go", "threatconnecttest/*.go"} {
		names, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
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
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
					assert.NotEqual(t, "init", fn.Name.Name, name)
				}
			}
		}
	}
	assert.Greater(t, files, 100)
}
