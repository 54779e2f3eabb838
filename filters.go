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

// Filter is one condition on the items of a list. Create it with a By constant and one of its methods, for example
// ByRating.Above(3). Each constant has only the operators that the platform supports for the field. An invalid value,
// for example an empty text or a text with a comma, returns a [*ValidationError] when the list is read.
type Filter struct {
	field, op, value string
	err              error
}

// String returns the filter in the platform's syntax, unescaped.
func (f Filter) String() string { return f.field + f.op + f.value }

// Filters are conditions on the items of a list. An item must match all of them, or one of them if Any is
// set in the options.
type Filters []Filter

// EncodeValues adds the filters to a query.
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

// check returns an error for invalid filters and for filters on fields that the list does not support.
func (f Filters) check(list string, fields ...string) error {
	for _, x := range f {
		if x.err != nil {
			return x.err
		}
		if x.field == "" {
			return &ValidationError{Field: "filter", Rule: "is empty", Fix: "create it with one of the By constants"}
		}
		if !slices.Contains(fields, x.field) {
			return &ValidationError{Field: "filter on " + x.field, Rule: "is not known to the list of " + list, Fix: "use one of " + strings.Join(fields, ", ")}
		}
	}
	return nil
}

// TextFilter is the name of a text field that can be compared with a value or a prefix.
type TextFilter string

// Is matches items whose field is v.
func (f TextFilter) Is(v string) Filter { return textFilter(string(f), "=", v) }

// StartsWith matches items whose field begins with v.
func (f TextFilter) StartsWith(v string) Filter { return textFilter(string(f), "^", v) }

// ExactFilter is the name of a text field that can be compared with a value.
type ExactFilter string

// Is matches items whose field is v.
func (f ExactFilter) Is(v string) Filter { return textFilter(string(f), "=", v) }

// StatusFilter is the name of the status field of tasks.
type StatusFilter string

// Is matches tasks whose status is v.
func (f StatusFilter) Is(v string) Filter { return textFilter(string(f), "=", v) }

// IsNot matches tasks whose status is not v.
func (f StatusFilter) IsNot(v string) Filter { return textFilter(string(f), "!", v) }

// TimeFilter is the name of a time field.
type TimeFilter string

// Before matches items whose field is earlier than t.
func (f TimeFilter) Before(t time.Time) Filter { return timeFilter(string(f), "<", t) }

// After matches items whose field is later than t.
func (f TimeFilter) After(t time.Time) Filter { return timeFilter(string(f), ">", t) }

// NumberFilter is the name of an integer field.
type NumberFilter string

// Is matches items whose field is n.
func (f NumberFilter) Is(n int) Filter { return numberFilter(string(f), "=", n) }

// Above matches items whose field is greater than n.
func (f NumberFilter) Above(n int) Filter { return numberFilter(string(f), ">", n) }

// Below matches items whose field is less than n.
func (f NumberFilter) Below(n int) Filter { return numberFilter(string(f), "<", n) }

// WholeFilter is the name of an integer field for which the platform supports only equality.
type WholeFilter string

// Is matches items whose field is n.
func (f WholeFilter) Is(n int) Filter { return numberFilter(string(f), "=", n) }

// DecimalFilter is the name of a decimal field, for which the platform does not support equality.
type DecimalFilter string

// Above matches items whose field is greater than v.
func (f DecimalFilter) Above(v float64) Filter { return decimalFilter(string(f), ">", v) }

// Below matches items whose field is less than v.
func (f DecimalFilter) Below(v float64) Filter { return decimalFilter(string(f), "<", v) }

// FlagFilter is the name of a boolean field.
type FlagFilter string

// Is matches items whose field is v.
func (f FlagFilter) Is(v bool) Filter {
	return Filter{field: string(f), op: "=", value: strconv.FormatBool(v)}
}

// The fields for filters. The comment of each field names the lists that support it. A filter on another list
// returns a [*ValidationError].
const (
	ByName                   TextFilter    = "name"                   // groups, tags, tasks, victims, security labels
	BySummary                TextFilter    = "summary"                // indicators
	ByDateAdded              TimeFilter    = "dateAdded"              // groups, indicators, tasks
	ByFirstSeen              TimeFilter    = "firstSeen"              // campaigns
	ByEventDate              TimeFilter    = "eventDate"              // incidents
	ByFileType               ExactFilter   = "fileType"               // documents
	ByActive                 FlagFilter    = "active"                 // indicators; without this filter, lists contain only active ones
	ByRating                 DecimalFilter = "rating"                 // indicators; 0 to 5
	ByConfidence             NumberFilter  = "confidence"             // indicators; 0 to 100
	ByFalsePositives         NumberFilter  = "falsePositive"          // indicators; number of reports
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
	ByWeight                 NumberFilter  = "weight"                 // tags; number of uses
	ByStatus                 StatusFilter  = "status"                 // tasks
	ByAssignee               ExactFilter   = "assignee"               // tasks; a user name
	ByEscalatee              ExactFilter   = "escalatee"              // tasks; a user name
	ByOverdue                FlagFilter    = "overdue"                // tasks
	ByEscalated              FlagFilter    = "escalated"              // tasks
	ByReminded               FlagFilter    = "reminded"               // tasks
	ByDueDate                TimeFilter    = "dueDate"                // tasks
)

// filterTime is the layout of times in filters.
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

func numberFilter(field, op string, n int) Filter {
	return Filter{field: field, op: op, value: strconv.Itoa(n)}
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

// Include selects the optional parts of indicators and groups to read. The zero value reads only the
// additional fields: counts, status, ThreatAssess scores, xid.
type Include struct {
	Tags       bool // read the tags
	Attributes bool // read the attributes
	Labels     bool // read the security labels
	// OmitAdditional omits the additional fields, for shorter responses.
	OmitAdditional bool
}

// EncodeValues adds the selection to a query.
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

// attached adds the parts to a query that tasks and victims support as well.
func (i Include) attached(q url.Values) {
	if i.Tags {
		q.Set("includeTags", "true")
	}
	if i.Attributes {
		q.Set("includeAttributes", "true")
	}
}

// attachedOnly is attached for nouns that support only these parts. It returns an error for security labels,
// which would be missing from the response.
func (i Include) attachedOnly(noun string, q url.Values) error {
	if i.Labels {
		return &ValidationError{Field: noun, Rule: "cannot be read with security labels", Fix: "read them with client.SecurityLabels.On"}
	}
	i.attached(q)
	return nil
}
