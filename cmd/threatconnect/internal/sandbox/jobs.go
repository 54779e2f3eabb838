package sandbox

import (
	"net/http"
	"strconv"
	"time"

	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// jobRow is a batch job as lists show it.
type jobRow struct {
	ID          int64     `json:"id"`
	Owner       string    `json:"owner"`
	Action      string    `json:"action"`
	Status      string    `json:"status"`
	ContentSize int64     `json:"contentSize"`
	Created     time.Time `json:"created"`
	Uploaded    time.Time `json:"uploaded,omitzero"`
	Duration    duration  `json:"duration,omitzero"` // from the upload until it was completed
	Success     int       `json:"success"`           // items
	Errors      int       `json:"errors"`
	Unprocessed int       `json:"unprocessed"`
}

// jobView is a batch job whole.
type jobView struct {
	jobRow
	Config   string    `json:"config"`
	Problems []problem `json:"problems"`
}

// problem is an error of an item of a batch job.
type problem struct {
	Source  string `json:"source"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

func rowOfJob(j threatconnecttest.JobRecord) jobRow {
	row := jobRow{
		ID: j.ID, Owner: j.Owner, Action: j.Action, Status: j.Status, ContentSize: j.ContentSize, Created: j.Created, Uploaded: j.Uploaded,
		Success: j.Success, Errors: j.Errors, Unprocessed: j.Unprocessed,
	}
	if !j.Completed.IsZero() {
		row.Duration = duration(j.Completed.Sub(j.Uploaded).Round(time.Millisecond))
	}
	return row
}

func (c *control) jobRows() []jobRow {
	rows := []jobRow{}
	for _, j := range c.srv.Jobs() {
		rows = append(rows, rowOfJob(j))
	}
	return rows
}

func (c *control) getJobs(*http.Request) (any, error) { return c.jobRows(), nil }

func (c *control) getJob(r *http.Request) (any, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	j, ok := c.srv.Job(id)
	if err != nil || !ok {
		return nil, notFound("jobs/%s: there is no such job: GET %sjobs lists them", r.PathValue("id"), controlPath)
	}
	v := jobView{jobRow: rowOfJob(j), Config: j.Config, Problems: []problem{}}
	for _, p := range j.Problems {
		v.Problems = append(v.Problems, problem{p.Source, p.Code, p.Message})
	}
	return v, nil
}
