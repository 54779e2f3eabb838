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
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// faultRow is a row of the table in docs/faults.md.
type faultRow struct {
	number int
	tests  []string // package.Function
	result string
}

var testName = regexp.MustCompile("`([a-z0-9]+\\.(?:Test|Fuzz)[A-Za-z0-9_]*)`")

// faultRows parses the rows of a table: the lines that begin with a bar and a number.
func faultRows(t *testing.T, text string) []faultRow {
	t.Helper()
	var rows []faultRow
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) < 2 {
			continue
		}
		number, err := strconv.Atoi(strings.TrimSpace(cells[1]))
		if err != nil {
			continue
		}
		require.Len(t, cells, 7, "row %d wants five columns", number)
		row := faultRow{number: number, result: strings.TrimSpace(cells[5])}
		for _, m := range testName.FindAllStringSubmatch(cells[4], -1) {
			row.tests = append(row.tests, m[1])
		}
		assert.NotEmpty(t, strings.TrimSpace(cells[2]), "row %d has no fault", number)
		assert.NotEmpty(t, strings.TrimSpace(cells[3]), "row %d does not say what happens", number)
		rows = append(rows, row)
	}
	return rows
}

// testFunctions returns the test functions of all modules, as package.Function.
func testFunctions(t *testing.T) map[string]bool {
	t.Helper()
	found, err := parsedTestFunctions()
	require.NoError(t, err)
	return found
}

var parsedTestFunctions = sync.OnceValues(func() (map[string]bool, error) {
	const root = "."
	found := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); path != root && (strings.HasPrefix(name, ".") || name == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if ok && f.Recv == nil && len(f.Type.Params.List) == 1 {
				found[strings.TrimSuffix(file.Name.Name, "_test")+"."+f.Name.Name] = true
			}
		}
		return nil
	})
	return found, err
})

func TestFaultsPageNamesExistingTests(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("docs/faults.md")
	require.NoError(t, err)
	functions := testFunctions(t)
	rows := faultRows(t, string(text))
	require.GreaterOrEqual(t, len(rows), 78)
	for i, row := range rows {
		assert.Equal(t, i+1, row.number, "the numbers go up by one")
		assert.NotEmpty(t, row.tests, "row %d names no test", row.number)
		for _, name := range row.tests {
			assert.True(t, functions[name], "row %d names %s, which does not exist", row.number, name)
		}
		assert.Contains(t, []string{"handled", "refused by design", "accepted by design"}, row.result, "row %d is open", row.number)
	}
	architecture, err := os.ReadFile("ARCHITECTURE.md")
	require.NoError(t, err)
	for _, m := range testName.FindAllStringSubmatch(string(text)+string(architecture), -1) {
		assert.True(t, functions[m[1]], "%s does not exist", m[1])
	}
}

func TestParseFaultRows(t *testing.T) {
	t.Parallel()
	rows := faultRows(t, "| # | fault | what happens | tests | result |\n|---|---|---|---|---|\n| 1 | a | b | `wire.TestX`, `x.FuzzY` and `not a test` | handled |\n| 2 | c | d | none | open |\n\nText.\n")
	assert.Equal(t, []faultRow{{1, []string{"wire.TestX", "x.FuzzY"}, "handled"}, {2, nil, "open"}}, rows)
	functions := testFunctions(t)
	for _, name := range []string{"threatconnect.TestMain", "canon.FuzzHost", "wire.TestKindNames", "threatconnecttest.TestFaults", "feed.TestSampleNeedsNoConfiguration"} {
		assert.True(t, functions[name], name)
	}
	assert.False(t, functions["threatconnect.TestNothing"])
	assert.False(t, functions["threatconnect.clientOf"], "not a test function")
}

// directOf returns the direct dependencies in the go.mod file at path, and the modules of its tools.
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

// SECURITY.md has a row with a license and a reason for each dependency of each module, and no other
// rows.
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

// TestThreatNothingRunsAtImport reads every package that a program can import. None uses cgo, an init function, or
// package unsafe, which linkname requires. No initial value of a variable starts a goroutine or calls a package that
// does I/O or starts processes.
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

// runAtImport returns the packages whose functions a declaration calls, and "go" for each goroutine that it starts.
// Functions that are only declared run later.
func runAtImport(d *ast.GenDecl) (parts []string) {
	ast.Inspect(d, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			parts = append(parts, "go")
		case *ast.CallExpr:
			switch fun := n.Fun.(type) {
			case *ast.FuncLit: // called where it is declared
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

// docRow is a row of a table in docs/batch.md.
type docRow struct {
	number int
	tests  []string // package.Function
	says   string   // the last cell without the tests
}

// docRows parses the rows of a table of four columns: the lines that begin with a bar and a number. It reports
// invalid rows to wrong.
func docRows(text string, wrong func(row int, what string)) []docRow {
	var rows []docRow
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		number, err := strconv.Atoi(strings.TrimSpace(cells[0]))
		if err != nil || !strings.HasPrefix(line, "|") {
			continue
		}
		if len(cells) != 4 {
			wrong(number, "wants four columns")
			continue
		}
		for _, cell := range cells {
			if strings.TrimSpace(cell) == "" {
				wrong(number, "has an empty cell")
			}
		}
		row := docRow{number: number}
		for _, m := range testName.FindAllStringSubmatch(cells[3], -1) {
			row.tests = append(row.tests, m[1])
		}
		row.says = strings.Trim(testName.ReplaceAllString(cells[3], ""), " ,.")
		if row.number != len(rows)+1 {
			wrong(row.number, "is out of order: the numbers go up by one")
		}
		if words := len(strings.Fields(row.says)); len(row.tests) == 0 && words < 6 || words > 0 && words < 6 {
			wrong(row.number, "names no test and has no sentence that says why")
		}
		rows = append(rows, row)
	}
	return rows
}

func TestBatchPageNamesExistingTests(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("docs/batch.md")
	require.NoError(t, err)
	traps, features, ok := strings.Cut(string(text), "\n## Features\n")
	require.True(t, ok)
	functions := testFunctions(t)
	for name, table := range map[string]struct {
		text string
		rows int
	}{"traps": {traps, 51}, "features": {features, 57}} {
		rows := docRows(table.text, func(row int, what string) { t.Errorf("%s: row %d %s", name, row, what) })
		assert.Len(t, rows, table.rows, name)
		for _, row := range rows {
			for _, test := range row.tests {
				assert.True(t, functions[test], "%s: row %d names %s, which does not exist", name, row.number, test)
			}
		}
	}
	for _, m := range testName.FindAllStringSubmatch(string(text), -1) {
		assert.True(t, functions[m[1]], m[1])
	}
}

func TestParseBatchPageRows(t *testing.T) {
	t.Parallel()
	const head = "| # | a | b | c |\n|---|---|---|---|\n"
	for row, what := range map[string]string{
		"| 1 | a | b | `x.TestX` |":                                    "",
		"| 1 | a | b | `x.TestX`, `y.FuzzY`. Because it is as it is |": "",
		"| 1 | a | b | There is none, because it is so. |":             "",
		"| 1 | a | b | none |":                                         "names no test and has no sentence that says why",
		"| 1 | a | b | `x.Nothing` |":                                  "names no test and has no sentence that says why",
		"| 1 | a | b | `x.TestX`, too |":                               "names no test and has no sentence that says why",
		"| 1 | a | `x.TestX` |":                                        "wants four columns",
		"| 1 | a | | `x.TestX` |":                                      "has an empty cell",
		"| 2 | a | b | `x.TestX` |":                                    "is out of order: the numbers go up by one",
	} {
		got := ""
		docRows(head+row+"\nText.\n", func(_ int, what string) { got = what })
		assert.Equal(t, what, got, row)
	}
	rows := docRows(head+"| 1 | a | b | `x.TestX`, `y.FuzzY` |\n| 2 | a | b | `x.TestX`. Because it is as it is |\n", func(row int, what string) { t.Errorf("row %d %s", row, what) })
	assert.Equal(t, []docRow{{1, []string{"x.TestX", "y.FuzzY"}, ""}, {2, []string{"x.TestX"}, "Because it is as it is"}}, rows)
}
