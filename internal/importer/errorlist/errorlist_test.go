package errorlist

import (
	"bufio"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/importer/attribute"
)

// scanned returns the objects in a text.
func scanned(text string) ([]string, error) {
	s := NewScanner(bufio.NewReader(iotest.OneByteReader(strings.NewReader(text))))
	var all []string
	for {
		o, err := s.Next()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, string(o))
	}
}

func TestScanLenientErrorLists(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		`[]`:                          nil,
		` [ { "a" : 1 } , {} ] `:      {`{"a":1}`, `{}`},
		"\xef\xbb\xbf[{\"a\":\"b\"}]": {`{"a":"b"}`},
		`[{errorReason: "x", 'n': 'it"s', code: 0x1005,},]`: {`{"errorReason":"x","n":"it\"s","code":"0x1005"}`},
		`[{"a":{"b":[1,2,],},"c":null}]`:                    {`{"a":{"b":[1,2]},"c":null}`},
		`{"a":1}`:                                           {`{"a":1}`},
		"{\"a\":1}\n{\"a\":2}":                              {`{"a":1}`, `{"a":2}`},
		"[{\"a\":\"line\nbreak\"}]":                         {`{"a":"line break"}`},
		`[{"a":"\"}{\u0041"}]`:                              {`{"a":"\"}{\u0041"}`},
		`[{,"a":true,,"b":bare}]`:                           {`{"a":true,"b":"bare"}`},
	} {
		got, err := scanned(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	for text, want := range map[string]error{
		``:          ErrNoList,
		`busy`:      ErrNoList,
		`[{"a":1},`: ErrUnfinished,
		`[{"a":1`:   ErrUnfinished,
		`[{"a":"b`:  ErrUnfinished,
		`[{"a":"b\`: ErrUnfinished,
		`[`:         ErrUnfinished,
		`[{"a":tru`: ErrUnfinished,
		`[{"a":"` + strings.Repeat("x", 2<<20) + `"}]`: ErrTooLarge,
	} {
		_, err := scanned(text)
		assert.ErrorIs(t, err, want, "%.20s", text)
	}
}

func TestParseEntriesOfBothLists(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 1000)
	for name, c := range map[string]struct {
		text string
		want attribute.Entry
	}{
		"the error file": {`{"errorReason":"Error (0x100a): Already there","errorSource":"a.example"}`,
			attribute.Entry{Code: "0x100A", Reason: "Already there", Source: attribute.Source{Refs: []string{"a.example"}}}},
		"the results": {`{"code":"0x1003","severity":"Error","errorReason":"com.example.Exception: x","errorMessage":"Broken at $.group[6]"}`,
			attribute.Entry{Code: "0x1003", Severity: "Error", Cause: "com.example.Exception: x", Reason: "Broken at $.group[6]"}},
		"the results in another order": {`{"errorMessage":"m","errorReason":"r","code":"0X100a"}`,
			attribute.Entry{Code: "0x100A", Cause: "r", Reason: "m"}},
		"an item as the source": {`{"errorReason":"Error (0x1005): no","errorSource":{"type":"Host","summary":"a.example","rating":3,"tag":[{"name":"x"}]}}`,
			attribute.Entry{Code: "0x1005", Reason: "no", Source: attribute.Source{Type: "Host", Refs: []string{"a.example"}}}},
		"an item with separate values as the source": {`{"errorSource":{"type":"File","md5":"a","sha1":"","sha256":"b","hostName":"h"}}`,
			attribute.Entry{Source: attribute.Source{Type: "File", Refs: []string{"a", "b", "h"}}}},
		"a group as the source": {`{"errorReason":"no code","errorSource":{"type":"Threat","xid":"x-1","name":"n"}}`,
			attribute.Entry{Reason: "no code", Source: attribute.Source{Type: "Threat", XID: "x-1", Refs: []string{"n"}}}},
		"an empty source":          {`{"errorReason":"r","errorSource":""}`, attribute.Entry{Reason: "r"}},
		"an invalid code":          {`{"code":"seven","errorReason":"r"}`, attribute.Entry{Reason: "r"}},
		"a code that is too long":  {`{"code":"0x123456789","errorReason":"Error (0x123456789): r"}`, attribute.Entry{Reason: "Error (0x123456789): r"}},
		"a code after other words": {`{"errorReason":"The value of it was (0x1005): r"}`, attribute.Entry{Reason: "The value of it was (0x1005): r"}},
		"no source":                {`{"errorReason":"r","errorSource":null}`, attribute.Entry{Reason: "r"}},
		"nothing":                  {`{}`, attribute.Entry{}},
		"code in the exception":    {`{"errorReason":"Error (0x1008): full","errorMessage":"m"}`, attribute.Entry{Code: "0x1008", Reason: "m", Cause: "full"}},
		"truncated words": {`{"errorReason":"Error (0x1005): no","errorMessage":"` + long + `"}`,
			attribute.Entry{Code: "0x1005", Reason: long[:1024], Cause: "no", Cut: true}},
		"a long source": {`{"errorSource":"` + long + `"}`, attribute.Entry{Source: attribute.Source{Refs: []string{long}}}},
	} {
		assert.Equal(t, c.want, Parse([]byte(c.text)), name)
	}
}
