package threatconnect_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	tc "github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/scaletest"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
)

// TestThreatAnswersTimeGrowsLinearly reads answers of each form, made of one part again and again: twice the length
// takes less than three times as long. It is not parallel, because it measures time.
func TestThreatAnswersTimeGrowsLinearly(t *testing.T) {
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
	get := func(name string) func(context.Context, *tc.Client) error {
		return func(ctx context.Context, c *tc.Client) error { _, err := shapeCalls[name](ctx, c); return err }
	}
	type call = func(context.Context, *tc.Client) error
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
		"one member again and again":  {list(`{"data":{"host":{`, `"rating":"x"`, "}}}"), get("host_one")},
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
		"a host that is asked for":    {repeated(`{"data":{"host":{"hostName":"`, "a ", `"}}}`), get("host_one")},
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
			scaletest.RequireLinear(t, 40<<10, 2, func(n int) func() {
				body := g.answer(n)
				return func() {
					_ = g.call(t.Context(), shapeClient(t, body, tc.WithRetry(tc.RetryPolicy{MaxAttempts: 1})))
				}
			})
		})
	}
	// Headers, and texts in which credentials are looked for.
	answered := func(status int, body string, header ...string) func() {
		c := clientOf(t, &wiretest.Steps{Do: steps{wiretest.Answer(status, body, header...)}}, tc.WithRetry(tc.RetryPolicy{MaxAttempts: 1}))
		return func() { _, _ = c.Owners.Whoami(t.Context()) }
	}
	for name, unit := range map[string]string{
		"letters": "a", "signatures": strings.Repeat("a", 43) + "=", "percent signs": "%25", "entities": "&amp;", "escapes": `\\u0041`, "digits": "1", "spaces": " ", "authorization": "authorization ", "not UTF-8": "\xff", "links": "https://a.example/ ",
	} {
		t.Run(name, func(t *testing.T) {
			scaletest.RequireLinear(t, 40<<10, 2, func(n int) func() {
				return answered(400, strings.Repeat(unit, n/len(unit)), "Content-Type", "text/plain")
			})
			scaletest.RequireLinear(t, 40<<10, 2, func(n int) func() {
				return answered(400, `{"status":"Failure","message":"`+strings.Repeat(unit, n/len(unit))+`"}`)
			})
			text := func(n int) string { return strings.Repeat(unit, n/len(unit)) }
			for _, field := range []string{"Retry-After", "Date", "Location", "Content-Type", "Content-Encoding"} {
				scaletest.RequireLinear(t, 40<<10, 2, func(n int) func() { return answered(503, "", field, text(n)) })
				scaletest.RequireLinear(t, 40<<10, 2, func(n int) func() { return answered(302, "", field, text(n)) })
			}
			scaletest.RequireLinear(t, 40<<10, 2, func(n int) func() {
				failed := errors.New(text(n))
				c, err := tc.NewClient("https://tc.example/api", tc.TokenFunc(func(context.Context) (string, time.Time, error) { return "", time.Time{}, failed }))
				require.NoError(t, err)
				return func() { _, _ = c.Owners.Whoami(t.Context()) }
			})
			scaletest.RequireLinear(t, 40<<10, 2, func(n int) func() {
				failed := errors.New(text(n))
				c := clientOf(t, wiretest.Func(func(*http.Request) (*http.Response, error) { return nil, failed }), tc.WithRetry(tc.RetryPolicy{MaxAttempts: 1}))
				return func() { _, _ = c.Owners.Whoami(t.Context()) }
			})
		})
	}
}
