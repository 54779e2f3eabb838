package threatconnect_test

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// typedIndicators has one indicator of each type, with its path and its JSON.
var typedIndicators = []struct {
	new              func() threatconnect.Indicator
	branch, entity   string
	path, body, json string // path segment, JSON of the values in a request, and in a response
}{
	{func() threatconnect.Indicator { return threatconnect.NewAddress("2001:db8::1") }, "addresses", "address", "2001%3Adb8%3A0%3A0%3A0%3A0%3A0%3A1", `"ip":"2001:db8:0:0:0:0:0:1"`, `"ip":"2001:db8:0:0:0:0:0:1"`},
	{func() threatconnect.Indicator { return threatconnect.NewEmailAddress("bad@B\u00fccher.example") }, "emailAddresses", "emailAddress", "bad%40xn--bcher-kva.example", `"address":"bad@xn--bcher-kva.example"`, `"address":"bad@xn--bcher-kva.example"`},
	{func() threatconnect.Indicator { return threatconnect.NewFile("d41d8cd98f00b204e9800998ecf8427e") }, "files", "file", "D41D8CD98F00B204E9800998ECF8427E", `"md5":"D41D8CD98F00B204E9800998ECF8427E"`, `"md5":"D41D8CD98F00B204E9800998ECF8427E"`},
	{func() threatconnect.Indicator { return threatconnect.NewHost("WWW.example.com.") }, "hosts", "host", "www.example.com", `"hostName":"www.example.com"`, `"hostName":"www.example.com"`},
	{func() threatconnect.Indicator { return threatconnect.NewURL("http://example.com/a?b=c") }, "urls", "url", "http%3A%2F%2Fexample.com%2Fa%3Fb%3Dc", `"text":"http://example.com/a?b=c"`, `"text":"http://example.com/a?b=c"`},
	{func() threatconnect.Indicator { return threatconnect.NewASN("64500") }, "asns", "asn", "ASN64500", `"AS Number":"ASN64500"`, `"AS Number":"ASN64500"`},
	{func() threatconnect.Indicator { return threatconnect.NewCIDR("192.0.2.0/24") }, "cidrBlocks", "cidrBlock", "192.0.2.0%2F24", `"Block":"192.0.2.0/24"`, `"Block":"192.0.2.0/24"`},
	{func() threatconnect.Indicator { return threatconnect.NewMutex(`Global\a b`) }, "mutexes", "mutex", "Global%5Ca%20b", `"Mutex":"Global\\a b"`, `"Mutex":"Global\\a b"`},
	{func() threatconnect.Indicator { return threatconnect.NewRegistryKey(`HKLM\a`, "b", "REG_SZ") }, "registryKeys", "registryKey", "HKEY_LOCAL_MACHINE%5Ca%20%3A%20b%20%3A%20REG_SZ",
		`"Key Name":"HKEY_LOCAL_MACHINE\\a","Value Name":"b","Value Type":"REG_SZ"`, `"Key Name":"HKEY_LOCAL_MACHINE\\a","Value Name":"b","Value Type":"REG_SZ"`},
	{func() threatconnect.Indicator { return threatconnect.NewUserAgent("Evil/1.0 (x; y)") }, "userAgents", "userAgent", "Evil%2F1.0%20%28x%3B%20y%29", `"User Agent String":"Evil/1.0 (x; y)"`, `"User Agent String":"Evil/1.0 (x; y)"`},
}

func TestEveryIndicatorTypeOnTheWire(t *testing.T) {
	t.Parallel()
	for _, tc := range typedIndicators {
		t.Run(tc.branch, func(t *testing.T) {
			t.Parallel()
			one := fmt.Sprintf(`{"status":"Success","data":{%q:{"id":"7","owner":{"id":0,"name":"Example Source","type":"Source"},"dateAdded":"2026-01-02T03:04:05","rating":"3.0","confidence":"20",`+
				`"privateFlag":"true","active":true,"future":{"a":[1]},%s}}}`, tc.entity, tc.json)
			at := "/v2/indicators/" + tc.branch
			c := owned(t,
				wiretest.Want{Method: "POST", Target: at + "?owner=Example%20Source", Body: "{" + tc.body + `,"rating":3,"confidence":20}`, Status: 201, Answer: one},
				wiretest.Want{Method: "PUT", Target: at + "/" + tc.path + "?owner=Example%20Source", Body: `{"rating":4.5}`, Answer: one},
				wiretest.Want{Target: at + "/" + tc.path + "?includeAdditional=true&owner=Another%20Source", Answer: one},
				wiretest.Want{Method: "DELETE", Target: at + "/" + tc.path + "?owner=Example%20Source"},
			)
			ind := tc.new()
			ind.Meta().Rating, ind.Meta().Confidence = new(3.0), new(20)
			got, err := c.Indicators.Create(t.Context(), ind)
			require.NoError(t, err)
			assert.IsType(t, ind, got)
			assert.Equal(t, ind.Type(), got.Type())
			m := got.Meta()
			assert.Equal(t, int64(7), m.ID)
			assert.Equal(t, threatconnect.Owner{Name: "Example Source", Type: threatconnect.OwnerSource}, m.Owner)
			assert.Equal(t, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), m.DateAdded)
			assert.Equal(t, []any{3.0, 20, true, true}, []any{*m.Rating, *m.Confidence, *m.Private, *m.Active})
			assert.Nil(t, m.ThreatAssessScore)
			assert.Nil(t, m.Additional)
			assert.Equal(t, map[string]json.RawMessage{"future": json.RawMessage(`{"a":[1]}`)}, m.Extra)

			_, err = c.Indicators.Update(t.Context(), got, threatconnect.IndicatorUpdate{Rating: new(4.5)})
			require.NoError(t, err)
			_, err = c.Indicators.Get(t.Context(), threatconnect.IndicatorRef{Type: ind.Type(), Value: ind.Summary(), Owner: "Another Source"}, nil)
			require.NoError(t, err)
			require.NoError(t, c.Indicators.Delete(t.Context(), got))
		})
	}
}

func TestHostWithEveryField(t *testing.T) {
	t.Parallel()
	c := owned(t, wiretest.Want{Target: "/v2/indicators/hosts/www.example.com?includeAdditional=true&includeAttributes=true&includeTags=true&includes=labels&owner=Example%20Source", Answer: `{"status":"Success","data":{"host":{
		"id":54321,"owner":{"id":3,"name":"Example Source","type":"Source"},"dateAdded":"2026-01-02T03:04:05Z","lastModified":"2026-01-02T03:04:05-04:00","rating":0.0,"confidence":0,
		"threatAssessRating":3,"threatAssessConfidence":18.33,"threatAssessScore":412,"calScore":500,"calIndicatorStatus":1,"webLink":"https://tc.example/x","description":"d","source":"s",
		"hostName":"www.example.com","dnsActive":"true","whoisActive":"FALSE","active":"true","activeLocked":false,
		"tag":[{"name":"Phishing","webLink":"w"}],"attribute":{"id":"1","type":"Description","value":"v","displayed":true,"dateAdded":"2026-01-02T03:04:05Z"},"securityLabel":[{"name":"TLP:AMBER","description":"x"}],
		"observationCount":3,"lastObserved":"2026-01-02T03:04:05-05:00Z","falsePositiveCount":"1","falsePositiveLastReported":null,"communityOrSource":true,
		"additionalOwners":[{"id":"9","name":"Other","type":"Community"}]}}}`})
	h, err := c.Indicators.Hosts.Get(t.Context(), "www.example.com", &threatconnect.IndicatorGetOptions{Include: threatconnect.Include{Tags: true, Attributes: true, Labels: true}})
	require.NoError(t, err)
	assert.Equal(t, []any{true, false, true, false}, []any{*h.DNSActive, *h.WhoisActive, *h.Active, *h.ActiveLocked})
	assert.Equal(t, []any{0.0, 0, 3.0, 18.33, 412, 500, 1}, []any{*h.Rating, *h.Confidence, *h.ThreatAssessRating, *h.ThreatAssessConfidence, *h.ThreatAssessScore, *h.CALScore, *h.CALStatus})
	assert.Equal(t, time.Date(2026, 1, 2, 7, 4, 5, 0, time.UTC), h.LastModified)
	assert.Equal(t, []threatconnect.Tag{{Name: "Phishing", WebLink: "w"}}, h.Tags)
	require.Len(t, h.Attributes, 1)
	assert.Equal(t, "Description", h.Attributes[0].Type)
	assert.Equal(t, []threatconnect.SecurityLabel{{Name: "TLP:AMBER", Description: "x"}}, h.SecurityLabels)
	require.NotNil(t, h.Additional)
	assert.Equal(t, int64(3), h.Additional.ObservationCount)
	assert.False(t, h.Additional.LastObserved.IsZero())
	assert.Equal(t, int64(1), h.Additional.FalsePositives)
	assert.True(t, h.Additional.LastFalsePositive.IsZero())
	assert.Equal(t, []threatconnect.Owner{{ID: 9, Name: "Other", Type: threatconnect.OwnerCommunity}}, h.Additional.OtherOwners)
	assert.Nil(t, h.Extra)
}

func TestMixedListsOfIndicators(t *testing.T) {
	t.Parallel()
	const md5, sha = "D41D8CD98F00B204E9800998ECF8427E", "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"
	c := owned(t, wiretest.Want{Target: "/v2/indicators?includeAdditional=true&owner=Example%20Source&resultLimit=500", Answer: `{"status":"Success","data":{"resultCount":7,"indicator":[
		{"id":1,"ownerName":"Example Source","type":"Host","summary":"www.example.com","dnsActive":"true"},
		{"dnsActive":"false","summary":"late.example.com","id":"2","ownerName":"Example Source","type":"Host"},
		{"id":3,"owner":{"id":1,"name":"Another Source"},"type":"File","summary":"` + md5 + ` : ` + sha + `","size":"12"},
		{"id":4,"type":"Registry Key","summary":"HKEY_LOCAL_MACHINE\\a : b : REG_SZ"},
		{"id":5,"type":"Bitcoin Address","summary":"1abc : x","custom":{"deep":[1,2]},"rating":4},
		{"id":6,"type":"Email Subject","summary":"Invoice : Urgent"},
		{"id":7,"summary":"typeless"}]}}`})
	got, err := threatconnect.Collect(c.Indicators.All(t.Context(), nil))
	require.NoError(t, err)
	require.Len(t, got, 7)
	h := got[0].(*threatconnect.Host)
	assert.Equal(t, "www.example.com", h.HostName)
	assert.True(t, *h.DNSActive)
	assert.Nil(t, h.Extra)
	late := got[1].(*threatconnect.Host)
	assert.Equal(t, "late.example.com", late.HostName)
	assert.False(t, *late.DNSActive)
	assert.Equal(t, "Example Source", late.Owner.Name)
	f := got[2].(*threatconnect.File)
	assert.Equal(t, []any{md5, "", sha, int64(12), "Another Source"}, []any{f.MD5, f.SHA1, f.SHA256, *f.Size, f.Owner.Name})
	k := got[3].(*threatconnect.RegistryKey)
	assert.Equal(t, []string{`HKEY_LOCAL_MACHINE\a`, "b", "REG_SZ"}, []string{k.KeyName, k.ValueName, k.ValueType})
	u := got[4].(*threatconnect.CustomIndicator)
	assert.Equal(t, threatconnect.IndicatorType("Bitcoin Address"), u.Type())
	assert.Equal(t, "1abc : x", u.Summary())
	assert.InDelta(t, 4, *u.Rating, 0)
	assert.JSONEq(t, `{"id":5,"type":"Bitcoin Address","summary":"1abc : x","custom":{"deep":[1,2]},"rating":4}`, string(u.Raw))
	assert.Equal(t, `{"deep":[1,2]}`, string(u.Extra["custom"]))
	assert.Equal(t, "Invoice : Urgent", got[5].(*threatconnect.EmailSubject).Subject)
	assert.Equal(t, "typeless", got[6].Summary())
}

func TestCustomTypes(t *testing.T) {
	t.Parallel()
	const one = `{"status":"Success","data":{"wallet":{"id":7,"Coin":"BTC","Id":"1/a","x":1}}}`
	c := owned(t,
		wiretest.Want{Target: typesPage, Answer: `{"data":{"indicatorType":[{"name":"Wallet","custom":"true","apiBranch":"wallets","apiEntity":"wallet","value1Label":"Coin","value2Label":"Id"}]}}`},
		wiretest.Want{Method: "POST", Target: "/v2/indicators/wallets?owner=Example%20Source", Body: `{"Coin":"BTC","Id":"1/a","rating":3}`, Answer: one},
		wiretest.Want{Target: "/v2/indicators/wallets/BTC%20%3A%201%2Fa?includeAdditional=true&owner=Example%20Source", Answer: one},
		wiretest.Want{Target: "/v2/indicators/wallets/BTC%20%3A%201%2Fa?includeAdditional=true&owner=Example%20Source", Answer: one},
		wiretest.Want{Target: "/v2/indicators/wallets?includeAdditional=true&owner=Example%20Source&resultLimit=500", Answer: `{"status":"Success","data":{"wallet":[{"summary":"ETH : 2"}]}}`},
	)
	s := c.Indicators.Custom("Wallet")
	w := threatconnect.NewCustomIndicator("Wallet", "BTC", "1/a")
	w.Rating = new(3.0)
	got, err := s.Create(t.Context(), w)
	require.NoError(t, err)
	assert.Equal(t, [3]string{"BTC", "1/a"}, got.Values)
	assert.Equal(t, "1", string(got.Extra["x"]))
	assert.JSONEq(t, `{"id":7,"Coin":"BTC","Id":"1/a","x":1}`, string(got.Raw))
	_, err = s.Get(t.Context(), "BTC : 1/a", nil)
	require.NoError(t, err)
	raw, err := c.Indicators.Get(t.Context(), threatconnect.IndicatorRef{Type: "Wallet", Value: "BTC : 1/a"}, nil)
	require.NoError(t, err)
	assert.Contains(t, string(raw.(*threatconnect.CustomIndicator).Raw), `"Coin":"BTC"`)
	page, err := s.List(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, [3]string{"ETH", "2"}, page.Items[0].Values)

	for name, bad := range map[string]*threatconnect.CustomIndicator{
		"nil": nil, "too few values": threatconnect.NewCustomIndicator("Wallet", "BTC"), "more than labels": threatconnect.NewCustomIndicator("Wallet", "a", "b", "c"),
		"more than three": threatconnect.NewCustomIndicator("Wallet", "a", "b", "c", "d"), "another type": threatconnect.NewCustomIndicator("Purse", "a", "b"), "a line break": threatconnect.NewCustomIndicator("Wallet", "a\n", "b"),
	} {
		_, err := s.Create(t.Context(), bad)
		require.ErrorIs(t, err, threatconnect.ErrValidation, name)
	}
	for _, bad := range []threatconnect.IndicatorType{"", "Purse", threatconnect.TypeHost} {
		_, err := c.Indicators.Custom(bad).Get(t.Context(), "x", nil)
		require.ErrorIs(t, err, threatconnect.ErrValidation, bad)
	}
}

func TestInvalidIndicatorsAreRejected(t *testing.T) {
	t.Parallel()
	c := owned(t)
	with := func(f func(h *threatconnect.Host)) *threatconnect.Host {
		h := threatconnect.NewHost("s3cret.example")
		f(h)
		return h
	}
	for name, h := range map[string]*threatconnect.Host{
		"nil": nil, "no value": {}, "a bad value": threatconnect.NewHost("s3cret host"),
		"a rating above 5":       with(func(h *threatconnect.Host) { h.Rating = new(5.1) }),
		"a negative rating":      with(func(h *threatconnect.Host) { h.Rating = new(-0.1) }),
		"a rating of NaN":        with(func(h *threatconnect.Host) { h.Rating = new(math.NaN()) }),
		"an infinite rating":     with(func(h *threatconnect.Host) { h.Rating = new(math.Inf(1)) }),
		"a rating of 6":          with(func(h *threatconnect.Host) { h.Rating = new(6.0) }),
		"a negative confidence":  with(func(h *threatconnect.Host) { h.Confidence = new(-1) }),
		"a confidence above 100": with(func(h *threatconnect.Host) { h.Confidence = new(101) }),
		"tags":                   with(func(h *threatconnect.Host) { h.Tags = []threatconnect.Tag{{Name: "x"}} }),
		"attributes":             with(func(h *threatconnect.Host) { h.Attributes = []threatconnect.Attribute{{}} }),
		"labels":                 with(func(h *threatconnect.Host) { h.SecurityLabels = []threatconnect.SecurityLabel{{}} }),
		"a description":          with(func(h *threatconnect.Host) { h.Description = "x" }),
		"an xid":                 with(func(h *threatconnect.Host) { h.XID = "x" }),
		"groups":                 with(func(h *threatconnect.Host) { h.GroupXIDs = []string{"x"} }),
	} {
		_, err := c.Indicators.Hosts.Create(t.Context(), h)
		require.ErrorIs(t, err, threatconnect.ErrValidation, name)
		assert.NotContains(t, err.Error(), "s3cret")
	}
	_, err := c.Indicators.Create(t.Context(), nil)
	require.ErrorIs(t, err, threatconnect.ErrValidation)
	require.ErrorIs(t, c.Indicators.Delete(t.Context(), threatconnect.GroupRef{Type: threatconnect.GroupThreat, ID: 1}), threatconnect.ErrValidation)
	var none *threatconnect.IndicatorRef
	require.ErrorIs(t, c.Indicators.Delete(t.Context(), none), threatconnect.ErrValidation)
	require.ErrorIs(t, c.Indicators.Delete(t.Context(), nil), threatconnect.ErrValidation)
	var host *threatconnect.Host
	require.ErrorIs(t, c.Indicators.Delete(t.Context(), host), threatconnect.ErrValidation)
	f := threatconnect.NewFile("d41d8cd98f00b204e9800998ecf8427e")
	f.Occurrences = []threatconnect.FileOccurrence{{FileName: "x"}}
	_, err = c.Indicators.Files.Create(t.Context(), f)
	require.ErrorIs(t, err, threatconnect.ErrValidation)
}

func TestIndicatorUpdateSendsOnlySetFields(t *testing.T) {
	t.Parallel()
	const host, file = `{"data":{"host":{"hostName":"a.example"}}}`, `{"data":{"file":{}}}`
	const hostAt, fileAt = "/v2/indicators/hosts/a.example?owner=Example%20Source", "/v2/indicators/files/" + md5A + "?owner=Another%20Source"
	c := owned(t,
		wiretest.Want{Method: "PUT", Target: hostAt, Body: `{"rating":3}`, Answer: host},
		wiretest.Want{Method: "PUT", Target: hostAt, Body: `{"rating":0,"confidence":0,"active":false,"activeLocked":true,"privateFlag":false,"dnsActive":"true","whoisActive":"false"}`, Answer: host},
		wiretest.Want{Method: "PUT", Target: fileAt, Body: `{"size":0}`, Answer: file},
	)
	got, err := c.Indicators.Hosts.Update(t.Context(), "A.example", threatconnect.IndicatorUpdate{Rating: new(3.0)})
	require.NoError(t, err)
	assert.Equal(t, "a.example", got.HostName)
	_, err = c.Indicators.Hosts.Update(t.Context(), "a.example", threatconnect.IndicatorUpdate{
		Rating: new(0.0), Confidence: new(0), Active: new(false), ActiveLocked: new(true), Private: new(false), DNSActive: new(true), WhoisActive: new(false),
	})
	require.NoError(t, err)
	_, err = c.Indicators.Update(t.Context(), threatconnect.IndicatorRef{Type: threatconnect.TypeFile, Value: md5A, Owner: "Another Source"}, threatconnect.IndicatorUpdate{Size: new(int64(0))})
	require.NoError(t, err)
}

// An update sends only the fields of IndicatorUpdate. A tag appended to the indicator that was read must
// not be sent.
func TestUpdateKeepsUnsetFields(t *testing.T) {
	t.Parallel()
	client := threatconnecttest.NewT(t).Client()
	_, err := client.Indicators.Hosts.Create(t.Context(), threatconnect.NewHost("a.example"))
	require.NoError(t, err)
	read, err := client.Indicators.Hosts.Get(t.Context(), "a.example", &threatconnect.IndicatorGetOptions{Include: threatconnect.Include{Tags: true}})
	require.NoError(t, err)
	_, err = client.Indicators.Hosts.Update(t.Context(), "a.example", threatconnect.IndicatorUpdate{DNSActive: new(true), Active: new(false)}) // by another user
	require.NoError(t, err)

	read.Tags = append(read.Tags, threatconnect.Tag{Name: "Phishing"})
	_, err = client.Indicators.Update(t.Context(), read, threatconnect.IndicatorUpdate{Rating: new(3.0)})
	require.NoError(t, err)
	got, err := client.Indicators.Hosts.Get(t.Context(), "a.example", &threatconnect.IndicatorGetOptions{Include: threatconnect.Include{Tags: true}})
	require.NoError(t, err)
	assert.Empty(t, got.Tags)
	assert.Equal(t, []any{3.0, true, false}, []any{*got.Rating, *got.DNSActive, *got.Active})
}

func TestInvalidIndicatorUpdatesAreRejected(t *testing.T) {
	t.Parallel()
	c := owned(t)
	for name, tc := range map[string]struct {
		typ    threatconnect.IndicatorType
		update threatconnect.IndicatorUpdate
		want   string
	}{
		"no field":            {threatconnect.TypeHost, threatconnect.IndicatorUpdate{}, "IndicatorUpdate has no field set; set the fields that are to change"},
		"a rating of 6":       {threatconnect.TypeHost, threatconnect.IndicatorUpdate{Rating: new(6.0)}, "rating must be 0 to 5"},
		"a rating of NaN":     {threatconnect.TypeHost, threatconnect.IndicatorUpdate{Rating: new(math.NaN())}, "rating must be 0 to 5"},
		"a confidence of -1":  {threatconnect.TypeHost, threatconnect.IndicatorUpdate{Confidence: new(-1)}, "confidence must be 0 to 100"},
		"a negative size":     {threatconnect.TypeFile, threatconnect.IndicatorUpdate{Size: new(int64(-1))}, "IndicatorUpdate.Size is negative"},
		"the size of a host":  {threatconnect.TypeHost, threatconnect.IndicatorUpdate{Size: new(int64(1))}, "IndicatorUpdate.Size is not a field of the type Host; leave it out, it is for File only"},
		"the DNS of a file":   {threatconnect.TypeFile, threatconnect.IndicatorUpdate{DNSActive: new(true)}, "IndicatorUpdate.DNSActive is not a field of the type File; leave it out, it is for Host only"},
		"the WHOIS of a file": {threatconnect.TypeFile, threatconnect.IndicatorUpdate{WhoisActive: new(true), Rating: new(1.0)}, "IndicatorUpdate.WhoisActive is not a field of the type File"},
		"a private mutex":     {threatconnect.TypeMutex, threatconnect.IndicatorUpdate{Private: new(false)}, "IndicatorUpdate.Private is not a field of the type Mutex; leave it out, it is for Address, EmailAddress, File, Host or URL only"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := c.Indicators.Update(t.Context(), threatconnect.IndicatorRef{Type: tc.typ, Value: map[threatconnect.IndicatorType]string{
				threatconnect.TypeHost: "a.example", threatconnect.TypeFile: md5A, threatconnect.TypeMutex: "m",
			}[tc.typ]}, tc.update)
			require.ErrorIs(t, err, threatconnect.ErrValidation)
			assert.ErrorContains(t, err, tc.want)
		})
	}
	for name, r := range map[string]threatconnect.Resource{"nothing": nil, "a group": relatedIncident, "a host without a name": threatconnect.NewHost("")} {
		_, err := c.Indicators.Update(t.Context(), r, threatconnect.IndicatorUpdate{Rating: new(3.0)})
		require.ErrorIs(t, err, threatconnect.ErrValidation, name)
	}
}

func TestNewFileDetectsHashByLength(t *testing.T) {
	t.Parallel()
	c := threatconnecttest.NewT(t).Client()
	for name, tc := range map[string]struct{ hash, md5, sha1, sha256, rule string }{
		"an MD5":              {hash: md5A, md5: md5A},
		"a SHA-1":             {hash: sha1A, sha1: sha1A},
		"a SHA-256":           {hash: sha256A, sha256: sha256A},
		"an MD5 on a line":    {hash: md5A + "\n", md5: md5A},
		"a SHA-1 in a table":  {hash: "\t" + sha1A, sha1: sha1A},
		"a SHA-256 on a line": {hash: " " + sha256A + "\r\n", sha256: sha256A},
		"a SHA-512":           {hash: sha256A + sha256A, rule: "is not 32, 40 or 64 digits long"},
		"no hash":             {hash: " invoice.pdf\n", rule: "is not hexadecimal"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, err := c.Indicators.Files.Create(t.Context(), threatconnect.NewFile(tc.hash))
			if tc.rule != "" {
				require.ErrorContains(t, err, tc.rule)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, []string{tc.md5, tc.sha1, tc.sha256}, []string{f.MD5, f.SHA1, f.SHA256})
		})
	}
}

func TestFlagAndSizeEncoding(t *testing.T) {
	t.Parallel()
	const hostAnswer, fileAnswer = `{"data":{"host":{}}}`, `{"data":{"file":{}}}`
	c := owned(t,
		wiretest.Want{Method: "POST", Target: "/v2/indicators/hosts?owner=Another%20Source", Body: `{"hostName":"a.example","active":false,"activeLocked":true,"privateFlag":false,"dnsActive":"true","whoisActive":"false"}`, Answer: hostAnswer},
		wiretest.Want{Method: "POST", Target: "/v2/indicators/files?owner=Example%20Source", Body: `{"md5":"D41D8CD98F00B204E9800998ECF8427E","size":0}`, Answer: fileAnswer},
	)
	h := threatconnect.NewHost("a.example")
	h.DNSActive, h.WhoisActive, h.Active, h.ActiveLocked, h.Private = new(true), new(false), new(false), new(true), new(false)
	_, err := c.InOwner("Another Source").Indicators.Hosts.Create(t.Context(), h)
	require.NoError(t, err)
	f := threatconnect.NewFile("d41d8cd98f00b204e9800998ecf8427e")
	f.Size = new(int64(0))
	_, err = c.Indicators.Files.Create(t.Context(), f)
	require.NoError(t, err)
}

// GET .../mutexes/deleted lists the deleted mutexes. A list of one could be mistaken for a mutex with the
// name "deleted".
func TestGetRejectsValueNamedLikeList(t *testing.T) {
	t.Parallel()
	c := owned(t,
		wiretest.Want{Method: "DELETE", Target: "/v2/indicators/mutexes/deleted?owner=Example%20Source"},
	)
	_, err := c.Indicators.Mutexes.Get(t.Context(), "deleted", nil)
	require.ErrorIs(t, err, threatconnect.ErrValidation)
	_, err = c.Indicators.Get(t.Context(), threatconnect.IndicatorRef{Type: threatconnect.TypeUserAgent, Value: "deleted"}, nil)
	require.ErrorIs(t, err, threatconnect.ErrValidation)
	require.NoError(t, c.Indicators.Mutexes.Delete(t.Context(), "deleted"), "DELETE has no such list")
}

func TestObservationsOnTheWire(t *testing.T) {
	t.Parallel()
	const at = "/v2/indicators/hosts/www.example.com"
	day := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	c := owned(t,
		wiretest.Want{Method: "POST", Target: at + "/observations?owner=Example%20Source", Body: `{"count":2,"dateObserved":"2026-01-02T03:04:05Z"}`},
		wiretest.Want{Target: at + "/observations?owner=Example%20Source&resultLimit=500", Answer: `{"data":{"observation":[{"count":"2","dateObserved":"2026-01-02T03:04:05Z"}]}}`},
		wiretest.Want{Target: at + "/observationCount?owner=Example%20Source", Answer: `{"data":{"observationCount":{"count":9,"lastObserved":"2026-01-02T03:04:05Z","yourCount":2}}}`},
		wiretest.Want{Method: "POST", Target: at + "/falsePositive?owner=Example%20Source", Answer: `{"data":{"falsePositive":{"count":1,"lastReported":"2026-01-02T03:04:05Z"}}}`},
		wiretest.Want{Target: "/v2/indicators/observed?dateObserved=2026-01-01&owner=Another%20Source", Answer: `{"data":{"indicator":[{"summary":"www.example.com","observationCount":3,"lastObserved":"2026-01-02T03:04:05Z","userObservedList":{"userName":"ada","count":1}}]}}`},
		wiretest.Want{Target: "/v2/indicators/deleted?deletedSince=2026-01-02T03%3A04%3A05Z&owner=Example%20Source&resultLimit=500", Answer: `{"data":{"resultCount":1,"indicator":[{"type":"Host","summary":"www.example.com","ownerName":"Example Source","dateAdded":"2026-01-02T03:04:05"}]}}`},
		wiretest.Want{Target: "/v2/indicators/hosts/deleted?owner=Another%20Source&resultLimit=500", Answer: `{"data":{"host":[]}}`},
	)
	require.NoError(t, c.Indicators.Observe(t.Context(), relatedHost, threatconnect.Observation{Count: 2, Date: day}))
	seen, err := c.Indicators.Observations(t.Context(), relatedHost)
	require.NoError(t, err)
	assert.Equal(t, []threatconnect.Observation{{Count: 2, Date: day}}, seen)
	count, err := c.Indicators.ObservationCount(t.Context(), relatedHost)
	require.NoError(t, err)
	assert.Equal(t, threatconnect.ObservationCount{Count: 9, LastObserved: day, YourCount: 2}, count)
	false1, err := c.Indicators.ReportFalsePositive(t.Context(), relatedHost)
	require.NoError(t, err)
	assert.Equal(t, threatconnect.FalsePositives{Count: 1, LastReported: day}, false1)
	// The day is the date in the time's own zone, not in UTC.
	observed, err := c.InOwner("Another Source").Indicators.Observed(t.Context(), day.In(time.FixedZone("", -5*3600)))
	require.NoError(t, err)
	assert.Equal(t, []threatconnect.ObservedIndicator{{Summary: "www.example.com", Count: 3, LastObserved: day, ByUser: []threatconnect.ObservedBy{{UserName: "ada", Count: 1}}}}, observed)
	gone, err := threatconnect.Collect(c.Indicators.Deleted(t.Context(), &threatconnect.DeletedOptions{Since: day}))
	require.NoError(t, err)
	assert.Equal(t, []threatconnect.DeletedIndicator{{Type: threatconnect.TypeHost, Summary: "www.example.com", Owner: "Example Source", DateAdded: day}}, gone)
	gone, err = threatconnect.Collect(c.InOwner("Another Source").Indicators.Hosts.Deleted(t.Context(), nil))
	require.NoError(t, err)
	assert.Empty(t, gone)

	for _, bad := range []threatconnect.Observation{{}, {Count: -1}, {Count: 1, Date: time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)}} {
		require.ErrorIs(t, c.Indicators.Observe(t.Context(), relatedHost, bad), threatconnect.ErrValidation)
	}
	require.ErrorIs(t, c.Indicators.Observe(t.Context(), relatedIncident, threatconnect.Observation{Count: 1}), threatconnect.ErrValidation)
}

func TestIndicatorTypesOnTheWire(t *testing.T) {
	t.Parallel()
	c := owned(t,
		wiretest.Want{Target: "/v2/types/indicatorTypes?includeAdditional=true&resultLimit=500", Answer: `{"data":{"resultCount":2,"indicator":[
			{"name":"Registry Key","custom":"true","parsable":"false","apiBranch":"registryKeys","apiEntity":"registryKey","casePreference":"sensitive","value1Label":"Key Name","value1Type":"text","value2Label":"Value Name",
			 "value3Label":"Value Type","value3Type":"selectone","value3Option":"REG_SZ;REG_DWORD","regexes":["a","b"]},
			{"name":"Host","custom":"false","parsable":"true","apiBranch":"hosts","apiEntity":"host","keys":{"key1":"hostName"},"regexes":"x"}]}}`},
		wiretest.Want{Target: "/v2/types/indicatorTypes/userAgent?includeAdditional=true", Answer: `{"data":{"indicatorType":{"name":"User Agent"}}}`},
		wiretest.Want{Target: "/v2/types/indicatorTypes?includeAdditional=true&resultLimit=500", Answer: `{"data":{"resultCount":1,"indicatorType":[{"name":"Crypto Wallet","custom":"true","apiBranch":"wallets","apiEntity":"wallet","value1Label":"Chain"}]}}`},
		wiretest.Want{Target: "/v2/types/indicatorTypes/wallet?includeAdditional=true", Answer: `{"data":{"indicatorType":{"name":"Crypto Wallet"}}}`},
	)
	got, err := threatconnect.Collect(c.Types.Indicators(t.Context(), nil))
	require.NoError(t, err)
	require.Len(t, got, 2)
	assert.Equal(t, []string{"Key Name", "Value Name", "Value Type"}, got[0].Labels())
	assert.True(t, got[0].Custom)
	assert.Equal(t, "REG_SZ;REG_DWORD", got[0].Values[2].Option)
	assert.Equal(t, []string{"a", "b"}, got[0].Regexes)
	assert.Equal(t, []any{[]string{"hostName"}, true, false, []string{"x"}}, []any{got[1].Labels(), got[1].Parsable, got[1].Custom, got[1].Regexes})
	one, err := c.Types.Indicator(t.Context(), threatconnect.TypeUserAgent)
	require.NoError(t, err)
	assert.Equal(t, threatconnect.TypeUserAgent, one.Name)
	one, err = c.Types.Indicator(t.Context(), "Crypto Wallet")
	require.NoError(t, err)
	assert.EqualValues(t, "Crypto Wallet", one.Name)
	_, err = c.Types.Indicator(t.Context(), "")
	require.ErrorIs(t, err, threatconnect.ErrValidation)
}
