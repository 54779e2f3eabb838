package threatconnect_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"reflect"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/scaletest"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
)

// TestThreatAnswersTimeGrowsLinearly reads responses of each form that repeat one part. A response of twice the
// length must take less than three times as long. The test is not parallel because it measures time.
func TestThreatAnswersTimeGrowsLinearly(t *testing.T) {
	size := max(4<<10, scaletest.N(40<<10)) // below this size, the times are noise
	list := func(before, unit, after string) func(int) string {
		return func(n int) string { return before + strings.Repeat(unit+",", n/(len(unit)+1)) + unit + after }
	}
	numbered := func(before, format, after string) func(int) string {
		return func(n int) string {
			var b strings.Builder
			b.WriteString(before)
			for i := 0; b.Len() < n; i++ {
				fmt.Fprintf(&b, format+",", i)
			}
			fmt.Fprintf(&b, format, -1)
			return b.String() + after
		}
	}
	repeated := func(before, unit, after string) func(int) string {
		return func(n int) string { return before + strings.Repeat(unit, n/len(unit)) + after }
	}
	get := func(name string) func(context.Context, *threatconnect.Client) error {
		return func(ctx context.Context, c *threatconnect.Client) error {
			_, err := shapeCalls[name](ctx, c)
			return err
		}
	}
	type call = func(context.Context, *threatconnect.Client) error
	for name, g := range map[string]struct {
		answer func(n int) string
		call   call
	}{
		"a list of indicators":        {list(`{"data":{"indicator":[`, `{"type":"Host","summary":"a.example"}`, "]}}"), get("indicators_list")},
		"a list of groups":            {list(`{"data":{"group":[`, `{"type":"Incident","name":"x"}`, "]}}"), get("groups_list")},
		"a list of tags":              {list(`{"data":{"tag":[`, `{"name":"x"}`, "]}}"), get("tags_list")},
		"a list of owners":            {list(`{"data":{"owner":[`, `{"id":7}`, "]}}"), get("owners_list")},
		"a list of tasks":             {list(`{"data":{"task":[`, `{"id":7,"assignee":[{}]}`, "]}}"), get("tasks_list")},
		"unknown members":             {numbered(`{"data":{"host":{"hostName":"ns.example.net"`+",", `"k%d":1`, "}}}"), get("host_one")},
		"unknown members of a list":   {numbered(`{"data":{"indicator":[{`, `"k%d":[1]`, "}]}}"), get("indicators_list")},
		"one repeated member":         {list(`{"data":{"host":{`, `"rating":"x"`, "}}}"), get("host_one")},
		"misfits":                     {numbered(`{"data":{"host":{`, `"rating":{"k%d":1}`, "}}}"), get("host_one")},
		"ids":                         {list(`{"data":{"incident":{`, `"id":205`, "}}}"), get("incident_one")},
		"attributes":                  {list(`{"data":{"host":{"attribute":[`, `{"id":1,"type":"x","value":"y"}`, "]}}}"), get("host_one")},
		"attributes of a resource":    {list(`{"data":{"attribute":[`, `{"id":1,"type":"x"}`, "]}}"), get("attributes_list")},
		"tags of an indicator":        {list(`{"data":{"host":{"tag":[`, `{"name":"x"}`, "]}}}"), get("host_one")},
		"an escaped text":             {repeated(`{"data":{"host":{"description":"`, `\u0041\n`, `"}}}`), get("host_one")},
		"halves of surrogate pairs":   {repeated(`{"data":{"host":{"description":"`, `\ud800`, `"}}}`), get("host_one")},
		"a web link":                  {repeated(`{"data":{"host":{"webLink":"http://`, `a.`, `"}}}`), get("host_one")},
		"a long number":               {repeated(`{"data":{"host":{"rating":`, `1`, `}}}`), get("host_one")},
		"a long exponent":             {repeated(`{"data":{"host":{"confidence":1e`, `1`, `}}}`), get("host_one")},
		"statuses":                    {list(`{`, `"status":"Success"`, `,"data":{}}`), get("whoami")},
		"white space":                 {repeated(`{"data":`, " ", `{"user":{"userName":"a"}}}`), get("whoami")},
		"arrays in arrays":            {list(`{"data":{"host":{"x":[`, strings.Repeat("[", 400)+strings.Repeat("]", 400), "]}}}"), get("host_one")},
		"summaries of registry keys":  {repeated(`{"data":{"indicator":[{"type":"Registry Key","summary":"`, "a : ", `"}]}}`), get("indicators_list")},
		"summaries of files":          {repeated(`{"data":{"indicator":[{"type":"File","summary":"`, "d41d8cd98f00b204e9800998ecf8427e : ", `"}]}}`), get("indicators_list")},
		"a requested host":            {repeated(`{"data":{"host":{"hostName":"`, "a ", `"}}}`), get("host_one")},
		"resolutions":                 {list(`{"data":{"dnsResolution":[`, `{"addresses":[{"ip":"192.0.2.1"}]}`, "]}}"), get("host_resolutions")},
		"related groups":              {list(`{"data":{"group":[`, `{"type":"Incident","id":1}`, "]}}"), get("task_groups_under_task")},
		"attribute types":             {list(`{"data":{"attributeType":[`, `{"name":"x","validationRule":{"a":[1]}}`, "]}}"), get("attribute_types")},
		"indicator types":             {numbered(`{"data":{"indicatorType":[`, `{"name":"x%d","value1Label":"a"}`, "]}}"), get("indicator_types")},
		"metrics of owners":           {list(`{"data":{"ownerMetric":[`, `{"totalIndicator":1}`, "]}}"), get("owner_metrics")},
		"playbooks":                   {list(`[`, `{"id":1,"labels":["a","b"]}`, "]"), get("playbooks_list")},
		"labels of a playbook":        {repeated(`[{"id":1,"labels":"`, "a,", `"}]`), get("playbooks_list")},
		"wrappings of playbooks":      {list(`{"data":[`, `{"x":{"y":{"z":[{}]}}}`, "]}"), get("playbooks_list")},
		"errors of a job":             {list(`[`, `{"code":"0x1005","errorReason":"Error (0x1005): x"}`, "]"), get("batch_errors")},
		"an error with a long source": {list(`[{"code":"0x1005","errorSource":{`, `"summary":"x"`, "}}]"), get("batch_results")},
		"a bulk report":               {list(`{"indicator":[`, `{"type":"Host","summary":"a.example"}`, "]}"), get("bulk_json")},
		"a record of the DataStore":   {repeated(`{"_source":{"x":"`, `\\`, `"}}`), get("data_store_record")},
	} {
		t.Run(name, func(t *testing.T) {
			scaletest.RequireLinear(t, size, 2, func(n int) func() {
				body := g.answer(n)
				return func() {
					_ = g.call(t.Context(), shapeClient(t, body, threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 1})))
				}
			})
		})
	}
	// Headers, and texts that the client searches for credentials.
	answered := func(status int, body string, header ...string) func() {
		c := clientOf(t, &wiretest.Steps{Do: steps{wiretest.Answer(status, body, header...)}}, threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 1}))
		return func() { _, _ = c.Owners.Whoami(t.Context()) }
	}
	for name, unit := range map[string]string{
		"letters": "a", "signatures": strings.Repeat("a", 43) + "=", "percent signs": "%25", "entities": "&amp;", "escapes": `\\u0041`, "digits": "1", "spaces": " ", "authorization": "authorization ", "not UTF-8": "\xff", "links": "https://a.example/ ",
	} {
		t.Run(name, func(t *testing.T) {
			scaletest.RequireLinear(t, size, 2, func(n int) func() {
				return answered(400, strings.Repeat(unit, n/len(unit)), "Content-Type", "text/plain")
			})
			scaletest.RequireLinear(t, size, 2, func(n int) func() {
				return answered(400, `{"status":"Failure","message":"`+strings.Repeat(unit, n/len(unit))+`"}`)
			})
			text := func(n int) string { return strings.Repeat(unit, n/len(unit)) }
			for _, field := range []string{"Retry-After", "Date", "Location", "Content-Type", "Content-Encoding"} {
				scaletest.RequireLinear(t, size, 2, func(n int) func() { return answered(503, "", field, text(n)) })
				scaletest.RequireLinear(t, size, 2, func(n int) func() { return answered(302, "", field, text(n)) })
			}
			scaletest.RequireLinear(t, size, 2, func(n int) func() {
				failed := errors.New(text(n))
				c, err := threatconnect.NewClient("https://threatconnect.example/api", threatconnect.TokenFunc(func(context.Context) (string, time.Time, error) { return "", time.Time{}, failed }))
				require.NoError(t, err)
				return func() { _, _ = c.Owners.Whoami(t.Context()) }
			})
			scaletest.RequireLinear(t, size, 2, func(n int) func() {
				failed := errors.New(text(n))
				c := clientOf(t, wiretest.Func(func(*http.Request) (*http.Response, error) { return nil, failed }), threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 1}))
				return func() { _, _ = c.Owners.Whoami(t.Context()) }
			})
		})
	}
}

// TestThreatAnswersMemoryIsBounded reads small responses that decode into many values. It runs in its own process with
// one thread and a stop-the-world garbage collector: a concurrent collector counts values as live that are dropped
// during the collection.
func TestThreatAnswersMemoryIsBounded(t *testing.T) {
	const mode = "gcstoptheworld=1"
	if os.Getenv("GODEBUG") != mode {
		t.Parallel()
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestThreatAnswersMemoryIsBounded$", fmt.Sprintf("-test.short=%t", testing.Short()))
		cmd.Env = append(os.Environ(), "GODEBUG="+mode, "GOMAXPROCS=1")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return
	}
	size := max(scaletest.N(1<<20), 128<<10) // below this size, the collector does not run
	const constant = 256 << 10               // for buffers and decompression
	list := func(before, unit, after string) string {
		return before + strings.Repeat(unit+",", (size-len(before+unit+after))/(len(unit)+1)) + unit + after
	}
	numbered := func(before, format, after string) string {
		var b strings.Builder
		b.WriteString(before)
		for i := 0; b.Len() < size-len(format+after)-20; i++ {
			fmt.Fprintf(&b, format+",", i)
		}
		fmt.Fprintf(&b, format, -1)
		return b.String() + after
	}
	long := func(before, unit, after string) string {
		return before + strings.Repeat(unit, (size-len(before+after))/len(unit)) + after
	}
	get := func(name string) func(context.Context, *threatconnect.Client) error {
		return func(ctx context.Context, c *threatconnect.Client) error {
			_, err := shapeCalls[name](ctx, c)
			return err
		}
	}
	records := func(ctx context.Context, c *threatconnect.Client) error {
		store, err := threatconnect.DataStoreOf[struct{}](c, threatconnect.DataStoreLocal, "x")
		require.NoError(t, err)
		_, err = store.List(ctx)
		return err
	}
	type call = func(context.Context, *threatconnect.Client) error
	for name, g := range map[string]struct {
		answer string
		call   call
	}{
		"indicators":                    {list(`{"data":{"indicator":[`, "{}", "]}}"), get("indicators_list")},
		"indicators of a type":          {list(`{"data":{"indicator":[`, `{"type":"File"}`, "]}}"), get("indicators_list")},
		"custom indicators":             {list(`{"data":{"indicator":[`, `{"type":"x","a":1,"b":2,"c":3}`, "]}}"), get("indicators_list")},
		"hosts":                         {list(`{"data":{"host":[`, "{}", "]}}"), get("hosts_list_with_owner_objects")},
		"groups":                        {list(`{"data":{"group":[`, "{}", "]}}"), get("groups_list")},
		"unknown groups":                {list(`{"data":{"group":[`, `{"type":"x","a":1,"b":2,"c":3}`, "]}}"), get("groups_list")},
		"tags":                          {list(`{"data":{"tag":[`, "{}", "]}}"), get("tags_list")},
		"owners":                        {list(`{"data":{"owner":[`, "{}", "]}}"), get("owners_list")},
		"metrics of owners":             {list(`{"data":{"ownerMetric":[`, "{}", "]}}"), get("owner_metrics")},
		"tasks":                         {list(`{"data":{"task":[`, "{}", "]}}"), get("tasks_list")},
		"victims":                       {list(`{"data":{"victim":[`, "{}", "]}}"), get("victims_list")},
		"attributes":                    {list(`{"data":{"attribute":[`, "{}", "]}}"), get("attributes_list")},
		"security labels":               {list(`{"data":{"securityLabel":[`, "{}", "]}}"), get("labels_list")},
		"deleted indicators":            {list(`{"data":{"indicator":[`, "{}", "]}}"), get("indicators_deleted")},
		"observations":                  {list(`{"data":{"observation":[`, "{}", "]}}"), get("observations")},
		"file occurrences":              {list(`{"data":{"fileOccurrence":[`, "{}", "]}}"), get("file_occurrences")},
		"resolutions":                   {list(`{"data":{"dnsResolution":[`, `{"addresses":[{}]}`, "]}}"), get("host_resolutions")},
		"indicator types":               {list(`{"data":{"indicatorType":[`, "{}", "]}}"), get("indicator_types")},
		"attribute types":               {list(`{"data":{"attributeType":[`, `{"validationRule":[1]}`, "]}}"), get("attribute_types")},
		"playbooks":                     {list(`[`, `{"id":1}`, "]"), get("playbooks_list")},
		"labels of a playbook":          {long(`[{"id":1,"labels":"`, "a,", `"}]`), get("playbooks_list")},
		"additional fields":             {list(`{"data":{"indicator":[`, `{"lastObserved":null,"a":1}`, "]}}"), get("indicators_list")},
		"additional members":            {numbered(`{"data":{"indicator":[{"type":"Host",`, `"%x":1`, "}]}}"), get("indicators_list")},
		"members of one thing":          {numbered(`{"data":{"host":{"hostName":"ns.example.net",`, `"%x":1`, "}}}"), get("host_one")},
		"misfits":                       {numbered(`{"data":{"host":{`, `"rating":{"k%d":1}`, "}}}"), get("host_one")},
		"attributes of an indicator":    {list(`{"data":{"host":{"attribute":[`, "{}", "]}}}"), get("host_one")},
		"attributes of indicators":      {list(`{"data":{"indicator":[`, `{"attribute":[{},{}]}`, "]}}"), get("indicators_list")},
		"tags of an indicator":          {list(`{"data":{"host":{"tag":[`, "{}", "]}}}"), get("host_one")},
		"users of a task":               {list(`{"data":{"task":{"assignee":[`, "{}", "]}}}"), get("task_one")},
		"a text":                        {long(`{"data":{"host":{"description":"`, "x", `"}}}`), get("host_one")},
		"an escaped text":               {long(`{"data":{"host":{"description":"\n`, "x", `"}}}`), get("host_one")},
		"a text that is not UTF-8":      {long(`{"data":{"host":{"description":"`, "\xff", `"}}}`), get("host_one")},
		"a key that is not UTF-8":       {long(`{"data":{"host":{"`, "\xff", `":1}}}`), get("host_one")},
		"a summary that is too long":    {long(`{"data":{"indicator":[{"type":"File","summary":"`, "\xff : ", `"}]}}`), get("indicators_list")},
		"a truncated response":          {list(`{"data":{"owner":[`, `{"id":7}`, "]"), get("owners_list")},
		"a failure with much data":      {list(`{"data":{"owner":[`, `{"id":7}`, `]},"status":"Failure"}`), get("owners_list")},
		"a failure with a long message": {long(`{"status":"Failure","message":"\n`, "x", `"}`), get("owners_list")},
		"a long status":                 {long(`{"status":"\n`, "x", `"}`), get("owners_list")},
		"records":                       {list(`{"hits":{"hits":[`, `{"_source":{}}`, "]}}"), records},
		"a record":                      {long(`{"_source":{"x":"`, "x", `"}}`), get("data_store_record")},
	} {
		for _, encoding := range []string{"", "gzip"} {
			t.Run(strings.TrimSpace(name+" "+encoding), func(t *testing.T) {
				body := []byte(g.answer)
				if require.LessOrEqual(t, len(body), size); encoding != "" {
					body = zipped(t, body)
				}
				c := memoryClient(t, 200, body, encoding, threatconnect.WithMaxResponseBytes(int64(size)))
				assert.Less(t, peakOf(func() { _ = g.call(t.Context(), c) }), int64(4*size+constant))
			})
		}
	}
	element := scaletest.Size(16 << 20)
	for name, g := range map[string]struct {
		status int
		head   string
		unit   string
		tail   string
		length int
		call   call
		limit  int64
	}{
		"an error message": {400, `{"status":"Failure","message":"`, "x", `"}`, scaletest.N(8 << 20), get("owners_list"), 0},
		"a report": {200, `{"indicator":[`, `{"type":"Host","summary":"a.example"},`, `{}]}`, scaletest.N(8 << 20), func(ctx context.Context, c *threatconnect.Client) error {
			return firstError(c.InOwner("x").Bulk.JSON(ctx))
		}, 0},
		"an element": {200, `{"indicator":[{"summary":"`, "x", `"}]}`, element - 20, func(ctx context.Context, c *threatconnect.Client) error {
			return firstError(c.InOwner("x").Bulk.JSON(ctx))
		}, 4 * int64(element)},
		"a list of errors": {200, `[`, `{"code":"0x1005","errorReason":"x"},`, `{}]`, scaletest.N(8 << 20), func(ctx context.Context, c *threatconnect.Client) error { return firstError(c.Batch.Errors(ctx, 1)) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			body := []byte(g.head + strings.Repeat(g.unit, g.length/len(g.unit)) + g.tail)
			c := memoryClient(t, g.status, body, "", threatconnect.WithMaxResponseBytes(int64(size)))
			assert.Less(t, peakOf(func() { _ = g.call(t.Context(), c) }), g.limit+constant)
		})
	}
}

// firstError reads a sequence, discards its items and returns its first error.
func firstError[T any](seq func(func(T, error) bool)) error {
	for _, err := range seq {
		if err != nil {
			return err
		}
	}
	return nil
}

// memoryClient returns a client that always receives the same body, without a Content-Length.
func memoryClient(t *testing.T, status int, body []byte, encoding string, opts ...threatconnect.Option) *threatconnect.Client {
	t.Helper()
	c, err := threatconnect.NewClient("https://threatconnect.example/api", threatconnect.Token("token"), append(opts, threatconnect.WithOwner("Example Source"),
		threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 2, BaseDelay: 1, MaxDelay: 1}),
		threatconnect.WithTransport(wiretest.Func(func(r *http.Request) (*http.Response, error) {
			h := http.Header{"Content-Type": {"application/json"}}
			if encoding != "" {
				h.Set("Content-Encoding", encoding)
			}
			return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: -1, Request: r}, nil
		})))...)
	require.NoError(t, err)
	return c
}

// peakOf returns the maximum of live heap bytes while f runs, less those before. A low GC percentage makes the
// collector run, and report the live bytes, each time the heap has grown a little.
func peakOf(f func()) int64 {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	read := func() int64 { metrics.Read(live); return int64(live[0].Value.Uint64()) }
	defer debug.SetGCPercent(debug.SetGCPercent(5))
	runtime.GC()
	runtime.GC() // also empties each sync.Pool
	before, peak := read(), int64(0)
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			peak = max(peak, read())
			select {
			case <-done:
				return
			case <-time.After(20 * time.Microsecond):
			}
		}
	}()
	f()
	close(done)
	<-stopped
	return peak - before
}

// oddAnswers are response bodies that are not specific to one call.
var oddAnswers = []string{
	"", " ", "null", "[]", "{}", `{"data":null}`, `{"data":[]}`, `{"status":"Success"}`, `{"status":"Failure","message":"no"}`, "<html>", "\xef\xbb\xbf{}", "\xff", `{"data":{"resultCount":"x"}}`,
	`{"data":{"indicator":[{"type":"Host","summary":"a.example","dnsActive":"true"}]}}`, `{"data":{"indicator":[{"type":"File","summary":" : : ","size":1e3,"x":{}}]}}`, `{"indicator":{"type":"Registry Key","summary":"a : b"}}`,
	`{"data":{"group":[{"type":"Incident","name":"a","eventDate":"x"}]}}`, `{"data":{"group":{"type":"?","name":[]}}}`, `{"data":{"dnsResolution":{"resolutionDate":1767323045000,"addresses":{"ip":"2001:db8::1"}}}}`,
	`{"data":{"dnsResolution":[{"addresses":[[]]}]}}`, `{"data":{"attributeType":[{"validationRule":{"a":[1]},"maxLength":"500"}]}}`, `{"data":[[[[{"id":1}]]]]}`, `{"id":{},"labels":[[]]}`, `[{"id":1,"name":"p"}]`,
	`{"data":{"task":{"assignee":{"userName":["a","b"]},"escalatee":"x","owner":"y","tag":{"name":"t"}}}}`, `{"data":{"victimAsset":{"type":"URL","url":"","name":"n"}}}`, `{"value":1e400,"date":1}`,
	`{"data":{"user":{"userName":"a","userName":"b"}}}`, `{"data":{"owner":[{"id":1},{"id":1.5}]}}`, `{"status":"Success","data":{"batchStatus":{"id":"1","errorCount":-1}}}`,
}

// FuzzThreatNoAnswerPanics passes any body to every call. The call must return a usable value that can be
// encoded as JSON and is the same each time, or a printable error that describes the fault of the
// response. The test also covers the decoders of everything below data.
func FuzzThreatNoAnswerPanics(f *testing.F) {
	names := slices.Sorted(maps.Keys(shapeCalls))
	for i, name := range names {
		body, err := os.ReadFile("testdata/shapes/" + name + ".json")
		require.NoError(f, err)
		f.Add(uint(i), string(body))
		f.Add(uint(i), oddAnswers[i%len(oddAnswers)])
	}
	for i, body := range oddAnswers {
		f.Add(uint(i*7), body)
	}
	f.Fuzz(func(t *testing.T, which uint, body string) {
		name := names[which%uint(len(names))]
		got, err := shapeCalls[name](t.Context(), shapeClient(t, body, threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 1})))
		again, errAgain := shapeCalls[name](t.Context(), shapeClient(t, body, threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 1})))
		require.Equal(t, err == nil, errAgain == nil, name)
		if err != nil {
			_, refused := errors.AsType[*threatconnect.APIError](err)
			require.True(t, refused || errors.Is(err, threatconnect.ErrBadResponse) || errors.Is(err, threatconnect.ErrNotFound), "%s: %v", name, err)
			require.Less(t, len(err.Error()), 2000, name)
			require.True(t, utf8.ValidString(err.Error()), name)
			return
		}
		require.True(t, reflect.DeepEqual(got, again), "%s: two readings differ", name)
		switch got := got.(type) {
		case json.RawMessage:
			return // DataStore.Do returns the response unchanged
		case []threatconnect.DNSResolution:
			for _, d := range got {
				require.NotNil(t, d.Addresses)
			}
		}
		_, err = json.Marshal(got)
		require.NoError(t, err, name)
		leaves{}.addGo(reflect.ValueOf(got)) // calls Type and Summary on everything
	})
}
