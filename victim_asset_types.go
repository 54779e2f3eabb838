package threatconnect

import (
	"encoding/json"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// VictimAssetType is the type of a victim asset, as lists spell it.
type VictimAssetType string

// The types of victim assets.
const (
	VictimAssetEmailAddress   VictimAssetType = "EmailAddress"
	VictimAssetNetworkAccount VictimAssetType = "NetworkAccount"
	VictimAssetPhone          VictimAssetType = "Phone"
	VictimAssetSocialNetwork  VictimAssetType = "SocialNetwork"
	VictimAssetWebSite        VictimAssetType = "WebSite"
)

// VictimAsset is an address, account or number of a victim: [*VictimEmailAddress], [*VictimNetworkAccount],
// [*VictimPhone], [*VictimSocialNetwork], [*VictimWebSite] or [*UnknownVictimAsset]. Tell them apart with a type
// switch.
type VictimAsset interface {
	// Type returns the type, for example VictimAssetPhone.
	Type() VictimAssetType
	// Summary returns the main value: the address, account, number or URL.
	Summary() string
	// Meta returns the fields that all types have. It is never nil.
	Meta() *VictimAssetMeta

	// fields returns the fields that requests send, the required one first.
	fields() [2]assetField
	// set sets the fields of the asset.
	set(f *victimAssetFields)
}

// VictimAssetMeta has the fields that victim assets of all types have.
type VictimAssetMeta struct {
	ID      int64  `json:"id,omitzero"`      // read only
	WebLink string `json:"webLink,omitzero"` // read only: the link of the victim; never fetched

	// Extra has the members that this package has no field for.
	Extra map[string]json.RawMessage `json:"extra,omitzero"`
}

// Meta returns m.
func (m *VictimAssetMeta) Meta() *VictimAssetMeta { return m }

// VictimEmailAddress is an email address of a victim.
type VictimEmailAddress struct {
	VictimAssetMeta
	Address     string `json:"address,omitzero"`     // required
	AddressType string `json:"addressType,omitzero"` // for example Work; not in lists
}

// VictimNetworkAccount is an account of a victim in a network.
type VictimNetworkAccount struct {
	VictimAssetMeta
	Account string `json:"account,omitzero"` // required
	Network string `json:"network,omitzero"` // for example Active Directory; not in lists
}

// VictimPhone is a phone number of a victim.
type VictimPhone struct {
	VictimAssetMeta
	Number string `json:"phoneType,omitzero"` // required; the platform names it phoneType
}

// VictimSocialNetwork is an account of a victim in a social network.
type VictimSocialNetwork struct {
	VictimAssetMeta
	Account string `json:"account,omitzero"` // required
	Network string `json:"network,omitzero"` // the social network; not in lists
}

// VictimWebSite is a website of a victim.
type VictimWebSite struct {
	VictimAssetMeta
	URL string `json:"webSite,omitzero"` // required
}

// VictimAssetUpdate has the fields of an asset that [VictimAssetsService.Update] changes. Nil fields do not change; a
// pointer to "" clears a field. The first field of a type is required in every update and cannot be cleared.
type VictimAssetUpdate struct {
	Address     *string // of an email address
	AddressType *string // of an email address
	Account     *string // of a network account, or of an account in a social network
	Network     *string // of a network account, or of an account in a social network
	Number      *string // of a phone
	URL         *string // of a website
}

func (u *VictimAssetUpdate) fields() []updateField {
	email, phone, site := []string{string(VictimAssetEmailAddress)}, []string{string(VictimAssetPhone)}, []string{string(VictimAssetWebSite)}
	account := []string{string(VictimAssetNetworkAccount), string(VictimAssetSocialNetwork)}
	return []updateField{
		{name: "Address", key: "address", value: u.Address, types: email, filled: true},
		{name: "AddressType", key: "addressType", value: u.AddressType, types: email},
		{name: "Account", key: "account", value: u.Account, types: account, filled: true},
		{name: "Network", key: "network", value: u.Network, types: account},
		{name: "Number", key: "phoneType", value: u.Number, types: phone, filled: true},
		{name: "URL", key: "webSite", value: u.URL, types: site, filled: true},
	}
}

// UnknownVictimAsset is a victim asset of a type that this package does not know. It can be read but not written.
type UnknownVictimAsset struct {
	VictimAssetMeta
	TypeName VictimAssetType `json:"type"`
	Name     string          `json:"name,omitzero"` // the main value
}

// Type returns [VictimAssetEmailAddress].
func (*VictimEmailAddress) Type() VictimAssetType { return VictimAssetEmailAddress }

// Type returns [VictimAssetNetworkAccount].
func (*VictimNetworkAccount) Type() VictimAssetType { return VictimAssetNetworkAccount }

// Type returns [VictimAssetPhone].
func (*VictimPhone) Type() VictimAssetType { return VictimAssetPhone }

// Type returns [VictimAssetSocialNetwork].
func (*VictimSocialNetwork) Type() VictimAssetType { return VictimAssetSocialNetwork }

// Type returns [VictimAssetWebSite].
func (*VictimWebSite) Type() VictimAssetType { return VictimAssetWebSite }

// Type returns the name of the type, as the platform sent it.
func (u *UnknownVictimAsset) Type() VictimAssetType { return u.TypeName }

// Summary returns the address.
func (e *VictimEmailAddress) Summary() string { return e.Address }

// Summary returns the account.
func (a *VictimNetworkAccount) Summary() string { return a.Account }

// Summary returns the number.
func (p *VictimPhone) Summary() string { return p.Number }

// Summary returns the account.
func (n *VictimSocialNetwork) Summary() string { return n.Account }

// Summary returns the URL.
func (s *VictimWebSite) Summary() string { return s.URL }

// Summary returns the name.
func (u *UnknownVictimAsset) Summary() string { return u.Name }

// assetField is a field of an asset with its JSON key.
type assetField struct{ key, value string }

func (e *VictimEmailAddress) fields() [2]assetField {
	return [2]assetField{{"address", e.Address}, {"addressType", e.AddressType}}
}

func (a *VictimNetworkAccount) fields() [2]assetField {
	return [2]assetField{{"account", a.Account}, {"network", a.Network}}
}

func (p *VictimPhone) fields() [2]assetField { return [2]assetField{{"phoneType", p.Number}} }

func (n *VictimSocialNetwork) fields() [2]assetField {
	return [2]assetField{{"account", n.Account}, {"network", n.Network}}
}

func (s *VictimWebSite) fields() [2]assetField { return [2]assetField{{"webSite", s.URL}} }

func (u *UnknownVictimAsset) fields() [2]assetField { return [2]assetField{} }

// victimAssetFields has the fields of assets of all types.
type victimAssetFields struct {
	meta                                   VictimAssetMeta
	typ                                    VictimAssetType
	name                                   string // in lists, instead of the fields of the type
	address, addressType, account, network string
	phone, webSite                         string
}

// or returns v, or the name if v is empty, as it is in lists.
func (f *victimAssetFields) or(v string) string {
	if v != "" {
		return v
	}
	return f.name
}

func (e *VictimEmailAddress) set(f *victimAssetFields) {
	e.VictimAssetMeta, e.Address, e.AddressType = f.meta, f.or(f.address), f.addressType
}

func (a *VictimNetworkAccount) set(f *victimAssetFields) {
	a.VictimAssetMeta, a.Account, a.Network = f.meta, f.or(f.account), f.network
}

func (p *VictimPhone) set(f *victimAssetFields) { p.VictimAssetMeta, p.Number = f.meta, f.or(f.phone) }

func (n *VictimSocialNetwork) set(f *victimAssetFields) {
	n.VictimAssetMeta, n.Account, n.Network = f.meta, f.or(f.account), f.network
}

func (s *VictimWebSite) set(f *victimAssetFields) {
	s.VictimAssetMeta, s.URL = f.meta, f.or(f.webSite)
}

func (u *UnknownVictimAsset) set(f *victimAssetFields) {
	u.VictimAssetMeta, u.TypeName, u.Name = f.meta, f.typ, f.name
}

// victimAssetDef has the names that the API uses for a type of victim assets.
type victimAssetDef struct {
	typ    VictimAssetType
	branch string // path segment
	entity string // JSON key of one asset
	value  string // name of the required value in errors
	new    func() VictimAsset
}

// keys returns the JSON keys of one asset and of a list.
func (d *victimAssetDef) keys() []string { return []string{d.entity, "victimAsset"} }

func errVictimAssetType(t VictimAssetType) error {
	return &ValidationError{Field: "victim asset type", Rule: "must be one of the five types, not " + quoteForeign(string(t)), Fix: "use one of the VictimAsset constants"}
}

// victimAssetDefs is the read-only table of the types.
var victimAssetDefs = [...]victimAssetDef{
	{typ: VictimAssetEmailAddress, branch: "emailAddresses", entity: "victimEmailAddress", value: "address", new: func() VictimAsset { return new(VictimEmailAddress) }},
	{typ: VictimAssetNetworkAccount, branch: "networkAccounts", entity: "victimNetworkAccount", value: "account", new: func() VictimAsset { return new(VictimNetworkAccount) }},
	{typ: VictimAssetPhone, branch: "phoneNumbers", entity: "victimPhone", value: "number", new: func() VictimAsset { return new(VictimPhone) }},
	{typ: VictimAssetSocialNetwork, branch: "socialNetworks", entity: "victimSocialNetwork", value: "account", new: func() VictimAsset { return new(VictimSocialNetwork) }},
	{typ: VictimAssetWebSite, branch: "webSites", entity: "victimWebSite", value: "URL", new: func() VictimAsset { return new(VictimWebSite) }},
}

// victimAssetDefOf returns the definition of a type, or nil for an unknown type. It ignores case, spaces and a
// "Number" at the end, because the documentation shows how lists spell only two of the types.
func victimAssetDefOf(t VictimAssetType) *victimAssetDef {
	name := strings.ReplaceAll(string(t), " ", "")
	for i := range victimAssetDefs {
		d := &victimAssetDefs[i]
		if strings.EqualFold(name, string(d.typ)) || strings.EqualFold(name, string(d.typ)+"Number") {
			return d
		}
	}
	return nil
}

// readVictimAsset returns the function that reads assets of a type; nil means the type that the element names.
func readVictimAsset(def *victimAssetDef) func(*wire.Reader) VictimAsset {
	return func(r *wire.Reader) VictimAsset {
		var f victimAssetFields
		for r.Object(); r.NextKey(); {
			switch string(r.Key()) {
			case "id":
				f.meta.ID = r.ID()
			case "webLink":
				f.meta.WebLink = r.Text()
			case "type":
				f.typ = VictimAssetType(r.Text())
			case "name":
				f.name = r.Text()
			case "address":
				f.address = r.Text()
			case "addressType":
				f.addressType = r.Text()
			case "account":
				f.account = r.Text()
			case "network":
				f.network = r.Text()
			case "phoneType":
				f.phone = r.Text()
			case "webSite":
				f.webSite = r.Text()
			default:
				keepExtra(&f.meta.Extra, r)
			}
		}
		def := def
		if def == nil {
			def = victimAssetDefOf(f.typ)
		}
		var a VictimAsset = new(UnknownVictimAsset)
		if def != nil {
			a = def.new()
		}
		a.set(&f)
		return a
	}
}
