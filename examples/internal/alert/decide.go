package alert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/examples/internal/command"
	"github.com/threatconnect-go/threatconnect/examples/internal/value"
)

// What is decided about a value.
const (
	refuse = "refuse" // it is no indicator, or must not become one
	ignore = "ignore" // there is no reason to go on with it
	store  = "store"
	keep   = "keep"   // it is in the owner already, and left as it is
	failed = "failed" // it could not be looked up
)

// verdict is what was decided about a value, and why.
type verdict struct {
	Value     string                      `json:"value"` // as the alert has it
	Field     string                      `json:"field"`
	Type      threatconnect.IndicatorType `json:"type,omitempty"`
	Indicator string                      `json:"indicator,omitempty"`
	Decision  string                      `json:"decision"`
	Because   string                      `json:"because"`
	Linked    bool                        `json:"linked"` // whether it is in the owner and associated with the event
	// What the other owners know.
	Owners                 []string `json:"owners"`
	Rating                 *float64 `json:"rating"`     // the highest of an owner
	Confidence             *int     `json:"confidence"` // that goes with it
	ThreatAssessRating     *float64 `json:"threatAssessRating"`
	ThreatAssessConfidence *float64 `json:"threatAssessConfidence"`
	ThreatAssessScore      *int     `json:"threatAssessScore"`
	FalsePositives         int64    `json:"falsePositives"`

	ind     threatconnect.Indicator
	here    bool  // whether the owner that is stored in has it
	created bool  // whether it was stored for this alert
	refused bool  // whether the platform refuses it, although there is a reason to store it
	err     error // from a request about this value, when other values may do better
}

// matters reports whether the value is a reason to go on.
func (v *verdict) matters() bool { return v.Decision == store || v.Decision == keep || v.refused }

// isStored reports whether the value is in the owner that is stored in.
func (v *verdict) isStored() bool { return v.Decision == keep || v.created }

// fail notes the error of a request about the value, if there is one. It returns the error if requests
// about other values would fail as well.
func (v *verdict) fail(action string, err error) error {
	err = during(action, err)
	if err != nil && !isAboutRequest(err) {
		return err
	}
	v.err = cmp.Or(v.err, err)
	return nil
}

// refuse notes that the platform refuses the value.
func (v *verdict) refuse(because string, err error) {
	v.Decision, v.Because = refuse, because+": "+ruleOf(err)
}

// isRefusal reports whether err says that a value is wrong. Whoever makes alerts chooses the values.
func isRefusal(err error) bool {
	return errors.Is(err, threatconnect.ErrValidation) || errors.Is(err, threatconnect.ErrBadRequest) ||
		slices.Contains([]int{http.StatusRequestURITooLong, http.StatusRequestHeaderFieldsTooLarge}, statusOf(err))
}

// isAboutRequest reports whether err may be about one request only: it was answered, by the platform or by
// a firewall in front of it, and not because the user is unknown or the platform unavailable.
func isAboutRequest(err error) bool {
	switch statusOf(err) {
	case 0:
		return errors.Is(err, threatconnect.ErrBadResponse)
	case http.StatusUnauthorized, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return false
	}
	return true
}

// statusOf returns the status of the answer that err is about, or 0.
func statusOf(err error) int {
	if api, ok := errors.AsType[*threatconnect.APIError](err); ok {
		return api.StatusCode
	}
	return 0
}

// judge reads the candidates and refuses what cannot or must not become an indicator. Values that
// are the same indicator are judged once.
func (h *handler) judge(candidates []candidate) []*verdict {
	var all []*verdict
	seen := map[string]bool{}
	for _, c := range candidates {
		v := &verdict{Value: c.value, Field: c.field, Owners: []string{}}
		read := value.Reader(value.Recognize)
		if c.typ != "" {
			var ok bool
			if _, read, ok = value.As(c.typ); !ok {
				v.Decision, v.Because = refuse, fmt.Sprintf("%q is no type of indicator that can be stored", cut(c.typ, maxName))
				all = append(all, v)
				continue
			}
		}
		ind, err := read(c.value)
		if err != nil {
			v.Decision, v.Because = refuse, ruleOf(err)
			all = append(all, v)
			continue
		}
		v.ind, v.Type, v.Indicator = ind, ind.Type(), ind.Summary()
		key := string(v.Type) + "\x00" + v.Indicator
		if seen[key] {
			continue
		}
		seen[key] = true
		if reason, exclude := h.exclusions.Exclude(string(v.Type), v.Indicator); exclude {
			v.Decision, v.Because = refuse, reason
		}
		all = append(all, v)
	}
	return all
}

// ruleOf returns the rule that a value breaks.
func ruleOf(err error) string {
	if bad, ok := errors.AsType[*threatconnect.ValidationError](err); ok {
		return bad.Field + " " + bad.Rule
	}
	return command.Plain(err)
}

// enrich looks up the values that are not refused, a few at a time, and decides about each. It stops at
// the first error that is not about one value.
func (h *handler) enrich(ctx context.Context, all []*verdict) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	const atATime = 4
	slots := make(chan struct{}, atATime)
	var workers sync.WaitGroup
	for _, v := range all {
		if v.Decision != "" {
			continue
		}
		slots <- struct{}{}
		workers.Go(func() {
			defer func() { <-slots }()
			err := h.lookup(ctx, v)
			switch {
			case err == nil:
				h.decide(v)
			case isRefusal(err):
				v.refuse("cannot be looked up", err)
				v.refused = h.storeUnknown
			default:
				v.Decision, v.Because = failed, "could not be looked up"
				if err = v.fail("look up an indicator", err); err != nil {
					cancel(err)
				}
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx)
}

// lookup finds what the owners know. What is in the owner that is stored in is no reason: it may be
// there because of an alert like this one.
func (h *handler) lookup(ctx context.Context, v *verdict) error {
	for ind, err := range h.client.Indicators.AcrossOwners(ctx, v.ind, nil) {
		if err != nil {
			return err
		}
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
		if m.Active != nil && !*m.Active {
			continue // the owner does not stand by its rating any more
		}
		if m.Rating != nil && (v.Rating == nil || *m.Rating > *v.Rating) {
			v.Rating, v.Confidence = m.Rating, m.Confidence
		}
	}
	return nil
}

func larger[T int | float64](a, b *T) *T {
	if a == nil || b != nil && *b > *a {
		return b
	}
	return a
}

// decide says what becomes of a value that was looked up.
func (h *handler) decide(v *verdict) {
	v.Decision = store
	if v.here {
		v.Decision = keep
	}
	switch {
	case v.FalsePositives >= int64(h.falsePositives):
		v.Decision, v.Because = ignore, fmt.Sprintf("false positive, %d times", v.FalsePositives)
	case v.ThreatAssessScore != nil && *v.ThreatAssessScore >= h.minScore:
		v.Because = fmt.Sprintf("ThreatAssess score %d, at least %d", *v.ThreatAssessScore, h.minScore)
	case v.Rating != nil && *v.Rating >= h.minRating:
		v.Because = fmt.Sprintf("rated %g, at least %g", *v.Rating, h.minRating)
	case len(v.Owners) > 0:
		v.Decision, v.Because = ignore, "rated below what matters"
	case h.storeUnknown:
		v.Because = "known to no other owner"
	default:
		v.Decision, v.Because = ignore, "known to no other owner"
	}
}
