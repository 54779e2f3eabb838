package threatconnect_test

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// docRow is a row of a table of docs/batch.md.
type docRow struct {
	number int
	tests  []string // package.Function
	says   string   // the last cell without the tests
}

// docRows reads the rows of a table of four columns: the lines that begin with a bar and a number.
// What is wrong with a row is told to wrong.
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

func TestThePageAboutBatchNamesTestsThatExist(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("docs/batch.md")
	require.NoError(t, err)
	traps, features, ok := strings.Cut(string(text), "\n## Features\n")
	require.True(t, ok)
	functions := testFunctions(t, ".")
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

func TestRowsAboutBatchAreReadAsTheyAreWritten(t *testing.T) {
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
