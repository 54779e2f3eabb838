package threatconnect_test

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"strings"
	"time"

	tc "github.com/threatconnect-go/threatconnect"
)

var (
	shapeDay       = time.Date(2026, 1, 4, 0, 0, 0, 0, time.UTC)
	shapeHost      = tc.NewHost("www.example.com")
	shapeFile      = tc.NewFile("d41d8cd98f00b204e9800998ecf8427e")
	shapeAdversary = tc.GroupRef{Type: tc.GroupAdversary, ID: 1}
	shapeVictim    = tc.VictimRef{ID: 501}
	shapeJob       = tc.BatchJob{Owner: "Example Source", Action: tc.BatchCreate, Attributes: tc.WriteAppend}
)

// shapeCalls has the call that reads each body of testdata/shapes.
var shapeCalls = map[string]shapeCall{
	"owners_list":             read(func(ctx context.Context, c *tc.Client) (*tc.Page[tc.Owner], error) { return c.Owners.List(ctx, nil) }),
	"owner_one":               read(func(ctx context.Context, c *tc.Client) (tc.Owner, error) { return c.Owners.Mine(ctx) }),
	"owner_members":           read(func(ctx context.Context, c *tc.Client) (tc.Members, error) { return c.Owners.Members(ctx) }),
	"owner_members_anonymous": read(func(ctx context.Context, c *tc.Client) (tc.Members, error) { return c.Owners.Members(ctx) }),
	"whoami":                  read(func(ctx context.Context, c *tc.Client) (tc.User, error) { return c.Owners.Whoami(ctx) }),
	"owner_metrics": each(func(ctx context.Context, c *tc.Client) iter.Seq2[tc.OwnerMetric, error] {
		return c.Owners.Metrics(ctx, 7, nil)
	}),
	"indicators_list": read(func(ctx context.Context, c *tc.Client) (*tc.Page[tc.Indicator], error) {
		return c.Indicators.List(ctx, nil)
	}),
	"indicators_list_strings": read(func(ctx context.Context, c *tc.Client) (*tc.Page[tc.Indicator], error) {
		return c.Indicators.List(ctx, nil)
	}),
	"indicators_list_unknown_type": read(func(ctx context.Context, c *tc.Client) (*tc.Page[tc.Indicator], error) {
		return c.Indicators.List(ctx, nil)
	}),
	"hosts_list_with_owner_objects": read(func(ctx context.Context, c *tc.Client) (*tc.Page[*tc.Host], error) {
		return c.Indicators.Hosts.List(ctx, nil)
	}),
	"address_one": read(func(ctx context.Context, c *tc.Client) (*tc.Address, error) {
		return c.Indicators.Addresses.Get(ctx, "192.0.2.7", nil)
	}),
	"email_address_one": read(func(ctx context.Context, c *tc.Client) (*tc.EmailAddress, error) {
		return c.Indicators.EmailAddresses.Get(ctx, "jdoe@example.com", nil)
	}),
	"file_one": read(func(ctx context.Context, c *tc.Client) (*tc.File, error) {
		return c.Indicators.Files.Get(ctx, "d41d8cd98f00b204e9800998ecf8427e", nil)
	}),
	"host_one": read(func(ctx context.Context, c *tc.Client) (*tc.Host, error) {
		return c.Indicators.Hosts.Get(ctx, "ns.example.net", nil)
	}),
	"host_one_real_booleans": read(func(ctx context.Context, c *tc.Client) (*tc.Host, error) {
		return c.Indicators.Hosts.Get(ctx, "ns2.example.net", nil)
	}),
	"url_one": read(func(ctx context.Context, c *tc.Client) (*tc.URL, error) {
		return c.Indicators.URLs.Get(ctx, "http://example.com/a?b=c", nil)
	}),
	"asn_one": read(func(ctx context.Context, c *tc.Client) (*tc.ASN, error) {
		return c.Indicators.ASNs.Get(ctx, "ASN64496", nil)
	}),
	"cidr_one": read(func(ctx context.Context, c *tc.Client) (*tc.CIDR, error) {
		return c.Indicators.CIDRs.Get(ctx, "192.0.2.0/24", nil)
	}),
	"registry_key_one": read(func(ctx context.Context, c *tc.Client) (*tc.RegistryKey, error) {
		return c.Indicators.RegistryKeys.Get(ctx, `HKEY_CURRENT_USER\Software\Example : Run : REG_SZ`, nil)
	}),
	"indicator_owners": read(func(ctx context.Context, c *tc.Client) ([]tc.Owner, error) {
		return c.Indicators.Owners(ctx, shapeHost)
	}),
	"indicators_deleted": each(func(ctx context.Context, c *tc.Client) iter.Seq2[tc.DeletedIndicator, error] {
		return c.Indicators.Deleted(ctx, nil)
	}),
	"indicators_observed": read(func(ctx context.Context, c *tc.Client) ([]tc.ObservedIndicator, error) {
		return c.Indicators.Observed(ctx, shapeDay)
	}),
	"observations": read(func(ctx context.Context, c *tc.Client) ([]tc.Observation, error) {
		return c.Indicators.Observations(ctx, shapeHost)
	}),
	"observation_count": read(func(ctx context.Context, c *tc.Client) (tc.ObservationCount, error) {
		return c.Indicators.ObservationCount(ctx, shapeHost)
	}),
	"false_positives": read(func(ctx context.Context, c *tc.Client) (tc.FalsePositives, error) {
		return c.Indicators.ReportFalsePositive(ctx, shapeHost)
	}),
	"address_resolutions": each(func(ctx context.Context, c *tc.Client) iter.Seq2[*tc.Host, error] {
		return c.Indicators.AddressResolutions(ctx, tc.NewAddress("192.0.2.1"), nil)
	}),
	"host_resolutions": each(func(ctx context.Context, c *tc.Client) iter.Seq2[tc.DNSResolution, error] {
		return c.Indicators.HostResolutions(ctx, shapeHost, nil)
	}),
	"file_occurrences": read(func(ctx context.Context, c *tc.Client) ([]tc.FileOccurrence, error) {
		return c.FileOccurrences.On(ctx, shapeFile)
	}),
	"file_occurrences_lone": read(func(ctx context.Context, c *tc.Client) ([]tc.FileOccurrence, error) {
		return c.FileOccurrences.On(ctx, shapeFile)
	}),
	"bulk_status": read(func(ctx context.Context, c *tc.Client) (tc.BulkStatus, error) {
		return c.InOwner("Example Source").Bulk.Status(ctx)
	}),
	"bulk_json": each(func(ctx context.Context, c *tc.Client) iter.Seq2[tc.Indicator, error] {
		return c.InOwner("Example Source").Bulk.JSON(ctx)
	}),
	"groups_list": read(func(ctx context.Context, c *tc.Client) (*tc.Page[tc.Group], error) { return c.Groups.List(ctx, nil) }),
	"incidents_list_strings": read(func(ctx context.Context, c *tc.Client) (*tc.Page[*tc.Incident], error) {
		return c.Groups.Incidents.List(ctx, nil)
	}),
	"incident_one": read(func(ctx context.Context, c *tc.Client) (*tc.Incident, error) {
		return c.Groups.Incidents.Get(ctx, 205, nil)
	}),
	"document_one": read(func(ctx context.Context, c *tc.Client) (*tc.Document, error) {
		return c.Groups.Documents.Get(ctx, 207, nil)
	}),
	"campaign_one": read(func(ctx context.Context, c *tc.Client) (*tc.Campaign, error) {
		return c.Groups.Campaigns.Get(ctx, 208, nil)
	}),
	"signature_one": read(func(ctx context.Context, c *tc.Client) (*tc.Signature, error) {
		return c.Groups.Signatures.Get(ctx, 209, nil)
	}),
	"adversary_assets_list": read(func(ctx context.Context, c *tc.Client) ([]tc.AdversaryAsset, error) {
		return c.AdversaryAssets.On(ctx, shapeAdversary)
	}),
	"adversary_handle_one": read(func(ctx context.Context, c *tc.Client) (tc.AdversaryAsset, error) {
		return c.AdversaryAssets.Get(ctx, shapeAdversary, tc.AdversaryAssetHandle, 212)
	}),
	"adversary_phone_one": read(func(ctx context.Context, c *tc.Client) (tc.AdversaryAsset, error) {
		return c.AdversaryAssets.Get(ctx, shapeAdversary, tc.AdversaryAssetPhoneNumber, 213)
	}),
	"adversary_url_one": read(func(ctx context.Context, c *tc.Client) (tc.AdversaryAsset, error) {
		return c.AdversaryAssets.Get(ctx, shapeAdversary, tc.AdversaryAssetURL, 214)
	}),
	"attributes_list": read(func(ctx context.Context, c *tc.Client) ([]tc.Attribute, error) {
		return c.Attributes.On(ctx, shapeHost)
	}),
	"attribute_one": read(func(ctx context.Context, c *tc.Client) (tc.Attribute, error) {
		return c.Attributes.Get(ctx, shapeHost, 302)
	}),
	"labels_list": read(func(ctx context.Context, c *tc.Client) ([]tc.SecurityLabel, error) {
		return c.SecurityLabels.On(ctx, shapeHost)
	}),
	"label_one": read(func(ctx context.Context, c *tc.Client) (tc.SecurityLabel, error) {
		return c.SecurityLabels.Get(ctx, "TLP:AMBER+STRICT")
	}),
	"tags_list":  read(func(ctx context.Context, c *tc.Client) (*tc.Page[tc.Tag], error) { return c.Tags.List(ctx, nil) }),
	"tag_one":    read(func(ctx context.Context, c *tc.Client) (tc.Tag, error) { return c.Tags.Get(ctx, "Crime") }),
	"tasks_list": read(func(ctx context.Context, c *tc.Client) (*tc.Page[*tc.Task], error) { return c.Tasks.List(ctx, nil) }),
	"task_one":   read(func(ctx context.Context, c *tc.Client) (*tc.Task, error) { return c.Tasks.Get(ctx, 402, nil) }),
	"task_groups_under_task": each(func(ctx context.Context, c *tc.Client) iter.Seq2[tc.Group, error] {
		return c.Associations.Groups(ctx, tc.TaskRef{ID: 402}, nil)
	}),
	"victims_list": read(func(ctx context.Context, c *tc.Client) (*tc.Page[*tc.Victim], error) { return c.Victims.List(ctx, nil) }),
	"victim_one":   read(func(ctx context.Context, c *tc.Client) (*tc.Victim, error) { return c.Victims.Get(ctx, 502, nil) }),
	"victim_assets_list": read(func(ctx context.Context, c *tc.Client) ([]tc.VictimAsset, error) {
		return c.VictimAssets.On(ctx, shapeVictim)
	}),
	"victim_email_one": read(func(ctx context.Context, c *tc.Client) (tc.VictimAsset, error) {
		return c.VictimAssets.Get(ctx, shapeVictim, tc.VictimAssetEmailAddress, 507)
	}),
	"victim_network_one": read(func(ctx context.Context, c *tc.Client) (tc.VictimAsset, error) {
		return c.VictimAssets.Get(ctx, shapeVictim, tc.VictimAssetNetworkAccount, 508)
	}),
	"victim_phone_one": read(func(ctx context.Context, c *tc.Client) (tc.VictimAsset, error) {
		return c.VictimAssets.Get(ctx, shapeVictim, tc.VictimAssetPhone, 509)
	}),
	"victim_social_one": read(func(ctx context.Context, c *tc.Client) (tc.VictimAsset, error) {
		return c.VictimAssets.Get(ctx, shapeVictim, tc.VictimAssetSocialNetwork, 510)
	}),
	"victim_web_site_one": read(func(ctx context.Context, c *tc.Client) (tc.VictimAsset, error) {
		return c.VictimAssets.Get(ctx, shapeVictim, tc.VictimAssetWebSite, 511)
	}),
	"association_types": read(func(ctx context.Context, c *tc.Client) ([]tc.AssociationTypeInfo, error) {
		return tc.Collect(c.Types.Associations(ctx, nil))
	}),
	"association_type_one": read(func(ctx context.Context, c *tc.Client) (tc.AssociationTypeInfo, error) {
		return c.Types.Association(ctx, "ASN to CIDR")
	}),
	"indicator_types": read(func(ctx context.Context, c *tc.Client) ([]tc.IndicatorTypeInfo, error) {
		return tc.Collect(c.Types.Indicators(ctx, nil))
	}),
	"indicator_types_additional": read(func(ctx context.Context, c *tc.Client) ([]tc.IndicatorTypeInfo, error) {
		return tc.Collect(c.Types.Indicators(ctx, nil))
	}),
	"attribute_types": each(func(ctx context.Context, c *tc.Client) iter.Seq2[tc.AttributeTypeInfo, error] {
		return c.Types.Attributes(ctx, nil)
	}),
	"batch_created":      read(func(ctx context.Context, c *tc.Client) (int64, error) { return c.Batch.Create(ctx, shapeJob) }),
	"batch_created_bare": read(func(ctx context.Context, c *tc.Client) (int64, error) { return c.Batch.Create(ctx, shapeJob) }),
	"batch_queued": read(func(ctx context.Context, c *tc.Client) (*tc.BatchStatus, error) {
		return c.Batch.Upload(ctx, 601, strings.NewReader(`{"indicator":[]}`))
	}),
	"batch_running":   read(func(ctx context.Context, c *tc.Client) (*tc.BatchStatus, error) { return c.Batch.Status(ctx, 601) }),
	"batch_completed": read(func(ctx context.Context, c *tc.Client) (*tc.BatchStatus, error) { return c.Batch.Status(ctx, 603) }),
	"batch_results": each(func(ctx context.Context, c *tc.Client) iter.Seq2[tc.BatchItemError, error] {
		return c.Batch.Results(ctx, 603, nil)
	}),
	"batch_errors": each(func(ctx context.Context, c *tc.Client) iter.Seq2[tc.BatchItemError, error] {
		return c.Batch.Errors(ctx, 603)
	}),
	"metrics_list": read(func(ctx context.Context, c *tc.Client) (*tc.Page[tc.Metric], error) { return c.Metrics.List(ctx, nil) }),
	"metric_one":   read(func(ctx context.Context, c *tc.Client) (tc.Metric, error) { return c.Metrics.Get(ctx, "Calls") }),
	"metric_reading": read(func(ctx context.Context, c *tc.Client) (tc.MetricReading, error) {
		return c.Metrics.AddAndRead(ctx, "Mails", tc.MetricPoint{Value: new(int64)})
	}),
	"playbooks_list": read(func(ctx context.Context, c *tc.Client) (*tc.Page[tc.Playbook], error) {
		return c.Playbooks.List(ctx, nil)
	}),
	"data_store_record": read(func(ctx context.Context, c *tc.Client) (json.RawMessage, error) {
		return c.DataStore.Do(ctx, tc.DataStoreRequest{Method: http.MethodGet, Domain: tc.DataStoreLocal, Type: "example", ID: "last"})
	}),
}
