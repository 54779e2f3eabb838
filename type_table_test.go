package threatconnect_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

const walletTypes = `{"data":{"indicatorType":[
	{"name":"Wallet","custom":"true","apiBranch":"wallets","apiEntity":"wallet","value1Label":"Coin","value2Label":"Id"},
	{"name":"Hashtag","custom":"true","apiBranch":"hashtags","apiEntity":"hashtag","value1Label":"Hashtag"},
	{"name":"Host","custom":"true","apiBranch":"elsewhere","apiEntity":"x","value1Label":"x"},
	{"name":"Broken","custom":"true","apiEntity":"x","value1Label":"x"}]}}`

func TestPatternsOfAnIndicatorType(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		regexes []string
		err     string
	}{
		{"none", nil, ""},
		{"several", []string{`\b([a-fA-F\d]{32})\b`, `[]\[&a-z^]|[^]\]&x&]|a[&]&&|[a]\[[b]`}, ""},
		{"brackets in quotes", []string{`[a]\Q[[&&\E[b]`, `\Q[[`}, ""},
		{"a lookahead", []string{"a", `\b(?=.{4,253})[a-z]+`}, "threatconnect: compile regular expression 2 of the indicator type \"Wallet\": error parsing regexp: invalid or unsupported Perl syntax: `(?=`"},
		{"a possessive quantifier", []string{`a++`}, "regular expression 1 of"},
		{"a class inside a class", []string{`[a-d[m-p]]`}, "it has a class inside a class"},
		{"an intersection", []string{`[a-z&&b-y]`}, "it has a class inside a class"},
		{"an intersection behind quotes", []string{`\Q]\E[a&&b]`}, "it has a class inside a class"},
		{"a class inside a class that begins with a bracket", []string{`[^][a]]`}, "it has a class inside a class"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := threatconnect.IndicatorTypeInfo{Name: "Wallet", Regexes: tc.regexes}.Patterns()
			if tc.err != "" {
				require.ErrorContains(t, err, tc.err)
				assert.Nil(t, got)
				return
			}
			require.NoError(t, err)
			require.Len(t, got, len(tc.regexes))
			for i, pattern := range got {
				assert.Equal(t, tc.regexes[i], pattern.String())
			}
		})
	}
}

// What comes out of a mixed list can be used as it is, whatever its type: the types of the instance
// are read when the first one is needed, and only then.
func TestCustomIndicatorsOfMixedListsAreResources(t *testing.T) {
	t.Parallel()
	wallet := threatconnecttest.IndicatorType{Name: "Wallet", Branch: "wallets", Entity: "wallet", Fields: []string{"Number", "Chain"}}
	srv := threatconnecttest.NewT(t)
	require.NoError(t, srv.Seed(&wallet))
	c, ctx := srv.Client(), t.Context()
	made, err := c.Indicators.Create(ctx, threatconnect.NewCustomIndicator("Wallet", "w/1", "main"))
	require.NoError(t, err)
	incident, err := c.Groups.Incidents.Create(ctx, threatconnect.NewIncident("Theft", time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)))
	require.NoError(t, err)
	require.NoError(t, c.Associations.Link(ctx, made, incident))

	fresh := srv.Client()
	for _, read := range []func() []threatconnect.Indicator{
		func() []threatconnect.Indicator { return all(t, fresh.Indicators.All(ctx, nil)) },
		func() []threatconnect.Indicator { return all(t, fresh.Associations.Indicators(ctx, incident, nil)) },
	} {
		inds := read()
		require.Len(t, inds, 1)
		ind := inds[0]
		require.NoError(t, fresh.Tags.Add(ctx, ind, "Theft"))
		tags, err := fresh.Tags.On(ctx, ind.Ref())
		require.NoError(t, err)
		assert.Len(t, tags, 1)
		again, err := fresh.Indicators.Get(ctx, ind, nil)
		require.NoError(t, err)
		assert.Equal(t, [3]string{"w/1", "main"}, again.(*threatconnect.CustomIndicator).Values)
		require.NoError(t, fresh.Associations.Unlink(ctx, ind, incident))
		require.NoError(t, fresh.Associations.Link(ctx, incident, ind))
	}
	reads := 0
	for _, r := range srv.Requests() {
		if r.Route == "/v2/types/indicatorTypes" {
			reads++
		}
	}
	assert.Equal(t, 2, reads, "once per client")
	require.NoError(t, fresh.Indicators.Delete(ctx, made))
}

func TestTypesThatTheInstanceDoesNotHaveAreAskedForOnceAMinute(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	s := &wiretest.Steps{Do: steps{wiretest.Answer(200, walletTypes), wiretest.Answer(200, walletTypes), wiretest.Answer(200, `{"data":{"hashtag":{"Hashtag":"#a","id":1}}}`)}}
	c := clientOf(t, s, threatconnect.WithClock(func() time.Time { return now }))
	for _, typ := range []threatconnect.IndicatorType{"Purse", "Broken", "Purse"} {
		_, err := c.Indicators.Get(t.Context(), threatconnect.IndicatorRef{Type: typ, Value: "x"}, nil)
		require.ErrorIs(t, err, threatconnect.ErrValidation)
		assert.ErrorContains(t, err, "which this instance does not have")
	}
	assert.Len(t, s.Sent, 1)
	now = now.Add(time.Minute)
	_, err := c.InOwner("Other").Indicators.Custom("Purse").Get(t.Context(), "x", nil)
	require.ErrorIs(t, err, threatconnect.ErrValidation)
	assert.Len(t, s.Sent, 2)
	now = now.Add(-time.Hour)
	got, err := c.Indicators.Hashtags.Get(t.Context(), "#a", nil)
	require.NoError(t, err)
	assert.Equal(t, "#a", got.Hashtag)
	assert.Len(t, s.Sent, 3, "a type that is known stays known")
	_, err = c.Indicators.Custom(threatconnect.TypeHost).Get(t.Context(), "a.example", nil)
	require.ErrorContains(t, err, "which has a service of its own")
}

func TestTypesAreReadByOneCallAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reads := 0
		c, err := threatconnect.NewClient("https://tc.example/api", threatconnect.HMAC("id", "key"), threatconnect.WithTransport(wiretest.Func(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/api/v2/types/indicatorTypes" {
				reads++
				time.Sleep(time.Second)
				return wiretest.Answer(200, walletTypes)(r)
			}
			return wiretest.Answer(200, `{"data":{"wallet":{"Coin":"a","Id":"b"}}}`)(r)
		})))
		require.NoError(t, err)
		var running sync.WaitGroup
		for i := range 5 {
			running.Go(func() {
				_, err := c.Indicators.Custom("Wallet").Get(t.Context(), fmt.Sprint(i, " : b"), nil)
				assert.NoError(t, err)
			})
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		synctest.Wait()
		_, err = c.Indicators.Custom("Wallet").Get(ctx, "a : b", nil)
		require.ErrorIs(t, err, context.DeadlineExceeded, "a call that waits for the types ends with its context")
		running.Wait()
		assert.Equal(t, 1, reads)
	})
}
