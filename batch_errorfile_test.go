package threatconnect

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/importer/attribute"
	"github.com/threatconnect-go/threatconnect/internal/importer/errorlist"
	"github.com/threatconnect-go/threatconnect/internal/importer/item"
	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// scanned returns the objects in a text.
func scanned(text string) ([]string, error) {
	s := errorlist.NewScanner(bufio.NewReader(iotest.OneByteReader(strings.NewReader(text))))
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

// FuzzListsOfErrors reads text as the error list of a batch file with one host per line of hosts.
func FuzzListsOfErrors(f *testing.F) {
	f.Add(`[{"errorReason":"Error (0x1005): x","errorSource":"a.example"}]`, "a.example\nb.example")
	f.Add(`[{errorReason:'x',errorSource:{type:Host,summary:"a"}},]`, "a\nA\n a")
	f.Add(`[{"a":"\u12"}]`, "12")
	f.Add(`{"status":"Invalid"}`, "Invalid")
	f.Add(`[{"errorReason":"Last known JSON path: '$.indicator[0]'"},{"errorMessage":"'a.example'"}]`, "b\na.example")
	f.Add(`[{"errorReason":"b is Host: a b","errorMessage":"a b."}]`, "a  b\nB")
	f.Fuzz(func(t *testing.T, text, hosts string) {
		got, err := scanned(text)
		if err != nil && !errors.Is(err, errorlist.ErrNoList) && !errors.Is(err, errorlist.ErrUnfinished) && !errors.Is(err, errorlist.ErrTooLarge) {
			t.Fatal(err)
		}
		var file item.File
		lines := strings.Split(strings.ToValidUTF8(hosts, "?"), "\n")
		for n, host := range lines {
			var w wire.Writer
			w.BeginObject()
			w.Key("type")
			w.Text("Host")
			w.Key("summary")
			w.Text(host)
			w.EndObject()
			file.Add(item.Indicators, int64(n), w.Buf)
		}
		fold := func(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }
		m := attribute.New(&file, file.All())
		for _, o := range got {
			e := errorlist.Parse([]byte(o))
			shown := batchItemError(e.Failure(1))
			require.Equal(t, attribute.Fatal(e.Reason, e.Cause) || attribute.Full(e.Code, e.Reason, e.Cause), shown.Fatal())
			require.LessOrEqual(t, len(shown.Reason), errorlist.MaxText)
			require.LessOrEqual(t, len(shown.Cause), errorlist.MaxText)
			require.Regexp(t, `^(0x[0-9A-F]{1,8})?$`, e.Code)
			if s := fmt.Sprintf("%v%+v%q", shown, shown, shown); len(shown.Ref) > 20 && !strings.Contains(shown.Reason+shown.Cause, shown.Ref) {
				require.NotContains(t, s, shown.Ref)
			}
			pos, ok := m.Find(&e)
			if !ok {
				continue
			}
			said := fold(strings.Join(append(e.Source.Refs, e.Source.XID, e.Reason, e.Cause), "\n"))
			if place := fmt.Sprintf("indicator[%d]", pos); !strings.Contains(said, place) && !strings.Contains(said, fmt.Sprintf("$[%d]", pos)) {
				require.Contains(t, said, fold(strings.Trim(lines[pos], `'"()[]{}<>,;:.!? `)), "%s is blamed", lines[pos])
			}
		}

		// Valid JSON must be read as JSON.
		var strict []map[string]any
		if json.Unmarshal([]byte(text), &strict) == nil && len(text) > 0 && text[0] == '[' {
			require.NoError(t, err)
			want := 0
			for _, o := range strict {
				if o == nil {
					continue
				}
				var again map[string]any
				require.NoError(t, json.Unmarshal([]byte(got[want]), &again), got[want])
				require.Equal(t, o, again)
				want++
			}
			require.Len(t, got, want)
		}
	})
}
