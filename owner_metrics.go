package threatconnect

import (
	"encoding/json"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// OwnerMetric holds the numbers of an owner on one day.
type OwnerMetric struct {
	Owner                      Owner     `json:"owner,omitzero"` // the zero value if the platform does not send it
	Date                       time.Time `json:"metricDate"`     // the day, in UTC
	Indicators                 int64     `json:"totalIndicator"` // of all types
	Hosts                      int64     `json:"totalHost"`
	Addresses                  int64     `json:"totalAddress"`
	EmailAddresses             int64     `json:"totalEmailAddress"`
	Files                      int64     `json:"totalFile"`
	URLs                       int64     `json:"totalUrl"`
	Groups                     int64     `json:"totalGroup"`
	Threats                    int64     `json:"totalThreat"`
	Incidents                  int64     `json:"totalIncident"`
	Emails                     int64     `json:"totalEmail"`
	Campaigns                  int64     `json:"totalCampaign"`
	Adversaries                int64     `json:"totalAdversary"`
	Signatures                 int64     `json:"totalSignature"`
	Tasks                      int64     `json:"totalTask"`
	Documents                  int64     `json:"totalDocument"`
	Tags                       int64     `json:"totalTag"`
	Tracks                     int64     `json:"totalTrack"`
	Results                    int64     `json:"totalResult"`
	IndicatorAttributes        int64     `json:"totalIndicatorAttribute"`
	GroupAttributes            int64     `json:"totalGroupAttribute"`
	AverageIndicatorRating     float64   `json:"averageIndicatorRating"`     // 0 to 5
	AverageIndicatorConfidence float64   `json:"averageIndicatorConfidence"` // 0 to 100
	EnrichedIndicators         int64     `json:"totalEnrichedIndicator"`
	IndicatorsInGroups         int64     `json:"totalGroupIndicator"`
	ObservationsOfDay          int64     `json:"totalObservationDaily"` // on this day
	ObservedIndicators         int64     `json:"totalObservationIndicator"`
	ObservedAddresses          int64     `json:"totalObservationAddress"`
	ObservedEmailAddresses     int64     `json:"totalObservationEmailAddress"`
	ObservedFiles              int64     `json:"totalObservationFile"`
	ObservedHosts              int64     `json:"totalObservationHost"`
	ObservedURLs               int64     `json:"totalObservationUrl"`
	FalsePositivesOfDay        int64     `json:"totalFalsePositiveDaily"` // on this day
	FalsePositives             int64     `json:"totalFalsePositive"`

	// Extra holds what the platform sent beyond the fields of this package.
	Extra map[string]json.RawMessage `json:"extra,omitzero"`
}

func readOwnerMetric(r *wire.Reader) OwnerMetric {
	var m OwnerMetric
	for r.Object(); r.NextKey(); {
		key := r.Key()
		switch string(key) {
		case "metricDate":
			m.Date = r.Time()
		case "owner":
			m.Owner = readOwner(r)
		case "ownerName":
			m.Owner.Name = r.Text()
		case "totalIndicator":
			m.Indicators = r.Int64()
		case "totalHost":
			m.Hosts = r.Int64()
		case "totalAddress":
			m.Addresses = r.Int64()
		case "totalEmailAddress":
			m.EmailAddresses = r.Int64()
		case "totalFile":
			m.Files = r.Int64()
		case "totalUrl":
			m.URLs = r.Int64()
		case "totalGroup":
			m.Groups = r.Int64()
		case "totalThreat":
			m.Threats = r.Int64()
		case "totalIncident":
			m.Incidents = r.Int64()
		case "totalEmail":
			m.Emails = r.Int64()
		case "totalCampaign":
			m.Campaigns = r.Int64()
		case "totalAdversary":
			m.Adversaries = r.Int64()
		case "totalSignature":
			m.Signatures = r.Int64()
		case "totalTask":
			m.Tasks = r.Int64()
		case "totalDocument":
			m.Documents = r.Int64()
		case "totalTag":
			m.Tags = r.Int64()
		case "totalTrack":
			m.Tracks = r.Int64()
		case "totalResult":
			m.Results = r.Int64()
		case "totalIndicatorAttribute":
			m.IndicatorAttributes = r.Int64()
		case "totalGroupAttribute":
			m.GroupAttributes = r.Int64()
		case "averageIndicatorRating":
			m.AverageIndicatorRating = r.Float64()
		case "averageIndicatorConfidence":
			m.AverageIndicatorConfidence = r.Float64()
		case "totalEnrichedIndicator":
			m.EnrichedIndicators = r.Int64()
		case "totalGroupIndicator":
			m.IndicatorsInGroups = r.Int64()
		case "totalObservationDaily":
			m.ObservationsOfDay = r.Int64()
		case "totalObservationIndicator":
			m.ObservedIndicators = r.Int64()
		case "totalObservationAddress":
			m.ObservedAddresses = r.Int64()
		case "totalObservationEmailAddress":
			m.ObservedEmailAddresses = r.Int64()
		case "totalObservationFile":
			m.ObservedFiles = r.Int64()
		case "totalObservationHost":
			m.ObservedHosts = r.Int64()
		case "totalObservationUrl":
			m.ObservedURLs = r.Int64()
		case "totalFalsePositiveDaily":
			m.FalsePositivesOfDay = r.Int64()
		case "totalFalsePositive":
			m.FalsePositives = r.Int64()
		default:
			keepExtra(&m.Extra, key, r)
		}
	}
	return m
}
