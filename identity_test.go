package threatconnect_test

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	tc "github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
)

// everythingWithID is an answer with one thing of each kind that has an id.
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

// TestThreatIDsAreThoseAskedFor has a platform that answers with another thing than the one that a call
// names.
func TestThreatIDsAreThoseAskedFor(t *testing.T) {
	t.Parallel()
	text := new("x")
	incident, adversary, victim, file := tc.GroupRef{Type: tc.GroupIncident, ID: 5}, tc.GroupRef{Type: tc.GroupAdversary, ID: 1}, tc.VictimRef{ID: 1}, shapeFile
	type gets func(context.Context, *tc.Client) (any, error)
	named := map[string]gets{ // the last id in the path is 5
		"Groups.Get": func(ctx context.Context, c *tc.Client) (any, error) { return c.Groups.Get(ctx, incident, nil) },
		"Groups.Update": func(ctx context.Context, c *tc.Client) (any, error) {
			return c.Groups.Update(ctx, incident, tc.GroupUpdate{Name: text})
		},
		"Owners.Get": func(ctx context.Context, c *tc.Client) (any, error) { return c.Owners.Get(ctx, 5) },
		"Tasks.Get":  func(ctx context.Context, c *tc.Client) (any, error) { return c.Tasks.Get(ctx, 5, nil) },
		"Tasks.Update": func(ctx context.Context, c *tc.Client) (any, error) {
			return c.Tasks.Update(ctx, 5, tc.TaskUpdate{Name: text})
		},
		"Tasks.Assignees.GetByID": func(ctx context.Context, c *tc.Client) (any, error) {
			return c.Tasks.Assignees.GetByID(ctx, tc.TaskRef{ID: 1}, 5)
		},
		"Victims.Get": func(ctx context.Context, c *tc.Client) (any, error) { return c.Victims.Get(ctx, 5, nil) },
		"Victims.Update": func(ctx context.Context, c *tc.Client) (any, error) {
			return c.Victims.Update(ctx, 5, tc.VictimUpdate{Name: text})
		},
		"VictimAssets.Get": func(ctx context.Context, c *tc.Client) (any, error) {
			return c.VictimAssets.Get(ctx, victim, tc.VictimAssetEmailAddress, 5)
		},
		"VictimAssets.Update": func(ctx context.Context, c *tc.Client) (any, error) {
			return c.VictimAssets.Update(ctx, victim, tc.VictimAssetEmailAddress, 5, tc.VictimAssetUpdate{Address: text})
		},
		"AdversaryAssets.Get": func(ctx context.Context, c *tc.Client) (any, error) {
			return c.AdversaryAssets.Get(ctx, adversary, tc.AdversaryAssetHandle, 5)
		},
		"AdversaryAssets.Update": func(ctx context.Context, c *tc.Client) (any, error) {
			return c.AdversaryAssets.Update(ctx, adversary, tc.AdversaryAssetHandle, 5, tc.AdversaryAssetUpdate{Value: text})
		},
		"Attributes.Get": func(ctx context.Context, c *tc.Client) (any, error) { return c.Attributes.Get(ctx, incident, 5) },
		"Attributes.Update": func(ctx context.Context, c *tc.Client) (any, error) {
			return c.Attributes.Update(ctx, incident, 5, tc.AttributeUpdate{Value: text})
		},
		"FileOccurrences.Get": func(ctx context.Context, c *tc.Client) (any, error) { return c.FileOccurrences.Get(ctx, file, 5) },
		"FileOccurrences.Update": func(ctx context.Context, c *tc.Client) (any, error) {
			return c.FileOccurrences.Update(ctx, file, 5, tc.FileOccurrenceUpdate{Path: text})
		},
		"Metrics.GetByID": func(ctx context.Context, c *tc.Client) (any, error) { return c.Metrics.GetByID(ctx, 5) },
		"Batch.Status":    func(ctx context.Context, c *tc.Client) (any, error) { return c.Batch.Status(ctx, 5) },
		"Batch.Upload": func(ctx context.Context, c *tc.Client) (any, error) {
			return c.Batch.Upload(ctx, 5, strings.NewReader("{}"))
		},
		"Associations.Group": func(ctx context.Context, c *tc.Client) (any, error) {
			return c.Associations.Group(ctx, victim, incident)
		},
		"Associations.Task": func(ctx context.Context, c *tc.Client) (any, error) {
			return c.Associations.Task(ctx, victim, tc.TaskRef{ID: 5})
		},
		"Associations.Victim": func(ctx context.Context, c *tc.Client) (any, error) {
			return c.Associations.Victim(ctx, incident, tc.VictimRef{ID: 5})
		},
		"Associations.VictimAsset": func(ctx context.Context, c *tc.Client) (any, error) {
			return c.Associations.VictimAsset(ctx, incident, tc.VictimAssetEmailAddress, 5)
		},
	}
	// The types of groups, by reflection: each service has Get and Update.
	services := reflect.TypeFor[tc.GroupsService]()
	types := 0
	for i := range services.NumField() {
		if f := services.Field(i); f.IsExported() {
			types++
			service := func(c *tc.Client) reflect.Value { return reflect.ValueOf(c.Groups).FieldByName(f.Name) }
			called := func(ctx context.Context, c *tc.Client, method string, last any) (any, error) {
				out := service(c).MethodByName(method).Call([]reflect.Value{reflect.ValueOf(ctx), reflect.ValueOf(int64(5)), reflect.ValueOf(last)})
				err, _ := out[1].Interface().(error)
				return out[0].Interface(), err
			}
			named["Groups."+f.Name+".Get"] = func(ctx context.Context, c *tc.Client) (any, error) {
				return called(ctx, c, "Get", (*tc.GroupGetOptions)(nil))
			}
			named["Groups."+f.Name+".Update"] = func(ctx context.Context, c *tc.Client) (any, error) {
				u := tc.GroupUpdate{Name: text}
				if f.Name == "Signatures" {
					u.FileName, u.FileText, u.FileType = text, text, new(tc.SignatureSnort)
				}
				return called(ctx, c, "Update", u)
			}
		}
	}
	require.Equal(t, 16, types)
	made := map[string]gets{ // the path ends with a collection
		"Groups.Create": func(ctx context.Context, c *tc.Client) (any, error) {
			return c.Groups.Create(ctx, &tc.Incident{GroupMeta: tc.GroupMeta{Name: "x"}})
		},
		"Tasks.Create": func(ctx context.Context, c *tc.Client) (any, error) { return c.Tasks.Create(ctx, &tc.Task{Name: "x"}) },
		"Victims.Create": func(ctx context.Context, c *tc.Client) (any, error) {
			return c.Victims.Create(ctx, &tc.Victim{Name: "x"})
		},
		"Indicators.Create": func(ctx context.Context, c *tc.Client) (any, error) {
			return c.Indicators.Create(ctx, tc.NewHost("a.example"))
		},
		"Indicators.Get": func(ctx context.Context, c *tc.Client) (any, error) {
			return c.Indicators.Hosts.Get(ctx, "a.example", nil)
		},
		"Attributes.Add": func(ctx context.Context, c *tc.Client) (any, error) {
			return c.Attributes.Add(ctx, incident, tc.Attribute{Type: "Description", Value: "x"})
		},
		"Owners.Mine":  func(ctx context.Context, c *tc.Client) (any, error) { return c.Owners.Mine(ctx) },
		"Batch.Create": func(ctx context.Context, c *tc.Client) (any, error) { return c.Batch.Create(ctx, shapeJob) },
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
				continue // it stands for no id, as some versions answer
			}
			_, err := answered(call, everythingWithID(bad))
			require.ErrorIs(t, err, tc.ErrBadResponse, "%s %s", name, bad)
		}
		if strings.HasPrefix(name, "Batch.") {
			continue // the last of two counts
		}
		_, err := answered(call, strings.ReplaceAll(everythingWithID("5"), `"id":5`, `"id":6,"id":5`))
		require.ErrorIs(t, err, tc.ErrBadResponse, "%s: two ids", name)
	}
	for name, call := range made {
		_, err := answered(call, everythingWithID("77"))
		require.NoError(t, err, name)
		for _, bad := range []string{"-1", "-9223372036854775808"} {
			_, err := answered(call, everythingWithID(bad))
			require.ErrorIs(t, err, tc.ErrBadResponse, "%s %s", name, bad)
		}
	}

	// What is no id is none in a list: a call about the item is refused.
	for _, bad := range []string{"-1", "0", `"-7"`} {
		p, err := clientOf(t, &wiretest.Steps{Do: steps{wiretest.Answer(200, `{"status":"Success","data":{"resultCount":1,"incident":[{"id":`+bad+`,"name":"x"}]}}`)}}).Groups.Incidents.List(t.Context(), nil)
		require.NoError(t, err)
		require.Zero(t, p.Items[0].ID)
		require.ErrorIs(t, clientOf(t, &wiretest.Steps{}).Groups.Delete(t.Context(), p.Items[0]), tc.ErrValidation)
	}

	// A record of the DataStore and a playbook are named by texts.
	token := func(body string) *tc.Client {
		c, err := tc.NewClient("https://tc.example/api", tc.Token("APIV2:t0k3n"), tc.WithTransport(&wiretest.Steps{Do: steps{wiretest.Answer(200, body)}}))
		require.NoError(t, err)
		return c
	}
	for id, ok := range map[string]bool{"a": true, "b": false, "A": false} {
		d, err := tc.DataStoreOf[struct{}](token(`{"_id":"`+id+`","_source":{}}`), tc.DataStoreLocal, "x")
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

// TestAnIndicatorIsTheOneAskedFor has answers with the same value in another form, and with another value.
func TestAnIndicatorIsTheOneAskedFor(t *testing.T) {
	t.Parallel()
	const md5, sha1, other = "d41d8cd98f00b204e9800998ecf8427e", "da39a3ee5e6b4b0d3255bfef95601890afd80709", "0123456789abcdef0123456789abcdef"
	for _, one := range []struct {
		typ         tc.IndicatorType
		value       string
		same, wrong []string
	}{
		{tc.TypeHost, "www.example.com", []string{`"hostName":"www.example.com"`, `"hostName":"WWW.Example.COM"`, `"summary":"www.example.com."`, `"hostName":""`, `"id":1`}, []string{`"hostName":"example.com"`, `"summary":"www.example.net"`, `"hostName":"%%"`}},
		{tc.TypeAddress, "2001:db8::1", []string{`"ip":"2001:db8:0:0:0:0:0:1"`, `"ip":"2001:0DB8::0001"`}, []string{`"ip":"2001:db8::2"`, `"ip":"192.0.2.1"`}},
		{tc.TypeEmailAddress, "jdoe@example.com", []string{`"address":"JDoe@EXAMPLE.com"`}, []string{`"address":"root@example.com"`}},
		{tc.TypeURL, "http://example.com/A?b=c", []string{`"text":"HTTP://EXAMPLE.com/A?b=c"`, `"text":"http://example.com/%41?b=c"`}, []string{`"text":"http://example.com/B"`}},
		{tc.TypeURL, "http://example.com/?b=c&d=%C3%A9", []string{`"text":"http://example.com/?b=c&amp;d=é"`, `"text":"http://example.com/?b=c\u0026d=%c3%a9/"`}, []string{`"text":"http://example.com/?b=c"`}},
		{tc.TypeASN, "ASN64496", []string{`"AS Number":"AS64496"`, `"AS Number":"ASN64496"`}, []string{`"AS Number":"ASN64497"`}},
		{tc.TypeCIDR, "192.0.2.0/24", []string{`"Block":"192.0.2.0/24"`}, []string{`"Block":"192.0.0.0/8"`}},
		{tc.TypeFile, md5, []string{`"md5":"` + strings.ToUpper(md5) + `"`, `"sha1":"` + sha1 + `"`, `"md5":"` + md5 + `","sha1":"` + sha1 + `"`}, []string{`"md5":"` + other + `"`, `"md5":"` + other + `","sha1":"` + sha1 + `"`}},
		{tc.TypeRegistryKey, `HKEY_CURRENT_USER\Software\Example : Run : REG_SZ`, []string{`"Key Name":"HKEY_CURRENT_USER\\SOFTWARE\\Example","Value Name":"Run","Value Type":"REG_SZ"`}, []string{`"Key Name":"HKEY_CURRENT_USER\\Other","Value Name":"Run","Value Type":"REG_SZ"`}},
	} {
		for i, members := range append(one.same, one.wrong...) {
			entity := map[tc.IndicatorType]string{tc.TypeEmailAddress: "emailAddress", tc.TypeASN: "asn", tc.TypeURL: "url", tc.TypeCIDR: "cidrBlock", tc.TypeRegistryKey: "registryKey"}[one.typ]
			if entity == "" {
				entity = strings.ToLower(string(one.typ))
			}
			s := &wiretest.Steps{Do: steps{wiretest.Answer(http.StatusOK, `{"status":"Success","data":{"`+entity+`":{`+members+`},"indicator":{`+members+`}}}`)}}
			c := clientOf(t, s)
			ref := tc.IndicatorRef{Type: one.typ, Value: one.value}
			_, err := c.Indicators.Get(t.Context(), ref, nil)
			_, ofUpdate := c.Indicators.Update(t.Context(), ref, tc.IndicatorUpdate{Confidence: new(int)})
			what := fmt.Sprint(one.typ, " ", strconv.Quote(members))
			if i < len(one.same) {
				require.NoError(t, err, what)
				require.NoError(t, ofUpdate, what)
			} else {
				require.ErrorIs(t, err, tc.ErrBadResponse, what)
				require.ErrorIs(t, ofUpdate, tc.ErrBadResponse, what)
				assert.NotContains(t, err.Error(), one.value)
			}
		}
	}
}
