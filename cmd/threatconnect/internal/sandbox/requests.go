package sandbox

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// requestRow is a request as lists show it.
type requestRow struct {
	ID           int64     `json:"id"`
	Time         time.Time `json:"time"`
	Method       string    `json:"method"`
	Path         string    `json:"path"`
	Query        string    `json:"query"`
	Route        string    `json:"route"`  // empty if no endpoint matched
	Status       int       `json:"status"` // that the client got; 0 if a fault kept it from getting one
	Milliseconds float64   `json:"milliseconds"`
	BodySize     int64     `json:"bodySize"`
	AnswerSize   int64     `json:"answerSize"`
	Verified     bool      `json:"verified"`
	Fault        string    `json:"fault"` // its kind
}

func rowOf(r threatconnecttest.Request) requestRow {
	row := requestRow{
		ID: r.ID, Time: r.Time, Method: r.Method, Path: r.Path, Query: r.Query, Route: r.Route, Status: r.ResponseStatus,
		Milliseconds: float64(r.Duration.Microseconds()) / 1000, BodySize: r.BodySize, AnswerSize: r.ResponseSize, Verified: r.Verified,
	}
	if r.Fault != 0 {
		row.Fault = r.Fault.String()
	}
	return row
}

// requestView is a request whole.
type requestView struct {
	requestRow
	Header  http.Header                `json:"header"` // without credentials that can be used again
	Body    []byte                     `json:"body"`   // its start
	Answer  []byte                     `json:"answer"` // its start
	Refusal *threatconnecttest.Refusal `json:"refusal,omitempty"`
}

func (c *control) getRequests(r *http.Request) (any, error) {
	after, err := whole(r, "after", 0)
	if err != nil {
		return nil, err
	}
	limit, err := whole(r, "limit", 1000)
	if err != nil {
		return nil, err
	}
	requests := c.srv.RequestsAfter(after)
	rows := []requestRow{}
	for _, q := range requests[:min(int64(len(requests)), limit)] {
		rows = append(rows, rowOf(q))
	}
	return rows, nil
}

func (c *control) getRequest(r *http.Request) (any, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err == nil {
		if found := c.srv.RequestsAfter(id - 1); len(found) > 0 && found[0].ID == id {
			return viewOf(found[0]), nil
		}
	}
	return nil, notFound("requests/%s: there is no such request in the log: GET %srequests lists them", r.PathValue("id"), controlPath)
}

func viewOf(r threatconnecttest.Request) requestView {
	v := requestView{requestRow: rowOf(r), Header: r.Header, Body: r.Body, Answer: r.ResponseBody, Refusal: r.Refusal}
	for name, values := range v.Header {
		for i, value := range values {
			switch scheme, _, _ := strings.Cut(value, " "); {
			case strings.EqualFold(name, tokenHeader), strings.EqualFold(name, "Authorization") && scheme != "TC":
				values[i] = scheme + " (not shown)"
			}
		}
	}
	return v
}

func (c *control) deleteRequests(*http.Request) (any, error) {
	c.srv.ResetRequests()
	c.clears.Add(1)
	return empty{}, nil
}

// whole reads a parameter that is a whole number of at least 0.
func whole(r *http.Request, name string, otherwise int64) (int64, error) {
	text := r.FormValue(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s: %q is not a whole number of at least 0", name, text)
	}
	return n, nil
}
