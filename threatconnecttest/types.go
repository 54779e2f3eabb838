package threatconnecttest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

func typeRoutes() []route {
	return []route{
		{method: "GET", pattern: "/v2/types/indicatorTypes", about: instance, handle: (*call).listIndicatorTypes},
		{method: "GET", pattern: "/v2/types/indicatorTypes/{indicatorType}", about: instance, handle: with((*call).typeOfEntity, (*call).getIndicatorType)},
		{method: "GET", pattern: "/v2/types/attributeTypes", handle: (*call).listAttributeTypes},
		{method: "GET", pattern: "/v2/types/attributeTypes/{attributeTypeName}", about: instance, handle: with((*call).namedAttributeType, (*call).getAttributeType)},
		{method: "GET", pattern: "/v2/types/associationTypes", about: instance, handle: (*call).listAssociationTypes},
		{method: "GET", pattern: "/v2/types/associationTypes/{associationType}", about: instance, handle: (*call).getAssociationType},
	}
}

func (t *indicatorType) write(w *jsonWriter, with include) {
	w.str("name", t.Name)
	w.stringBool("custom", t.custom)
	w.stringBool("parsable", t.parsable)
	w.str("apiBranch", t.Branch)
	w.str("apiEntity", t.Entity)
	additional := with&withAdditional != 0
	if t.custom {
		w.some("casePreference", t.CasePreference)
	}
	if t.custom || additional && t.labels != nil {
		for n := range t.Fields {
			which := "value" + strconv.Itoa(n+1)
			w.str(which+"Label", t.label(n))
			if n == len(t.Fields)-1 && t.options != nil {
				w.str(which+"Type", "selectone")
				w.str(which+"Option", strings.Join(t.options, ";"))
				continue
			}
			w.str(which+"Type", "text")
		}
		if len(t.Fields) == 1 && !additional {
			w.str("value2Label", "")
		}
	}
	if !additional {
		return
	}
	if t.regexes != nil {
		w.texts("regexes", t.regexes)
	}
	w.object("keys", func(w *jsonWriter) {
		for n, f := range t.Fields {
			w.str("key"+strconv.Itoa(n+1), f)
		}
	})
}

func (c *call) listIndicatorTypes() *answer {
	with, key := c.includes(), "indicatorType"
	if with&withAdditional != 0 && c.odd(OddityAdditionalTypesKey) {
		key = "indicator"
	}
	return pageOf(c, key, slices.Values(c.types), func(t *indicatorType, w *jsonWriter) { t.write(w, with) })
}

// typeOfEntity returns the type whose entity, not branch, is in the path.
func (c *call) typeOfEntity() *indicatorType {
	return first(c.types, func(t *indicatorType) bool { return t.Entity == c.params.get("indicatorType") })
}

func (c *call) getIndicatorType(t *indicatorType) *answer {
	return c.one(http.StatusOK, "indicatorType", func(w *jsonWriter) { t.write(w, c.includes()) })
}

func (t *AttributeType) write(w *jsonWriter, rules bool) {
	w.str("name", t.Name)
	w.bool("system", t.System)
	w.bool("allowMarkdown", t.AllowMarkdown)
	w.int("maxLength", int64(t.MaxLength))
	if rules {
		w.object("validationRule", func(*jsonWriter) {})
	}
}

// property returns the value of a filter field.
func (t *AttributeType) property(name string) any {
	switch name {
	case "system":
		return t.System
	case "allowMarkdown":
		return t.AllowMarkdown
	case "maxLength":
		return float64(t.MaxLength)
	}
	return nil
}

// listAttributeTypes accepts filters both as query parameters and in the filters parameter, because
// the documentation names the filters without a syntax.
func (c *call) listAttributeTypes() *answer {
	known := filterFields{"system": {filterBool, "="}, "allowMarkdown": {filterBool, "="}, "maxLength": {filterNumber, "=<>"}}
	want, bad := c.filters(known)
	if bad != nil {
		return bad
	}
	for name := range known {
		if !c.query.Has(name) {
			continue
		}
		e, ok := known.read(name + "=" + c.query.Get(name))
		if !ok {
			return fail(http.StatusBadRequest, msgMalformed)
		}
		want.all = append(want.all, e)
	}
	rules := c.query.Get("includes") == "validationRule"
	all := where(c.attributeTypes, func(t *AttributeType) bool { return want.match(t.property) })
	return pageOf(c, "attributeType", all, func(t *AttributeType, w *jsonWriter) { t.write(w, rules) })
}

func (c *call) namedAttributeType() *AttributeType {
	return c.attributeType(c.params.get("attributeTypeName"))
}

func (c *call) getAttributeType(t *AttributeType) *answer {
	return c.one(http.StatusOK, "attributeType", func(w *jsonWriter) { t.write(w, c.query.Get("includes") == "validationRule") })
}

// associationType is a way in which two items can be associated.
type associationType struct {
	name       string
	branch     string
	custom     bool
	fileAction bool
	ends       [][2]string // indicator types of both ends, for types between indicators
}

// associationTypes returns the types of every instance: those of groups, those between indicators,
// and the file actions.
func associationTypes() []associationType {
	var all []associationType
	for _, t := range groupTypes {
		all = append(all, associationType{name: t.name, branch: t.branch})
	}
	return append(all, []associationType{
		{name: "Address to User Agent", branch: "addressToUserAgent", ends: [][2]string{{"Address", "User Agent"}}},
		{name: "ASN to Address", branch: "asnToAddress", ends: [][2]string{{"ASN", "Address"}}},
		{name: "ASN to CIDR", branch: "asnToCidr", ends: [][2]string{{"ASN", "CIDR"}}},
		{name: "CIDR to Address", branch: "cidrToAddress", ends: [][2]string{{"CIDR", "Address"}}},
		{name: "DNS PTR Record", branch: "dnsPtrRecord", ends: [][2]string{{"Address", "Host"}}},
		{name: "Domain Registrant Email", branch: "domainRegistrant", ends: [][2]string{{"Host", "EmailAddress"}}},
		{name: "File Download", branch: "fileDownload", ends: [][2]string{{"URL", "File"}}},
		{name: "URL Host", branch: "urlHost", ends: [][2]string{{"URL", "Address"}, {"URL", "Host"}}},
		{name: "File Archive", branch: "archive", fileAction: true, ends: [][2]string{{"File", "File"}}},
		{name: "File Drop", branch: "drop", fileAction: true, ends: [][2]string{{"File", "File"}}},
		{name: "File Traffic", branch: "traffic", fileAction: true, ends: [][2]string{{"File", "Address"}, {"File", "Host"}, {"File", "URL"}}},
		{name: "File Mutex", branch: "mutex", fileAction: true, ends: [][2]string{{"File", "Mutex"}}},
		{name: "File Registry Key", branch: "registryKey", fileAction: true, ends: [][2]string{{"File", "Registry Key"}}},
		{name: "File User Agent", branch: "userAgent", fileAction: true, ends: [][2]string{{"File", "User Agent"}}},
		{name: "File DNS Query", branch: "dnsQuery", fileAction: true, ends: [][2]string{{"File", "Host"}}},
		{name: "Address to Indicators", branch: "addressToIndicators", custom: true},
		{name: "Host to Indicators", branch: "hostToIndicators", custom: true},
	}...)
}

// joins reports whether the association links indicators of two types, in any order. A type without
// ends links all.
func (t associationType) joins(a, b *indicatorType) bool {
	if t.ends == nil {
		return t.custom
	}
	for _, e := range t.ends {
		if e == [2]string{a.Name, b.Name} || e == [2]string{b.Name, a.Name} {
			return true
		}
	}
	return false
}

func (t associationType) write(w *jsonWriter) {
	w.str("name", t.name)
	w.stringBool("custom", t.custom)
	w.stringBool("fileAction", t.fileAction)
	w.str("apiBranch", t.branch)
}

func (c *call) listAssociationTypes() *answer {
	return pageOf(c, "associationType", slices.Values(associationTypes()), associationType.write)
}

func (c *call) getAssociationType() *answer {
	for _, t := range associationTypes() {
		if t.name == c.params.get("associationType") {
			return c.one(http.StatusOK, "associationType", t.write)
		}
	}
	return missing()
}
