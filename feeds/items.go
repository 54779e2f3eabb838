package feeds

import (
	"errors"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/ioc"
)

// indicatorOf returns an indicator of a standard type with the canonical form of value.
func indicatorOf(t threatconnect.IndicatorType, value string) (threatconnect.Indicator, error) {
	if newIndicator(t, "") == nil {
		return nil, errors.New("has a type that is not one of the standard indicator types, as in Host or EmailAddress")
	}
	value, err := ioc.Canonical(ioc.Type(t), value)
	if err != nil {
		return nil, err
	}
	return newIndicator(t, value), nil
}

// newIndicator returns an indicator with a canonical value, or nil if the type is not a standard one.
func newIndicator(t threatconnect.IndicatorType, value string) threatconnect.Indicator {
	switch t {
	case threatconnect.TypeAddress:
		return threatconnect.NewAddress(value)
	case threatconnect.TypeEmailAddress:
		return threatconnect.NewEmailAddress(value)
	case threatconnect.TypeFile:
		md5, sha1, sha256, _ := ioc.SplitFileSummary(value) // cannot fail for a canonical value
		return &threatconnect.File{MD5: md5, SHA1: sha1, SHA256: sha256}
	case threatconnect.TypeHost:
		return threatconnect.NewHost(value)
	case threatconnect.TypeURL:
		return threatconnect.NewURL(value)
	case threatconnect.TypeASN:
		return threatconnect.NewASN(value)
	case threatconnect.TypeCIDR:
		return threatconnect.NewCIDR(value)
	case threatconnect.TypeMutex:
		return threatconnect.NewMutex(value)
	case threatconnect.TypeRegistryKey:
		key, name, valueType, _ := ioc.SplitRegistrySummary(value) // likewise
		return threatconnect.NewRegistryKey(key, name, valueType)
	case threatconnect.TypeUserAgent:
		return threatconnect.NewUserAgent(value)
	case threatconnect.TypeEmailSubject:
		return threatconnect.NewEmailSubject(value)
	case threatconnect.TypeHashtag:
		return threatconnect.NewHashtag(value)
	}
	return nil
}

// newGroup returns a group of a type that requires only a name, or nil.
func newGroup(t threatconnect.GroupType, name string) threatconnect.Group {
	switch t {
	case threatconnect.GroupAdversary:
		return threatconnect.NewAdversary(name)
	case threatconnect.GroupAttackPattern:
		return threatconnect.NewAttackPattern(name)
	case threatconnect.GroupCampaign:
		return threatconnect.NewCampaign(name)
	case threatconnect.GroupCourseOfAction:
		return threatconnect.NewCourseOfAction(name)
	case threatconnect.GroupIntrusionSet:
		return threatconnect.NewIntrusionSet(name)
	case threatconnect.GroupMalware:
		return threatconnect.NewMalware(name)
	case threatconnect.GroupTactic:
		return threatconnect.NewTactic(name)
	case threatconnect.GroupThreat:
		return threatconnect.NewThreat(name)
	case threatconnect.GroupTool:
		return threatconnect.NewTool(name)
	case threatconnect.GroupVulnerability:
		return threatconnect.NewVulnerability(name)
	}
	return nil
}

// displayed returns an attribute that is the default Description or Source of its resource.
func displayed(attributeType, value string) threatconnect.Attribute {
	return threatconnect.Attribute{Type: attributeType, Value: value, Displayed: new(true)}
}

// tagsOf returns tags of names in canonical form.
func tagsOf(names []string) ([]threatconnect.Tag, error) {
	var tags []threatconnect.Tag
	for _, name := range names {
		name, err := ioc.CanonicalTag(name)
		if err != nil {
			return nil, err
		}
		tags = append(tags, threatconnect.Tag{Name: name})
	}
	return tags, nil
}
