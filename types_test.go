package threatconnect_test

import (
	"context"
	"encoding/json"
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

func TestIndicatorTypePatterns(t *testing.T) {
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

// Custom indicators from mixed lists can be used as resources, whatever their type. A client reads the
// types of the instance once, when it first needs one.
func TestCustomIndicatorsFromMixedListsAreUsable(t *testing.T) {
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

func TestUnknownTypesAreRequestedOncePerMinute(t *testing.T) {
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

func TestConcurrentCallsShareOneTypeRead(t *testing.T) {
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

func TestAssociationTypesIncludeConstants(t *testing.T) {
	t.Parallel()
	forEveryOddity(t, func(t *testing.T, _ *threatconnecttest.Server, c *threatconnect.Client) {
		types, err := threatconnect.Collect(c.Types.Associations(t.Context(), nil))
		require.NoError(t, err)
		branches := map[threatconnect.AssociationType]threatconnect.AssociationTypeInfo{}
		for _, info := range types {
			branches[info.Branch] = info
		}
		for _, as := range []threatconnect.AssociationType{
			threatconnect.AssociationAddressToUserAgent, threatconnect.AssociationASNToAddress, threatconnect.AssociationASNToCIDR,
			threatconnect.AssociationCIDRToAddress, threatconnect.AssociationDNSPTRRecord, threatconnect.AssociationDomainRegistrant,
			threatconnect.AssociationFileDownload, threatconnect.AssociationURLHost,
		} {
			assert.False(t, branches[as].FileAction, as)
			assert.NotEmpty(t, branches[as].Name, as)
		}
		for _, action := range []threatconnect.FileAction{
			threatconnect.FileActionArchive, threatconnect.FileActionDrop, threatconnect.FileActionTraffic, threatconnect.FileActionMutex,
			threatconnect.FileActionRegistryKey, threatconnect.FileActionUserAgent, threatconnect.FileActionDNSQuery,
		} {
			assert.True(t, branches[threatconnect.AssociationType(action)].FileAction, action)
		}
		assert.True(t, branches["hostToIndicators"].Custom)

		one, err := c.Types.Association(t.Context(), "ASN to CIDR")
		require.NoError(t, err)
		assert.Equal(t, threatconnect.AssociationASNToCIDR, one.Branch)
		require.ErrorIs(t, second(c.Types.Association(t.Context(), "Nothing to Nothing")), threatconnect.ErrNotFound)
		require.ErrorIs(t, second(c.Types.Association(t.Context(), "")), threatconnect.ErrValidation)
	})
}

func TestAttributeTypesAreListed(t *testing.T) {
	t.Parallel()
	forEveryOddity(t, func(t *testing.T, _ *threatconnecttest.Server, c *threatconnect.Client) {
		ctx := t.Context()
		types := all(t, c.Types.Attributes(ctx, nil))
		require.NotEmpty(t, types)
		for _, info := range types {
			assert.NotEmpty(t, info.Name)
			assert.NotNil(t, info.System)
			assert.Nil(t, info.ValidationRule)
		}
		system := all(t, c.Types.Attributes(ctx, &threatconnect.AttributeTypeListOptions{System: new(true)}))
		custom := all(t, c.Types.Attributes(ctx, &threatconnect.AttributeTypeListOptions{System: new(false)}))
		assert.Len(t, types, len(system)+len(custom))
		one, err := c.Types.Attribute(ctx, "Description")
		require.NoError(t, err)
		assert.NotNil(t, one.ValidationRule)
		lengths, err := c.Types.AttributeLengths(ctx, nil)
		require.NoError(t, err)
		assert.Len(t, lengths, len(types))
		assert.EqualValues(t, one.MaxLength, lengths["Description"])
		require.ErrorIs(t, second(c.InOwner("Nobody").Types.AttributeLengths(ctx, nil)), threatconnect.ErrOwnerRefused)
		require.ErrorIs(t, second(c.Types.Attribute(ctx, "No such")), threatconnect.ErrNotFound)
		require.ErrorIs(t, relatedErr(c.InOwner("Nobody").Types.Attributes(ctx, nil)), threatconnect.ErrOwnerRefused)
	})
}

func TestAttributeTypesOnTheWire(t *testing.T) {
	t.Parallel()
	c := owned(t,
		wiretest.Want{Target: "/v2/types/attributeTypes?allowMarkdown=false&includes=validationRule&maxLength=500&owner=Example%20Source&resultLimit=500&system=true",
			Answer: `{"status":"Success","data":{"attributeType":[{"name":"Port","system":"true","allowMarkdown":false,"maxLength":"500",
				"validationRule":{"text":"[0-9]+"},"description":"x"},{"name":"Bare","validationRule":null}]}}`},
		wiretest.Want{Target: "/v2/types/attributeTypes?owner=Example%20Source&resultLimit=500",
			Answer: `{"status":"Success","data":{"attributeType":[{"name":"Port","maxLength":"500"},{"name":"Bare"},{"name":"Odd","maxLength":-1}]}}`},
		wiretest.Want{Target: "/v2/types/attributeTypes/Source%20Port?includes=validationRule", Answer: `{"status":"Success","data":{"attributeType":{"name":"Source Port"}}}`},
	)
	types := all(t, c.Types.Attributes(t.Context(), &threatconnect.AttributeTypeListOptions{
		System: new(true), AllowMarkdown: new(false), MaxLength: 500, Rules: true}))
	assert.Equal(t, []threatconnect.AttributeTypeInfo{
		{Name: "Port", System: new(true), AllowMarkdown: new(false), MaxLength: 500, ValidationRule: json.RawMessage(`{"text":"[0-9]+"}`),
			Extra: map[string]json.RawMessage{"description": json.RawMessage(`"x"`)}},
		{Name: "Bare"},
	}, types)
	lengths, err := c.Types.AttributeLengths(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, map[string]int{"Port": 500}, lengths)
	one, err := c.Types.Attribute(t.Context(), "Source Port")
	require.NoError(t, err)
	assert.Equal(t, "Source Port", one.Name)
	require.ErrorIs(t, relatedErr(c.Types.Attributes(t.Context(), &threatconnect.AttributeTypeListOptions{MaxLength: -1})), threatconnect.ErrValidation)
}

func TestFileOccurrencesAreWrittenAndRead(t *testing.T) {
	t.Parallel()
	forEveryOddity(t, func(t *testing.T, srv *threatconnecttest.Server, c *threatconnect.Client) {
		seedIndicators(t, srv, threatconnecttest.IndicatorRecord{Type: "File", Summary: relatedFile.Value})
		o, ctx := c.FileOccurrences, t.Context()
		on, err := o.On(ctx, relatedFile)
		require.NoError(t, err)
		assert.Empty(t, on)
		at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", -5*60*60))
		made, err := o.Add(ctx, relatedFile, threatconnect.FileOccurrence{FileName: "a.dll", Path: `C:\Windows`, Date: at})
		require.NoError(t, err)
		assert.NotZero(t, made.ID)
		assert.True(t, at.Equal(made.Date), made.Date)
		changed, err := o.Update(ctx, relatedFile, made.ID, threatconnect.FileOccurrenceUpdate{FileName: new("b.dll")})
		require.NoError(t, err)
		assert.Equal(t, `C:\Windows`, changed.Path)
		got, err := o.Get(ctx, relatedFile, made.ID)
		require.NoError(t, err)
		assert.Equal(t, "b.dll", got.FileName)
		on, err = o.On(ctx, relatedFile)
		require.NoError(t, err)
		assert.Equal(t, []threatconnect.FileOccurrence{got}, on)
		require.NoError(t, o.Remove(ctx, relatedFile, made.ID))
		require.ErrorIs(t, second(o.Get(ctx, relatedFile, made.ID)), threatconnect.ErrNotFound)
		require.ErrorIs(t, o.Remove(ctx, relatedFile, made.ID), threatconnect.ErrNotFound)

		for name, err := range map[string]error{
			"a host":       second(o.On(ctx, relatedHost)),
			"a group":      second(o.Add(ctx, relatedIncident, threatconnect.FileOccurrence{Path: "x"})),
			"nothing":      o.Remove(ctx, nil, 1),
			"no id":        second(o.Get(ctx, relatedFile, 0)),
			"no id to set": second(o.Update(ctx, relatedFile, 0, threatconnect.FileOccurrenceUpdate{Path: new("x")})),
			"no field":     second(o.Add(ctx, relatedFile, threatconnect.FileOccurrence{})),
			"no change":    second(o.Update(ctx, relatedFile, 1, threatconnect.FileOccurrenceUpdate{})),
			"a broken one": second(o.Add(ctx, relatedFile, threatconnect.FileOccurrence{Path: "\xff"})),
		} {
			require.ErrorIs(t, err, threatconnect.ErrValidation, name)
		}
	})
}

func TestFileOccurrencesOnTheWire(t *testing.T) {
	t.Parallel()
	const base = "/v2/indicators/files/D41D8CD98F00B204E9800998ECF8427E/fileOccurrences"
	c := owned(t,
		wiretest.Want{Target: base + relatedPage, Answer: `{"status":"Success","data":{"fileOccurrence":{"id":7,"path":"/tmp","date":"2026-01-02T03:04:05Z"}}}`},
		wiretest.Want{Method: "POST", Target: base + relatedOwner, Body: `{"fileName":"a b","date":"2026-01-02T03:04:05Z"}`, Status: 502, Answer: "bad gateway"},
		wiretest.Want{Method: "PUT", Target: base + "/7" + relatedOwner, Body: `{"path":"/var"}`, Answer: `{"status":"Success","data":{"fileOccurrence":{"id":7}}}`},
		wiretest.Want{Method: "PUT", Target: base + "/7" + relatedOwner, Body: `{"fileName":"","date":null}`, Answer: `{"status":"Success","data":{"fileOccurrence":{"id":7}}}`},
	)
	on, err := c.FileOccurrences.On(t.Context(), relatedFile)
	require.NoError(t, err)
	require.Len(t, on, 1, "a single object is a list of one")
	assert.Equal(t, "/tmp", on[0].Path)
	_, err = c.FileOccurrences.Add(t.Context(), relatedFile, threatconnect.FileOccurrence{FileName: "a b", Date: on[0].Date})
	require.ErrorIs(t, err, threatconnect.ErrServer, "Add is not retried")
	_, err = c.FileOccurrences.Update(t.Context(), relatedFile, 7, threatconnect.FileOccurrenceUpdate{Path: new("/var")})
	require.NoError(t, err)
	_, err = c.FileOccurrences.Update(t.Context(), relatedFile, 7, threatconnect.FileOccurrenceUpdate{FileName: new(""), Date: new(time.Time)})
	require.NoError(t, err)
}

func TestResolutionsAreReadFromBothSides(t *testing.T) {
	t.Parallel()
	forEveryOddity(t, func(t *testing.T, srv *threatconnecttest.Server, c *threatconnect.Client) {
		at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		seedIndicators(t, srv, threatconnecttest.IndicatorRecord{Type: "Address", Summary: "192.0.2.7"},
			threatconnecttest.IndicatorRecord{Type: "Host", Summary: "www.example.com", DNSActive: true,
				Resolutions: []threatconnecttest.Resolution{{Date: at, Addresses: []string{"192.0.2.7", "192.0.2.8"}}}},
			threatconnecttest.IndicatorRecord{Type: "Host", Summary: "mail.example.com"})
		ctx := t.Context()
		resolutions := all(t, c.Indicators.HostResolutions(ctx, relatedHost, nil))
		require.Len(t, resolutions, 1)
		assert.True(t, at.Equal(resolutions[0].Date))
		require.Len(t, resolutions[0].Addresses, 2)
		assert.Equal(t, "192.0.2.8", resolutions[0].Addresses[1].IP)
		hosts := all(t, c.Indicators.AddressResolutions(ctx, relatedAddress, nil))
		require.Len(t, hosts, 1)
		assert.Equal(t, "www.example.com", hosts[0].HostName)
		assert.Empty(t, all(t, c.Indicators.HostResolutions(ctx, threatconnect.NewHost("mail.example.com"), nil)))
		require.ErrorIs(t, relatedErr(c.Indicators.HostResolutions(ctx, threatconnect.NewHost("no.example.com"), nil)), threatconnect.ErrNotFound)
		require.ErrorIs(t, relatedErr(c.Indicators.HostResolutions(ctx, relatedAddress, nil)), threatconnect.ErrValidation)
		require.ErrorIs(t, relatedErr(c.Indicators.AddressResolutions(ctx, relatedHost, nil)), threatconnect.ErrValidation)
	})
}
