package threatconnect_test

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
	"github.com/threatconnect-go/threatconnect/ioc"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// warnings returns a logger, and a function that returns its new records without their times.
func warnings() (*slog.Logger, func() []string) {
	var log bytes.Buffer
	h := slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})
	return slog.New(h), func() []string {
		defer log.Reset()
		return strings.Split(strings.TrimSuffix(log.String(), "\n"), "\n")
	}
}

const ownerTagRecord = `level=WARN msg="threatconnect: a tag repeats the owner's name, which the resource has already: use the bare word" `

func TestTagRepeatingOwnerNameIsLogged(t *testing.T) {
	t.Parallel()
	logger, logged := warnings()
	s := &wiretest.Steps{Do: steps{wiretest.Answer(200, successes)}}
	c := clientOf(t, s, threatconnect.WithLogger(logger))
	threat := threatconnect.GroupRef{Type: threatconnect.GroupThreat, ID: 7, Owner: " Beispiel Größe"}
	for tag, warned := range map[string]bool{
		"Beispiel Größe": true, " beispiel GRÖSSE": false, "BEISPIEL GRÖßE ": true, "Beispiel Größe: Phishing": true, "Beispiel größe-Phishing": true, "Beispiel Größe - Phishing": true,
		"Beispiel Größe Phishing": false, "Beispiel Größen": false, "Beispiel": false, "Beispiel Größ": false, "Phishing: Beispiel Größe": false, "Größe": false,
	} {
		want := []string{""}
		if warned {
			want = []string{ownerTagRecord + "route=/v2/groups/threats/{}/tags/{}"}
		}
		require.NoError(t, c.Tags.Add(t.Context(), threat, tag))
		assert.Equal(t, want, logged(), tag)
	}
	sent := len(s.Sent)
	require.NoError(t, c.Tags.Add(t.Context(), threat, "Beispiel Größe", "beispiel größe ", "Beispiel Größe: a", "b"))
	assert.Len(t, logged(), 2, "once for each tag")
	assert.Len(t, s.Sent, sent+4, "the tags are added")
	require.NoError(t, c.Tags.Remove(t.Context(), threat, "Beispiel Größe"))
	threat.Owner = ""
	require.NoError(t, c.Tags.Add(t.Context(), threat, "Beispiel Größe", "-x"), "the owner is not known")
	assert.Equal(t, []string{""}, logged())
	require.NoError(t, c.InOwner("Beispiel Größe").Tags.Add(t.Context(), threat, "Beispiel Größe"), "the client's owner")
	assert.Len(t, logged()[0], len(ownerTagRecord+"route=/v2/groups/threats/{}/tags/{}"))
	require.NoError(t, clientOf(t, s).InOwner("X").Tags.Add(t.Context(), threat, "X"), "there is no logger")
}

func TestImportedTagRepeatingOwnerNameIsLogged(t *testing.T) {
	t.Parallel()
	logger, logged := warnings()
	c := threatconnecttest.NewT(t).Client(threatconnect.WithLogger(logger))
	host := func(n int, tags ...string) *threatconnect.Host {
		h := batchHost(n)
		for _, tag := range tags {
			h.Tags = append(h.Tags, threatconnect.Tag{Name: tag})
		}
		return h
	}
	g := batchGroup("x-1")
	g.Tags = []threatconnect.Tag{{Name: batchOwner}}
	items := []threatconnect.BatchItem{host(0, batchOwner+": excluded"), host(1, "Example"), host(2, "example source", "Example Source: Phishing"), g,
		threatconnect.NewHost("no host"), host(3, "EXAMPLE SOURCE", "Example Source- Bot")}
	cfg := appendConfig()
	cfg.Exclude = func(_, value string) (string, bool) { return "", value == "h0.example" }
	for _, items := range [][]threatconnect.BatchItem{items, merged(t, items)} {
		_, err := c.Batch.Import(t.Context(), cfg, sequence(items))
		require.ErrorIs(t, itemError(t, err), threatconnect.ErrValidation)
		assert.Equal(t, []string{ownerTagRecord + "item=2", ownerTagRecord + "item=2", ownerTagRecord + "item=5"}, logged())
	}

	_, err := c.Batch.Import(t.Context(), appendConfig(), func(yield func(threatconnect.BatchItem, error) bool) {
		for n := range 150 {
			_ = yield(host(n, fmt.Sprintf("Example Source: %d", n)), nil)
		}
	})
	require.NoError(t, err)
	assert.Len(t, logged(), 100)
	cfg.Action = threatconnect.BatchDelete
	_, err = c.Batch.Import(t.Context(), cfg, sequence(items[3:4]))
	require.NoError(t, err)
	assert.Equal(t, []string{""}, logged(), "a deletion has no tags")
}

func TestTagLifecycle(t *testing.T) {
	t.Parallel()
	forEveryOddity(t, func(t *testing.T, srv *threatconnecttest.Server, c *threatconnect.Client) {
		ctx := t.Context()
		assert.Empty(t, all(t, c.Tags.All(ctx, nil)))
		made, err := c.Tags.Create(ctx, threatconnect.Tag{Name: " Nation State ", Description: "Paid by one"})
		require.NoError(t, err)
		assert.Equal(t, "Nation State", made.Name)
		assert.Equal(t, "Paid by one", made.Description)
		seedIndicators(t, srv, threatconnecttest.IndicatorRecord{Type: "Host", Summary: "www.example.com", Tags: []string{"A/B", "Nation State"}},
			threatconnecttest.IndicatorRecord{Type: "Host", Summary: "mail.example.com", Tags: []string{"A/B"}})

		tags := all(t, c.Tags.All(ctx, &threatconnect.TagListOptions{Filters: threatconnect.Filters{threatconnect.ByName.StartsWith("Na")}}))
		require.Len(t, tags, 1)
		assert.Empty(t, tags[0].Description, "only a detailed list has it")
		tags = all(t, c.Tags.All(ctx, &threatconnect.TagListOptions{Detailed: true, Filters: threatconnect.Filters{threatconnect.ByName.Is("Nation State")}}))
		require.Len(t, tags, 1)
		assert.Equal(t, "Paid by one", tags[0].Description)
		tags = all(t, c.Tags.All(ctx, &threatconnect.TagListOptions{Any: true,
			Filters: threatconnect.Filters{threatconnect.ByWeight.Above(1), threatconnect.ByName.Is("Nation State")}}))
		assert.Len(t, tags, 2)
		page, err := c.Tags.List(ctx, &threatconnect.TagListOptions{ListOptions: threatconnect.ListOptions{Limit: 1}})
		require.NoError(t, err)
		assert.Len(t, page.Items, 1)
		assert.True(t, page.More)

		renamed, err := c.Tags.Update(ctx, "Nation State", threatconnect.TagUpdate{Name: new("State")})
		require.NoError(t, err)
		assert.Equal(t, "State", renamed.Name)
		_, err = c.Tags.Get(ctx, "Nation State")
		require.ErrorIs(t, err, threatconnect.ErrNotFound)
		described, err := c.Tags.Update(ctx, "State", threatconnect.TagUpdate{Description: new("New")})
		require.NoError(t, err)
		assert.Equal(t, "State", described.Name)
		cleared, err := c.Tags.Update(ctx, "State", threatconnect.TagUpdate{Description: new("")})
		require.NoError(t, err)
		assert.Empty(t, cleared.Description)
		record, _ := srv.Indicator("Example Organization", "Host", "www.example.com")
		assert.Equal(t, []string{"A/B", "State"}, record.Tags)

		mail := threatconnect.NewHost("mail.example.com")
		require.NoError(t, c.Tags.Remove(ctx, mail, "A/B"))
		require.ErrorIs(t, c.Tags.Remove(ctx, mail, "A/B"), threatconnect.ErrNotFound)
		on, err := c.Tags.On(ctx, mail)
		require.NoError(t, err)
		assert.Empty(t, on)
		require.NoError(t, c.Tags.Delete(ctx, "A/B"))
		require.ErrorIs(t, c.Tags.Delete(ctx, "A/B"), threatconnect.ErrNotFound)
		record, _ = srv.Indicator("Example Organization", "Host", "www.example.com")
		assert.Equal(t, []string{"State"}, record.Tags)
	})
}

func TestGroupsAndIndicatorsByTagOrLabel(t *testing.T) {
	t.Parallel()
	forEveryOddity(t, func(t *testing.T, srv *threatconnecttest.Server, c *threatconnect.Client) {
		marks := []string{"Phishing"}
		labels := []string{"TLP:AMBER+STRICT"}
		incident := seedGroup(t, srv, threatconnecttest.GroupRecord{Type: "Incident", Name: "Phish", Tags: marks, Labels: labels,
			Fields: map[string]string{"eventDate": "2026-01-02"}})
		plain := seedGroup(t, srv, threatconnecttest.GroupRecord{Type: "Threat", Name: "Gang"})
		seedIndicators(t, srv,
			threatconnecttest.IndicatorRecord{Type: "Host", Summary: "www.example.com", Tags: marks, Labels: labels},
			threatconnecttest.IndicatorRecord{Type: "URL", Summary: relatedURL.Value, Tags: marks, Labels: labels},
			threatconnecttest.IndicatorRecord{Type: "CIDR", Summary: relatedCIDR.Value})
		ctx := t.Context()

		assert.Len(t, all(t, c.Tags.Groups(ctx, "Phishing", nil)), 1)
		assert.Len(t, all(t, c.Tags.Groups(ctx, "Phishing", &threatconnect.RelatedGroupOptions{Type: threatconnect.GroupIncident})), 1)
		assert.Empty(t, all(t, c.Tags.Groups(ctx, "Phishing", &threatconnect.RelatedGroupOptions{Type: threatconnect.GroupThreat})))
		assert.Len(t, all(t, c.Tags.Indicators(ctx, "Phishing", nil)), 2)
		urls := all(t, c.Tags.Indicators(ctx, "Phishing", &threatconnect.RelatedIndicatorOptions{Type: threatconnect.TypeURL}))
		require.Len(t, urls, 1)
		assert.Equal(t, relatedURL.Value, urls[0].Summary())
		group, err := c.Tags.Group(ctx, "Phishing", incident)
		require.NoError(t, err)
		assert.Equal(t, "Phish", group.Meta().Name)
		require.ErrorIs(t, second(c.Tags.Group(ctx, "Phishing", plain)), threatconnect.ErrNotFound)
		require.ErrorIs(t, relatedErr(c.Tags.Groups(ctx, "Unknown", nil)), threatconnect.ErrNotFound)
		require.ErrorIs(t, relatedErr(c.InOwner("Nobody").Tags.Groups(ctx, "Phishing", nil)), threatconnect.ErrOwnerRefused)

		l := c.SecurityLabels
		assert.Len(t, all(t, l.Groups(ctx, labels[0], nil)), 1)
		assert.Len(t, all(t, c.SecurityLabels.Groups(ctx, labels[0], &threatconnect.RelatedGroupOptions{Type: threatconnect.GroupIncident})), 1)
		assert.Len(t, all(t, l.Indicators(ctx, labels[0], nil)), 2)
		assert.Len(t, all(t, c.SecurityLabels.Indicators(ctx, labels[0], &threatconnect.RelatedIndicatorOptions{Type: threatconnect.TypeHost})), 1)
		group, err = l.Group(ctx, labels[0], incident)
		require.NoError(t, err)
		assert.Equal(t, "Phish", group.Meta().Name)
		ind, err := l.Indicator(ctx, labels[0], relatedURL)
		require.NoError(t, err)
		assert.Equal(t, relatedURL.Value, ind.Summary())
		require.ErrorIs(t, second(l.Indicator(ctx, labels[0], relatedCIDR)), threatconnect.ErrNotFound)
		require.ErrorIs(t, relatedErr(l.Groups(ctx, "No such", nil)), threatconnect.ErrNotFound)
	})
}

func TestSecurityLabelsAreListedAppliedAndDeleted(t *testing.T) {
	t.Parallel()
	forEveryOddity(t, func(t *testing.T, srv *threatconnecttest.Server, c *threatconnect.Client) {
		seedIndicators(t, srv, threatconnecttest.IndicatorRecord{Type: "Host", Summary: "www.example.com"})
		ctx, l := t.Context(), c.SecurityLabels
		assert.Len(t, all(t, l.All(ctx, nil)), len(srv.Labels("Example Organization")))
		assert.Len(t, all(t, l.All(ctx, &threatconnect.SecurityLabelListOptions{Filters: threatconnect.Filters{threatconnect.ByName.StartsWith("TLP:AMBER")}})), 2)
		page, err := l.List(ctx, &threatconnect.SecurityLabelListOptions{ListOptions: threatconnect.ListOptions{Limit: 2}})
		require.NoError(t, err)
		assert.Len(t, page.Items, 2)
		label, err := l.Get(ctx, "TLP:RED")
		require.NoError(t, err)
		assert.NotEmpty(t, label.Description)

		require.NoError(t, l.Add(ctx, relatedHost, "TLP:RED"))
		err = l.Add(ctx, relatedHost, "TLP:PINK")
		require.ErrorIs(t, err, threatconnect.ErrNotFound)
		assert.ErrorContains(t, err, "the owner does not have the security label")
		err = l.Remove(ctx, relatedHost, "TLP:GREEN")
		require.ErrorIs(t, err, threatconnect.ErrNotFound)
		assert.NotContains(t, err.Error(), "the owner does not have the security label")
		require.NoError(t, l.Delete(ctx, "TLP:RED"))
		require.ErrorIs(t, second(l.Get(ctx, "TLP:RED")), threatconnect.ErrNotFound)
		on, err := l.On(ctx, relatedHost)
		require.NoError(t, err)
		assert.Empty(t, on)
	})
}

func TestInvalidTagsAndLabelsAreRejectedUnsent(t *testing.T) {
	t.Parallel()
	c := owned(t)
	ctx := t.Context()
	long := strings.Repeat("\u00fc", 129)
	for name, err := range map[string]error{
		"adding":            c.Tags.Add(ctx, relatedHost, "fine", long),
		"creating":          second(c.Tags.Create(ctx, threatconnect.Tag{Name: long})),
		"getting":           second(c.Tags.Get(ctx, long)),
		"renaming":          second(c.Tags.Update(ctx, "old", threatconnect.TagUpdate{Name: &long})),
		"renaming from":     second(c.Tags.Update(ctx, long, threatconnect.TagUpdate{Name: new("new")})),
		"changing nothing":  second(c.Tags.Update(ctx, "old", threatconnect.TagUpdate{})),
		"clearing the name": second(c.Tags.Update(ctx, "old", threatconnect.TagUpdate{Name: new(" ")})),
		"deleting":          c.Tags.Delete(ctx, long),
		"groups":            relatedErr(c.Tags.Groups(ctx, long, nil)),
		"a group":           second(c.Tags.Group(ctx, long, relatedIncident)),
		"no group":          second(c.Tags.Group(ctx, "x", relatedHost)),
		"no task":           second(c.Tags.Task(ctx, "x", relatedHost)),
		"no victim":         second(c.Tags.Victim(ctx, "x", relatedHost)),
		"tasks":             relatedErr(c.Tags.Tasks(ctx, "", nil)),
		"victims":           relatedErr(c.Tags.Victims(ctx, "", nil)),
		"a strange field":   relatedErr(c.Tags.All(ctx, &threatconnect.TagListOptions{Filters: threatconnect.Filters{threatconnect.ByRating.Above(1)}})),
		"too many at once":  second(c.Tags.List(ctx, &threatconnect.TagListOptions{ListOptions: threatconnect.ListOptions{Limit: 10_001}})),
		"a broken text":     second(c.Tags.Create(ctx, threatconnect.Tag{Name: "x", Description: "\xff"})),
		"taking off":        c.Tags.Remove(ctx, relatedHost, "fine", long),
		"a tag of nothing":  second(c.Tags.Task(ctx, "x", nil)),
		"a label on no one": c.SecurityLabels.Add(ctx, nil, "x"),
		"labels on no one":  second(c.SecurityLabels.On(ctx, nil)),
		"labels before":     second(c.SecurityLabels.List(ctx, &threatconnect.SecurityLabelListOptions{ListOptions: threatconnect.ListOptions{Start: -1}})),
		"label's group":     second(c.SecurityLabels.Group(ctx, " ", relatedIncident)),
		"a label's field": relatedErr(c.SecurityLabels.All(ctx, &threatconnect.SecurityLabelListOptions{
			Filters: threatconnect.Filters{threatconnect.ByWeight.Above(1)}})),
		"a label":        second(c.SecurityLabels.Get(ctx, "")),
		"no label":       c.SecurityLabels.Delete(ctx, "a\nb"),
		"no indicator":   second(c.SecurityLabels.Indicator(ctx, "x", relatedIncident)),
		"label's task":   second(c.SecurityLabels.Task(ctx, "x", relatedIncident)),
		"label's victim": second(c.SecurityLabels.Victim(ctx, "x", nil)),
	} {
		require.ErrorIs(t, err, threatconnect.ErrValidation, name)
		assert.NotContains(t, err.Error(), long, name)
	}
}

func TestTasksAndVictimsByTagOrLabel(t *testing.T) {
	t.Parallel()
	const tasks, victims = `{"status":"Success","data":{"resultCount":1,"task":[{"id":"11","name":"Call"}]}}`,
		`{"status":"Success","data":{"resultCount":1,"victim":[{"id":"22","name":"Alex"}]}}`
	task, victim := threatconnect.TaskRef{ID: 11}, threatconnect.VictimRef{ID: 22, Owner: "Example Community"}
	c := owned(t,
		wiretest.Want{Target: "/v2/tags/A%2FB/tasks" + relatedPage, Answer: tasks},
		wiretest.Want{Target: "/v2/tags/A%2FB/victims" + relatedPage, Answer: victims},
		wiretest.Want{Target: "/v2/tags/A%2FB/tasks/11" + relatedOwner, Answer: `{"status":"Success","data":{"task":{"id":11}}}`},
		wiretest.Want{Target: "/v2/tags/A%2FB/victims/22?owner=Example%20Community", Answer: `{"status":"Success","data":{"victim":{"id":22}}}`},
		wiretest.Want{Target: "/v2/securityLabels/TLP%3ARED/tasks" + relatedPage, Answer: tasks},
		wiretest.Want{Target: "/v2/securityLabels/TLP%3ARED/victims" + relatedPage, Answer: victims},
		wiretest.Want{Target: "/v2/securityLabels/TLP%3ARED/tasks/11" + relatedOwner, Answer: `{"status":"Success","data":{"task":{"id":11}}}`},
		wiretest.Want{Target: "/v2/securityLabels/TLP%3ARED/victims/22?owner=Example%20Community", Answer: `{"status":"Success","data":{"victim":{"id":22}}}`},
		wiretest.Want{Method: "POST", Target: "/v2/tags" + relatedOwner, Body: `{"name":"A/B","description":"x"}`, Status: 201,
			Answer: `{"status":"Success","data":{"tag":{"name":"A/B","description":"x"}}}`},
		wiretest.Want{Method: "PUT", Target: "/v2/tags/A%2FB" + relatedOwner, Body: `{"name":"C"}`, Answer: `{"status":"Success","data":{"tag":{"name":"C"}}}`},
	)
	ctx := t.Context()
	for _, e := range []struct {
		name     string
		carriers carriers
	}{{"A/B", c.Tags}, {"TLP:RED", c.SecurityLabels}} {
		assert.Equal(t, "Call", all(t, e.carriers.Tasks(ctx, e.name, nil))[0].Name)
		assert.Equal(t, "Alex", all(t, e.carriers.Victims(ctx, e.name, nil))[0].Name)
		one, err := e.carriers.Task(ctx, e.name, task)
		require.NoError(t, err)
		assert.Equal(t, int64(11), one.ID)
		v, err := e.carriers.Victim(ctx, e.name, victim)
		require.NoError(t, err)
		assert.Equal(t, "Example Community", v.Owner.Name)
	}
	_, err := c.Tags.Create(ctx, threatconnect.Tag{Name: "A/B", Description: "x"})
	require.NoError(t, err)
	_, err = c.Tags.Update(ctx, "A/B", threatconnect.TagUpdate{Name: new("C")})
	require.NoError(t, err)
}

// carriers has the methods that tags and security labels have in common.
type carriers interface {
	Tasks(context.Context, string, *threatconnect.ListOptions) iter.Seq2[*threatconnect.Task, error]
	Victims(context.Context, string, *threatconnect.ListOptions) iter.Seq2[*threatconnect.Victim, error]
	Task(context.Context, string, threatconnect.Resource) (*threatconnect.Task, error)
	Victim(context.Context, string, threatconnect.Resource) (*threatconnect.Victim, error)
}

// Any valid name of a tag survives a round trip to the server, and finds the tag again.
func FuzzTagRoundTrip(f *testing.F) {
	for _, seed := range []string{"Phishing", "A/B", "..", "T1566.001 - Spearphishing", "\u65e5\u672c\u8a9e", "a,b;c=d", "100%", "{}", "\\", "+ +", strings.Repeat("x", 128)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		want, err := ioc.CanonicalTag(name)
		srv := threatconnecttest.New()
		c, ctx := srv.Client(), t.Context()
		made, got := c.Tags.Create(ctx, threatconnect.Tag{Name: name})
		if err != nil {
			require.ErrorIs(t, got, threatconnect.ErrValidation)
			assert.Empty(t, srv.Requests())
			return
		}
		require.NoError(t, got)
		assert.Equal(t, want, made.Name)
		if want == "." || want == ".." { // not possible in a path
			require.ErrorIs(t, c.Tags.Delete(ctx, name), threatconnect.ErrValidation)
			return
		}
		seedIndicators(t, srv, threatconnecttest.IndicatorRecord{Type: "Host", Summary: "www.example.com"})
		require.NoError(t, c.Tags.Add(ctx, relatedHost, name))
		assert.Len(t, all(t, c.Tags.Indicators(ctx, name, &threatconnect.RelatedIndicatorOptions{Type: threatconnect.TypeHost})), 1)
		require.NoError(t, c.Tags.Delete(ctx, name))
		require.ErrorIs(t, second(c.Tags.Get(ctx, name)), threatconnect.ErrNotFound)
	})
}
