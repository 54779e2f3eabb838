package feeds

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/ioc"
)

// stixObject contains the members of a STIX object that are used.
type stixObject struct {
	Type        string   `json:"type"`
	ID          string   `json:"id"`
	Created     string   `json:"created"`
	Modified    string   `json:"modified"`
	Revoked     bool     `json:"revoked"`
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Labels      []string `json:"labels"`
	Confidence  *int     `json:"confidence"`
	KillChain   []struct {
		Chain string `json:"kill_chain_name"`
		Phase string `json:"phase_name"`
	} `json:"kill_chain_phases"`
	References []struct {
		Source     string `json:"source_name"`
		ExternalID string `json:"external_id"`
		URL        string `json:"url"`
	} `json:"external_references"`
	Markings []string `json:"object_marking_refs"`

	Pattern        string   `json:"pattern"`
	PatternType    string   `json:"pattern_type"`
	IndicatorTypes []string `json:"indicator_types"`
	ValidUntil     string   `json:"valid_until"`

	FirstSeen string `json:"first_seen"`
	LastSeen  string `json:"last_seen"`
	Published string `json:"published"`

	Source string `json:"source_ref"`
	Target string `json:"target_ref"`

	Definition struct {
		TLP string `json:"tlp"`
	} `json:"definition"`

	// ObjectRefs is always empty: object_refs can be long, and is not kept in the JSON of an object.
	ObjectRefs []string `json:"object_refs"`
}

// stixMembers are the names of the members of stixObject. They are not modified.
var stixMembers = [...]string{
	"type", "id", "created", "modified", "revoked", "name", "description", "labels", "confidence", "kill_chain_phases",
	"external_references", "object_marking_refs", "pattern", "pattern_type", "indicator_types", "valid_until", "first_seen",
	"last_seen", "published", "source_ref", "target_ref", "definition", "object_refs",
}

// stixKind is the result of importing an object.
type stixKind int64

const (
	stixMissing      stixKind = iota // the feed has no such object
	stixLeftOut                      // nothing: the object has a *LineError
	stixContext                      // nothing by itself: it describes other objects
	stixRelationship                 // an association
	stixIndicator
	stixGroup
	stixReport // a group that is associated with the objects it refers to
)

func (k stixKind) isGroup() bool { return k == stixGroup || k == stixReport }

// kind returns the kind of the object, and the error if it is left out.
func (o *stixObject) kind() (stixKind, error) {
	kind := stixContext
	switch o.Type {
	case "identity", "marking-definition", "extension-definition":
		return stixContext, nil
	case "relationship":
		if o.Revoked {
			return stixContext, nil
		}
		return stixRelationship, nil
	case "indicator":
		kind = stixIndicator
	case "report":
		kind = stixReport
	default:
		if stixGroupType(o.Type) == "" {
			return stixContext, skipped("is of a type that is not imported")
		}
		kind = stixGroup
	}
	if o.Revoked {
		return stixContext, skipped("is revoked")
	}
	return kind, nil
}

// skipped returns the error of a valid object that is not imported.
func skipped(rule string) error { return &LineError{Rule: rule, Skipped: true} }

// indicators calls yield with an indicator or an error for each comparison of the pattern. Each indicator repeats the
// description, tags and groups of the object, so a small object could become gigabytes. Together, the indicators take at
// most budget bytes of batch files.
func (r *stixReader) indicators(o *stixObject, groups []string, budget int, yield func(threatconnect.BatchItem, error) error) error {
	meta, err := o.meta(r.labels)
	if err != nil {
		return yield(nil, err)
	}
	if o.PatternType != "" && o.PatternType != "stix" {
		return yield(nil, skipped("has a pattern in a language other than STIX"))
	}
	comparisons, refusals := parsePattern(o.Pattern)
	sent, repeat := 0, true
	for _, c := range comparisons {
		ind, err := c.indicator()
		if err != nil {
			refusals = append(refusals, err)
			continue
		}
		m := ind.Meta()
		m.Confidence = o.Confidence
		m.Tags, m.SecurityLabels, m.GroupXIDs = slices.Clone(meta.Tags), slices.Clone(meta.SecurityLabels), slices.Clone(groups)
		m.ExternalDateAdded, m.ExternalLastModified, m.ExternalDateExpires = meta.ExternalDateAdded, meta.ExternalLastModified, meta.ExternalDateExpires
		if repeat {
			m.Attributes = slices.Clone(meta.Attributes)
		}
		_, err = r.checker.Of(ind)
		if err == nil && repeat && sent+r.checker.Size() > budget/4*3 { // the rest is for indicators without attributes
			repeat, m.Attributes = false, nil
			_, err = r.checker.Of(ind)
		}
		if err != nil {
			refusals = append(refusals, err)
			continue
		}
		if sent += r.checker.Size(); sent > budget {
			refusals = append(refusals, fmt.Errorf("has a pattern whose indicators are more than %d times as large as the object; the others are left out", maxGrowth))
			break
		}
		if err := yield(ind, nil); err != nil {
			return err
		}
	}
	if !repeat && len(meta.Attributes) > 0 && sent <= budget {
		refusals = append(refusals, errors.New("has so many comparisons that its description and source are not repeated for all of them"))
	}
	for _, err := range refusals {
		if err := yield(nil, err); err != nil {
			return err
		}
	}
	return nil
}

// group returns the group that the object becomes, without its xid.
func (o *stixObject) group(labels map[string]string, groups []string) (threatconnect.Group, error) {
	meta, err := o.meta(labels)
	if err != nil {
		return nil, err
	}
	full := strings.TrimSpace(o.Name)
	meta.Name = shortened(full)
	if meta.Name != full {
		about := slices.IndexFunc(meta.Attributes, func(a threatconnect.Attribute) bool { return a.Type == "Description" })
		if about < 0 {
			meta.Attributes = append(meta.Attributes, displayed("Description", full))
		} else {
			meta.Attributes[about].Value = full + "\n\n" + o.Description
		}
	}
	if meta.Name, err = ioc.CanonicalGroupName(meta.Name); err != nil {
		return nil, err
	}
	meta.GroupXIDs = groups
	var g threatconnect.Group
	if o.Type == "report" {
		r := threatconnect.NewReport(meta.Name, o.ID+".json")
		if r.PublishDate, err = stixTime("published", o.Published); err != nil {
			return nil, err
		}
		g = r
	} else {
		g = newGroup(stixGroupType(o.Type), meta.Name)
	}
	*g.Meta() = meta
	return g, nil
}

// meta returns the fields that indicators and groups have in common.
func (o *stixObject) meta(labels map[string]string) (m threatconnect.GroupMeta, err error) {
	for _, d := range []struct {
		member, text string
		into         *time.Time
	}{
		{"created", o.Created, &m.ExternalDateAdded}, {"modified", o.Modified, &m.ExternalLastModified},
		{"valid_until", o.ValidUntil, &m.ExternalDateExpires}, {"first_seen", o.FirstSeen, &m.FirstSeen}, {"last_seen", o.LastSeen, &m.LastSeen},
	} {
		if *d.into, err = stixTime(d.member, d.text); err != nil {
			return m, err
		}
	}
	if m.Tags, err = o.tags(); err != nil {
		return m, err
	}
	if strings.TrimSpace(o.Description) != "" {
		m.Attributes = append(m.Attributes, displayed("Description", o.Description))
	}
	for _, r := range o.References {
		if strings.TrimSpace(r.URL) != "" {
			m.Attributes = append(m.Attributes, displayed("Source", r.URL))
			break // only one Source can be displayed
		}
	}
	for _, id := range o.Markings {
		l, ok := tlpLabel(labels[id])
		if ok && !slices.ContainsFunc(m.SecurityLabels, func(other threatconnect.SecurityLabel) bool { return other.Name == l.Name }) {
			m.SecurityLabels = append(m.SecurityLabels, l)
		}
	}
	return m, nil
}

// tags returns the labels, indicator types and kill chain phases as tags. Phases of MITRE ATT&CK become part of the tag of
// their technique, if the platform has a form for it.
func (o *stixObject) tags() ([]threatconnect.Tag, error) {
	names := slices.Concat(o.Labels, o.IndicatorTypes)
	attack := o.attackTags()
	for _, k := range o.KillChain {
		if len(attack) == 0 || k.Chain != "mitre-attack" {
			names = append(names, strings.ReplaceAll(k.Phase, "-", " "))
		}
	}
	seen := map[string]bool{"": true, "unknown": true}
	names = slices.DeleteFunc(append(names, attack...), func(name string) bool {
		twice := seen[name]
		seen[name] = true
		return twice
	})
	return tagsOf(names)
}

// attackTags returns the tags of a technique of Enterprise ATT&CK, or nil.
func (o *stixObject) attackTags() []string {
	if o.Type != "attack-pattern" {
		return nil
	}
	var tactics []string
	for _, k := range o.KillChain {
		if k.Chain == "mitre-attack" {
			tactics = append(tactics, k.Phase)
		}
	}
	for _, r := range o.References {
		if r.Source == "mitre-attack" && len(tactics) > 0 {
			tags, err := threatconnect.AttackTags(threatconnect.AttackEnterprise, r.ExternalID, o.Name, tactics...)
			if err == nil {
				return tags
			}
		}
	}
	return nil
}

// stixTime reads a timestamp, which may be missing.
func stixTime(member, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err == nil {
		t, err = inUTC(t)
	}
	if err != nil {
		return time.Time{}, errors.New(member + " is not a date and time as in 2026-01-02T03:04:05Z")
	}
	return t, nil
}

// stixGroupType returns the type of group that a type of STIX objects becomes, or "".
func stixGroupType(typ string) threatconnect.GroupType {
	switch typ {
	case "malware":
		return threatconnect.GroupMalware
	case "campaign":
		return threatconnect.GroupCampaign
	case "threat-actor":
		return threatconnect.GroupAdversary
	case "intrusion-set":
		return threatconnect.GroupIntrusionSet
	case "attack-pattern":
		return threatconnect.GroupAttackPattern
	case "tool":
		return threatconnect.GroupTool
	case "vulnerability":
		return threatconnect.GroupVulnerability
	case "course-of-action":
		return threatconnect.GroupCourseOfAction
	case "x-mitre-tactic":
		return threatconnect.GroupTactic
	}
	return ""
}

// shortened cuts a name to the maximum length of a group's name. Titles of reports are often longer.
func shortened(name string) string {
	const most = 100
	if utf8.RuneCountInString(name) <= most {
		return name
	}
	return strings.TrimSpace(string([]rune(name)[:most-1])) + "…"
}

// stixTLP returns the predefined IDs of the TLP markings in STIX 2.0 and 2.1, which feeds use without defining them.
func stixTLP() map[string]string {
	return map[string]string{
		"marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9": "TLP:WHITE",
		"marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da": "TLP:GREEN",
		"marking-definition--f88d31f6-486f-44da-b317-01333bde0b82": "TLP:AMBER",
		"marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed": "TLP:RED",
		"marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487": "TLP:CLEAR",
		"marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb": "TLP:GREEN",
		"marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421": "TLP:AMBER",
		"marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003": "TLP:AMBER+STRICT",
		"marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1": "TLP:RED",
	}
}

// label returns the name of the security label for a marking definition, or "".
func (o *stixObject) label() string {
	if o.Type != "marking-definition" {
		return ""
	}
	name := o.Name
	if o.Definition.TLP != "" {
		name = "TLP:" + o.Definition.TLP
	}
	l, _ := tlpLabel(strings.ToUpper(name))
	return l.Name
}

// tlpLabel returns the security label of a level of the Traffic Light Protocol, with the description and the color
// for owners that do not have it yet.
func tlpLabel(name string) (label threatconnect.SecurityLabel, ok bool) {
	description, color := "", "FFFFFF"
	switch name {
	case "TLP:RED":
		description, color = "For the eyes and ears of individual recipients only, no further disclosure.", "FF2B2B"
	case "TLP:AMBER+STRICT":
		description, color = "Limited disclosure within the recipient's organization only.", "FFC000"
	case "TLP:AMBER":
		description, color = "Limited disclosure within the recipient's organization and its clients.", "FFC000"
	case "TLP:GREEN":
		description, color = "Limited disclosure within the recipient's community.", "33FF00"
	case "TLP:CLEAR", "TLP:WHITE":
		description = "No limit on disclosure."
	default:
		return label, false
	}
	return threatconnect.SecurityLabel{Name: name, Description: description, Color: color}, true
}
