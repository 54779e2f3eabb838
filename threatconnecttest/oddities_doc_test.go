package threatconnecttest_test

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// docs/wire.md compares the documentation with the wire. It must mention every oddity.
func TestWirePageListsEveryOddity(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/wire.md")
	require.NoError(t, err)
	file, err := parser.ParseFile(gotoken.NewFileSet(), "oddities.go", nil, 0)
	require.NoError(t, err)
	var names []string
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			for _, name := range spec.Names {
				if name.IsExported() {
					names = append(names, name.Name)
				}
			}
		}
		return true
	})
	require.Greater(t, len(names), 20)
	for _, name := range names {
		assert.Contains(t, string(page), "`"+name+"`")
	}
	for word := range strings.FieldsFuncSeq(string(page), func(r rune) bool { return r == '`' || r == ' ' || r == '|' || r == '\n' || r == ';' || r == ',' }) {
		if strings.HasPrefix(word, "Oddity") {
			assert.Contains(t, names, word, "the page names an oddity that does not exist")
		}
	}
}
