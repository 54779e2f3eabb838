package threatconnect_test

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	tc "github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
)

// shapeCall calls the method that reads a shape, and returns what it returned.
type shapeCall func(ctx context.Context, c *tc.Client) (any, error)

// read makes a shapeCall of a method that returns a value.
func read[T any](call func(ctx context.Context, c *tc.Client) (T, error)) shapeCall {
	return func(ctx context.Context, c *tc.Client) (any, error) { return call(ctx, c) }
}

// each makes a shapeCall of a method that returns a sequence.
func each[T any](call func(ctx context.Context, c *tc.Client) iter.Seq2[T, error]) shapeCall {
	return func(ctx context.Context, c *tc.Client) (any, error) { return tc.Collect(call(ctx, c)) }
}

// Every shape in which the platform answers comes back whole: no error, and each of its members is
// somewhere in what the method returns.
func TestEveryShapeIsReadWhole(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/shapes/*.json")
	require.NoError(t, err)
	require.Len(t, files, len(shapeCalls), "one body for each call")
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Contains(t, shapeCalls, name)
			got, err := shapeCalls[name](t.Context(), shapeClient(t, string(body)))
			require.NoError(t, err)

			var sent any
			require.NoError(t, json.Unmarshal(body, &sent))
			if m, ok := sent.(map[string]any); ok {
				delete(m, "resultCount")
				if m["status"] == "Success" {
					delete(m, "status")
				}
				if data, ok := m["data"].(map[string]any); ok {
					delete(data, "resultCount")
				}
			}
			want, have := leaves{}, leaves{}
			want.addJSON(sent)
			have.addGo(reflect.ValueOf(got))
			require.NotEmpty(t, want)
			for leaf, n := range want {
				assert.GreaterOrEqual(t, have[leaf], n, "lost: %s", leaf)
			}
		})
	}
}

// shapeClient is answered with one body, and after it with empty pages.
func shapeClient(t *testing.T, body string, opts ...tc.Option) *tc.Client {
	t.Helper()
	return shapeClientOf(t, func(*http.Request) string { return body }, opts...)
}

// shapeClientOf is answered with one body, which depends on the request, and after it with empty pages.
func shapeClientOf(t *testing.T, body func(*http.Request) string, opts ...tc.Option) *tc.Client {
	t.Helper()
	first := func(r *http.Request) (*http.Response, error) { return wiretest.Reply(http.StatusOK, body(r)), nil }
	c, err := tc.NewClient("https://app.example.com/api", tc.Token("token"), append(opts, tc.WithOwner("Example Source"),
		tc.WithTransport(&wiretest.Steps{Do: steps{first, wiretest.Answer(http.StatusOK, `{"status":"Success","data":{}}`)}}))...)
	require.NoError(t, err)
	return c
}

// leaves counts values, each in one spelling whatever it was: "4.00" and 4 are the same, and so are
// two spellings of one moment or of one hash.
type leaves map[string]int

var shapeDate = regexp.MustCompile(`^(\d{4})-(\d{1,2})-(\d{1,2})(?:T([0-9:]{8})(Z|[+-][0-9:]{5})?Z?)?$`)

func (l leaves) addText(s string) {
	if m := shapeDate.FindStringSubmatch(s); m != nil {
		if len(m[2]) == 1 {
			m[2] = "0" + m[2]
		}
		if len(m[3]) == 1 {
			m[3] = "0" + m[3]
		}
		if m[4] == "" {
			m[4] = "00:00:00"
		}
		if m[5] == "" {
			m[5] = "Z"
		}
		if at, err := time.Parse(time.RFC3339, m[1]+"-"+m[2]+"-"+m[3]+"T"+m[4]+m[5]); err == nil {
			l["at "+at.UTC().Format(time.RFC3339)]++
			return
		}
	}
	if n, err := strconv.ParseFloat(s, 64); err == nil {
		s = strconv.FormatFloat(n, 'g', -1, 64)
	}
	if s != "" {
		l[strings.ToLower(s)]++
	}
}

func (l leaves) addJSON(v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			l.addJSON(e)
		}
	case []any:
		for _, e := range v {
			l.addJSON(e)
		}
	case string:
		l.addText(v)
	case float64:
		l.addText(strconv.FormatFloat(v, 'g', -1, 64))
	case bool:
		l.addText(strconv.FormatBool(v))
	}
}

func (l leaves) addGo(v reflect.Value) {
	switch x := valueOf(v).(type) {
	case time.Time:
		l["at "+x.UTC().Format(time.RFC3339)]++
		return
	case json.RawMessage:
		var raw any
		if json.Unmarshal(x, &raw) == nil {
			l.addJSON(raw)
		}
		return
	case tc.Indicator:
		l.addText(string(x.Type()))
		l.addText(x.Summary())
	case tc.Group:
		l.addText(string(x.Type()))
	case tc.VictimAsset:
		l.addText(string(x.Type()))
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			l.addGo(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				l.addGo(v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			l.addGo(v.Index(i))
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			l.addGo(v.MapIndex(k))
		}
	case reflect.String:
		l.addText(v.String())
	case reflect.Bool:
		l.addText(strconv.FormatBool(v.Bool()))
	case reflect.Int, reflect.Int64:
		l.addText(strconv.FormatInt(v.Int(), 10))
	case reflect.Float64:
		l.addText(strconv.FormatFloat(v.Float(), 'g', -1, 64))
	}
}

// valueOf is what v holds if it is a value of its own or a pointer to one; an interface is looked
// into first.
func valueOf(v reflect.Value) any {
	if !v.IsValid() || v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer && v.IsNil() {
		return nil
	}
	return v.Interface()
}
