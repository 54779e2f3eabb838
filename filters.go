package threatconnect

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const filtersKey = "filters"

// Filter is one condition on a list. Filters are written with the By constants, each of which has
// just the operators that the platform has for that field: there is no ByRating.Is, because the
// platform cannot compare a rating for equality.
type Filter struct {
	field, op, value string
	err              error
}

// String returns the filter as the platform reads it, before escaping.
func (f Filter) String() string { return f.field + f.op + f.value }

// Filters are conditions that must all hold, or one of which must hold when the options say Any.
type Filters []Filter

// EncodeValues writes the filters into a query.
func (f Filters) EncodeValues(_ string, q *url.Values) error {
	if len(f) == 0 {
		return nil
	}
	parts := make([]string, len(f))
	for i := range f {
		parts[i] = f[i].String()
	}
	q.Set(filtersKey, strings.Join(parts, ","))
	return nil
}

// check refuses filters that were built wrong and filters on fields that the list does not have.
func (f Filters) check(list string, fields ...string) error {
	for _, x := range f {
		if x.err != nil {
			return x.err
		}
		if x.field == "" {
			return &ValidationError{Field: "filter", Rule: "is empty", Fix: "write it with one of the By constants"}
		}
		if !slices.Contains(fields, x.field) {
			return &ValidationError{Field: "filter on " + x.field, Rule: "is not known to the list of " + list, Fix: "use one of " + strings.Join(fields, ", ")}
		}
	}
	return nil
}

// TextFilter is a text field that is compared whole or by its beginning.
type TextFilter string

// Is holds where the field is v.
func (f TextFilter) Is(v string) Filter { return textFilter(string(f), "=", v) }

// StartsWith holds where the field begins with v.
func (f TextFilter) StartsWith(v string) Filter { return textFilter(string(f), "^", v) }

// ExactFilter is a text field that is compared whole.
type ExactFilter string

// Is holds where the field is v.
func (f ExactFilter) Is(v string) Filter { return textFilter(string(f), "=", v) }

// StatusFilter is the status of a task.
type StatusFilter string

// Is holds where the status is v.
func (f StatusFilter) Is(v string) Filter { return textFilter(string(f), "=", v) }

// IsNot holds where the status is not v.
func (f StatusFilter) IsNot(v string) Filter { return textFilter(string(f), "!", v) }

// TimeFilter is a date and time.
type TimeFilter string

// Before holds where the field is earlier than t.
func (f TimeFilter) Before(t time.Time) Filter { return timeFilter(string(f), "<", t) }

// After holds where the field is later than t.
func (f TimeFilter) After(t time.Time) Filter { return timeFilter(string(f), ">", t) }

// NumberFilter is a whole number.
type NumberFilter string

// Is holds where the field is n.
func (f NumberFilter) Is(n int) Filter {
	return Filter{field: string(f), op: "=", value: strconv.Itoa(n)}
}

// Above holds where the field is larger than n.
func (f NumberFilter) Above(n int) Filter {
	return Filter{field: string(f), op: ">", value: strconv.Itoa(n)}
}

// Below holds where the field is smaller than n.
func (f NumberFilter) Below(n int) Filter {
	return Filter{field: string(f), op: "<", value: strconv.Itoa(n)}
}

// WholeFilter is a whole number that is compared for equality only.
type WholeFilter string

// Is holds where the field is n.
func (f WholeFilter) Is(n int) Filter {
	return Filter{field: string(f), op: "=", value: strconv.Itoa(n)}
}

// DecimalFilter is a decimal number. The platform does not compare it for equality.
type DecimalFilter string

// Above holds where the field is larger than v.
func (f DecimalFilter) Above(v float64) Filter { return decimalFilter(string(f), ">", v) }

// Below holds where the field is smaller than v.
func (f DecimalFilter) Below(v float64) Filter { return decimalFilter(string(f), "<", v) }

// FlagFilter is a field that is true or false.
type FlagFilter string

// Is holds where the field is v.
func (f FlagFilter) Is(v bool) Filter {
	return Filter{field: string(f), op: "=", value: strconv.FormatBool(v)}
}

// Fields that lists can be filtered by. The comment says which lists have the field; any other
// list refuses it before sending.
const (
	ByName                   TextFilter    = "name"                   // groups, tags, tasks, victims, security labels
	BySummary                TextFilter    = "summary"                // indicators
	ByDateAdded              TimeFilter    = "dateAdded"              // groups, indicators, tasks
	ByFirstSeen              TimeFilter    = "firstSeen"              // campaigns
	ByEventDate              TimeFilter    = "eventDate"              // incidents
	ByFileType               ExactFilter   = "fileType"               // documents
	ByActive                 FlagFilter    = "active"                 // indicators; without it only active ones are listed
	ByRating                 DecimalFilter = "rating"                 // indicators; 0 to 5
	ByConfidence             NumberFilter  = "confidence"             // indicators; 0 to 100
	ByFalsePositives         NumberFilter  = "falsePositive"          // indicators; how often reported
	ByThreatAssessScore      NumberFilter  = "threatAssessScore"      // indicators; 0 to 1000
	ByThreatAssessRating     DecimalFilter = "threatAssessRating"     // indicators; 0 to 5
	ByThreatAssessConfidence DecimalFilter = "threatAssessConfidence" // indicators; 0 to 100
	ByCity                   ExactFilter   = "city"                   // addresses
	ByCountryCode            ExactFilter   = "countryCode"            // addresses
	ByCountryName            ExactFilter   = "countryName"            // addresses
	ByOrganization           ExactFilter   = "organization"           // addresses
	ByState                  ExactFilter   = "state"                  // addresses
	ByTimeZone               ExactFilter   = "timezone"               // addresses
	ByASN                    WholeFilter   = "asn"                    // addresses
	ByWhoisActive            FlagFilter    = "whoisActive"            // hosts
	ByDNSActive              FlagFilter    = "dnsActive"              // hosts
	ByWeight                 NumberFilter  = "weight"                 // tags; how often used
	ByStatus                 StatusFilter  = "status"                 // tasks
	ByAssignee               ExactFilter   = "assignee"               // tasks; a user name
	ByEscalatee              ExactFilter   = "escalatee"              // tasks; a user name
	ByOverdue                FlagFilter    = "overdue"                // tasks
	ByEscalated              FlagFilter    = "escalated"              // tasks
	ByReminded               FlagFilter    = "reminded"               // tasks
	ByDueDate                TimeFilter    = "dueDate"                // tasks
)

// filterTime is how a filter writes a time.
const filterTime = "2006-01-02T15:04:05Z"

func textFilter(field, op, v string) Filter {
	f := Filter{field: field, op: op, value: v}
	switch {
	case strings.TrimSpace(v) == "":
		f.err = &ValidationError{Field: "filter on " + field, Rule: "has an empty value"}
	case strings.Contains(v, ","):
		f.err = &ValidationError{Field: "filter on " + field, Rule: "has a comma in its value, which the platform reads as the start of the next filter"}
	case checkVerbatim("", v) != nil:
		f.err = &ValidationError{Field: "filter on " + field, Rule: "has a control character or invalid UTF-8 in its value"}
	}
	return f
}

func timeFilter(field, op string, t time.Time) Filter {
	f := Filter{field: field, op: op, value: t.UTC().Format(filterTime)}
	if t.IsZero() {
		f.err = &ValidationError{Field: "filter on " + field, Rule: "has a zero time"}
	}
	return f
}

func decimalFilter(field, op string, v float64) Filter {
	f := Filter{field: field, op: op, value: strconv.FormatFloat(v, 'f', -1, 64)}
	if v != v || v-v != 0 {
		f.err = &ValidationError{Field: "filter on " + field, Rule: fmt.Sprintf("is compared with %v", v)}
	}
	return f
}

// Include selects what indicators and groups are read with, beyond their own fields. The zero value
// reads the additional fields (counts, status, ThreatAssess scores, xid) and nothing else, because
// without them they would be missing without a sign that they are.
type Include struct {
	Tags       bool // read the tags
	Attributes bool // read the attributes
	Labels     bool // read the security labels
	// OmitAdditional leaves out the additional fields: the platform answers with its short form.
	OmitAdditional bool
}

// EncodeValues writes the selection into a query.
func (i Include) EncodeValues(_ string, q *url.Values) error {
	if !i.OmitAdditional {
		q.Set("includeAdditional", "true")
	}
	i.attached(*q)
	if i.Labels {
		q.Set("includes", "labels")
	}
	return nil
}

// attached adds to a query the parts that tasks and victims know as well.
func (i Include) attached(q url.Values) {
	if i.Tags {
		q.Set("includeTags", "true")
	}
	if i.Attributes {
		q.Set("includeAttributes", "true")
	}
}

// attachedOnly is attached for a noun that knows nothing else. It refuses security labels, which
// would be missing without a sign that they are.
func (i Include) attachedOnly(noun string, q url.Values) error {
	if i.Labels {
		return &ValidationError{Field: noun, Rule: "cannot be read with security labels", Fix: "read them with client.SecurityLabels.On"}
	}
	i.attached(q)
	return nil
}
