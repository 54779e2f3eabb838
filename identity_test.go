package threatconnect_test

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
)

// everythingWithID returns a response with one object of each kind that has an ID.
func everythingWithID(id string) string {
	var b strings.Builder
	b.WriteString(`{"status":"Success","data":{"resultCount":1`)
	for _, key := range []string{
		"adversary", "attackPattern", "campaign", "courseOfAction", "document", "email", "event", "incident", "intrusionSet", "malware", "report", "signature", "tactic", "threat", "tool", "vulnerability",
		"task", "victim", "owner", "attribute", "fileOccurrence", "customMetricConfig", "adversaryHandle", "victimEmailAddress", "victimAsset", "user", "host", "batchStatus",
	} {
		fmt.Fprintf(&b, `,%q:{"id":%s,"status":"Queued"}`, key, id)
	}
	return b.String() + "}}"
}

// TestThreatResponseIDMustMatchRequest checks that a response is refused if its object has a different ID than the
// one in the request.
func TestThreatResponseIDMustMatchRequest(t *testing.T) {
	t.Parallel()
	text := new("x")
	incident, adversary, victim, file := threatconnect.GroupRef{Type: threatconnect.GroupIncident, ID: 5}, threatconnect.GroupRef{Type: threatconnect.GroupAdversary, ID: 1}, threatconnect.VictimRef{ID: 1}, shapeFile
	type gets func(context.Context, *threatconnect.Client) (any, error)
	named := map[string]gets{ // the last id in the path is 5
		"Groups.Get": func(ctx context.Context, c *threatconnect.Client) (any, error) {
			return c.Groups.Get(ctx, incident, nil)
		},
		"Groups.Update": func(ctx context.Context, c *threatconnect.Client) (any, error) {
			return c.Groups.Update(ctx, incident, threatconnect.GroupUpdate{Name: text})
		},
		"Owners.Get": func(ctx context.Context, c *threatconnect.Client) (any, error) { return c.Owners.Get(ctx, 5) },
		"Tasks.Get":  func(ctx context.Context, c *threatconnect.Client) (any, error) { return c.Tasks.Get(ctx, 5, nil) },
		"Tasks.Update": func(ctx context.Context, c *threatconnect.Client) (any, error) {
			return c.Tasks.Update(ctx, 5, threatconnect.TaskUpdate{Name: text})
		},
		"Tasks.Assignees.GetByID": func(ctx context.Context, c *threatconnect.Client) (any, error) {
			return c.Tasks.Assignees.GetByID(ctx, threatconnect.TaskRef{ID: 1}, 5)
		},
		"Victims.Get": func(ctx context.Context, c *threatconnect.Client) (any, error) { return c.Victims.Get(ctx, 5, nil) },
		"Victims.Update": func(ctx context.Context, c *threatconnect.Client) (any, error) {
			return c.Victims.Update(ctx, 5, threatconnect.VictimUpdate{Name: text})
		},
		"VictimAssets.Get": func(ctx context.Context, c *threatconnect.Client) (any, error) {
			return c.VictimAssets.Get(ctx, victim, threatconnect.VictimAssetEmailAddress, 5)
		},
		"VictimAssets.Update": func(ctx context.Context, c *threatconnect.Client) (any, error) {
			return c.VictimAssets.Update(ctx, victim, threatconnect.VictimAssetEmailAddress, 5, threatconnect.VictimAssetUpdate{Address: text})
		},
		"AdversaryAssets.Get": func(ctx context.Context, c *threatconnect.Client) (any, error) {
			return c.AdversaryAssets.Get(ctx, adversary, threatconnect.AdversaryAssetHandle, 5)
		},
		"AdversaryAssets.Update": func(ctx context.Context, c *threatconnect.Client) (any, error) {
			return c.AdversaryAssets.Update(ctx, adversary, threatconnect.AdversaryAssetHandle, 5, threatconnect.AdversaryAssetUpdate{Value: text})
		},
		"Attributes.Get": func(ctx context.Context, c *threatconnect.Client) (any, error) {
			return c.Attributes.Get(ctx, incident, 5)
		},
		"Attributes.Update": func(ctx context.Context, c *threatconnect.Client) (any, error) {
			return c.Attributes.Update(ctx, incident, 5, threatconnect.AttributeUpdate{Value: text})
		},
		"FileOccurrences.Get": func(ctx context.Context, c *threatconnect.Client) (any, error) {
			return c.FileOccurrences.Get(ctx, file, 5)
		},
		"FileOccurrences.Update": func(ctx context.Context, c *threatconnect.Client) (any, error) {
			return c.FileOccurrences.Update(ctx, file, 5, threatconnect.FileOccurrenceUpdate{Path: text})
		},
		"Metrics.GetByID": func(ctx context.Context, c *threatconnect.Client) (any, error) { return c.Metrics.GetByID(ctx, 5) },
		"Batch.Status":    func(ctx context.Context, c *threatconnect.Client) (any, error) { return c.Batch.Status(ctx, 5) },
		"Batch.Upload": func(ctx context.Context, c *threatconnect.Client) (any, error) {
			return c.Batch.Upload(ctx, 5, strings.NewReader("{}"))
		},
		"Associations.Group": func(ctx context.Context, c *threatconnect.Client) (any, error) {
			return c.Associations.Group(ctx, victim, incident)
		},
		"Associations.Task": func(ctx context.Context, c *threatconnect.Client) (any, error) {
			return c.Associations.Task(ctx, victim, threatconnect.TaskRef{ID: 5})
		},
		"Associations.Victim": func(ctx context.Context, c *threatconnect.Client) (any, error) {
			return c.Associations.Victim(ctx, incident, threatconnect.VictimRef{ID: 5})
		},
		"Associations.VictimAsset": func(ctx context.Context, c *threatconnect.Client) (any, error) {
			return c.Associations.VictimAsset(ctx, incident, threatconnect.VictimAssetEmailAddress, 5)
		},
	}
	// Each service of a group type has Get and Update.
	services := reflect.TypeFor[threatconnect.GroupsService]()
	types := 0
	for f := range services.Fields() {
		if f.IsExported() {
			types++
			service := func(c *threatconnect.Client) reflect.Value { return reflect.ValueOf(c.Groups).FieldByName(f.Name) }
			called := func(ctx context.Context, c *threatconnect.Client, method string, last any) (any, error) {
				out := service(c).MethodByName(method).Call([]reflect.Value{reflect.ValueOf(ctx), reflect.ValueOf(int64(5)), reflect.ValueOf(last)})
				err, _ := reflect.TypeAssert[error](out[1])
				return out[0].Interface(), err
			}
			named["Groups."+f.Name+".Get"] = func(ctx context.Context, c *threatconnect.Client) (any, error) {
				return called(ctx, c, "Get", (*threatconnect.GroupGetOptions)(nil))
			}
			named["Groups."+f.Name+".Update"] = func(ctx context.Context, c *threatconnect.Client) (any, error) {
				u := threatconnect.GroupUpdate{Name: text}
				if f.Name == "Signatures" {
					u.FileName, u.FileText, u.FileType = text, text, new(threatconnect.SignatureSnort)
				}
				return called(ctx, c, "Update", u)
			}
		}
	}
	require.Equal(t, 16, types)
	made := map[string]gets{ // the path ends with a collection
		"Groups.Create": func(ctx context.Context, c *threatconnect.Client) (any, error) {
			return c.Groups.Create(ctx, &threatconnect.Incident{GroupMeta: threatconnect.GroupMeta{Name: "x"}})
		},
		"Tasks.Create": func(ctx context.Context, c *threatconnect.Client) (any, error) {
			return c.Tasks.Create(ctx, &threatconnect.Task{Name: "x"})
		},
		"Victims.Create": func(ctx context.Context, c *threatconnect.Client) (any, error) {
			return c.Victims.Create(ctx, &threatconnect.Victim{Name: "x"})
		},
		"Indicators.Create": func(ctx context.Context, c *threatconnect.Client) (any, error) {
			return c.Indicators.Create(ctx, threatconnect.NewHost("a.example"))
		},
		"Indicators.Get": func(ctx context.Context, c *threatconnect.Client) (any, error) {
			return c.Indicators.Hosts.Get(ctx, "a.example", nil)
		},
		"Attributes.Add": func(ctx context.Context, c *threatconnect.Client) (any, error) {
			return c.Attributes.Add(ctx, incident, threatconnect.Attribute{Type: "Description", Value: "x"})
		},
		"Owners.Mine":  func(ctx context.Context, c *threatconnect.Client) (any, error) { return c.Owners.Mine(ctx) },
		"Batch.Create": func(ctx context.Context, c *threatconnect.Client) (any, error) { return c.Batch.Create(ctx, shapeJob) },
	}
	answered := func(call gets, body string) (any, error) {
		s := &wiretest.Steps{Do: steps{wiretest.Answer(200, body)}}
		v, err := call(t.Context(), clientOf(t, s))
		require.Equal(t, 1, s.Count(), "%v", err)
		return v, err
	}
	for name, call := range named {
		for _, good := range []string{"5", `"5"`, "5.0", "0.5e1"} {
			_, err := answered(call, everythingWithID(good))
			require.NoError(t, err, "%s %s", name, good)
		}
		for _, bad := range []string{"6", "-5", "1e2", "-1", "0", "9223372036854775807", `"50"`, "4.0"} {
			if bad == "0" && strings.HasPrefix(name, "Batch.") {
				continue // 0 means no ID; some versions send it
			}
			_, err := answered(call, everythingWithID(bad))
			require.ErrorIs(t, err, threatconnect.ErrBadResponse, "%s %s", name, bad)
		}
		if strings.HasPrefix(name, "Batch.") {
			continue // the last of duplicate ids wins
		}
		_, err := answered(call, strings.ReplaceAll(everythingWithID("5"), `"id":5`, `"id":6,"id":5`))
		require.ErrorIs(t, err, threatconnect.ErrBadResponse, "%s: two ids", name)
	}
	for name, call := range made {
		_, err := answered(call, everythingWithID("77"))
		require.NoError(t, err, name)
		for _, bad := range []string{"-1", "-9223372036854775808"} {
			_, err := answered(call, everythingWithID(bad))
			require.ErrorIs(t, err, threatconnect.ErrBadResponse, "%s %s", name, bad)
		}
	}

	// An invalid ID in a list reads as 0, and calls about that item are refused.
	for _, bad := range []string{"-1", "0", `"-7"`} {
		p, err := clientOf(t, &wiretest.Steps{Do: steps{wiretest.Answer(200, `{"status":"Success","data":{"resultCount":1,"incident":[{"id":`+bad+`,"name":"x"}]}}`)}}).Groups.Incidents.List(t.Context(), nil)
		require.NoError(t, err)
		require.Zero(t, p.Items[0].ID)
		require.ErrorIs(t, clientOf(t, &wiretest.Steps{}).Groups.Delete(t.Context(), p.Items[0]), threatconnect.ErrValidation)
	}

	// Records of the DataStore and playbooks have text IDs.
	token := func(body string) *threatconnect.Client {
		c, err := threatconnect.NewClient("https://threatconnect.example/api", threatconnect.Token("APIV2:t0k3n"), threatconnect.WithTransport(&wiretest.Steps{Do: steps{wiretest.Answer(200, body)}}))
		require.NoError(t, err)
		return c
	}
	for id, ok := range map[string]bool{"a": true, "b": false, "A": false} {
		d, err := threatconnect.DataStoreOf[struct{}](token(`{"_id":"`+id+`","_source":{}}`), threatconnect.DataStoreLocal, "x")
		require.NoError(t, err)
		_, err = d.Get(t.Context(), "a")
		assert.Equal(t, ok, err == nil, id)
		assert.Equal(t, ok, d.Put(t.Context(), "a", struct{}{}) == nil, id)
	}
	for body, ok := range map[string]bool{`"id":12`: true, `"id":"12"`: true, `"id":13`: false, `"id":13,"groupXid":"12"`: true, `"groupXid":"0-1"`: true} {
		_, err := token(`{"status":"Success","data":{"playbook":{`+body+`,"name":"x"}}}`).Playbooks.Get(t.Context(), "12")
		assert.Equal(t, ok, err == nil, "%s: %v", body, err)
	}
	for _, id := range []string{"12", "13"} {
		_, err := token(`{"status":"Success","data":{"playbook":{"id":`+id+`,"name":"x"}}}`).Playbooks.Get(t.Context(), "0-1")
		require.NoError(t, err)
	}
}

// TestResponseIndicatorMustMatchRequest checks that a response may have the value in another form, but no other value.
func TestResponseIndicatorMustMatchRequest(t *testing.T) {
	t.Parallel()
	const md5, sha1, other = "d41d8cd98f00b204e9800998ecf8427e", "da39a3ee5e6b4b0d3255bfef95601890afd80709", "0123456789abcdef0123456789abcdef"
	for _, one := range []struct {
		typ         threatconnect.IndicatorType
		value       string
		same, wrong []string
	}{
		{threatconnect.TypeHost, "www.example.com", []string{`"hostName":"www.example.com"`, `"hostName":"WWW.Example.COM"`, `"summary":"www.example.com."`, `"hostName":""`, `"id":1`}, []string{`"hostName":"example.com"`, `"summary":"www.example.net"`, `"hostName":"%%"`}},
		{threatconnect.TypeAddress, "2001:db8::1", []string{`"ip":"2001:db8:0:0:0:0:0:1"`, `"ip":"2001:0DB8::0001"`}, []string{`"ip":"2001:db8::2"`, `"ip":"192.0.2.1"`}},
		{threatconnect.TypeEmailAddress, "jdoe@example.com", []string{`"address":"JDoe@EXAMPLE.com"`}, []string{`"address":"root@example.com"`}},
		{threatconnect.TypeURL, "http://example.com/A?b=c", []string{`"text":"HTTP://EXAMPLE.com/A?b=c"`, `"text":"http://example.com/%41?b=c"`}, []string{`"text":"http://example.com/B"`}},
		{threatconnect.TypeURL, "http://example.com/?b=c&d=%C3%A9", []string{`"text":"http://example.com/?b=c&amp;d=é"`, `"text":"http://example.com/?b=c\u0026d=%c3%a9/"`}, []string{`"text":"http://example.com/?b=c"`}},
		{threatconnect.TypeASN, "ASN64496", []string{`"AS Number":"AS64496"`, `"AS Number":"ASN64496"`}, []string{`"AS Number":"ASN64497"`}},
		{threatconnect.TypeCIDR, "192.0.2.0/24", []string{`"Block":"192.0.2.0/24"`}, []string{`"Block":"192.0.0.0/8"`}},
		{threatconnect.TypeFile, md5, []string{`"md5":"` + strings.ToUpper(md5) + `"`, `"sha1":"` + sha1 + `"`, `"md5":"` + md5 + `","sha1":"` + sha1 + `"`}, []string{`"md5":"` + other + `"`, `"md5":"` + other + `","sha1":"` + sha1 + `"`}},
		{threatconnect.TypeRegistryKey, `HKEY_CURRENT_USER\Software\Example : Run : REG_SZ`, []string{`"Key Name":"HKEY_CURRENT_USER\\SOFTWARE\\Example","Value Name":"Run","Value Type":"REG_SZ"`}, []string{`"Key Name":"HKEY_CURRENT_USER\\Other","Value Name":"Run","Value Type":"REG_SZ"`}},
	} {
		for i, members := range append(one.same, one.wrong...) {
			entity := map[threatconnect.IndicatorType]string{threatconnect.TypeEmailAddress: "emailAddress", threatconnect.TypeASN: "asn", threatconnect.TypeURL: "url", threatconnect.TypeCIDR: "cidrBlock", threatconnect.TypeRegistryKey: "registryKey"}[one.typ]
			if entity == "" {
				entity = strings.ToLower(string(one.typ))
			}
			s := &wiretest.Steps{Do: steps{wiretest.Answer(http.StatusOK, `{"status":"Success","data":{"`+entity+`":{`+members+`},"indicator":{`+members+`}}}`)}}
			c := clientOf(t, s)
			ref := threatconnect.IndicatorRef{Type: one.typ, Value: one.value}
			_, err := c.Indicators.Get(t.Context(), ref, nil)
			_, ofUpdate := c.Indicators.Update(t.Context(), ref, threatconnect.IndicatorUpdate{Confidence: new(int)})
			what := fmt.Sprint(one.typ, " ", strconv.Quote(members))
			if i < len(one.same) {
				require.NoError(t, err, what)
				require.NoError(t, ofUpdate, what)
			} else {
				require.ErrorIs(t, err, threatconnect.ErrBadResponse, what)
				require.ErrorIs(t, ofUpdate, threatconnect.ErrBadResponse, what)
				assert.NotContains(t, err.Error(), one.value)
			}
		}
	}
}

func TestXIDMatchesTcEx(t *testing.T) {
	t.Parallel()
	for want, parts := range map[string][]string{
		"2197e43b831d0d8152ef47c9fa55bd2fb46632548ffa40fc51759e55bea4f205": {"pytest", "adversary", "pytest-adversary-i1-001"},
		"9ada379c7d1adf626e96735711d34cb973a08399e235840410d9acdae3610163": {"pytest", "threat", "pytest-threat-i1-001"},
		"aa1a0ac3e8dba4d96f53e5152e74c43c029624eb5f20ecc105f2fa2c92dbe638": {"my", "adversary", "123"},
		"f962c652c3cbad8a843f37a6c6df2c5e27c2b941b91b26d7f45a900efbf0d42e": {"Threat", "Malc0de", "Example"},
		"da3811154d59c4267077ddd8bb768fa9b06399c486e1fc00485116b57c9872f5": {"a"},
	} {
		assert.Equal(t, want, threatconnect.XID(parts...), "%v", parts)
	}
	for want, text := range map[string]string{
		"ef6a74c2a9f5a6d080c80224317948f1ee8df995292dcf97a39ea4fd757c3c19": "myapp-adversary-5",
		"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb": "a",
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad": "abc",
	} {
		assert.Equal(t, want, threatconnect.XIDFromText(text), text)
	}
}

func TestXIDDependsOnOrderOfParts(t *testing.T) {
	t.Parallel()
	assert.NotEqual(t, threatconnect.XID("a", "b"), threatconnect.XID("b", "a"))
	assert.Equal(t, threatconnect.XID("a", "b"), threatconnect.XID("a-b"), "as TcEx does")
}

func ExampleXID() {
	fmt.Println(threatconnect.XID("my", "adversary", "123"))
	// Output: aa1a0ac3e8dba4d96f53e5152e74c43c029624eb5f20ecc105f2fa2c92dbe638
}

func TestFingerprintsDifferByItemAndContent(t *testing.T) {
	t.Parallel()
	var f threatconnect.Fingerprinter
	of := func(item threatconnect.BatchItem) threatconnect.Fingerprint {
		t.Helper()
		p, err := f.Of(item)
		require.NoError(t, err)
		return p
	}
	host := func(change func(*threatconnect.Host)) *threatconnect.Host {
		h := batchHost(1, "x-1")
		change(h)
		return h
	}
	base := of(batchHost(1, "x-1"))
	assert.Equal(t, base, of(batchHost(1, "x-1")))
	assert.Equal(t, base, of(host(func(h *threatconnect.Host) { h.HostName = "H1.Example" })), "another spelling of the same host")
	for name, change := range map[string]func(*threatconnect.Host){
		"a rating":    func(h *threatconnect.Host) { h.Rating = new(4.0) },
		"no rating":   func(h *threatconnect.Host) { h.Rating = nil },
		"a tag":       func(h *threatconnect.Host) { h.Tags = append(h.Tags, threatconnect.Tag{Name: "x"}) },
		"no groups":   func(h *threatconnect.Host) { h.GroupXIDs = nil },
		"two groups":  func(h *threatconnect.Host) { h.GroupXIDs = []string{"x-1", "x-2"} },
		"one of both": func(h *threatconnect.Host) { h.GroupXIDs = []string{"x-1x-2"} },
		"an attribute": func(h *threatconnect.Host) {
			h.Attributes = []threatconnect.Attribute{{Type: "Description", Value: "y"}}
		},
		"a flag": func(h *threatconnect.Host) { h.DNSActive = new(true) },
		"a date": func(h *threatconnect.Host) { h.LastSeen = batchDay },
	} {
		p := of(host(change))
		assert.Equal(t, base.Item, p.Item, name)
		assert.NotEqual(t, base.Content, p.Content, name)
	}
	assert.NotEqual(t, base.Item, of(batchHost(2, "x-1")).Item)
	assert.NotEqual(t, of(threatconnect.NewMutex("a")).Item, of(threatconnect.NewUserAgent("a")).Item)

	group := batchGroup("x-1")
	renamed := batchGroup("x-1")
	renamed.Name = "another name"
	linked := batchGroup("x-1")
	linked.Associated = []threatconnect.IndicatorRef{{Type: threatconnect.TypeHost, Value: "a.example"}}
	assert.Equal(t, of(group).Item, of(renamed).Item)
	assert.NotEqual(t, of(group).Content, of(renamed).Content)
	assert.NotEqual(t, of(group).Content, of(linked).Content)
	assert.NotEqual(t, of(group).Item, of(batchGroup("x-2")).Item)

	a := &threatconnect.Association{From: threatconnect.GroupEnd("x-1"), To: threatconnect.GroupEnd("x-2")}
	b := &threatconnect.Association{From: threatconnect.GroupEnd("x-1"), To: threatconnect.GroupEnd("x-3")}
	assert.Equal(t, of(a), of(a))
	assert.NotEqual(t, of(a).Item, of(b).Item)

	_, err := f.Of(threatconnect.NewHost("a b"))
	require.ErrorIs(t, err, threatconnect.ErrValidation)
	assert.Empty(t, f.Groups())
	_, err = f.Of(nil)
	require.ErrorIs(t, err, threatconnect.ErrValidation)
	assert.Equal(t, base, of(batchHost(1, "x-1")), "an earlier error does not matter")
}

func TestFingerprinterGroups(t *testing.T) {
	t.Parallel()
	var f threatconnect.Fingerprinter
	linked := batchGroup("x-3")
	linked.GroupXIDs = []string{"x-1"}
	link := &threatconnect.Association{From: threatconnect.GroupEnd("x-1"), To: threatconnect.GroupEnd("x-2")}
	items := []threatconnect.BatchItem{batchHost(1, "x-1", "x-2"), linked, link, batchHost(2)}
	want := [][]string{{"x-1", "x-2"}, {"x-1"}, {"x-1", "x-2"}, nil}
	n := 0
	for item, err := range threatconnect.MergeItems(t.Context(), threatconnect.BatchItems(slices.Values(items)), nil) {
		require.NoError(t, err)
		for _, item := range []threatconnect.BatchItem{items[n], item} {
			_, err = f.Of(item)
			require.NoError(t, err)
			assert.ElementsMatch(t, want[n], f.Groups(), n)
		}
		n++
	}
	assert.Equal(t, len(items), n)
}

func TestFingerprinterSize(t *testing.T) {
	t.Parallel()
	var f threatconnect.Fingerprinter
	host := threatconnect.NewHost("a.example")
	_, err := f.Of(host)
	require.NoError(t, err)
	assert.Equal(t, len(`{"type":"Host","summary":"a.example"},`), f.Size())
	host.GroupXIDs = []string{"x-1", `"`}
	_, err = f.Of(host)
	require.NoError(t, err)
	link := `{"type_1":"Host","ref_1":"a.example","type_2":,"ref_2":},`
	assert.Equal(t, len(`{"type":"Host","summary":"a.example"},`+link+`"x-1"`+link+`"\""`), f.Size())
	group := batchGroup("x-3")
	_, err = f.Of(group)
	require.NoError(t, err)
	alone := f.Size()
	group.Associated = []threatconnect.IndicatorRef{{Type: threatconnect.TypeHost, Value: "a.example"}}
	_, err = f.Of(group)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, f.Size(), alone+len(`{"type_1":"Host","ref_1":"a.example","ref_2":"x-3"},`))
	_, err = f.Of(threatconnect.NewHost(""))
	require.Error(t, err)
	assert.Zero(t, f.Size())
}

// The content of a merged group can change without a change in the items that were merged.
func TestGroupContentHasNoFingerprint(t *testing.T) {
	t.Parallel()
	var f threatconnect.Fingerprinter
	document := threatconnect.NewDocument("report", "report.pdf")
	document.XID = "x-1"
	var with threatconnect.BatchItem = &threatconnect.GroupContent{Group: document, Content: threatconnect.BytesContent([]byte("text"))}
	items := []threatconnect.BatchItem{with}
	for item, err := range threatconnect.MergeItems(t.Context(), threatconnect.BatchItems(slices.Values(items)), nil) {
		require.NoError(t, err)
		items = append(items, item)
	}
	require.Len(t, items, 2)
	for _, item := range items {
		_, err := f.Of(item)
		require.ErrorIs(t, err, threatconnect.ErrValidation)
	}
}

func BenchmarkFingerprint(b *testing.B) {
	var f threatconnect.Fingerprinter
	h := batchHost(1, "x-1")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Of(h); err != nil {
			b.Fatal(err)
		}
	}
}
