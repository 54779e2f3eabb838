package threatconnect

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const bulkPath = contentBase + "/v2/indicators/bulk"

func TestBulkStatusWithAndWithoutEnvelope(t *testing.T) {
	t.Parallel()
	inner := `{"name":"Example Source","csvEnabled":true,"jsonEnabled":"false","nextRun":"2026-03-02T01:00:00Z","lastRun":"2026-03-01T01:00:00.123Z","status":"Complete","more":[1]}`
	for name, text := range map[string]string{
		"at the top":  `{"bulkStatus":` + inner + `}`,
		"in envelope": `{"status":"Success","data":{"bulkStatus":` + inner + `}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, mock := contentClient(t, WithOwner("Example Source"))
			mock.RegisterResponder("GET", bulkPath+"?owner=Example%20Source", jsonReply(200, text))
			got, err := c.Bulk.Status(t.Context())
			require.NoError(t, err)
			assert.Equal(t, BulkStatus{Name: "Example Source", CSVEnabled: true, Status: "Complete",
				NextRun: time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC), LastRun: time.Date(2026, 3, 1, 1, 0, 0, 123e6, time.UTC),
				Extra: map[string]json.RawMessage{"more": json.RawMessage(`[1]`)}}, got)
		})
	}
	c, mock := contentClient(t)
	mock.RegisterNoResponder(jsonReply(200, `{"status":"Success"}`))
	_, err := c.InOwner("Example Source").Bulk.Status(t.Context())
	require.ErrorIs(t, err, ErrBadResponse)
}

func TestBulkRequiresOwner(t *testing.T) {
	t.Parallel()
	c, mock := contentClient(t)
	mock.RegisterNoResponder(jsonReply(200, `{"status":"Success"}`))
	const want = `threatconnect: owner is empty, and bulk reports belong to a community or source; use client.InOwner("Example Source").Bulk`
	_, err := c.Bulk.Status(t.Context())
	require.EqualError(t, err, want)
	_, err = Collect(c.Bulk.JSON(t.Context()))
	require.EqualError(t, err, want)
	_, err = Collect(c.Bulk.CSV(t.Context()))
	require.EqualError(t, err, want)
	require.EqualError(t, c.Bulk.Run(t.Context(), BulkJSON), want)
	_, err = c.Bulk.Wait(t.Context(), BulkStatus{})
	require.EqualError(t, err, want)
	assert.Zero(t, mock.GetTotalCallCount())
}

func TestBulkJSON(t *testing.T) {
	t.Parallel()
	const two = `{"id":1,"type":"Host","summary":"www.example.com","ownerName":"Example Source","rating":"3.0","confidence":50,"tag":[{"name":"Example"}]},` +
		`{"id":"2","type":"Example Type","summary":"custom : value"}`
	for name, tc := range map[string]struct {
		answer httpmock.Responder
		want   []string
		err    error
	}{
		"a report":             {jsonReply(200, `{"indicator":[`+two+`]}`), []string{"www.example.com", "custom : value"}, nil},
		"in an envelope":       {jsonReply(200, `{"status":"Success","data":{"resultCount":2,"indicator":[`+two+`]}}`), []string{"www.example.com", "custom : value"}, nil},
		"no indicators":        {jsonReply(200, `{"indicator":[]}`), nil, nil},
		"one object":           {jsonReply(200, `{"indicator":{"type":"Host","summary":"www.example.com"}}`), []string{"www.example.com"}, nil},
		"cut in an element":    {jsonReply(200, `{"indicator":[`+two[:170]), []string{"www.example.com"}, ErrBadResponse},
		"cut between elements": {jsonReply(200, `{"indicator":[`+two), []string{"www.example.com", "custom : value"}, ErrBadResponse},
		"cut after the list":   {jsonReply(200, `{"indicator":[`+two+`]`), []string{"www.example.com", "custom : value"}, ErrBadResponse},
		"an invalid element":   {jsonReply(200, `{"indicator":[{"type":"Host","summary":"www.example.com"},5]}`), []string{"www.example.com"}, ErrBadResponse},
		"no list":              {jsonReply(200, `{"something":1}`), nil, ErrBadResponse},
		"nothing":              {jsonReply(200, ``), nil, ErrBadResponse},
		"an HTML page":         {httpmock.NewStringResponder(200, "<html>"), nil, ErrBadResponse},
		"a failure with 200":   {jsonReply(200, `{"status":"Failure","message":"The requested resource was not found"}`), nil, ErrNotFound},
		"a failure":            {jsonReply(403, `{"status":"Failure","message":"The requested owner was not found"}`), nil, ErrOwnerRefused},
		"a late failure":       {jsonReply(200, `{"indicator":[`+two+`],"status":"Failure","message":"`+strings.Repeat("x", 5000)+`"}`), []string{"www.example.com", "custom : value"}, ErrBadResponse},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, mock := contentClient(t)
			mock.RegisterResponder("GET", bulkPath+"/json?owner=Example%20Source", tc.answer)
			seq := c.InOwner("Example Source").Bulk.JSON(t.Context())
			assert.Zero(t, mock.GetTotalCallCount(), "nothing is sent before the loop")
			for range 2 { // a sequence can be ranged over twice
				var got []string
				var err error
				for ind, e := range seq {
					if err = e; err != nil {
						assert.Nil(t, ind)
						continue
					}
					got = append(got, ind.Summary())
				}
				require.ErrorIs(t, err, tc.err)
				assert.Equal(t, tc.want, got)
			}
		})
	}
	c, mock := contentClient(t)
	mock.RegisterNoResponder(jsonReply(200, `{"indicator":[`+two+`]}`))
	all, err := Collect(c.InOwner("Example Source").Bulk.JSON(t.Context()))
	require.NoError(t, err)
	host := all[0].(*Host)
	assert.InDelta(t, 3.0, *host.Rating, 0)
	assert.Equal(t, []Tag{{Name: "Example"}}, host.Tags)
	assert.Equal(t, IndicatorType("Example Type"), all[1].(*CustomIndicator).TypeName)
}

func TestBulkCSV(t *testing.T) {
	t.Parallel()
	three, fifty := 3.0, 50
	rows := []BulkRow{
		{Type: TypeHost, Value: "www.example.com", Rating: &three, Confidence: &fifty},
		{Type: TypeUserAgent, Value: `Example "quoted", agent`},
	}
	const body = "Host,www.example.com,3.00,50\r\n" + `User Agent,"Example ""quoted"", agent",null,null` + "\r\n"
	const head = "Type,Value,Rating,Confidence\r\n"
	csvType := http.Header{"Content-Type": {"text/csv"}}
	for name, tc := range map[string]struct {
		text string
		want []BulkRow
		err  error
	}{
		"a report":                 {head + body, rows, nil},
		"no line break at the end": {head + strings.TrimSuffix(body, "\r\n"), rows, nil},
		"a byte order mark":        {"\xef\xbb\xbf" + head + body, rows, nil},
		"columns in another order": {"confidence,value,type,rating,extra\n50,www.example.com,Host,3.00,x\n", rows[:1], nil},
		"without scores":           {"Type,Value\nHost,www.example.com\n", []BulkRow{{Type: TypeHost, Value: "www.example.com"}}, nil},
		"a header only":            {head, nil, nil},
		"nothing":                  {"", nil, ErrBadResponse},
		"no header":                {body, nil, ErrBadResponse},
		"cut in a row":             {head + body[:len("Host,www.example.com,3.00,50\r\nUser")], rows[:1], ErrBadResponse},
		"cut in quotes":            {head + body[:len(body)-20], rows[:1], ErrBadResponse},
		"a rating out of range":    {head + "Host,www.example.com,7.00,50\n", nil, ErrBadResponse},
		"an invalid rating":        {head + "Host,www.example.com,NaN,50\n", nil, ErrBadResponse},
		"a cut null":               {head + "Host,www.example.com,3.00,nu", nil, ErrBadResponse},
		"a row too wide":           {head + "Host,www.example.com,3.00,50,1\n", nil, ErrBadResponse},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, mock := contentClient(t)
			mock.RegisterResponder("GET", bulkPath+"/csv?owner=Example%20Source", httpmock.NewStringResponder(200, tc.text).HeaderSet(csvType))
			var got []BulkRow
			var err error
			for row, e := range c.InOwner("Example Source").Bulk.CSV(t.Context()) {
				if err = e; err == nil {
					got = append(got, row)
				}
			}
			require.ErrorIs(t, err, tc.err)
			assert.Equal(t, tc.want, got)
			if err != nil {
				assert.NotContains(t, err.Error(), "example.com", "errors contain no values")
			}
		})
	}
	c, mock := contentClient(t)
	mock.RegisterNoResponder(jsonReply(200, `{"status":"Failure","message":"no report"}`))
	_, err := Collect(c.InOwner("Example Source").Bulk.CSV(t.Context()))
	_, api := errors.AsType[*APIError](err)
	assert.True(t, api, "%v", err)
}

// lineReader reads n times the same line.
type lineReader struct {
	line []byte
	n    int
	buf  bytes.Buffer
}

func (r *lineReader) Read(p []byte) (int, error) {
	for r.buf.Len() < len(p) && r.n > 0 {
		r.buf.Write(r.line)
		r.n--
	}
	return r.buf.Read(p)
}

func TestBulkJSONIsStreamed(t *testing.T) { // not in parallel: it measures memory
	const n = 50_000
	element := `{"id":1,"type":"Host","summary":"www.example.com","ownerName":"Example Source","rating":3.0,"confidence":50},`
	c, mock := contentClient(t)
	mock.RegisterResponder("GET", bulkPath+"/json", func(*http.Request) (*http.Response, error) {
		resp := httpmock.NewStringResponse(200, "")
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"indicator":[`), &lineReader{line: []byte(element), n: n}, strings.NewReader(element[:len(element)-1]+"]}")))
		return resp, nil
	})
	count, most, start := 0, uint64(0), heapHeld()
	for _, err := range c.InOwner("Example Source").Bulk.JSON(t.Context()) {
		require.NoError(t, err)
		if count++; count%10_000 == 0 {
			most = max(most, heapHeld())
		}
	}
	assert.Equal(t, n+1, count)
	assert.Less(t, most, start+2<<20, "the report of %d MB was kept in memory", len(element)*n>>20)
}

func TestBulkRowLengthIsLimited(t *testing.T) { // not in parallel: it measures allocations
	const head = "Type,Value\nHost,www.example.com\n"
	long := strings.Repeat("x", 200<<10)
	c, mock := contentClient(t)
	mock.RegisterNoResponder(httpmock.NewStringResponder(200, head+"User Agent,"+long+"\nUser Agent,"+long+"\n").HeaderSet(http.Header{"Content-Type": {"text/csv"}}))
	got, err := Collect(c.InOwner("Example Source").Bulk.CSV(t.Context()))
	require.NoError(t, err)
	assert.Len(t, got, 3, "long rows are valid")

	for name, line := range map[string]string{"in quotes": `"` + long, "without a line break": long, "made of commas": strings.Repeat(",", 1<<10), "made of empty lines": ""} {
		text := head + "User Agent," + line
		again := strings.TrimPrefix(line, `"`)
		if line == "" {
			text, again = "", "\n\n\n\n"
		}
		c, mock := contentClient(t)
		mock.RegisterNoResponder(func(req *http.Request) (*http.Response, error) {
			resp := httpmock.NewStringResponse(200, "")
			resp.Header.Set("Content-Type", "text/csv")
			resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(text), &lineReader{line: []byte(again), n: 1 << 30}))
			return resp, nil
		})
		before := allocated()
		_, err := Collect(c.InOwner("Example Source").Bulk.CSV(t.Context()))
		require.ErrorIs(t, err, ErrBadResponse, name)
		require.ErrorIs(t, err, errHugeRow, name)
		assert.Less(t, allocated()-before, uint64(64<<20), name)
	}
}

func TestBulkStopsOnBreakOrCancel(t *testing.T) {
	t.Parallel()
	element := `{"type":"Host","summary":"www.example.com"},`
	endless := func(closed *bool) httpmock.Responder {
		return func(req *http.Request) (*http.Response, error) {
			resp := httpmock.NewStringResponse(200, "")
			resp.Body = &closing{Reader: &cancelled{req: req, from: io.MultiReader(strings.NewReader(`{"indicator":[`), &lineReader{line: []byte(element), n: 1 << 30})}, closed: closed}
			return resp, nil
		}
	}
	c, mock := contentClient(t)
	var closed bool
	mock.RegisterNoResponder(endless(&closed))
	for range c.InOwner("Example Source").Bulk.JSON(t.Context()) {
		break
	}
	assert.True(t, closed, "leaving the loop ends the transfer")

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	n := 0
	for _, err := range c.InOwner("Example Source").Bulk.JSON(ctx) {
		if n++; n == 5 {
			cancel()
		}
		last = err
	}
	require.ErrorIs(t, last, context.Canceled)
	assert.NotErrorIs(t, last, ErrBadResponse)
}

type closing struct {
	io.Reader
	closed *bool
}

func (c *closing) Close() error { *c.closed = true; return nil }

func TestBulkRunAndWait(t *testing.T) {
	t.Parallel()
	status := func(lastRun, status string) httpmock.Responder {
		return jsonReply(200, `{"bulkStatus":{"lastRun":"2026-03-01T0`+lastRun+`:00:00Z","status":"`+status+`"}}`)
	}
	for name, tc := range map[string]struct {
		before  BulkStatus
		answers []httpmock.Responder
		asked   int
		after   time.Duration
		err     error
	}{
		"a newer run":                     {bulkRun(1, "Complete"), []httpmock.Responder{status("1", "Complete"), status("1", "Running"), status("2", "Complete")}, 3, 2500 * time.Millisecond, nil},
		"a newer run that is not done":    {bulkRun(1, "Complete"), []httpmock.Responder{status("2", "Running"), status("2", "Complete")}, 2, time.Second, nil},
		"any run":                         {BulkStatus{}, []httpmock.Responder{status("1", "Complete")}, 1, 0, nil},
		"a failed run":                    {bulkRun(1, "Complete"), []httpmock.Responder{status("2", "Failure")}, 1, 0, ErrBulkFailed},
		"a failure that moves no date":    {bulkRun(1, "Complete"), []httpmock.Responder{status("1", "Complete"), status("1", "Failure")}, 2, time.Second, ErrBulkFailed},
		"an old failure, then a good run": {bulkRun(1, "Failure"), []httpmock.Responder{status("1", "Failure"), status("2", "Complete")}, 2, time.Second, nil},
		"no end":                          {bulkRun(1, "Complete"), []httpmock.Responder{status("1", "Running")}, 15, 0, context.DeadlineExceeded},
		"no owner":                        {BulkStatus{}, []httpmock.Responder{jsonReply(403, `{"status":"Failure","message":"The requested owner was not found"}`)}, 1, 0, ErrOwnerRefused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, mock := contentClient(t)
				var got []sentContent
				mock.RegisterResponder("GET", bulkPath, recording(&got, tc.answers...))
				began := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
				defer cancel()
				now, err := c.InOwner("Example Source").Bulk.Wait(ctx, tc.before)
				require.ErrorIs(t, err, tc.err)
				assert.Len(t, got, tc.asked)
				if tc.err == nil {
					assert.Equal(t, "Complete", now.Status)
					assert.Equal(t, tc.after, time.Since(began))
				}
			})
		})
	}
	c, mock := contentClient(t)
	closed := false
	mock.RegisterResponder("GET", bulkPath+"/json?owner=Example%20Source&runNow=true", func(*http.Request) (*http.Response, error) {
		resp := httpmock.NewStringResponse(200, "")
		resp.Body = &closing{Reader: strings.NewReader(`{"indicator":[` + strings.Repeat(" ", 1<<20)), closed: &closed}
		return resp, nil
	})
	require.NoError(t, c.InOwner("Example Source").Bulk.Run(t.Context(), BulkJSON))
	assert.True(t, closed, "the old report is not read")
	require.ErrorIs(t, c.InOwner("Example Source").Bulk.Run(t.Context(), "xml"), ErrValidation)
}

func bulkRun(hour int, status string) BulkStatus {
	return BulkStatus{LastRun: time.Date(2026, 3, 1, hour, 0, 0, 0, time.UTC), Status: status}
}

func FuzzBulkRows(f *testing.F) {
	f.Add("Host", "www.example.com", 3.0, 50)
	f.Add("User Agent", "a \"b\", c\r\nd", 0.0, 0)
	f.Fuzz(func(t *testing.T, typ, value string, rating float64, confidence int) {
		var b bytes.Buffer
		w := csv.NewWriter(&b)
		record := []string{typ, value, strconv.FormatFloat(rating, 'f', -1, 64), strconv.Itoa(confidence)}
		require.NoError(t, w.WriteAll([][]string{{"Type", "Value", "Rating", "Confidence"}, record}))
		rows, err := newBulkRows(&b)
		require.NoError(t, err)
		row, err := rows.next()
		if !(rating >= 0 && rating <= 5) || confidence < 0 || confidence > 100 {
			require.Error(t, err)
			return
		}
		require.NoError(t, err)
		assert.Equal(t, IndicatorType(strings.ReplaceAll(typ, "\r\n", "\n")), row.Type)
		assert.Equal(t, strings.ReplaceAll(value, "\r\n", "\n"), row.Value)
		assert.InDelta(t, rating, *row.Rating, 0)
		assert.Equal(t, confidence, *row.Confidence)
		_, err = rows.next()
		require.ErrorIs(t, err, io.EOF)
	})
}

// In any report, the rows must end, each row must be valid, and an error must contain no value.
func FuzzBulkReports(f *testing.F) {
	for _, s := range []string{"", "Type,Value\nHost,www.example.com\n", "Type,Value,Rating,Confidence\r\nHost,a.example,5,100\r\nURL,\"http://a.example/\"\"x\",null,\r\n", "Value,Type\n\"a", "\xef\xbb\xbfType,Value\nHost,a\xff\n", "a;b\n", "Type,Value\nHost\n", "Type,Value,Rating\nHost,a,NaN\n", "Type,Value,Confidence\nHost,a,1e2\n", "\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		rows, err := newBulkRows(bytes.NewReader(text))
		for n := 0; err == nil; n++ {
			require.LessOrEqual(t, n, bytes.Count(text, []byte("\n"))+1)
			var row BulkRow
			if row, err = rows.next(); err == nil {
				require.False(t, row.Rating != nil && !(*row.Rating >= 0 && *row.Rating <= 5))
				require.False(t, row.Confidence != nil && (*row.Confidence < 0 || *row.Confidence > 100))
			}
		}
		if err != io.EOF {
			require.Less(t, len(err.Error()), 200)
			require.NotContains(t, err.Error(), "a.example")
		}
	})
}
