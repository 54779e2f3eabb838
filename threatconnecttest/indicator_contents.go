package threatconnecttest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// fillIndicator fills an empty indicator from a record and returns the groups to associate it with.
// had is the previous indicator.
func (s *seeder) fillIndicator(i *indicator, r *IndicatorRecord, had *indicator) ([]*group, error) {
	f := fields{}
	number := func(name string, on bool, text func() string) {
		if on {
			f = append(f, member{[]byte(name), []byte(text())})
		}
	}
	number("rating", r.Rating != nil, func() string { return strconv.FormatFloat(*r.Rating, 'f', -1, 64) })
	number("confidence", r.Confidence != nil, func() string { return strconv.Itoa(*r.Confidence) })
	number("size", r.Size != 0, func() string { return strconv.FormatInt(r.Size, 10) })
	for name, on := range map[string]bool{"activeLocked": r.ActiveLocked, "privateFlag": r.Private, "dnsActive": r.DNSActive, "whoisActive": r.WhoisActive} {
		number(name, on, func() string { return "true" })
	}
	number("active", r.Inactive, func() string { return "false" })
	ch, msg := i.typ.readChange(f)
	if msg != "" {
		return nil, platformSays(msg, "")
	}
	if r.Associated != nil && !slices.Equal(r.Associated, had.linked()) {
		return nil, refuse("Associated", "is only read: seed or delete an Association")
	}
	ch.apply(i, 0)
	i.added = stored(r.DateAdded, i.added)
	i.modified = stored(r.LastModified, i.added)
	if err := s.fillExtras(i, r, had.extra().occurrences); err != nil {
		return nil, err
	}
	groups, err := s.groupsAt(i, r.Groups)
	if err != nil {
		return nil, err
	}
	return groups, s.attach(i, had.more.all().attributes, r.Attributes, r.Tags, r.Labels, func() error {
		return checkKept(r, i.record(), "Summary", "Groups", "Associated")
	})
}

// locations are the fields of an address that describe its location.
var locations = [...]string{"countryCode", "countryName", "city", "state", "organization", "timezone", "asn"}

func (s *seeder) fillExtras(i *indicator, r *IndicatorRecord, had []*occurrence) error {
	var d itemDates
	if d.take(r.dates()); d != (itemDates{}) {
		i.makeRest().dates = d
	}
	only := func(typeName, field string, set bool) error {
		if set && i.typ.Name != typeName {
			return refuse(field, "only a "+typeName+" has it")
		}
		return nil
	}
	for _, err := range []error{
		only("File", "Occurrences", len(r.Occurrences) > 0), only("Host", "Resolutions", len(r.Resolutions) > 0),
		only("Address", "Location", len(r.Location) > 0), checkLocation(r.Location), checkAssessed(r.Assessed),
	} {
		if err != nil {
			return err
		}
	}
	if r.XID == "" && r.Location == nil && r.Assessed == nil &&
		len(r.Occurrences)+len(r.Resolutions)+len(r.Observations)+len(r.FalsePositives) == 0 {
		return nil
	}
	rare, had := i.details(), slices.Clone(had)
	rare.xid, rare.location = r.XID, maps.Clone(r.Location)
	if r.Assessed != nil {
		rare.assessed = new(*r.Assessed)
	}
	for n, o := range r.Occurrences {
		o.Date = o.Date.Truncate(time.Second).UTC()
		if o.FileName == "" && o.Path == "" && o.Date.IsZero() {
			return refuse(fmt.Sprintf("Occurrences[%d]", n), "needs a FileName, a Path or a Date")
		}
		old := take(&had, func(old *occurrence) bool { return old.Occurrence == o })
		if old == nil {
			old = &occurrence{s.nextID(), o}
		}
		rare.occurrences = append(rare.occurrences, old)
	}
	for n, e := range r.Resolutions {
		for m, a := range e.Addresses {
			if _, ok := canonicalAddress(a); !ok {
				return refuse(fmt.Sprintf("Resolutions[%d].Addresses[%d]", n, m), "is not a valid Address")
			}
		}
		rare.resolutions = append(rare.resolutions, Resolution{e.Date.Truncate(time.Second).UTC(), slices.Clone(e.Addresses)})
	}
	for n, o := range r.Observations {
		if o.Count < 1 {
			return refuse(fmt.Sprintf("Observations[%d].Count", n), "must be at least 1")
		}
		rare.observations = append(rare.observations, observation{s.accessID, o.Count, stored(o.Date, s.now.Unix())})
	}
	for n, at := range r.FalsePositives {
		const day = 24 * 60 * 60
		seconds := stored(at, s.now.Unix())
		if n > 0 && rare.falsePositives[n-1].at/day >= seconds/day {
			return refuse(fmt.Sprintf("FalsePositives[%d]", n), "must be on a later day than the one before: a user reports an indicator once a day")
		}
		rare.falsePositives = append(rare.falsePositives, falsePositive{s.accessID, seconds})
	}
	return nil
}

func checkLocation(location map[string]string) error {
	for name, v := range location {
		switch {
		case !slices.Contains(locations[:], name):
			return refuse(fmt.Sprintf("Location[%q]", name), "must be one of "+strings.Join(locations[:], ", "))
		case name == "asn" && !allDigits(v):
			return refuse(`Location["asn"]`, "must be a number")
		}
	}
	return nil
}

func checkAssessed(a *ThreatAssess) error {
	switch {
	case a == nil:
	case !(a.Rating >= 0 && a.Rating <= 5):
		return refuse("Assessed.Rating", "must be 0 to 5")
	case !(a.Confidence >= 0 && a.Confidence <= 100):
		return refuse("Assessed.Confidence", "must be 0 to 100")
	case a.Score < 0 || a.Score > 1000:
		return refuse("Assessed.Score", "must be 0 to 1000")
	case a.CALScore < 0 || a.CALScore > 1000:
		return refuse("Assessed.CALScore", "must be 0 to 1000")
	}
	return nil
}
