package threatconnecttest

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func rated(stars string) string {
	return `{"indicator":[{"type":"Host","summary":"www.example.com","rating":` + stars + `}]}`
}

// Jobs run in upload order. Each runs as of its due time, not of the request that finds it completed.
func TestJobsRunInTheOrderOfTheirUploads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, WithBatchDuration(time.Minute))
		r.must(201, "POST", "/v2/batch", config())
		r.must(201, "POST", "/v2/batch", config())
		first := time.Now().UTC()
		require.Equal(t, 202, r.upload(2, rated("2")).status)
		time.Sleep(10 * time.Second)
		require.Equal(t, 202, r.upload(1, rated("1")).status)
		require.NoError(t, r.srv.Check())
		time.Sleep(time.Hour)
		got := r.host("www.example.com")
		assert.InDelta(t, 1, *got.Rating, 0, "the last upload wins")
		assert.Equal(t, first.Add(time.Minute), got.DateAdded)
		assert.Equal(t, first.Add(time.Minute+10*time.Second), got.LastModified)
		jobs := r.srv.Jobs()
		assert.True(t, jobs[1].Completed.Equal(first.Add(time.Minute)), jobs[1].Completed)
		assert.True(t, jobs[0].Completed.Equal(jobs[0].Uploaded.Add(time.Minute)), jobs[0].Completed)
	})
}

func TestSetBatchDurationAffectsNewJobs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.srv.SetBatchDuration(time.Hour)
		slow := r.batch(config(), rated("1"))
		assert.Equal(t, "Queued", slow.Status)
		r.srv.SetBatchDuration(time.Minute)
		quick := r.batch(config(), rated("2"))
		assert.Equal(t, "Queued", quick.Status)
		time.Sleep(time.Minute)
		status := func(id int64) string { j, _ := r.srv.Job(id); return j.Status }
		assert.Equal(t, []string{"Queued", "Completed"}, []string{status(1), status(2)}, "the job that is due first must run first")
		time.Sleep(14 * time.Minute)
		assert.Equal(t, "Running", status(1))
		require.NoError(t, r.srv.Check())
		r.srv.SetBatchDuration(0)
		assert.Equal(t, "Completed", r.batch(config(), rated("3")).Status)
		assert.InDelta(t, 3, *r.host("www.example.com").Rating, 0)
		time.Sleep(time.Hour)
		assert.InDelta(t, 1, *r.host("www.example.com").Rating, 0)
	})
}

// All methods that read the state run the jobs that are due.
func TestReadsIncludeDueJobs(t *testing.T) {
	t.Parallel()
	for name, count := range map[string]func(*Server) int{
		"Labels":     func(s *Server) int { return len(s.Labels(source)) - 6 },
		"Indicators": func(s *Server) int { return len(s.Indicators(source)) },
		"Groups":     func(s *Server) int { return len(s.Groups(source)) },
		"Jobs":       func(s *Server) int { return s.Jobs()[0].SuccessfulGroups },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, WithBatchDuration(time.Minute))
				r.batch(config(), `{"group":[{"type":"Threat","name":"n","xid":"x","securityLabel":[{"name":"L","description":"d","color":"aabbcc"}]}],
					"indicator":[{"type":"Host","summary":"www.example.com"}]}`)
				assert.Equal(t, 0, count(r.srv))
				time.Sleep(time.Minute)
				assert.Equal(t, 1, count(r.srv))
			})
		})
	}
}

func TestJobRecordJSON(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const content = `{"indicator":[{"type":"Host","summary":"bad"}]}`
	job := r.batch(config(), content)
	text, err := json.Marshal(job)
	require.NoError(t, err)
	var members map[string]any
	require.NoError(t, json.Unmarshal(text, &members))
	assert.Equal(t, fmt.Sprintf("%x", sha256.Sum256([]byte(content))), members["contentSha256"])
	assert.Equal(t, "Append", members["securityLabelWriteType"])
	assert.NotContains(t, members, "synchronous")
	assert.NotContains(t, members, "successfulGroups")
	var again JobRecord
	require.NoError(t, json.Unmarshal(text, &again))
	assert.Equal(t, job.Problems[0].Code, again.Problems[0].Code)
}
