package feeds

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/scaletest"
)

func TestSTIXBrokenBundlesYieldNoEntries(t *testing.T) {
	t.Parallel()
	whole := bundleOf(stixText("malware", 1, `,"name":"A"`), stixText("malware", 2, `,"name":"B"`))
	for name, c := range map[string]struct{ text, want string }{
		"empty":                       {"", "line 1: the input is empty"},
		"white space":                 {"\n \n", "the input is empty"},
		"cut":                         {whole[:len(whole)-4], "line 3: the STIX bundle is cut"},
		"cut in a string":             {whole[:len(whole)-6], "line 3: the STIX bundle is cut"},
		"cut in a key":                {`{"ty`, "line 1: the STIX bundle is cut"},
		"cut in an escape":            {`{"\u00`, "line 1: the STIX bundle is cut"},
		"cut in a word":               {`{"more":fals`, "line 1: the STIX bundle is cut"},
		"a semicolon":                 {strings.Replace(whole, `"name":"B"`, `"name";"B"`, 1), "line 3: the STIX bundle has invalid JSON"},
		"a comma at the end":          {strings.Replace(whole, `"name":"B"}`, `"name":"B",}`, 1), "line 3: the STIX bundle has invalid JSON"},
		"a comma between":             {strings.Replace(whole, ",\n", ",\n,", 1), "line 3: the STIX bundle has invalid JSON"},
		"no comma":                    {strings.Replace(whole, ",\n", "\n", 1), "line 3: the STIX bundle has invalid JSON"},
		"a line break in a string":    {strings.Replace(whole, `"B"`, "\"\n\"", 1), "line 3: the STIX bundle has invalid JSON"},
		"a bad escape":                {strings.Replace(whole, `"B"`, `"\x41"`, 1), "line 3: the STIX bundle has invalid JSON"},
		"a bad Unicode escape":        {strings.Replace(whole, `"B"`, `"\u00zz"`, 1), "line 3: the STIX bundle has invalid JSON"},
		"a bad number":                {strings.Replace(whole, `"B"`, `01`, 1), "line 3: the STIX bundle has invalid JSON"},
		"a long number":               {strings.Replace(whole, `"B"`, strings.Repeat("1", maxScalar+1), 1), "line 3: the STIX bundle has invalid JSON"},
		"a bad word":                  {strings.Replace(whole, `"B"`, `nil`, 1), "line 3: the STIX bundle has invalid JSON"},
		"a key that is not a string":  {`{"type":"bundle","objects":[{7:8}]}`, "line 1: the STIX bundle has invalid JSON"},
		"deep nesting":                {`{"x":` + strings.Repeat("[", 100_000), "JSON that is nested too deeply"},
		"deep nesting inside":         {`{"objects":[{"labels":` + strings.Repeat(`{"a":`, 100_000), "JSON that is nested too deeply"},
		"another type":                {`{"type":"note","objects":[]}`, "not a STIX bundle"},
		"another type at the end":     {`{"objects":[],"type":"note"}`, "not a STIX bundle"},
		"a single object":             {stixText("malware", 1, ``), "not a STIX bundle"},
		"neither type nor objects":    {`{}`, "not a STIX bundle"},
		"a type that is not a string": {`{"type":1,"objects":[]}`, "not a STIX bundle"},
		"a long type":                 {`{"type":"` + strings.Repeat("x", maxWord+1) + `"}`, "not a STIX bundle"},
		"two types":                   {`{"type":"bundle","type":"bundle"}`, "not a STIX bundle"},
		"two arrays":                  {`{"objects":[],"objects":[]}`, "not a STIX bundle"},
		"an array":                    {`[]`, "not a STIX bundle"},
		"objects are not an array":    {`{"type":"bundle","objects":{}}`, "not a STIX bundle"},
		"no JSON":                     {`hello`, "not a STIX bundle"},
		"pages are missing":           {`{"more":true,"objects":[]}` + "\n", "the TAXII envelope says that there are more objects"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found, refused, err := readSTIX(t, iotest.OneByteReader(strings.NewReader(c.text)))
			require.ErrorIs(t, err, ErrFormat)
			assert.ErrorContains(t, err, c.want)
			assert.Empty(t, found)
			assert.Empty(t, refused)
		})
	}
	for _, none := range []string{`{"type":"bundle"}`, `{"type":"bundle","objects":[]}`, ` {"more":false,"objects":[ ]} ` + "\r\n"} {
		found, refused := mustReadSTIX(t, none)
		assert.Empty(t, found)
		assert.Empty(t, refused)
	}
}

func TestSTIXReturnsReadErrors(t *testing.T) {
	t.Parallel()
	whole := bundleOf(stixText("malware", 1, `,"name":"A","confidence":5`))
	for n := 0; n < len(whole); n += scaletest.Stride() {
		for _, broken := range []error{io.ErrUnexpectedEOF, errors.New("reset")} {
			found, refused, err := readSTIX(t, io.MultiReader(strings.NewReader(whole[:n]), iotest.ErrReader(broken)))
			require.Equal(t, broken, err, "after %d bytes", n)
			assert.Empty(t, found)
			assert.Empty(t, refused)
		}
		_, _, err := readSTIX(t, strings.NewReader(whole[:n]))
		require.ErrorIs(t, err, ErrFormat, "after %d bytes", n)
	}
	_, _, err := readSTIX(t, io.MultiReader(strings.NewReader(whole), iotest.ErrReader(io.ErrUnexpectedEOF)))
	require.Equal(t, io.ErrUnexpectedEOF, err, "the input may be incomplete")
}

func TestSTIXConcatenatedBundles(t *testing.T) {
	t.Parallel()
	first := bundleOf(
		stixText("indicator", 1, `,"pattern":"[domain-name:value='a.example.com']"`),
		stixText("malware", 1, `,"name":"Old"`),
	)
	newer := strings.Replace(stixText("malware", 1, `,"name":"New"`), "2026-01-03", "2026-01-04", 1)
	second := bundleOf(
		newer,
		relationship(1, stixID("indicator", 1), stixID("malware", 1)), // across bundles
		stixText("malware", 2, `,"name":""`),
		`7`,
	)
	for name, between := range map[string]string{"nothing": "", "a line end": "\n", "blank lines": "\r\n \t\n", "an envelope": `{"more":true,"objects":[]}`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found, refused := mustReadSTIX(t, first+between+second+"\n"+bundleOf())
			start := 4 + strings.Count(between, "\n") // the line on which the second bundle begins
			assert.Equal(t, []string{fmt.Sprintf("%d Malware New", start+1), "2 Host a.example.com"}, shown(found))
			assert.Equal(t, []string{"stix/" + stixID("malware", 1)}, indicatorIn(found[1]).Meta().GroupXIDs)
			assert.Equal(t, []string{
				fmt.Sprintf("%d group name is blank", start+3),
				fmt.Sprintf("%d is not a STIX object", start+4),
			}, stixRules(refused))
		})
	}
}

func TestSTIXRejectsTrailingText(t *testing.T) {
	t.Parallel()
	bundle := bundleOf(stixText("indicator", 1, `,"pattern":"[domain-name:value='a.example.com']"`)) // three lines
	for name, c := range map[string]struct{ text, want string }{
		"a word":                         {"\n\ngarbage\n", "line 5: "},
		"a word on the same line":        {" garbage", "line 3: "},
		"a closing brace":                {"\n}", "line 4: "},
		"a closing bracket":              {"\n]", "line 4: "},
		"a comma":                        {",\n" + bundle, "line 3: "},
		"an array":                       {"\n[]", "line 4: "},
		"a number":                       {"\n\n7", "line 5: "},
		"null":                           {"\nnull", "line 4: "},
		"a record separator":             {"\n\x1e", "line 4: "},
		"half a byte order mark":         {"\n\xef\xbb", "line 4: "},
		"an object of another type":      {"\n{\"type\":\n\"note\"}", "line 4: "},
		"an object without a type":       {"\n{}", "line 4: "},
		"a bundle without an array":      {"\n" + `{"type":"bundle","objects":7}`, "line 4: "},
		"a cut bundle":                   {"\n" + bundle[:len(bundle)-1], "line 6: the STIX bundle is cut"},
		"a bundle of one brace":          {"\n{", "line 4: the STIX bundle is cut"},
		"half a word":                    {"\nnul", "line 4"},
		"a broken bundle":                {"\n" + strings.Replace(bundle, "[\n", "[\n;", 1), "line 5: the STIX bundle has invalid JSON"},
		"a word after the second bundle": {"\n" + bundle + "\nx", "line 7: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found, refused, err := readSTIX(t, strings.NewReader(bundle+c.text))
			require.ErrorIs(t, err, ErrFormat)
			assert.ErrorContains(t, err, c.want)
			assert.Empty(t, found)
			assert.Empty(t, refused)
		})
	}
}
