package threatconnect_test

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
)

func TestACursorIsKeptAsJSON(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		cursor threatconnect.Cursor
		json   string
	}{
		"the beginning": {threatconnect.Cursor{}, `{"version":1}`},
		"of changes": {threatconnect.Cursor{Source: "https://tc.example/api", Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Seen: []uint64{7, 1 << 63}},
			`{"version":1,"source":"https://tc.example/api","time":"2026-01-02T03:04:05Z","seen":"AAAAAAAAAAeAAAAAAAAAAA=="}`},
		"of a feed": {threatconnect.Cursor{Source: "https://feed.example/", Position: `W/"é"`}, `{"version":1,"source":"https://feed.example/","position":"W/\"é\""}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, err := json.Marshal(test.cursor)
			require.NoError(t, err)
			assert.Equal(t, test.json, string(b))
			var back threatconnect.Cursor
			require.NoError(t, json.Unmarshal(b, &back))
			assert.Equal(t, test.cursor, back)
			assert.Equal(t, name == "the beginning", back.IsZero())
		})
	}
	b, err := json.Marshal(threatconnect.Cursor{Seen: []uint64{9, 7, 9}, Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600))})
	require.NoError(t, err)
	assert.JSONEq(t, `{"version":1,"time":"2026-01-02T02:04:05Z","seen":"AAAAAAAAAAcAAAAAAAAACQ=="}`, string(b))
}

func TestACursorThatCannotBeTrustedIsAnError(t *testing.T) {
	t.Parallel()
	many := base64.StdEncoding.EncodeToString(make([]byte, 8*100_001))
	for name, text := range map[string]string{
		"null":                  `null`,
		"nothing":               `{}`,
		"a list":                `[]`,
		"a later version":       `{"version":2,"source":"a"}`,
		"a version as text":     `{"version":"1"}`,
		"an unknown member":     `{"version":1,"offset":3}`,
		"a time without a zone": `{"version":1,"time":"2026-01-02T03:04:05"}`,
		"broken base64":         `{"version":1,"seen":"AAAA!AAAAAc="}`,
		"half a hash":           `{"version":1,"seen":"AAAAAAA="}`,
		"a hash twice":          `{"version":1,"seen":"AAAAAAAAAAcAAAAAAAAABw=="}`,
		"too many hashes":       `{"version":1,"seen":"` + many + `"}`,
		"a long source":         `{"version":1,"source":"` + strings.Repeat("a", 4097) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := threatconnect.Cursor{Source: "before"}
			got := want
			err := json.Unmarshal([]byte(text), &got)
			require.ErrorIs(t, err, threatconnect.ErrValidation)
			assert.Contains(t, err.Error(), "threatconnect: cursor ")
			assert.Equal(t, want, got)
			if name == "a later version" {
				assert.Contains(t, err.Error(), "has version 2")
			}
		})
	}
	for name, c := range map[string]threatconnect.Cursor{
		"a long position": {Position: strings.Repeat("a", 4097)},
		"no UTF-8":        {Position: "\xff"},
		"too many hashes": {Seen: make([]uint64, 100_001)},
		"a far time":      {Time: time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		_, err := json.Marshal(c)
		require.ErrorIs(t, err, threatconnect.ErrValidation, name)
	}
}

// Whatever is read as a cursor is written as one that reads the same, in bounded size.
func FuzzCursor(f *testing.F) {
	for _, s := range []string{`{"version":1}`, `{"version":1,"source":"a","position":"b","time":"2026-01-02T03:04:05.123456789+01:00","seen":"AAAAAAAAAAcAAAAAAAAACQ=="}`,
		`{"version":1,"time":"0000-01-01T00:00:00+14:00"}`, `{"VERSION":1,"version":2}`, `null`, `{"version":1}{}`, "{\"version\":1,\"source\":\"\xff\"}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var c threatconnect.Cursor
		if err := c.UnmarshalJSON(b); err != nil {
			require.ErrorIs(t, err, threatconnect.ErrValidation)
			require.True(t, c.IsZero())
			return
		}
		require.True(t, slices.IsSorted(c.Seen))
		again, err := c.MarshalJSON()
		require.NoError(t, err)
		require.Less(t, len(again), 1_200_000)
		var back threatconnect.Cursor
		require.NoError(t, back.UnmarshalJSON(again))
		require.Equal(t, c, back)
	})
}
