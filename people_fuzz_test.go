package threatconnect

import (
	"encoding/json"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// Whatever an answer holds, reading ends with a value or an error, and what was read survives being
// read again from its JSON.
func FuzzPeopleAreReadFromAnything(f *testing.F) {
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

// What is sent of a task is what the platform reads.
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
