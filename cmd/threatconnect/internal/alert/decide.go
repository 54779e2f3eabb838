package alert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/ioc"
)

// The decisions about a value.
const (
	refuse = "refuse" // not an indicator, or excluded
	ignore = "ignore" // no reason to store it
	store  = "store"
	keep   = "keep"   // already in the owner, not changed
	failed = "failed" // lookup failed
)

// verdict is the decision about a value, and the reason.
type verdict struct {
	Value     string                      `json:"value"` // as in the alert
	Field     string                      `json:"field"`
	Type      threatconnect.IndicatorType `json:"type,omitempty"`
	Indicator string                      `json:"indicator,omitempty"` // in canonical form
	Decision  string                      `json:"decision"`
	Reason    string                      `json:"reason"`
	Linked    bool                        `json:"linked"` // whether it is associated with the event
	// The other fields are from the owners, except the one that alerts are stored in.
	Owners                 []string `json:"owners"`
	Rating                 *float64 `json:"rating"`     // the highest
	Confidence             *int     `json:"confidence"` // of the same owner
	ThreatAssessRating     *float64 `json:"threatAssessRating"`
	ThreatAssessConfidence *float64 `json:"threatAssessConfidence"`
	ThreatAssessScore      *int     `json:"threatAssessScore"`
	CALScore               *int     `json:"calScore"`
	FalsePositives         int64    `json:"falsePositives"`

	ind     threatconnect.Indicator
	here    bool  // the owner that alerts are stored in has it
	created bool  // it was stored for this alert
	refused bool  // there is a reason to store it, but the platform refuses it
	err     error // of a request about this value; requests about other values may succeed
}

// matters reports whether the value is a reason to store the alert.
func (v *verdict) matters() bool { return v.Decision == store || v.Decision == keep || v.refused }

// isStored reports whether the owner has the indicator.
func (v *verdict) isStored() bool { return v.Decision == keep || v.created }

// fail records the error of a request about the value, if there is one. It returns the error if requests
// about other values would fail as well.
func (v *verdict) fail(action string, err error) error {
	err = during(action, err)
	if err != nil && !concernsOneValue(err) {
		return err
	}
	v.err = cmp.Or(v.err, err)
	return nil
}

// refuse records that the platform refuses the value.
func (v *verdict) refuse(reason string, err error) {
	v.Decision, v.Reason = refuse, reason+": "+ruleOf(err)
}

// during returns err with the action that failed, or nil.
func during(action string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", action, err)
}

// isRefusal reports whether err means that a value is invalid.
func isRefusal(err error) bool {
	return errors.Is(err, threatconnect.ErrValidation) || errors.Is(err, threatconnect.ErrBadRequest) ||
		slices.Contains([]int{http.StatusRequestURITooLong, http.StatusRequestHeaderFieldsTooLarge}, statusOf(err))
}

// refusesText reports whether err can mean that the platform, or a firewall between this machine and it, refused a
// request because of foreign text in it.
func refusesText(err error) bool {
	e, ok := errors.AsType[*threatconnect.APIError](err)
	return isRefusal(err) || ok && e.StatusCode == http.StatusForbidden && e.Message == ""
}

// concernsOneValue reports whether err can concern a single value: the platform or a firewall has responded, and the
// cause is neither the API user nor an outage.
func concernsOneValue(err error) bool {
	switch statusOf(err) {
	case 0:
		return errors.Is(err, threatconnect.ErrBadResponse)
	case http.StatusUnauthorized, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return false
	}
	return true
}

// statusOf returns the HTTP status that err is about, or 0.
func statusOf(err error) int {
	if e, ok := errors.AsType[*threatconnect.APIError](err); ok {
		return e.StatusCode
	}
	return 0
}

// ruleOf returns the rule that a value breaks.
func ruleOf(err error) string {
	if e, ok := errors.AsType[*threatconnect.ValidationError](err); ok {
		return e.Field + " " + e.Rule
	}
	return cli.Plain(err)
}

// indicator returns the indicator for the value, or a *threatconnect.ValidationError.
func (c candidate) indicator() (threatconnect.Indicator, error) {
	if c.typ == "" {
		return threatconnect.ParseIndicator(c.value)
	}
	t, ok := cli.IndicatorType(c.typ)
	if !ok {
		rule := fmt.Sprintf("%q is not a type of indicators", shorten(c.typ, maxName))
		return nil, &threatconnect.ValidationError{Field: "type", Rule: rule}
	}
	value := c.value
	switch t {
	case ioc.TypeEmailSubject, ioc.TypeHashtag, ioc.TypeMutex, ioc.TypeRegistryKey, ioc.TypeUserAgent: // free text, which can look defanged
	default:
		value = ioc.Refang(value)
	}
	value, err := ioc.Canonical(t, value)
	if refused, ok := errors.AsType[*ioc.Error](err); ok {
		return nil, (*threatconnect.ValidationError)(refused)
	}
	if t == ioc.TypeFile || t == ioc.TypeRegistryKey { // of several values
		return threatconnect.ParseIndicator(value)
	}
	return threatconnect.NewCustomIndicator(threatconnect.IndicatorType(t), value), nil
}

// recognize parses the candidates and refuses invalid and excluded ones. Several candidates for one indicator get one
// verdict.
func (h *handler) recognize(candidates []candidate) []*verdict {
	all := []*verdict{}
	seen := map[threatconnect.IndicatorRef]bool{}
	for _, c := range candidates {
		v := &verdict{Value: c.value, Field: c.field, Owners: []string{}}
		ind, err := c.indicator()
		if err != nil {
			v.Decision, v.Reason = refuse, ruleOf(err)
		} else {
			v.ind, v.Type, v.Indicator = ind, ind.Type(), ind.Summary()
			ref := threatconnect.IndicatorRef{Type: v.Type, Value: v.Indicator}
			if seen[ref] {
				continue
			}
			seen[ref] = true
			if reason, exclude := h.exclusions.Exclude(string(v.Type), v.Indicator); exclude {
				v.Decision, v.Reason = refuse, reason
			}
		}
		all = append(all, v)
	}
	return all
}

// maxBroken is the number of lookups of an alert that may fail as in an outage. After that, the rest is not looked up.
const maxBroken = 3

// enrich looks up the values that are not refused and decides about each. Because of the text in a value, a firewall
// between this machine and the platform can break the connection or respond with a page of its own. If other values of
// the alert succeed, this must not look like an outage.
func (h *handler) enrich(ctx context.Context, all []*verdict) {
	byType := map[threatconnect.IndicatorType][]*verdict{}
	for _, v := range all {
		if v.Decision == "" {
			byType[v.Type] = append(byType[v.Type], v)
		}
	}
	broken := 0
	for _, typ := range slices.SortedFunc(maps.Keys(byType), textLast) {
		for rest := byType[typ]; len(rest) > 0 && broken < maxBroken; {
			n, err := h.lookUp(ctx, typ, rest)
			if err == nil {
				break
			}
			rest[n].Decision, rest[n].Reason, rest[n].err = failed, "could not be looked up", during("look up an indicator", err)
			rest = rest[n+1:]
			if broken++; ctx.Err() != nil || slices.Contains([]int{http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests}, statusOf(err)) {
				broken = maxBroken
			}
		}
	}
	for _, v := range all {
		if v.Decision == "" {
			v.Decision, v.Reason = failed, "was not looked up"
		}
	}
}

// textLast orders types by name, and types of foreign text last, so that foreign text cannot prevent the lookup of the
// others.
func textLast(a, b threatconnect.IndicatorType) int {
	switch {
	case holdsText(a) == holdsText(b):
		return cmp.Compare(a, b)
	case holdsText(a):
		return 1
	}
	return -1
}

// holdsText reports whether values of a type can contain any text.
func holdsText(t threatconnect.IndicatorType) bool {
	return !slices.Contains([]ioc.Type{ioc.TypeAddress, ioc.TypeASN, ioc.TypeCIDR, ioc.TypeFile, ioc.TypeHost}, ioc.Type(t))
}

// lookUp looks up values of a type and decides about each. It stops at the first error that can concern other values,
// and returns it with the index of its value.
func (h *handler) lookUp(ctx context.Context, typ threatconnect.IndicatorType, some []*verdict) (int, error) {
	values := func(yield func(string) bool) {
		for _, v := range some {
			if !yield(v.ind.Ref().Value) {
				return
			}
		}
	}
	opts := &threatconnect.LookupOptions{AllOwners: true, Type: typ, Parallel: 4}
	for result, err := range h.client.Indicators.Lookup(ctx, values, opts) {
		if isRefusal(err) { // the instance does not have this type
			for _, v := range some {
				v.refuse("cannot be looked up", err)
			}
			return 0, nil
		}
		if err != nil {
			return result.Index, err
		}
		v := some[result.Index]
		switch err := result.Err; {
		case err == nil:
			h.learn(v, result.Found)
			h.decide(v)
		case isRefusal(err):
			v.refuse("cannot be looked up", err)
			v.refused = h.storeUnknown
		default:
			v.Decision, v.Reason, v.err = failed, "could not be looked up", during("look up an indicator", err)
		}
	}
	return 0, nil
}

// learn records the data of the owners. The owner that alerts are stored in is no evidence: it may have the indicator
// because of an alert like this one.
func (h *handler) learn(v *verdict, found []threatconnect.Indicator) {
	for _, ind := range found {
		m := ind.Meta()
		if m.Additional != nil {
			v.FalsePositives = max(v.FalsePositives, m.Additional.FalsePositives)
		}
		if m.Owner.Name == h.owner {
			v.here = true
			continue
		}
		v.Owners = append(v.Owners, m.Owner.Name)
		v.ThreatAssessRating = larger(v.ThreatAssessRating, m.ThreatAssessRating)
		v.ThreatAssessConfidence = larger(v.ThreatAssessConfidence, m.ThreatAssessConfidence)
		v.ThreatAssessScore = larger(v.ThreatAssessScore, m.ThreatAssessScore)
		v.CALScore = larger(v.CALScore, m.CALScore)
		if m.Active != nil && !*m.Active {
			continue // the owner has withdrawn its rating
		}
		if m.Rating != nil && (v.Rating == nil || *m.Rating > *v.Rating) {
			v.Rating, v.Confidence = m.Rating, m.Confidence
		}
	}
}

func larger[T int | float64](a, b *T) *T {
	if a == nil || b != nil && *b > *a {
		return b
	}
	return a
}

// decide decides about a value that was looked up.
func (h *handler) decide(v *verdict) {
	v.Decision = store
	if v.here {
		v.Decision = keep
	}
	switch {
	case v.FalsePositives >= int64(h.maxFalsePositives):
		v.Decision, v.Reason = ignore, fmt.Sprintf("reported as a false positive %d times", v.FalsePositives)
	case v.ThreatAssessScore != nil && *v.ThreatAssessScore >= h.minScore:
		v.Reason = fmt.Sprintf("ThreatAssess score %d, at least %d", *v.ThreatAssessScore, h.minScore)
	case v.CALScore != nil && *v.CALScore >= h.minCALScore:
		v.Reason = fmt.Sprintf("CAL score %d, at least %d", *v.CALScore, h.minCALScore)
	case v.Rating != nil && *v.Rating >= h.minRating:
		v.Reason = fmt.Sprintf("rated %g, at least %g", *v.Rating, h.minRating)
	case len(v.Owners) > 0:
		v.Decision, v.Reason = ignore, "below all thresholds"
	case h.storeUnknown:
		v.Reason = "known to no other owner"
	default:
		v.Decision, v.Reason = ignore, "known to no other owner"
	}
}
