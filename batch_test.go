package threatconnect_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

const batchBase = "https://tc.example.com/api"

// batchMock returns a mock transport and a client that uses it.
func batchMock(t *testing.T, options ...threatconnect.Option) (*httpmock.MockTransport, *threatconnect.Client) {
	t.Helper()
	m := httpmock.NewMockTransport()
	c, err := threatconnect.NewClient(batchBase, threatconnect.HMAC("id", "key"),
		append([]threatconnect.Option{threatconnect.WithTransport(m), threatconnect.WithOwner("Not For Batch")}, options...)...)
	require.NoError(t, err)
	return m, c
}

// answering returns a responder that sends the same response to every request and appends the request bodies to bodies.
func answering(bodies *[]string, status int, text string) httpmock.Responder {
	return func(req *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(req.Body)
		*bodies = append(*bodies, string(body))
		return httpmock.NewStringResponse(status, text), err
	}
}

func TestCreateSendsTheWholeConfiguration(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		config threatconnect.BatchJob
		want   string
	}{
		"the least": {
			threatconnect.BatchJob{Owner: "Example Source", Attributes: threatconnect.WriteReplace},
			`{"version":"V2","owner":"Example Source","action":"Create","haltOnError":false,"attributeWriteType":"Replace","tagWriteType":"Append","securityLabelWriteType":"Append"}`,
		},
		"everything": {
			threatconnect.BatchJob{Owner: "S", Action: threatconnect.BatchCreate, Attributes: threatconnect.WriteSingleton, Tags: threatconnect.WriteReplace,
				Labels: threatconnect.WriteReplace, HaltOnError: true, FileMerge: threatconnect.DistributeFiles,
				HashCollision: threatconnect.HashSplit, PlaybookTriggers: new(true)},
			`{"version":"V2","owner":"S","action":"Create","haltOnError":true,"attributeWriteType":"Singleton","tagWriteType":"Replace",` +
				`"securityLabelWriteType":"Replace","fileMergeMode":"Distribute","hashCollisionMode":"Split","playbookTriggersEnabled":"true"}`,
		},
		"a deletion": {
			threatconnect.BatchJob{Owner: "S", Action: threatconnect.BatchDelete},
			`{"version":"V2","owner":"S","action":"Delete","haltOnError":false,"attributeWriteType":"Static","tagWriteType":"Append","securityLabelWriteType":"Append"}`,
		},
		"V1": {
			threatconnect.BatchJob{Owner: "S", V1: true, Attributes: threatconnect.WriteStatic},
			`{"version":"V1","owner":"S","action":"Create","haltOnError":false,"attributeWriteType":"Static"}`,
		},
	} {
		m, client := batchMock(t)
		var bodies []string
		m.RegisterResponderWithQuery("POST", batchBase+"/v2/batch", "", answering(&bodies, 201, `{"status":"Success","data":{"batchId":12}}`))
		id, err := client.Batch.Create(t.Context(), c.config)
		require.NoError(t, err, name)
		assert.EqualValues(t, 12, id)
		assert.Equal(t, []string{c.want}, bodies, name)
	}
}

func TestBatchRejectsInvalidConfigurations(t *testing.T) {
	t.Parallel()
	_, client := batchMock(t)
	good := threatconnect.BatchConfig{Owner: "S", Attributes: threatconnect.WriteAppend}
	for field, change := range map[string]func(*threatconnect.BatchConfig){
		"batch owner":                func(c *threatconnect.BatchConfig) { c.Owner = "" },
		"batch attribute write type": func(c *threatconnect.BatchConfig) { c.Attributes = "" },
		"batch action":               func(c *threatconnect.BatchConfig) { c.Action = "Update" },
		"batch tag write type":       func(c *threatconnect.BatchConfig) { c.Tags = threatconnect.WriteSingleton },
		"batch label write type":     func(c *threatconnect.BatchConfig) { c.Labels = "append" },
		"batch items":                func(c *threatconnect.BatchConfig) { c.MaxItems = 25_001 },
		"batch bytes":                func(c *threatconnect.BatchConfig) { c.MaxBytes = 1023 },
		"batch concurrency":          func(c *threatconnect.BatchConfig) { c.Concurrency = 17 },
		"batch waits":                func(c *threatconnect.BatchConfig) { c.FlushInterval = -1 },
		"batch run":                  func(c *threatconnect.BatchConfig) { c.Spool = newMemSpool() },
		"batch file merge mode":      func(c *threatconnect.BatchConfig) { c.FileMerge = "Both" },
		"batch hash collision mode":  func(c *threatconnect.BatchConfig) { c.HashCollision = "Best" },
	} {
		config := good
		change(&config)
		var v *threatconnect.ValidationError
		_, err := client.Batch.NewWriter(t.Context(), config)
		require.ErrorAs(t, err, &v, field)
		assert.Equal(t, field, v.Field)
		_, err = client.Batch.Import(t.Context(), config, nil)
		require.ErrorAs(t, err, &v, field)
		switch field {
		case "batch items", "batch bytes", "batch concurrency", "batch waits", "batch run":
			continue
		}
		_, err = client.Batch.Create(t.Context(), threatconnect.BatchJob{Owner: config.Owner, Action: config.Action, Attributes: config.Attributes,
			Tags: config.Tags, Labels: config.Labels, FileMerge: config.FileMerge, HashCollision: config.HashCollision})
		require.ErrorAs(t, err, &v, field)
		assert.Equal(t, field, v.Field)
	}
	for _, job := range []threatconnect.BatchJob{
		{Owner: "S", Attributes: threatconnect.WriteSingleton, V1: true},
		{Owner: "S", Attributes: threatconnect.WriteStatic, V1: true, HashCollision: threatconnect.HashSplit},
	} {
		_, err := client.Batch.Create(t.Context(), job)
		require.ErrorIs(t, err, threatconnect.ErrValidation)
	}
}

func TestStatusReadsEveryResponseShape(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]threatconnect.BatchStatus{
		`{"status":"Running"}`:                        {ID: 7, State: threatconnect.JobRunning},
		`{"status":"Paused"}`:                         {ID: 7, State: "Paused"},
		`{"status":"Completed","unprocessedCount":3}`: {ID: 7, State: threatconnect.JobCompleted, Unprocessed: 3},
		`{"status":"Completed","errorCount":1,"successCount":2,"unprocessCount":3}`:                    {ID: 7, State: threatconnect.JobCompleted, Errors: 1, Success: 2, Unprocessed: 3},
		`{"status":"Success","data":{"batchStatus":{"id":"7","status":"Completed","errorCount":"4"}}}`: {ID: 7, State: threatconnect.JobCompleted, Errors: 4},
		`{"status":"Success","data":{"batchStatus":{"id":7,"status":"Queued","successIndicatorCount":1,"errorIndicatorCount":2,"successGroupCount":3,` +
			`"errorGroupCount":4,"successAssociationCount":5,"errorAssociationCount":6,"new":[1]}}}`: {ID: 7, State: threatconnect.JobQueued,
			SuccessIndicators: 1, ErrorIndicators: 2, SuccessGroups: 3, ErrorGroups: 4, SuccessAssociations: 5, ErrorAssociations: 6, Extra: map[string]json.RawMessage{"new": json.RawMessage(`[1]`)}},
	} {
		m, client := batchMock(t)
		m.RegisterResponderWithQuery("GET", batchBase+"/v2/batch/7", "includeAdditional=true", httpmock.NewStringResponder(200, text))
		got, err := client.Batch.Status(t.Context(), 7)
		require.NoError(t, err, text)
		assert.Equal(t, want, *got, text)
	}
	for _, text := range []string{``, `{}`, `[]`, `{"status":"Success"}`, `<html>`, `{"status":"Runn`} {
		m, client := batchMock(t, threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 1}))
		m.RegisterResponder("GET", batchBase+"/v2/batch/7", httpmock.NewStringResponder(200, text))
		_, err := client.Batch.Status(t.Context(), 7)
		require.ErrorIs(t, err, threatconnect.ErrBadResponse, text)
	}
	m, client := batchMock(t)
	m.RegisterResponder("GET", batchBase+"/v2/batch/7", httpmock.NewStringResponder(200, `{"status":"Failure","message":"no"}`))
	_, err := client.Batch.Status(t.Context(), 7)
	var api *threatconnect.APIError
	require.ErrorAs(t, err, &api)
	_, err = client.Batch.Status(t.Context(), 0)
	require.ErrorIs(t, err, threatconnect.ErrValidation)
}

func TestCreateReadsIDsInEveryShape(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`{"batchId":"123"}`, `{"status":"Success","data":{"batchId":123}}`, `{"status":"Success","data":{"batchId":"123"}}`} {
		m, client := batchMock(t)
		m.RegisterResponder("POST", batchBase+"/v2/batch", httpmock.NewStringResponder(201, text))
		id, err := client.Batch.Create(t.Context(), appendJob())
		require.NoError(t, err)
		assert.EqualValues(t, 123, id)
	}
}

func TestUploadIsSentOnceWithContentLength(t *testing.T) {
	t.Parallel()
	m, client := batchMock(t)
	m.RegisterResponder("POST", batchBase+"/v2/batch/7", func(req *http.Request) (*http.Response, error) {
		assert.Equal(t, "application/octet-stream", req.Header.Get("Content-Type"))
		assert.EqualValues(t, 15, req.ContentLength)
		assert.Empty(t, req.URL.RawQuery)
		body, err := io.ReadAll(req.Body)
		assert.Equal(t, `{"indicator":[]`, string(body))
		if m.GetTotalCallCount() == 1 {
			return httpmock.NewStringResponse(202, `{"status":"Queued"}`), err
		}
		return nil, errors.New("connection reset")
	})
	content := bytes.NewReader([]byte(`xx{"indicator":[]`))
	_, err := content.Seek(2, io.SeekStart)
	require.NoError(t, err)
	st, err := client.Batch.Upload(t.Context(), 7, content)
	require.NoError(t, err)
	assert.Equal(t, threatconnect.JobQueued, st.State)

	_, err = content.Seek(2, io.SeekStart)
	require.NoError(t, err)
	_, err = client.Batch.Upload(t.Context(), 7, content)
	require.Error(t, err)
	assert.Equal(t, 2, m.GetTotalCallCount(), "an upload is not retried")
	_, err = client.Batch.Upload(t.Context(), 7, content)
	require.ErrorIs(t, err, threatconnect.ErrValidation, "the reader is at its end")
	_, err = client.Batch.Upload(t.Context(), 7, nil)
	require.ErrorIs(t, err, threatconnect.ErrValidation)
}

func TestCreateAndUploadSendsTwoPlainParts(t *testing.T) {
	t.Parallel()
	const file = "{\"indicator\":[]}\r\n--threatconnect"
	m, client := batchMock(t)
	m.RegisterResponderWithQuery("POST", batchBase+"/v2/batch/createAndUpload", "includeAdditional=true", func(req *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(req.Body)
		require.NoError(t, err)
		assert.EqualValues(t, len(body), req.ContentLength)
		_, options, err := mime.ParseMediaType(req.Header.Get("Content-Type"))
		require.NoError(t, err)
		form := multipart.NewReader(bytes.NewReader(body), options["boundary"])
		for _, want := range [][2]string{
			{"config", `{"version":"V2","owner":"Example Source","action":"Create","haltOnError":false,"attributeWriteType":"Append","tagWriteType":"Append","securityLabelWriteType":"Append"}`},
			{"content", file},
		} {
			p, err := form.NextPart()
			require.NoError(t, err)
			assert.Equal(t, want[0], p.FormName())
			assert.Equal(t, want[0], p.FileName())
			assert.Empty(t, p.Header.Get("Content-Type"))
			text, err := io.ReadAll(p)
			require.NoError(t, err)
			assert.Equal(t, want[1], string(text))
		}
		_, err = form.NextPart()
		assert.Equal(t, io.EOF, err)
		return httpmock.NewStringResponse(200, `{"status":"Success","data":{"batchStatus":{"status":"Completed","successCount":1}}}`), nil
	})
	st, err := client.Batch.CreateAndUpload(t.Context(), appendJob(), strings.NewReader(file))
	require.NoError(t, err)
	assert.Equal(t, threatconnect.BatchStatus{State: threatconnect.JobCompleted, Success: 1}, *st, "done at once: no ID")
	_, err = client.Batch.CreateAndUpload(t.Context(), threatconnect.BatchJob{Owner: "S", Action: threatconnect.BatchDelete}, strings.NewReader(file))
	require.ErrorIs(t, err, threatconnect.ErrValidation)
}

func TestBatchJobsAgainstTheServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := threatconnecttest.NewT(t, threatconnecttest.WithBatchDuration(time.Minute))
		client := srv.Client()
		file := `{"indicator":[{"type":"Host","summary":"a.example"},{"type":"Host","summary":"not a host"}]}`
		id, err := client.Batch.Create(t.Context(), appendJob())
		require.NoError(t, err)
		_, err = client.Batch.Upload(t.Context(), id, strings.NewReader(file))
		require.NoError(t, err)
		for _, err := range client.Batch.Errors(t.Context(), id) {
			require.ErrorIs(t, err, threatconnect.ErrBadRequest, "the job is still running")
		}
		began := time.Now()
		st, err := client.Batch.Wait(t.Context(), id)
		require.NoError(t, err)
		assert.InDelta(t, 60, time.Since(began).Seconds(), 20)
		assert.Less(t, len(srv.Requests()), 20)
		assert.Equal(t, 1, st.Errors)
		for e, err := range client.Batch.Errors(t.Context(), id) {
			require.NoError(t, err)
			assert.Equal(t, threatconnect.CodeIndicator, e.Code)
			assert.Equal(t, "not a host", e.Ref)
			assert.EqualValues(t, -1, e.Seq)
			assert.NotContains(t, e.Error(), "not a host")
		}
		st, err = client.Batch.CreateAndUpload(t.Context(), appendJob(), strings.NewReader(file))
		require.NoError(t, err)
		ctx, cancel := context30s(t)
		defer cancel()
		_, err = client.Batch.Wait(ctx, st.ID)
		require.ErrorContains(t, err, "waiting for batch job 2")
	})
}

func TestResultsFilters(t *testing.T) {
	t.Parallel()
	m, client := batchMock(t)
	m.RegisterResponderWithQuery("GET", batchBase+"/v2/batch/7/results", "code=0x1003&contains=a%20b&severity=error",
		httpmock.NewStringResponder(200, `[{"code":"0x1003","severity":"Error","errorReason":"cause","errorMessage":"words"},{}]`))
	m.RegisterResponder("GET", batchBase+"/v2/batch/8/results", httpmock.NewStringResponder(404, ``))
	opts := &threatconnect.BatchResultOptions{Code: threatconnect.CodeSyntax, Contains: "a b", Severity: "error"}
	seq := client.Batch.Results(t.Context(), 7, opts)
	opts.Code = "changed afterwards"
	for range 2 {
		for e, err := range seq {
			require.NoError(t, err)
			assert.Equal(t, threatconnect.BatchItemError{Seq: -1, Code: threatconnect.CodeSyntax, Severity: "Error", Reason: "words", Cause: "cause", JobID: 7}, e)
			break
		}
	}
	for range client.Batch.Results(t.Context(), 8, nil) {
		t.Error("a job without errors has none")
	}
	for _, err := range client.Batch.Results(t.Context(), 7, &threatconnect.BatchResultOptions{Code: "1003"}) {
		require.ErrorIs(t, err, threatconnect.ErrValidation)
	}
}

func context30s(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithTimeout(t.Context(), 30*time.Second)
}

// everyIndicator returns an indicator of each type.
func everyIndicator() []threatconnect.Indicator {
	file := threatconnect.NewFile("d41d8cd98f00b204e9800998ecf8427e")
	file.Size = new(int64(12))
	file.Occurrences = []threatconnect.FileOccurrence{{FileName: "a.exe", Path: `C:\temp`, Date: batchDay}}
	host := threatconnect.NewHost("www.example.com")
	host.DNSActive, host.WhoisActive = new(true), new(true)
	return []threatconnect.Indicator{
		threatconnect.NewAddress("192.0.2.1"), threatconnect.NewEmailAddress("a@example.com"), file, host,
		threatconnect.NewURL("http://example.com/a?b=c"), threatconnect.NewASN("64500"), threatconnect.NewCIDR("2001:db8::/32"),
		threatconnect.NewMutex("Global\\m"), threatconnect.NewRegistryKey(`HKLM\Software\x`, "", "REG_SZ"), threatconnect.NewUserAgent("curl/8"),
		threatconnect.NewEmailSubject("Invoice : 12"), threatconnect.NewHashtag("#tag"),
		threatconnect.NewCustomIndicator("Wallet", "w : 1", "main"),
	}
}

// everyGroup returns a group of each type.
func everyGroup() []threatconnect.Group {
	return []threatconnect.Group{
		threatconnect.NewAdversary("g"), threatconnect.NewAttackPattern("g"), threatconnect.NewCampaign("g"), threatconnect.NewCourseOfAction("g"),
		threatconnect.NewDocument("g", "a.txt"), threatconnect.NewEmail("g", "s", "h", "b"), threatconnect.NewEvent("g", batchDay),
		threatconnect.NewIncident("g", batchDay), threatconnect.NewIntrusionSet("g"), threatconnect.NewMalware("g"), threatconnect.NewReport("g", "r.pdf"),
		threatconnect.NewSignature("g", "a.yar", threatconnect.SignatureYARA, "rule a {}"), threatconnect.NewTactic("g"), threatconnect.NewThreat("g"),
		threatconnect.NewTool("g"), threatconnect.NewVulnerability("g"),
	}
}

func TestImportOfEveryTypeWithMetadata(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	require.NoError(t, srv.Seed(&threatconnecttest.IndicatorType{
		Name: "Wallet", Branch: "wallets", Entity: "wallet", Fields: []string{"Number", "Chain"},
	}))
	w, err := srv.Client().Batch.NewWriter(t.Context(), appendConfig())
	require.NoError(t, err)
	groups, indicators := everyGroup(), everyIndicator()
	xid := func(n int) string { return threatconnect.XID("every", fmt.Sprint(n)) }
	for n, g := range groups {
		m := g.Meta()
		m.XID = xid(n)
		m.Tags = []threatconnect.Tag{{Name: "on a group"}}
		m.Attributes = []threatconnect.Attribute{{Type: "Description", Value: "group", Displayed: new(true), Pinned: new(true)}}
		m.SecurityLabels = []threatconnect.SecurityLabel{{Name: "TLP:AMBER"}}
		m.GroupXIDs = []string{xid((n + 1) % len(groups))}
		m.Associated = []threatconnect.IndicatorRef{{Type: indicators[n%13].Type(), Value: indicators[n%13].Summary()}}
		if n%13 == 12 {
			m.Associated = nil // a reference by summary cannot separate the two values of this indicator
		}
		addAll(t, w, g)
	}
	for n, ind := range indicators {
		m := ind.Meta()
		m.Rating, m.Confidence, m.Active, m.XID = new(4.5), new(77), new(false), fmt.Sprint("i-", n)
		m.Tags = []threatconnect.Tag{{Name: "on an indicator"}}
		m.Description = "described"
		m.SecurityLabels = []threatconnect.SecurityLabel{{Name: "New Label", Description: "made by the import", Color: "00ff00"}}
		m.GroupXIDs = []string{xid(n)}
		addAll(t, w, ind)
	}
	addAll(t, w,
		&threatconnect.Association{From: threatconnect.IndicatorEnd(indicators[4]), To: threatconnect.IndicatorEnd(threatconnect.NewHost("example.com")), Type: "URL Host"},
		threatconnect.NewHost("example.com"),
	)
	err = w.Close(t.Context())
	require.NoError(t, err, "%+v", failuresOrNone(t, err))
	assert.EqualValues(t, len(groups), w.Stats().Groups.Succeeded)

	all := srv.Indicators(batchOwner)
	require.Len(t, all, len(indicators)+1)
	for n, ind := range indicators {
		got := all[n]
		assert.Equal(t, string(ind.Type()), got.Type)
		assert.Equal(t, []string{"on an indicator"}, got.Tags, got.Type)
		assert.Equal(t, []string{"New Label"}, got.Labels, got.Type)
		assert.Equal(t, 4.5, *got.Rating, got.Type)
		assert.Equal(t, 77, *got.Confidence, got.Type)
		assert.True(t, got.Inactive, got.Type)
		assert.Contains(t, got.Groups, xid(n), got.Type)
		require.Len(t, got.Attributes, 1, got.Type)
		assert.Equal(t, "described", got.Attributes[0].Value)
	}
	assert.EqualValues(t, 12, all[2].Size)
	assert.Equal(t, []threatconnecttest.Occurrence{{FileName: "a.exe", Path: `C:\temp`, Date: batchDay}}, all[2].Occurrences)
	assert.True(t, all[3].DNSActive && all[3].WhoisActive)
	assert.Equal(t, []string{"Host: example.com"}, all[4].Associated)
	assert.Equal(t, "w : 1 : main", all[12].Summary)
	for n, g := range groups {
		got, ok := srv.Group(xid(n))
		require.True(t, ok)
		assert.Equal(t, string(g.Type()), got.Type)
		assert.Equal(t, []string{"on a group"}, got.Tags, got.Type)
		assert.Equal(t, []string{"TLP:AMBER"}, got.Labels, got.Type)
		assert.ElementsMatch(t, []string{xid((n + 1) % 16), xid((n + 15) % 16)}, got.Groups, got.Type)
		if n%13 != 12 {
			assert.NotEmpty(t, got.Indicators, got.Type)
		}
	}
}

func failuresOrNone(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	return failures(t, err)
}
