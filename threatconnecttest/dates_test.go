package threatconnecttest

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLastModified(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		const host = "/v2/indicators/hosts/www.example.com"
		r.must(201, "POST", "/v2/indicators/hosts", `{"hostName":"www.example.com"}`)
		start := time.Now().Unix()
		after := func(call func()) time.Duration {
			time.Sleep(time.Hour)
			call()
			i, ok := r.srv.Indicator("Example Organization", "Host", "www.example.com")
			require.True(t, ok)
			assert.Equal(t, start, i.DateAdded.Unix())
			return time.Since(i.LastModified)
		}
		assert.Zero(t, after(func() { r.must(200, "PUT", host, `{"rating":1}`) }))
		assert.Zero(t, after(func() { r.must(200, "PUT", host, `{"confidence":1}`) }))
		assert.Equal(t, time.Hour, after(func() { r.must(200, "PUT", host, `{"active":false}`) }))
		assert.Equal(t, 2*time.Hour, after(func() { r.must(201, "POST", host+"/tags/x", "") }))
		assert.Equal(t, 3*time.Hour, after(func() { r.must(201, "POST", host+"/attributes", `{"type":"Aliases","value":"x"}`) }))
		assert.Zero(t, after(func() { r.must(201, "POST", "/v2/indicators/hosts", `{"hostName":"www.example.com"}`) }))
		assert.Zero(t, after(func() {
			r.batch(config("owner", `"Example Organization"`), `{"indicator":[{"type":"Host","summary":"www.example.com"}]}`)
		}))
	})
}

// A date in local time can be, in UTC, in a year with five digits or before the year 0. Responses
// cannot represent these years.
func TestUnrepresentableDatesAreRejected(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, date := range []string{"9999-12-31T23:59:59-05:00", "0000-01-01T00:00:00+05:00"} {
		r.must(400, "POST", "/v2/groups/incidents", `{"name":"x","eventDate":"`+date+`"}`)
		job := r.batch(config(), `{"indicator":[{"type":"Host","summary":"www.example.com","firstSeen":"`+date+`"}]}`)
		require.Len(t, job.Problems, 1, date)
		assert.Equal(t, "0x1003", job.Problems[0].Code)
	}
	r.must(201, "POST", "/v2/groups/incidents", `{"name":"x","eventDate":"9999-12-31T23:59:59Z"}`)
	_, err := json.Marshal(r.srv.Data())
	require.NoError(t, err)
}

func TestMergedFileKeepsNewestRating(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		const md5, sha1 = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		r.batch(config(), `{"indicator":[{"type":"File","summary":"`+md5+`","rating":1,"tag":[{"name":"old"}]}]}`)
		time.Sleep(time.Hour)
		r.batch(config(), `{"indicator":[{"type":"File","summary":"`+sha1+`","rating":2,"tag":[{"name":"new"}]}]}`)
		r.batch(config(), `{"indicator":[{"type":"File","summary":"`+md5+` : `+sha1+`"}]}`)
		all := r.srv.Indicators(source)
		require.Len(t, all, 1)
		assert.InDelta(t, 2, *all[0].Rating, 0)
		assert.ElementsMatch(t, []string{"old", "new"}, all[0].Tags)
	})
}

func TestAbortedJobReportsOneError(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	job := r.batch(config(), `{"indicator":[{"type":"Host","summary":"www.example.com","associatedGroups":["later"]}],
		"group":[{"type":"Incident","name":"x","xid":"y","eventDate":"soon"}]}`)
	require.Len(t, job.Problems, 1)
	assert.Equal(t, "0x1003", job.Problems[0].Code)
	assert.Equal(t, 1, job.Success)
}

func TestDeleteJobIsLimitedToItsOwner(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const content = `{"group":[{"type":"Threat","name":"a","xid":"x1"}]}`
	r.batch(config(), content)
	r.batch(config("action", `"Delete"`, "owner", `"Example Community"`), content)
	assert.Len(t, r.srv.Groups(source), 1)
}

func TestDeletedIndicatorLosesAssociations(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	job := r.batch(config(), `{"indicator":[{"type":"Host","summary":"www.example.com"},{"type":"URL","summary":"http://www.example.com/"}],
		"association":[{"ref_1":"http://www.example.com/","type_1":"URL","ref_2":"www.example.com","type_2":"Host","associationType":"URL Host"}]}`)
	require.Empty(t, job.Problems)
	require.Len(t, r.host("www.example.com").Associated, 1)
	r.batch(config("action", `"Delete"`), `{"indicator":[{"type":"URL","summary":"http://www.example.com/"}]}`)
	assert.Empty(t, r.host("www.example.com").Associated)
}
