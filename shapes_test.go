package threatconnect_test

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
)

// shapeCall calls the method that reads a shape, and returns the result.
type shapeCall func(ctx context.Context, c *threatconnect.Client) (any, error)

// read returns a shapeCall of a method that returns a value.
func read[T any](call func(ctx context.Context, c *threatconnect.Client) (T, error)) shapeCall {
	return func(ctx context.Context, c *threatconnect.Client) (any, error) { return call(ctx, c) }
}

// each returns a shapeCall of a method that returns an iterator.
func each[T any](call func(ctx context.Context, c *threatconnect.Client) iter.Seq2[T, error]) shapeCall {
	return func(ctx context.Context, c *threatconnect.Client) (any, error) {
		return threatconnect.Collect(call(ctx, c))
	}
}

// Every shape of the platform's responses is read completely: without an error, and with each of its
// members somewhere in the result.
func TestEveryResponseShapeIsReadCompletely(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/shapes/*.json")
	require.NoError(t, err)
	require.Len(t, files, len(shapeCalls), "one body for each call")
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Contains(t, shapeCalls, name)
			got, err := shapeCalls[name](t.Context(), shapeClient(t, string(body)))
			require.NoError(t, err)

			var sent any
			require.NoError(t, json.Unmarshal(body, &sent))
			if m, ok := sent.(map[string]any); ok {
				delete(m, "resultCount")
				if m["status"] == "Success" {
					delete(m, "status")
				}
				if data, ok := m["data"].(map[string]any); ok {
					delete(data, "resultCount")
				}
			}
			want, have := leaves{}, leaves{}
			want.addJSON(sent)
			have.addGo(reflect.ValueOf(got))
			require.NotEmpty(t, want)
			for leaf, n := range want {
				assert.GreaterOrEqual(t, have[leaf], n, "lost: %s", leaf)
			}
		})
	}
}

// shapeClient returns a client that gets body as its first response, and then empty pages.
func shapeClient(t *testing.T, body string, opts ...threatconnect.Option) *threatconnect.Client {
	t.Helper()
	return shapeClientOf(t, func(*http.Request) string { return body }, opts...)
}

// shapeClientOf returns a client that gets the result of body as its first response, and then empty pages.
func shapeClientOf(t *testing.T, body func(*http.Request) string, opts ...threatconnect.Option) *threatconnect.Client {
	t.Helper()
	first := func(r *http.Request) (*http.Response, error) { return wiretest.Reply(http.StatusOK, body(r)), nil }
	c, err := threatconnect.NewClient("https://app.example.com/api", threatconnect.Token("token"), append(opts, threatconnect.WithOwner("Example Source"),
		threatconnect.WithTransport(&wiretest.Steps{Do: steps{first, wiretest.Answer(http.StatusOK, `{"status":"Success","data":{}}`)}}))...)
	require.NoError(t, err)
	return c
}

// leaves counts values in a normal form: "4.00" and 4 are the same, and so are different spellings of
// a time or a hash.
type leaves map[string]int

var shapeDate = regexp.MustCompile(`^(\d{4})-(\d{1,2})-(\d{1,2})(?:T([0-9:]{8})(Z|[+-][0-9:]{5})?Z?)?$`)

func (l leaves) addText(s string) {
	if m := shapeDate.FindStringSubmatch(s); m != nil {
		if len(m[2]) == 1 {
			m[2] = "0" + m[2]
		}
		if len(m[3]) == 1 {
			m[3] = "0" + m[3]
		}
		if m[4] == "" {
			m[4] = "00:00:00"
		}
		if m[5] == "" {
			m[5] = "Z"
		}
		if at, err := time.Parse(time.RFC3339, m[1]+"-"+m[2]+"-"+m[3]+"T"+m[4]+m[5]); err == nil {
			l["at "+at.UTC().Format(time.RFC3339)]++
			return
		}
	}
	if n, err := strconv.ParseFloat(s, 64); err == nil {
		s = strconv.FormatFloat(n, 'g', -1, 64)
	}
	if s != "" {
		l[strings.ToLower(s)]++
	}
}

func (l leaves) addJSON(v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			l.addJSON(e)
		}
	case []any:
		for _, e := range v {
			l.addJSON(e)
		}
	case string:
		l.addText(v)
	case float64:
		l.addText(strconv.FormatFloat(v, 'g', -1, 64))
	case bool:
		l.addText(strconv.FormatBool(v))
	}
}

func (l leaves) addGo(v reflect.Value) {
	switch x := valueOf(v).(type) {
	case time.Time:
		l["at "+x.UTC().Format(time.RFC3339)]++
		return
	case json.RawMessage:
		var raw any
		if json.Unmarshal(x, &raw) == nil {
			l.addJSON(raw)
		}
		return
	case threatconnect.Indicator:
		l.addText(string(x.Type()))
		l.addText(x.Summary())
	case threatconnect.Group:
		l.addText(string(x.Type()))
	case threatconnect.VictimAsset:
		l.addText(string(x.Type()))
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			l.addGo(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				l.addGo(v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			l.addGo(v.Index(i))
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			l.addGo(v.MapIndex(k))
		}
	case reflect.String:
		l.addText(v.String())
	case reflect.Bool:
		l.addText(strconv.FormatBool(v.Bool()))
	case reflect.Int, reflect.Int64:
		l.addText(strconv.FormatInt(v.Int(), 10))
	case reflect.Float64:
		l.addText(strconv.FormatFloat(v.Float(), 'g', -1, 64))
	}
}

// valueOf returns the value in v, or nil if v is invalid, an interface or a nil pointer.
func valueOf(v reflect.Value) any {
	if !v.IsValid() || v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer && v.IsNil() {
		return nil
	}
	return v.Interface()
}

var (
	shapeDay       = time.Date(2026, 1, 4, 0, 0, 0, 0, time.UTC)
	shapeHost      = threatconnect.NewHost("www.example.com")
	shapeFile      = threatconnect.NewFile("d41d8cd98f00b204e9800998ecf8427e")
	shapeAdversary = threatconnect.GroupRef{Type: threatconnect.GroupAdversary, ID: 1}
	shapeVictim    = threatconnect.VictimRef{ID: 501}
	shapeJob       = threatconnect.BatchJob{Owner: "Example Source", Action: threatconnect.BatchCreate, Attributes: threatconnect.WriteAppend}
)

// shapeCalls has the call that reads each body in testdata/shapes.
var shapeCalls = map[string]shapeCall{
	"owners_list": read(func(ctx context.Context, c *threatconnect.Client) (*threatconnect.Page[threatconnect.Owner], error) {
		return c.Owners.List(ctx, nil)
	}),
	"owner_one": read(func(ctx context.Context, c *threatconnect.Client) (threatconnect.Owner, error) {
		return c.Owners.Mine(ctx)
	}),
	"owner_members": read(func(ctx context.Context, c *threatconnect.Client) (threatconnect.Members, error) {
		return c.Owners.Members(ctx)
	}),
	"owner_members_anonymous": read(func(ctx context.Context, c *threatconnect.Client) (threatconnect.Members, error) {
		return c.Owners.Members(ctx)
	}),
	"whoami": read(func(ctx context.Context, c *threatconnect.Client) (threatconnect.User, error) {
		return c.Owners.Whoami(ctx)
	}),
	"owner_metrics": each(func(ctx context.Context, c *threatconnect.Client) iter.Seq2[threatconnect.OwnerMetric, error] {
		return c.Owners.Metrics(ctx, 7, nil)
	}),
	"indicators_list": read(func(ctx context.Context, c *threatconnect.Client) (*threatconnect.Page[threatconnect.Indicator], error) {
		return c.Indicators.List(ctx, nil)
	}),
	"indicators_list_strings": read(func(ctx context.Context, c *threatconnect.Client) (*threatconnect.Page[threatconnect.Indicator], error) {
		return c.Indicators.List(ctx, nil)
	}),
	"indicators_list_unknown_type": read(func(ctx context.Context, c *threatconnect.Client) (*threatconnect.Page[threatconnect.Indicator], error) {
		return c.Indicators.List(ctx, nil)
	}),
	"hosts_list_with_owner_objects": read(func(ctx context.Context, c *threatconnect.Client) (*threatconnect.Page[*threatconnect.Host], error) {
		return c.Indicators.Hosts.List(ctx, nil)
	}),
	"address_one": read(func(ctx context.Context, c *threatconnect.Client) (*threatconnect.Address, error) {
		return c.Indicators.Addresses.Get(ctx, "192.0.2.7", nil)
	}),
	"email_address_one": read(func(ctx context.Context, c *threatconnect.Client) (*threatconnect.EmailAddress, error) {
		return c.Indicators.EmailAddresses.Get(ctx, "jdoe@example.com", nil)
	}),
	"file_one": read(func(ctx context.Context, c *threatconnect.Client) (*threatconnect.File, error) {
		return c.Indicators.Files.Get(ctx, "d41d8cd98f00b204e9800998ecf8427e", nil)
	}),
	"host_one": read(func(ctx context.Context, c *threatconnect.Client) (*threatconnect.Host, error) {
		return c.Indicators.Hosts.Get(ctx, "ns.example.net", nil)
	}),
	"host_one_real_booleans": read(func(ctx context.Context, c *threatconnect.Client) (*threatconnect.Host, error) {
		return c.Indicators.Hosts.Get(ctx, "ns2.example.net", nil)
	}),
	"url_one": read(func(ctx context.Context, c *threatconnect.Client) (*threatconnect.URL, error) {
		return c.Indicators.URLs.Get(ctx, "http://example.com/a?b=c", nil)
	}),
	"asn_one": read(func(ctx context.Context, c *threatconnect.Client) (*threatconnect.ASN, error) {
		return c.Indicators.ASNs.Get(ctx, "ASN64496", nil)
	}),
	"cidr_one": read(func(ctx context.Context, c *threatconnect.Client) (*threatconnect.CIDR, error) {
		return c.Indicators.CIDRs.Get(ctx, "192.0.2.0/24", nil)
	}),
	"registry_key_one": read(func(ctx context.Context, c *threatconnect.Client) (*threatconnect.RegistryKey, error) {
		return c.Indicators.RegistryKeys.Get(ctx, `HKEY_CURRENT_USER\Software\Example : Run : REG_SZ`, nil)
	}),
	"indicator_owners": read(func(ctx context.Context, c *threatconnect.Client) ([]threatconnect.Owner, error) {
		return c.Indicators.Owners(ctx, shapeHost)
	}),
	"indicators_deleted": each(func(ctx context.Context, c *threatconnect.Client) iter.Seq2[threatconnect.DeletedIndicator, error] {
		return c.Indicators.Deleted(ctx, nil)
	}),
	"indicators_observed": read(func(ctx context.Context, c *threatconnect.Client) ([]threatconnect.ObservedIndicator, error) {
		return c.Indicators.Observed(ctx, shapeDay)
	}),
	"observations": read(func(ctx context.Context, c *threatconnect.Client) ([]threatconnect.Observation, error) {
		return c.Indicators.Observations(ctx, shapeHost)
	}),
	"observation_count": read(func(ctx context.Context, c *threatconnect.Client) (threatconnect.ObservationCount, error) {
		return c.Indicators.ObservationCount(ctx, shapeHost)
	}),
	"false_positives": read(func(ctx context.Context, c *threatconnect.Client) (threatconnect.FalsePositives, error) {
		return c.Indicators.ReportFalsePositive(ctx, shapeHost)
	}),
	"address_resolutions": each(func(ctx context.Context, c *threatconnect.Client) iter.Seq2[*threatconnect.Host, error] {
		return c.Indicators.AddressResolutions(ctx, threatconnect.NewAddress("192.0.2.1"), nil)
	}),
	"host_resolutions": each(func(ctx context.Context, c *threatconnect.Client) iter.Seq2[threatconnect.DNSResolution, error] {
		return c.Indicators.HostResolutions(ctx, shapeHost, nil)
	}),
	"file_occurrences": read(func(ctx context.Context, c *threatconnect.Client) ([]threatconnect.FileOccurrence, error) {
		return c.FileOccurrences.On(ctx, shapeFile)
	}),
	"file_occurrences_lone": read(func(ctx context.Context, c *threatconnect.Client) ([]threatconnect.FileOccurrence, error) {
		return c.FileOccurrences.On(ctx, shapeFile)
	}),
	"bulk_status": read(func(ctx context.Context, c *threatconnect.Client) (threatconnect.BulkStatus, error) {
		return c.InOwner("Example Source").Bulk.Status(ctx)
	}),
	"bulk_json": each(func(ctx context.Context, c *threatconnect.Client) iter.Seq2[threatconnect.Indicator, error] {
		return c.InOwner("Example Source").Bulk.JSON(ctx)
	}),
	"groups_list": read(func(ctx context.Context, c *threatconnect.Client) (*threatconnect.Page[threatconnect.Group], error) {
		return c.Groups.List(ctx, nil)
	}),
	"incidents_list_strings": read(func(ctx context.Context, c *threatconnect.Client) (*threatconnect.Page[*threatconnect.Incident], error) {
		return c.Groups.Incidents.List(ctx, nil)
	}),
	"incident_one": read(func(ctx context.Context, c *threatconnect.Client) (*threatconnect.Incident, error) {
		return c.Groups.Incidents.Get(ctx, 205, nil)
	}),
	"event_one": read(func(ctx context.Context, c *threatconnect.Client) (*threatconnect.Event, error) {
		return c.Groups.Events.Get(ctx, 221, nil)
	}),
	"email_one": read(func(ctx context.Context, c *threatconnect.Client) (*threatconnect.Email, error) {
		return c.Groups.Emails.Get(ctx, 222, nil)
	}),
	"report_one": read(func(ctx context.Context, c *threatconnect.Client) (*threatconnect.Report, error) {
		return c.Groups.Reports.Get(ctx, 223, nil)
	}),
	"incident_additional": read(func(ctx context.Context, c *threatconnect.Client) (*threatconnect.Incident, error) {
		return c.Groups.Incidents.Get(ctx, 224, nil)
	}),
	"document_additional": read(func(ctx context.Context, c *threatconnect.Client) (*threatconnect.Document, error) {
		return c.Groups.Documents.Get(ctx, 225, nil)
	}),
	"host_additional": read(func(ctx context.Context, c *threatconnect.Client) (*threatconnect.Host, error) {
		return c.Indicators.Hosts.Get(ctx, "additional.example.net", nil)
	}),
	"file_additional": read(func(ctx context.Context, c *threatconnect.Client) (*threatconnect.File, error) {
		return c.Indicators.Files.Get(ctx, "098f6bcd4621d373cade4e832627b4f6", nil)
	}),
	"document_one": read(func(ctx context.Context, c *threatconnect.Client) (*threatconnect.Document, error) {
		return c.Groups.Documents.Get(ctx, 207, nil)
	}),
	"campaign_one": read(func(ctx context.Context, c *threatconnect.Client) (*threatconnect.Campaign, error) {
		return c.Groups.Campaigns.Get(ctx, 208, nil)
	}),
	"signature_one": read(func(ctx context.Context, c *threatconnect.Client) (*threatconnect.Signature, error) {
		return c.Groups.Signatures.Get(ctx, 209, nil)
	}),
	"adversary_assets_list": read(func(ctx context.Context, c *threatconnect.Client) ([]threatconnect.AdversaryAsset, error) {
		return c.AdversaryAssets.On(ctx, shapeAdversary)
	}),
	"adversary_handle_one": read(func(ctx context.Context, c *threatconnect.Client) (threatconnect.AdversaryAsset, error) {
		return c.AdversaryAssets.Get(ctx, shapeAdversary, threatconnect.AdversaryAssetHandle, 212)
	}),
	"adversary_phone_one": read(func(ctx context.Context, c *threatconnect.Client) (threatconnect.AdversaryAsset, error) {
		return c.AdversaryAssets.Get(ctx, shapeAdversary, threatconnect.AdversaryAssetPhoneNumber, 213)
	}),
	"adversary_url_one": read(func(ctx context.Context, c *threatconnect.Client) (threatconnect.AdversaryAsset, error) {
		return c.AdversaryAssets.Get(ctx, shapeAdversary, threatconnect.AdversaryAssetURL, 214)
	}),
	"attributes_list": read(func(ctx context.Context, c *threatconnect.Client) ([]threatconnect.Attribute, error) {
		return c.Attributes.On(ctx, shapeHost)
	}),
	"attribute_one": read(func(ctx context.Context, c *threatconnect.Client) (threatconnect.Attribute, error) {
		return c.Attributes.Get(ctx, shapeHost, 302)
	}),
	"labels_list": read(func(ctx context.Context, c *threatconnect.Client) ([]threatconnect.SecurityLabel, error) {
		return c.SecurityLabels.On(ctx, shapeHost)
	}),
	"label_one": read(func(ctx context.Context, c *threatconnect.Client) (threatconnect.SecurityLabel, error) {
		return c.SecurityLabels.Get(ctx, "TLP:AMBER+STRICT")
	}),
	"tags_list": read(func(ctx context.Context, c *threatconnect.Client) (*threatconnect.Page[threatconnect.Tag], error) {
		return c.Tags.List(ctx, nil)
	}),
	"tag_one": read(func(ctx context.Context, c *threatconnect.Client) (threatconnect.Tag, error) {
		return c.Tags.Get(ctx, "Crime")
	}),
	"tasks_list": read(func(ctx context.Context, c *threatconnect.Client) (*threatconnect.Page[*threatconnect.Task], error) {
		return c.Tasks.List(ctx, nil)
	}),
	"task_one": read(func(ctx context.Context, c *threatconnect.Client) (*threatconnect.Task, error) {
		return c.Tasks.Get(ctx, 402, nil)
	}),
	"task_groups_under_task": each(func(ctx context.Context, c *threatconnect.Client) iter.Seq2[threatconnect.Group, error] {
		return c.Associations.Groups(ctx, threatconnect.TaskRef{ID: 402}, nil)
	}),
	"victims_list": read(func(ctx context.Context, c *threatconnect.Client) (*threatconnect.Page[*threatconnect.Victim], error) {
		return c.Victims.List(ctx, nil)
	}),
	"victim_one": read(func(ctx context.Context, c *threatconnect.Client) (*threatconnect.Victim, error) {
		return c.Victims.Get(ctx, 502, nil)
	}),
	"victim_assets_list": read(func(ctx context.Context, c *threatconnect.Client) ([]threatconnect.VictimAsset, error) {
		return c.VictimAssets.On(ctx, shapeVictim)
	}),
	"victim_email_one": read(func(ctx context.Context, c *threatconnect.Client) (threatconnect.VictimAsset, error) {
		return c.VictimAssets.Get(ctx, shapeVictim, threatconnect.VictimAssetEmailAddress, 507)
	}),
	"victim_network_one": read(func(ctx context.Context, c *threatconnect.Client) (threatconnect.VictimAsset, error) {
		return c.VictimAssets.Get(ctx, shapeVictim, threatconnect.VictimAssetNetworkAccount, 508)
	}),
	"victim_phone_one": read(func(ctx context.Context, c *threatconnect.Client) (threatconnect.VictimAsset, error) {
		return c.VictimAssets.Get(ctx, shapeVictim, threatconnect.VictimAssetPhone, 509)
	}),
	"victim_social_one": read(func(ctx context.Context, c *threatconnect.Client) (threatconnect.VictimAsset, error) {
		return c.VictimAssets.Get(ctx, shapeVictim, threatconnect.VictimAssetSocialNetwork, 510)
	}),
	"victim_web_site_one": read(func(ctx context.Context, c *threatconnect.Client) (threatconnect.VictimAsset, error) {
		return c.VictimAssets.Get(ctx, shapeVictim, threatconnect.VictimAssetWebSite, 511)
	}),
	"association_types": read(func(ctx context.Context, c *threatconnect.Client) ([]threatconnect.AssociationTypeInfo, error) {
		return threatconnect.Collect(c.Types.Associations(ctx, nil))
	}),
	"association_type_one": read(func(ctx context.Context, c *threatconnect.Client) (threatconnect.AssociationTypeInfo, error) {
		return c.Types.Association(ctx, "ASN to CIDR")
	}),
	"indicator_types": read(func(ctx context.Context, c *threatconnect.Client) ([]threatconnect.IndicatorTypeInfo, error) {
		return threatconnect.Collect(c.Types.Indicators(ctx, nil))
	}),
	"indicator_types_additional": read(func(ctx context.Context, c *threatconnect.Client) ([]threatconnect.IndicatorTypeInfo, error) {
		return threatconnect.Collect(c.Types.Indicators(ctx, nil))
	}),
	"attribute_types": each(func(ctx context.Context, c *threatconnect.Client) iter.Seq2[threatconnect.AttributeTypeInfo, error] {
		return c.Types.Attributes(ctx, nil)
	}),
	"batch_created": read(func(ctx context.Context, c *threatconnect.Client) (int64, error) {
		return c.Batch.Create(ctx, shapeJob)
	}),
	"batch_created_bare": read(func(ctx context.Context, c *threatconnect.Client) (int64, error) {
		return c.Batch.Create(ctx, shapeJob)
	}),
	"batch_queued": read(func(ctx context.Context, c *threatconnect.Client) (*threatconnect.BatchStatus, error) {
		return c.Batch.Upload(ctx, 601, strings.NewReader(`{"indicator":[]}`))
	}),
	"batch_running": read(func(ctx context.Context, c *threatconnect.Client) (*threatconnect.BatchStatus, error) {
		return c.Batch.Status(ctx, 601)
	}),
	"batch_completed": read(func(ctx context.Context, c *threatconnect.Client) (*threatconnect.BatchStatus, error) {
		return c.Batch.Status(ctx, 603)
	}),
	"batch_results": each(func(ctx context.Context, c *threatconnect.Client) iter.Seq2[threatconnect.BatchItemError, error] {
		return c.Batch.Results(ctx, 603, nil)
	}),
	"batch_errors": each(func(ctx context.Context, c *threatconnect.Client) iter.Seq2[threatconnect.BatchItemError, error] {
		return c.Batch.Errors(ctx, 603)
	}),
	"metrics_list": read(func(ctx context.Context, c *threatconnect.Client) (*threatconnect.Page[threatconnect.Metric], error) {
		return c.Metrics.List(ctx, nil)
	}),
	"metric_one": read(func(ctx context.Context, c *threatconnect.Client) (threatconnect.Metric, error) {
		return c.Metrics.Get(ctx, "Calls")
	}),
	"metric_reading": read(func(ctx context.Context, c *threatconnect.Client) (threatconnect.MetricReading, error) {
		return c.Metrics.AddAndRead(ctx, "Mails", threatconnect.MetricPoint{Value: new(int64)})
	}),
	"playbooks_list": read(func(ctx context.Context, c *threatconnect.Client) (*threatconnect.Page[threatconnect.Playbook], error) {
		return c.Playbooks.List(ctx, nil)
	}),
	"data_store_record": read(func(ctx context.Context, c *threatconnect.Client) (json.RawMessage, error) {
		return c.DataStore.Do(ctx, threatconnect.DataStoreRequest{Method: http.MethodGet, Domain: threatconnect.DataStoreLocal, Type: "example", ID: "last"})
	}),
}
