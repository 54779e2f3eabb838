package threatconnect

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// AssociationType is the path segment of a type of association between two indicators. An instance can have custom
// types, which [TypesService.Associations] lists with their branches.
type AssociationType string

// The association types of every instance. Each works in both directions.
const (
	AssociationAddressToUserAgent AssociationType = "addressToUserAgent" // Address and User Agent
	AssociationASNToAddress       AssociationType = "asnToAddress"       // ASN and Address
	AssociationASNToCIDR          AssociationType = "asnToCidr"          // ASN and CIDR
	AssociationCIDRToAddress      AssociationType = "cidrToAddress"      // CIDR and Address
	AssociationDNSPTRRecord       AssociationType = "dnsPtrRecord"       // Address and Host
	AssociationDomainRegistrant   AssociationType = "domainRegistrant"   // Host and EmailAddress
	AssociationFileDownload       AssociationType = "fileDownload"       // URL and File
	AssociationURLHost            AssociationType = "urlHost"            // URL and Address, URL and Host
)

// FileAction is the path segment of an action of a file on another indicator.
type FileAction string

// The file actions of every instance.
const (
	FileActionArchive     FileAction = "archive"     // contains a File
	FileActionDrop        FileAction = "drop"        // drops a File
	FileActionTraffic     FileAction = "traffic"     // talks to an Address, Host or URL
	FileActionMutex       FileAction = "mutex"       // creates a Mutex
	FileActionRegistryKey FileAction = "registryKey" // writes a Registry Key
	FileActionUserAgent   FileAction = "userAgent"   // sends a User Agent
	FileActionDNSQuery    FileAction = "dnsQuery"    // resolves a Host
)

// AssociationTypeInfo describes an association type of the instance.
type AssociationTypeInfo struct {
	Name       string          `json:"name"`       // the name in batch files; several types can have the same name
	Branch     AssociationType `json:"apiBranch"`  // its path segment; for a file action, convert it to FileAction
	Custom     bool            `json:"custom"`     // whether it is a custom type of the instance
	FileAction bool            `json:"fileAction"` // whether it is a file action

	Extra map[string]json.RawMessage `json:"extra,omitzero"` // members that this package has no field for
}

// Associations returns an iterator over the association types of the instance: the group types, the types between
// two indicators, and the file actions. It requests a page only when the loop reaches it. If a request fails, the
// iterator yields the error and stops.
//
//	API: GET /v2/types/associationTypes
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/associations/associations.html
func (s TypesService) Associations(ctx context.Context, opts *ListOptions) iter.Seq2[AssociationTypeInfo, error] {
	return lister[AssociationTypeInfo]{
		client: s.c, options: copyOf(opts), route: at("v2", "types", "associationTypes"),
		keys: []string{"associationType"}, read: readAssociationType,
	}.all(ctx)
}

// Association returns one association type by its name, for example "ASN to CIDR". It costs one request.
//
//	API: GET /v2/types/associationTypes/{associationType}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/associations/associations.html
func (s TypesService) Association(ctx context.Context, name string) (AssociationTypeInfo, error) {
	return one(ctx, s.c, &call{method: http.MethodGet, route: at("v2", "types", "associationTypes", value(name))}, []string{"associationType"},
		readAssociationType)
}

func readAssociationType(r *wire.Reader) AssociationTypeInfo {
	var t AssociationTypeInfo
	for r.Object(); r.NextKey(); {
		switch string(r.Key()) {
		case "name":
			t.Name = r.Text()
		case "apiBranch":
			t.Branch = AssociationType(r.Text())
		case "custom":
			t.Custom = r.Bool()
		case "fileAction":
			t.FileAction = r.Bool()
		default:
			keepExtra(&t.Extra, r)
		}
	}
	return t
}

// kindPair is a documented association of two kinds. The path names the parent first.
type kindPair struct{ parent, child kind }

// kindPairs is the read-only table of the associations without a type.
var kindPairs = [...]kindPair{
	{kindGroup, kindGroup},
	{kindGroup, kindIndicator},
	{kindGroup, kindVictim},
	{kindIndicator, kindGroup},
	{kindIndicator, kindVictim},
	{kindTask, kindGroup},
	{kindTask, kindIndicator},
	{kindTask, kindVictim},
	{kindVictim, kindGroup},
}

// associationEnds is the read-only table of the indicator types at the ends of an association type.
var associationEnds = [...]struct {
	as   AssociationType
	a, b IndicatorType
}{
	{as: AssociationAddressToUserAgent, a: TypeAddress, b: TypeUserAgent},
	{as: AssociationASNToAddress, a: TypeASN, b: TypeAddress},
	{as: AssociationASNToCIDR, a: TypeASN, b: TypeCIDR},
	{as: AssociationCIDRToAddress, a: TypeCIDR, b: TypeAddress},
	{as: AssociationDNSPTRRecord, a: TypeAddress, b: TypeHost},
	{as: AssociationDomainRegistrant, a: TypeHost, b: TypeEmailAddress},
	{as: AssociationFileDownload, a: TypeURL, b: TypeFile},
	{as: AssociationURLHost, a: TypeURL, b: TypeAddress},
	{as: AssociationURLHost, a: TypeURL, b: TypeHost},
}

// actionTargets is the read-only table of the indicator types that a file action applies to.
var actionTargets = [...]struct {
	action FileAction
	to     IndicatorType
}{
	{FileActionArchive, TypeFile},
	{FileActionDrop, TypeFile},
	{FileActionTraffic, TypeAddress},
	{FileActionTraffic, TypeHost},
	{FileActionTraffic, TypeURL},
	{FileActionMutex, TypeMutex},
	{FileActionRegistryKey, TypeRegistryKey},
	{FileActionUserAgent, TypeUserAgent},
	{FileActionDNSQuery, TypeHost},
}

// named returns the kind with an indefinite article.
func (k kind) named() string {
	if strings.IndexByte("aeiou", k[0]) >= 0 {
		return "an " + string(k)
	}
	return "a " + string(k)
}

// bothTargets returns the targets of two resources in the same owner: the owner that one of them names, or else the
// client's owner.
func (c *Client) bothTargets(ctx context.Context, a, b Resource) (ta, tb target, err error) {
	if err := cmp.Or(c.usable(), checkContext(ctx)); err != nil {
		return ta, tb, err
	}
	if isNil(a) || isNil(b) {
		return ta, tb, errNilResource
	}
	if ta, err = a.target(ctx, c); err != nil {
		return ta, tb, err
	}
	if tb, err = b.target(ctx, c); err != nil {
		return ta, tb, err
	}
	switch {
	case ta.owner != "" && tb.owner != "" && ta.owner != tb.owner:
		err = &ValidationError{Field: "association", Rule: "cannot be made between different owners", Fix: "copy one of them into the other's owner"}
	case ta.route.path == tb.route.path:
		err = &ValidationError{Field: "association", Rule: "cannot be made between a thing and itself"}
	}
	owner := c.ownerOr(cmp.Or(ta.owner, tb.owner))
	ta.owner, tb.owner = owner, owner
	return ta, tb, err
}

// documented returns two ends as parent and child, in the documented order.
func documented(a, b target) (parent, child target, err error) {
	switch {
	case slices.Contains(kindPairs[:], kindPair{a.kind, b.kind}):
		return a, b, nil
	case slices.Contains(kindPairs[:], kindPair{b.kind, a.kind}):
		return b, a, nil
	}
	return a, b, &ValidationError{
		Field: "association",
		Rule:  fmt.Sprintf("cannot be made between %s and %s", a.kind.named(), b.kind.named()),
		Fix:   linkableWith(a.kind),
	}
}

// linkableWith returns a sentence with the kinds that a kind can be linked with.
func linkableWith(k kind) string {
	var with []string
	for _, p := range kindPairs {
		other := p.child
		if p.child == k {
			other = p.parent
		} else if p.parent != k {
			continue
		}
		if !slices.Contains(with, other.named()) {
			with = append(with, other.named())
		}
	}
	if with == nil {
		return "link the resource that it is attached to"
	}
	return k.named() + " can be linked with " + alternatives(with)
}

// checkAssociation returns an error if an association type is not for two types of indicators. It accepts custom
// association types.
func checkAssociation(as AssociationType, a, b IndicatorType) error {
	known := false
	var ends []string
	for _, e := range associationEnds {
		if e.as != as {
			continue
		}
		if e.a == a && e.b == b || e.a == b && e.b == a {
			return nil
		}
		known = true
		ends = append(ends, string(e.a)+" and "+string(e.b))
	}
	switch {
	case as == "":
		return &ValidationError{Field: "association type", Rule: "is empty", Fix: waysBetween(a, b)}
	case !known:
		return nil
	}
	return &ValidationError{
		Field: "association type",
		Rule:  fmt.Sprintf("must fit the ends: %s is between %s, not between %s and %s", as, alternatives(ends), a, b),
		Fix:   waysBetween(a, b),
	}
}

// checkAction returns an error if a file action does not apply to a type of indicator. It accepts custom actions.
func checkAction(action FileAction, to IndicatorType) error {
	var types []string
	for _, t := range actionTargets {
		if t.action != action {
			continue
		}
		if t.to == to {
			return nil
		}
		types = append(types, string(t.to))
	}
	switch {
	case action == "":
		return &ValidationError{Field: "file action", Rule: "is empty", Fix: waysBetween(TypeFile, to)}
	case types == nil:
		return nil
	}
	return &ValidationError{
		Field: "file action",
		Rule:  fmt.Sprintf("must fit the indicator: %s is done to %s, not to %s", action, alternatives(types), to),
		Fix:   waysBetween(TypeFile, to),
	}
}

// aboutAssociation returns an error if t cannot be an end of an association type. For an unknown association type,
// a 404 can mean that the instance does not have it. Reading t could not tell this from an empty list, so the
// returned target has no route.
func aboutAssociation(t target, as AssociationType) (target, error) {
	known := false
	for _, e := range associationEnds {
		if e.as == as && (t.typ == string(e.a) || t.typ == string(e.b)) {
			return t, nil
		}
		known = known || e.as == as
	}
	switch {
	case as == "":
		return t, &ValidationError{Field: "association type", Rule: "is empty", Fix: "use one of the Association constants, or a branch that client.Types.Associations lists"}
	case known:
		return t, &ValidationError{Field: "association type", Rule: fmt.Sprintf("must fit the ends: no end of %s is of the type %s", as, t.typ)}
	}
	t.route = route{}
	return t, nil
}

// aboutAction is aboutAssociation for file actions.
func aboutAction(t target, action FileAction) (target, error) {
	if err := t.mustBe(TypeFile); err != nil {
		return t, err
	}
	if action == "" {
		return t, &ValidationError{Field: "file action", Rule: "is empty", Fix: "use one of the FileAction constants"}
	}
	for _, a := range actionTargets {
		if a.action == action {
			return t, nil
		}
	}
	t.route = route{}
	return t, nil
}

// waysBetween returns a sentence with the possible associations of indicators of two types.
func waysBetween(a, b IndicatorType) string {
	var ways []string
	for _, e := range associationEnds {
		if e.a == a && e.b == b || e.a == b && e.b == a {
			ways = append(ways, "LinkIndicators with "+string(e.as))
		}
	}
	for _, t := range actionTargets {
		if a == TypeFile && t.to == b || b == TypeFile && t.to == a {
			ways = append(ways, "LinkFileAction with "+string(t.action))
		}
	}
	if ways == nil {
		return "the platform has no type of association for them; client.Types.Associations lists those of the instance"
	}
	return "use " + alternatives(ways)
}

// alternatives joins words with commas and "or".
func alternatives(words []string) string {
	n := len(words)
	if n == 1 {
		return words[0]
	}
	return strings.Join(words[:n-1], ", ") + " or " + words[n-1]
}
