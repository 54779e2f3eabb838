package threatconnect_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// faultRow is a row of the table of docs/faults.md.
type faultRow struct {
	number int
	tests  []string // package.Function
	result string
}

var testName = regexp.MustCompile("`([a-z0-9]+\\.(?:Test|Fuzz)[A-Za-z0-9_]*)`")

// faultRows reads the table of a text: the lines that begin with a bar and a number.
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
		assert.NotEmpty(t, strings.TrimSpace(cells[2]), "row %d says no fault", number)
		assert.NotEmpty(t, strings.TrimSpace(cells[3]), "row %d does not say what happens", number)
		rows = append(rows, row)
	}
	return rows
}

// testFunctions are the test functions of all modules below a directory, as package.Function.
func testFunctions(t *testing.T, root string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
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
	}))
	return found
}

func TestFaultsNameTestsThatExist(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("docs/faults.md")
	require.NoError(t, err)
	functions := testFunctions(t, ".")
	rows := faultRows(t, string(text))
	require.GreaterOrEqual(t, len(rows), 78)
	for i, row := range rows {
		assert.Equal(t, i+1, row.number, "the numbers go up by one")
		assert.NotEmpty(t, row.tests, "row %d names no test", row.number)
		for _, name := range row.tests {
			assert.True(t, functions[name], "row %d names %s, which does not exist", row.number, name)
		}
		assert.Contains(t, []string{"survived", "refused on purpose", "taken on purpose"}, row.result, "row %d is open", row.number)
	}
	architecture, err := os.ReadFile("ARCHITECTURE.md")
	require.NoError(t, err)
	for _, m := range testName.FindAllStringSubmatch(string(text)+string(architecture), -1) {
		assert.True(t, functions[m[1]], "%s does not exist", m[1])
	}
}

func TestFaultsAreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	rows := faultRows(t, "| # | fault | what happens | tests | result |\n|---|---|---|---|---|\n| 1 | a | b | `wire.TestX`, `x.FuzzY` and `not a test` | survived |\n| 2 | c | d | none | open |\n\nText.\n")
	assert.Equal(t, []faultRow{{1, []string{"wire.TestX", "x.FuzzY"}, "survived"}, {2, nil, "open"}}, rows)
	functions := testFunctions(t, ".")
	for _, name := range []string{"threatconnect.TestMain", "canon.FuzzHost", "wire.TestKindNames", "threatconnecttest.TestFaults", "feed.TestSampleNeedsNoConfiguration"} {
		assert.True(t, functions[name], name)
	}
	assert.False(t, functions["threatconnect.TestNothing"])
	assert.False(t, functions["threatconnect.clientOf"], "a function that is no test")
}
