package threatconnect

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// genericIndicators returns a response with n indicators of about 360 bytes, of four types in turn.
func genericIndicators(n int) []byte {
	types := []string{"Host", "Address", "URL", "EmailAddress"}
	b := fmt.Appendf(nil, `{"status":"Success","data":{"resultCount":%d,"indicator":[`, n)
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"id":%d,"ownerName":"Example Source","type":"%s","dateAdded":"2017-07-13T17:50:17Z","lastModified":"2017-07-14T08:%02d:%02dZ",`+
			`"rating":%d.0,"confidence":%d,"threatAssessRating":3.0,"threatAssessConfidence":18.33,`+
			`"webLink":"https://app.example.com/auth/indicators/details/host.xhtml?host=host-%d.evil.example&owner=Example+Source","summary":"host-%d.evil.example"}`,
			54321000+i, types[i%len(types)], i/60%60, i%60, i%6, i%101, i, i)
	}
	return append(b, `]}}`...)
}

func BenchmarkReadIndicators(b *testing.B) {
	const n = 100_000
	text := genericIndicators(n)
	b.Run("typed", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			items := make([]Indicator, 0, n)
			_, err := readEnvelope(text, 0, []string{"indicator"}, func(r *wire.Reader) {
				var seen interner
				for r.Array(); r.NextElem(); {
					items = append(items, seen.anyIndicator(r))
				}
			})
			if err != nil || len(items) != n {
				b.Fatal(len(items), err)
			}
		}
	})
	b.Run("encodingjson", func(b *testing.B) {
		type flat struct {
			ID                     int64     `json:"id"`
			OwnerName              string    `json:"ownerName"`
			Type                   string    `json:"type"`
			Summary                string    `json:"summary"`
			DateAdded              time.Time `json:"dateAdded"`
			LastModified           time.Time `json:"lastModified"`
			Rating                 *float64  `json:"rating"`
			Confidence             *int      `json:"confidence"`
			ThreatAssessRating     float64   `json:"threatAssessRating"`
			ThreatAssessConfidence float64   `json:"threatAssessConfidence"`
			WebLink                string    `json:"webLink"`
		}
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			var v struct{ Data struct{ Indicator []flat } }
			v.Data.Indicator = make([]flat, 0, n)
			if err := json.Unmarshal(text, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// TestUnreadableFieldIsKeptInExtra checks that Extra gets a scalar of the wrong type, and that all
// other fields are read.
func TestUnreadableFieldIsKeptInExtra(t *testing.T) {
	t.Parallel()
	text := []byte(`{"id":1,"hostName":"a.example","summary":"a.example","rating":{"value":3},"confidence":50.5,"dateAdded":"2016-12-31T24:00:00Z","active":"maybe",
		"attribute":[{"id":7,"type":"Source","value":"x","dateAdded":"soon"}],"tag":[{"name":["x"]}],"ownerName":"Example Source","other":1}`)
	extra := map[string]json.RawMessage{
		"rating": []byte(`{"value":3}`), "confidence": []byte("50.5"), "dateAdded": []byte(`"2016-12-31T24:00:00Z"`), "active": []byte(`"maybe"`),
		"attribute.dateAdded": []byte(`"soon"`), "tag.name": []byte(`["x"]`), "other": []byte("1"),
	}
	for name, read := range map[string]func(*wire.Reader) Indicator{
		"a type": func(r *wire.Reader) Indicator { return readIndicator(r, indicatorDefOf(TypeHost)) },
		"any":    readAnyIndicator,
	} {
		r := wire.NewReader([]byte(`[` + strings.Replace(string(text), "{", `{"type":"Host",`, 1) + `,{"id":2,"type":"Host","summary":"b.example"}]`))
		var all []*Host
		for r.Array(); r.NextElem(); {
			all = append(all, read(r).(*Host))
		}
		r.End()
		require.NoError(t, r.Err(), name)
		require.Len(t, all, 2)
		h := all[0]
		assert.Equal(t, int64(1), h.ID)
		assert.Equal(t, "a.example", h.HostName)
		assert.Equal(t, "Example Source", h.Owner.Name)
		assert.Nil(t, h.Rating)
		assert.Nil(t, h.Confidence)
		assert.True(t, h.DateAdded.IsZero())
		require.Len(t, h.Attributes, 1)
		assert.Equal(t, "x", h.Attributes[0].Value)
		assert.Equal(t, extra, h.Extra, name)
		assert.Nil(t, all[1].Extra, name)
	}
	group := readGroup(wire.NewReader([]byte(`{"id":1,"name":"x","dateAdded":"soon"}`)), groupDefOf(GroupIncident))
	assert.Equal(t, map[string]json.RawMessage{"dateAdded": []byte(`"soon"`)}, group.Meta().Extra)
	assert.Equal(t, "x", group.Meta().Name)
	task := readTask(wire.NewReader([]byte(`{"id":1,"name":"x","overdue":"perhaps"}`)))
	assert.Equal(t, map[string]json.RawMessage{"overdue": []byte(`"perhaps"`)}, task.Extra)
	victim := readVictimOf("")(wire.NewReader([]byte(`{"id":1.5,"name":"x"}`)))
	assert.Equal(t, map[string]json.RawMessage{"id": []byte("1.5")}, victim.Extra)
	for _, cut := range []string{`{"id":1,"dateAdded":"soon`, `{"id":1,"rating":{"a":`, `{"id":1,"rating":nul}`, `{"id":1,"rating":[1,}`} {
		r := wire.NewReader([]byte(cut))
		readIndicator(r, indicatorDefOf(TypeHost))
		require.Error(t, r.Err(), "invalid JSON stays an error")
	}
	r := wire.NewReader([]byte(`{"name":{}}`))
	r.Limit(50)
	readGroup(r, groupDefOf(GroupIncident))
	require.ErrorIs(t, r.Err(), wire.ErrTooLarge, "text kept in Extra counts toward the limit")
}

// Reading must end with a value or an error for any response. A victim that was read must survive a round
// trip through its JSON.
func FuzzReadTasksAndVictims(f *testing.F) {
	for _, s := range []string{
		`{"id":"31","name":"a","assignee":[{"userName":"x"}],"overdue":"true","dueDate":"2026-03-04T10:00:00-05:00"}`,
		`{"assignee":{"userName":["a","b"]},"escalatee":"x","owner":"y","tag":{"name":"t"},"x":[1,{}]}`,
		`{"id":7,"type":"Phone Number","name":"555","phoneType":null,"webSite":"w"}`,
		`{"type":"URL","url":"","name":"n"}`, `{}`, `null`, `[`, `{"id":1.5}`,
		`{"id":1,"name":"m","dataType":"Sum","keyedValues":"true","value":4.0,"date":"2026-01-02T03:00:00Z"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := wire.NewReader(b)
		task := readTask(r)
		if r.End(); r.Err() == nil {
			for _, u := range append(task.Assignees, task.Escalatees...) {
				require.NotEqual(t, User{}, u)
			}
		}
		r = wire.NewReader(b)
		victim := readVictimOf("Example")(r)
		if r.End(); r.Err() == nil && json.Valid(b) {
			again, err := json.Marshal(victim)
			require.NoError(t, err)
			second := readVictimOf("")(wire.NewReader(again))
			require.Equal(t, victim.Name, second.Name)
			require.Equal(t, victim.ID, second.ID)
		}
		for i := range victimAssetDefs {
			def := &victimAssetDefs[i]
			require.Equal(t, def.typ, readVictimAsset(def)(wire.NewReader(b)).Type())
		}
		r = wire.NewReader(b)
		a := readVictimAsset(nil)(r)
		require.False(t, isNil(a))
		require.NotNil(t, a.Meta())
		readAdversaryAsset(nil)(wire.NewReader(b))
	})
}

// A task reads back from its request body unchanged.
func FuzzTaskBody(f *testing.F) {
	f.Add("Call \"the bank\"", "line\nline\u2028", "analyst@example.com", "Deferred", int64(1_772_000_000))
	f.Add(" a ", "", "\u00fc", "", int64(-1))
	f.Add("\xff", "\x00", "", "Asleep", int64(1<<40))
	f.Fuzz(func(t *testing.T, name, description, user, status string, due int64) {
		in := &Task{Name: name, Description: description, Status: TaskStatus(status), DueDate: time.Unix(due, 0),
			Assignees: []User{{UserName: user}}, Reminded: new(true)}
		body, err := in.body()
		if err != nil {
			require.ErrorIs(t, err, ErrValidation)
			if len(name) > 20 {
				assert.NotContains(t, err.Error(), name)
			}
			return
		}
		require.True(t, json.Valid(body))
		require.True(t, utf8.Valid(body))
		r := wire.NewReader(body)
		got := readTask(r)
		r.End()
		require.NoError(t, r.Err())
		wantName, err := trimmedName("", name, 0)
		require.NoError(t, err)
		wantUser, err := trimmedName("", user, 0)
		require.NoError(t, err)
		require.Equal(t, wantName, got.Name)
		require.Equal(t, description, got.Description)
		require.Equal(t, []User{{UserName: wantUser}}, got.Assignees)
		require.True(t, got.DueDate.Equal(in.DueDate))
		require.Empty(t, got.Extra)
		require.True(t, *got.Reminded)
	})
}
