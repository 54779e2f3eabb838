package threatconnect_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	tc "github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
)

// shapeNumber finds the ids, counts and versions in a body, except the size of a list, which has to
// fit the list.
var shapeNumber = regexp.MustCompile(`("(?:id|[a-zA-Z]*Id|version|_version|[a-qs-z][a-zA-Z]*Count|count|size|total[A-Z][a-zA-Z]*|total|maxLength)"\s*:\s*)"?\d+"?`)

// Ids and counts have 64 bits, also where an int has 32: the shapes of all answers are read with
// the largest number in place of each, and it comes back as often as a small one does.
func TestIDsAndCountsThatAreReadHave64Bits(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/shapes/*.json")
	require.NoError(t, err)
	found := 0
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		if strings.HasPrefix(name, "batch_") {
			continue // TestCountsOfJobsAreCounts
		}
		body, err := os.ReadFile(file)
		require.NoError(t, err)
		count := func(n int64) int {
			got, err := shapeCalls[name](t.Context(), shapeClientOf(t, func(r *http.Request) string {
				asked := path.Base(r.URL.Path) // an answer has the id that a call names
				return shapeNumber.ReplaceAllStringFunc(string(body), func(member string) string {
					key, number, _ := strings.Cut(member, ":")
					if strings.Trim(number, ` "`) == asked {
						return member
					}
					return key + ":" + strconv.FormatInt(n, 10)
				})
			}))
			require.NoError(t, err, "%s with the number %d", name, n)
			l := leaves{}
			l.addGo(reflect.ValueOf(got))
			return l[strconv.FormatFloat(float64(n), 'g', -1, 64)]
		}
		small, large := count(77_777_777), count(math.MaxInt64)
		assert.Equal(t, small, large, name)
		found += large
	}
	assert.Greater(t, found, 100, "so many numbers were looked at")
}

// What is sent to is found again, whatever the size of its id.
func TestIDsThatAreSentHave64Bits(t *testing.T) {
	t.Parallel()
	const id = math.MaxInt64 - 1
	group, task, victim := tc.GroupRef{Type: tc.GroupAdversary, ID: id}, tc.TaskRef{ID: id}, tc.VictimRef{ID: id}
	for want, call := range map[string]func(ctx context.Context, c *tc.Client) error{
		"GET /v2/owners/N": dropped(func(ctx context.Context, c *tc.Client) (tc.Owner, error) { return c.Owners.Get(ctx, id) }),
		"GET /v2/owners/N/metrics?resultLimit=500": dropped(func(ctx context.Context, c *tc.Client) ([]tc.OwnerMetric, error) {
			return tc.Collect(c.Owners.Metrics(ctx, id, nil))
		}),
		"GET /v2/groups/incidents/N?includeAdditional=true": dropped(func(ctx context.Context, c *tc.Client) (*tc.Incident, error) {
			return c.Groups.Incidents.Get(ctx, id, nil)
		}),
		"DELETE /v2/groups/adversaries/N": func(ctx context.Context, c *tc.Client) error { return c.Groups.Delete(ctx, group) },
		"GET /v2/groups/adversaries/N/attributes/N": dropped(func(ctx context.Context, c *tc.Client) (tc.Attribute, error) {
			return c.Attributes.Get(ctx, group, id)
		}),
		"POST /v2/tasks/N/tags/x": func(ctx context.Context, c *tc.Client) error { return c.Tags.Add(ctx, task, "x") },
		"DELETE /v2/tasks/N":      func(ctx context.Context, c *tc.Client) error { return c.Tasks.Delete(ctx, id) },
		"DELETE /v2/victims/N":    func(ctx context.Context, c *tc.Client) error { return c.Victims.Delete(ctx, id) },
		"DELETE /v2/victims/N/victimAssets/phoneNumbers/N": func(ctx context.Context, c *tc.Client) error {
			return c.VictimAssets.Remove(ctx, victim, tc.VictimAssetPhone, id)
		},
		"DELETE /v2/groups/adversaries/N/adversaryAssets/handles/N": func(ctx context.Context, c *tc.Client) error {
			return c.AdversaryAssets.Remove(ctx, group, tc.AdversaryAssetHandle, id)
		},
		"POST /v2/tasks/N/victims/N":             func(ctx context.Context, c *tc.Client) error { return c.Associations.Link(ctx, task, victim) },
		"GET /v2/customMetrics/N":                dropped(func(ctx context.Context, c *tc.Client) (tc.Metric, error) { return c.Metrics.GetByID(ctx, id) }),
		"GET /v2/batch/N?includeAdditional=true": dropped(func(ctx context.Context, c *tc.Client) (*tc.BatchStatus, error) { return c.Batch.Status(ctx, id) }),
		"DELETE /v2/indicators/files/D41D8CD98F00B204E9800998ECF8427E/fileOccurrences/N": func(ctx context.Context, c *tc.Client) error {
			return c.FileOccurrences.Remove(ctx, tc.NewFile("d41d8cd98f00b204e9800998ecf8427e"), id)
		},
	} {
		s := &wiretest.Steps{Do: steps{wiretest.Answer(400, "")}}
		require.Error(t, call(t.Context(), clientOf(t, s)), want)
		require.Equal(t, 1, s.Count(), want)
		assert.Equal(t, want, s.Sent[0].Method+" "+strings.TrimPrefix(strings.ReplaceAll(s.Sent[0].URL.RequestURI(), fmt.Sprint(int64(id)), "N"), "/api"))
	}

	// Numbers in bodies.
	bodies := map[string]func(ctx context.Context, c *tc.Client) error{
		`"count":N`: func(ctx context.Context, c *tc.Client) error {
			return c.Indicators.Observe(ctx, tc.NewHost("a.example"), tc.Observation{Count: id})
		},
		`"value":N`: func(ctx context.Context, c *tc.Client) error {
			return c.Metrics.Add(ctx, "m", tc.MetricPoint{Value: new(int64(id))})
		},
		`"ownerId":N`: func(ctx context.Context, c *tc.Client) error {
			return c.Notifications.Send(ctx, tc.Notification{Type: "x", Priority: tc.PriorityLow, Message: "x", OwnerID: new(int64(id))})
		},
		`"size":N`: func(ctx context.Context, c *tc.Client) error {
			f := tc.NewFile("d41d8cd98f00b204e9800998ecf8427e")
			f.Size = new(int64(id))
			_, err := c.Indicators.Files.Create(ctx, f)
			return err
		},
	}
	for want, call := range bodies {
		var sent string
		c := clientOf(t, wiretest.Func(func(r *http.Request) (*http.Response, error) {
			var raw json.RawMessage
			if err := json.NewDecoder(r.Body).Decode(&raw); err != nil {
				return nil, err
			}
			sent = string(raw)
			return wiretest.Reply(400, ""), nil
		}))
		require.Error(t, call(t.Context(), c))
		assert.Contains(t, sent, strings.ReplaceAll(want, "N", fmt.Sprint(int64(id))))
	}
}

// dropped makes a call of a method that also returns a value.
func dropped[T any](call func(ctx context.Context, c *tc.Client) (T, error)) func(context.Context, *tc.Client) error {
	return func(ctx context.Context, c *tc.Client) error {
		_, err := call(ctx, c)
		return err
	}
}

func TestThePageAtTheEndOfAllNumbersIsTheLast(t *testing.T) {
	t.Parallel()
	c := clientOf(t, &wiretest.Steps{Do: steps{wiretest.Answer(200, `{"data":{"resultCount":5,"host":[{"hostName":"a.example"}]}}`)}})
	page, err := c.Indicators.Hosts.List(t.Context(), &tc.IndicatorListOptions{ListOptions: tc.ListOptions{Start: math.MaxInt, Limit: 1}})
	require.NoError(t, err)
	assert.False(t, page.More)

	c = clientOf(t, &wiretest.Steps{Do: steps{wiretest.Answer(200, `{"data":{"resultCount":9223372036854775807,"host":[{"hostName":"a.example"}]}}`)}})
	page, err = c.Indicators.Hosts.List(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, int64(math.MaxInt64), page.Total)
	assert.True(t, page.More)
}
