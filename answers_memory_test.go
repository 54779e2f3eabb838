package threatconnect_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	tc "github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/scaletest"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
)

// TestThreatAnswersMemoryIsBounded has answers of few bytes that become many values. It runs in a process of its
// own, whose collector stops everything else: a collector that does not counts as alive what is dropped meanwhile.
func TestThreatAnswersMemoryIsBounded(t *testing.T) {
	const mode = "gcstoptheworld=1"
	if os.Getenv("GODEBUG") != mode {
		t.Parallel()
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestThreatAnswersMemoryIsBounded$")
		cmd.Env = append(os.Environ(), "GODEBUG="+mode)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return
	}
	size := scaletest.N(1 << 20)
	const constant = 256 << 10 // of buffers, and of the decompression
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
	get := func(name string) func(context.Context, *tc.Client) error {
		return func(ctx context.Context, c *tc.Client) error { _, err := shapeCalls[name](ctx, c); return err }
	}
	records := func(ctx context.Context, c *tc.Client) error {
		store, err := tc.DataStoreOf[struct{}](c, tc.DataStoreLocal, "x")
		require.NoError(t, err)
		_, err = store.List(ctx)
		return err
	}
	type call = func(context.Context, *tc.Client) error
	for name, g := range map[string]struct {
		answer string
		call   call
	}{
		"indicators":                 {list(`{"data":{"indicator":[`, "{}", "]}}"), get("indicators_list")},
		"indicators of a type":       {list(`{"data":{"indicator":[`, `{"type":"File"}`, "]}}"), get("indicators_list")},
		"custom indicators":          {list(`{"data":{"indicator":[`, `{"type":"x","a":1,"b":2,"c":3}`, "]}}"), get("indicators_list")},
		"hosts":                      {list(`{"data":{"host":[`, "{}", "]}}"), get("hosts_list_with_owner_objects")},
		"groups":                     {list(`{"data":{"group":[`, "{}", "]}}"), get("groups_list")},
		"unknown groups":             {list(`{"data":{"group":[`, `{"type":"x","a":1,"b":2,"c":3}`, "]}}"), get("groups_list")},
		"tags":                       {list(`{"data":{"tag":[`, "{}", "]}}"), get("tags_list")},
		"owners":                     {list(`{"data":{"owner":[`, "{}", "]}}"), get("owners_list")},
		"metrics of owners":          {list(`{"data":{"ownerMetric":[`, "{}", "]}}"), get("owner_metrics")},
		"tasks":                      {list(`{"data":{"task":[`, "{}", "]}}"), get("tasks_list")},
		"victims":                    {list(`{"data":{"victim":[`, "{}", "]}}"), get("victims_list")},
		"attributes":                 {list(`{"data":{"attribute":[`, "{}", "]}}"), get("attributes_list")},
		"security labels":            {list(`{"data":{"securityLabel":[`, "{}", "]}}"), get("labels_list")},
		"deleted indicators":         {list(`{"data":{"indicator":[`, "{}", "]}}"), get("indicators_deleted")},
		"observations":               {list(`{"data":{"observation":[`, "{}", "]}}"), get("observations")},
		"file occurrences":           {list(`{"data":{"fileOccurrence":[`, "{}", "]}}"), get("file_occurrences")},
		"resolutions":                {list(`{"data":{"dnsResolution":[`, `{"addresses":[{}]}`, "]}}"), get("host_resolutions")},
		"indicator types":            {list(`{"data":{"indicatorType":[`, "{}", "]}}"), get("indicator_types")},
		"attribute types":            {list(`{"data":{"attributeType":[`, `{"validationRule":[1]}`, "]}}"), get("attribute_types")},
		"playbooks":                  {list(`[`, `{"id":1}`, "]"), get("playbooks_list")},
		"labels of a playbook":       {long(`[{"id":1,"labels":"`, "a,", `"}]`), get("playbooks_list")},
		"additional fields":          {list(`{"data":{"indicator":[`, `{"lastObserved":null,"a":1}`, "]}}"), get("indicators_list")},
		"additional members":         {numbered(`{"data":{"indicator":[{"type":"Host",`, `"%x":1`, "}]}}"), get("indicators_list")},
		"members of one thing":       {numbered(`{"data":{"host":{"hostName":"ns.example.net",`, `"%x":1`, "}}}"), get("host_one")},
		"misfits":                    {numbered(`{"data":{"host":{`, `"rating":{"k%d":1}`, "}}}"), get("host_one")},
		"attributes of an indicator": {list(`{"data":{"host":{"attribute":[`, "{}", "]}}}"), get("host_one")},
		"attributes of indicators":   {list(`{"data":{"indicator":[`, `{"attribute":[{},{}]}`, "]}}"), get("indicators_list")},
		"tags of an indicator":       {list(`{"data":{"host":{"tag":[`, "{}", "]}}}"), get("host_one")},
		"users of a task":            {list(`{"data":{"task":{"assignee":[`, "{}", "]}}}"), get("task_one")},
		"a text":                     {long(`{"data":{"host":{"description":"`, "x", `"}}}`), get("host_one")},
		"an escaped text":            {long(`{"data":{"host":{"description":"\n`, "x", `"}}}`), get("host_one")},
		"a text that is not UTF-8":   {long(`{"data":{"host":{"description":"`, "\xff", `"}}}`), get("host_one")},
		"a key that is not UTF-8":    {long(`{"data":{"host":{"`, "\xff", `":1}}}`), get("host_one")},
		"a summary that is too long": {long(`{"data":{"indicator":[{"type":"File","summary":"`, "\xff : ", `"}]}}`), get("indicators_list")},
		"an answer that breaks off":  {list(`{"data":{"owner":[`, `{"id":7}`, "]"), get("owners_list")},
		"a failure of much data":     {list(`{"data":{"owner":[`, `{"id":7}`, `]},"status":"Failure"}`), get("owners_list")},
		"a failure of many words":    {long(`{"status":"Failure","message":"\n`, "x", `"}`), get("owners_list")},
		"a long status":              {long(`{"status":"\n`, "x", `"}`), get("owners_list")},
		"records":                    {list(`{"hits":{"hits":[`, `{"_source":{}}`, "]}}"), records},
		"a record":                   {long(`{"_source":{"x":"`, "x", `"}}`), get("data_store_record")},
	} {
		for _, encoding := range []string{"", "gzip"} {
			t.Run(strings.TrimSpace(name+" "+encoding), func(t *testing.T) {
				body := []byte(g.answer)
				if require.LessOrEqual(t, len(body), size); encoding != "" {
					body = zipped(t, body)
				}
				c := memoryClient(t, 200, body, encoding, tc.WithMaxResponseBytes(int64(size)))
				assert.Less(t, peakOf(func() { _ = g.call(t.Context(), c) }), int64(4*size+constant))
			})
		}
	}
	element := 16 << 20
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
		"a report":         {200, `{"indicator":[`, `{"type":"Host","summary":"a.example"},`, `{}]}`, scaletest.N(8 << 20), func(ctx context.Context, c *tc.Client) error { return counted(c.InOwner("x").Bulk.JSON(ctx)) }, 0},
		"an element":       {200, `{"indicator":[{"summary":"`, "x", `"}]}`, element - 20, func(ctx context.Context, c *tc.Client) error { return counted(c.InOwner("x").Bulk.JSON(ctx)) }, 4 * int64(element)},
		"a list of errors": {200, `[`, `{"code":"0x1005","errorReason":"x"},`, `{}]`, scaletest.N(8 << 20), func(ctx context.Context, c *tc.Client) error { return counted(c.Batch.Errors(ctx, 1)) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			body := []byte(g.head + strings.Repeat(g.unit, g.length/len(g.unit)) + g.tail)
			c := memoryClient(t, g.status, body, "", tc.WithMaxResponseBytes(int64(size)))
			assert.Less(t, peakOf(func() { _ = g.call(t.Context(), c) }), g.limit+constant)
		})
	}
}

// counted reads a sequence and keeps nothing.
func counted[T any](seq func(func(T, error) bool)) error {
	for _, err := range seq {
		if err != nil {
			return err
		}
	}
	return nil
}

// memoryClient is answered with the same body every time, without a length that says how much comes.
func memoryClient(t *testing.T, status int, body []byte, encoding string, opts ...tc.Option) *tc.Client {
	t.Helper()
	c, err := tc.NewClient("https://tc.example/api", tc.Token("token"), append(opts, tc.WithOwner("Example Source"),
		tc.WithRetry(tc.RetryPolicy{MaxAttempts: 2, BaseDelay: 1, MaxDelay: 1}),
		tc.WithTransport(wiretest.Func(func(r *http.Request) (*http.Response, error) {
			h := http.Header{"Content-Type": {"application/json"}}
			if encoding != "" {
				h.Set("Content-Encoding", encoding)
			}
			return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: -1, Request: r}, nil
		})))...)
	require.NoError(t, err)
	return c
}

// peakOf returns how many bytes live on the heap at most while f runs, in addition to those that did before. The
// collector runs each time the heap has grown a little, and says how much it found alive.
func peakOf(f func()) int64 {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	read := func() int64 { metrics.Read(live); return int64(live[0].Value.Uint64()) }
	defer debug.SetGCPercent(debug.SetGCPercent(5))
	runtime.GC()
	runtime.GC() // also drops what pools hold
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
