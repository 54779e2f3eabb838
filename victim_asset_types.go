package threatconnect

import (
	"encoding/json"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// VictimAssetType is the kind of a victim asset, as lists write it.
type VictimAssetType string

// The five kinds of victim assets.
const (
	VictimAssetEmailAddress   VictimAssetType = "EmailAddress"
	VictimAssetNetworkAccount VictimAssetType = "NetworkAccount"
	VictimAssetPhone          VictimAssetType = "Phone"
	VictimAssetSocialNetwork  VictimAssetType = "SocialNetwork"
	VictimAssetWebSite        VictimAssetType = "WebSite"
)

// VictimAsset is something by which a victim can be reached: [*VictimEmailAddress],
// [*VictimNetworkAccount], [*VictimPhone], [*VictimSocialNetwork], [*VictimWebSite], or
// [*UnknownVictimAsset]. Tell them apart with a type switch.
type VictimAsset interface {
	// Type returns the kind, as in [VictimAssetPhone].
	Type() VictimAssetType
	// Summary returns the value that lists show: the address, account, number or URL.
	Summary() string
	// Meta returns what all kinds have in common. It is never nil.
	Meta() *VictimAssetMeta

	// fields returns the values that requests carry, the required one first.
	fields() [2]assetField
	// set gives the asset what the platform sent.
	set(f *victimAssetFields)
}

// VictimAssetMeta is what victim assets of all kinds have in common.
type VictimAssetMeta struct {
	ID      int64  `json:"id,omitzero"`      // read only
	WebLink string `json:"webLink,omitzero"` // read only: that of the victim; never fetched

	// Extra has the members that this package has no field for.
	Extra map[string]json.RawMessage `json:"extra,omitzero"`
}

// Meta returns m.
func (m *VictimAssetMeta) Meta() *VictimAssetMeta { return m }

// VictimEmailAddress is an e-mail address of a victim.
type VictimEmailAddress struct {
	VictimAssetMeta
	Address     string `json:"address,omitzero"`     // required
	AddressType string `json:"addressType,omitzero"` // as in Work; lists leave it out
}

// VictimNetworkAccount is an account of a victim in a network.
type VictimNetworkAccount struct {
	VictimAssetMeta
	Account string `json:"account,omitzero"` // required
	Network string `json:"network,omitzero"` // as in Active Directory; lists leave it out
}

// VictimPhone is a phone number of a victim.
type VictimPhone struct {
	VictimAssetMeta
	Number string `json:"phoneType,omitzero"` // required; phoneType is what the platform calls the number
}

// VictimSocialNetwork is an account of a victim in a social network.
type VictimSocialNetwork struct {
	VictimAssetMeta
	Account string `json:"account,omitzero"` // required
	Network string `json:"network,omitzero"` // the social network; lists leave it out
}

// VictimWebSite is a web site of a victim.
type VictimWebSite struct {
	VictimAssetMeta
	URL string `json:"webSite,omitzero"` // required
}

// VictimAssetUpdate holds the fields of an asset that [VictimAssetsService.Update] changes. Nil fields stay
// as they are; a pointer to "" clears a field. The first field of a type is required in every update and
// cannot be cleared.
type VictimAssetUpdate struct {
	Address     *string // of an e-mail address
	AddressType *string // of an e-mail address
	Account     *string // of a network account, or of an account in a social network
	Network     *string // of a network account, or of an account in a social network
	Number      *string // of a phone
	URL         *string // of a web site
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

// UnknownVictimAsset is a victim asset of a kind that this package does not know. It can be read
// and not written.
type UnknownVictimAsset struct {
	VictimAssetMeta
	TypeName VictimAssetType `json:"type"`
	Name     string          `json:"name,omitzero"` // the value that lists show
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

// Type returns the name of the kind as the platform sent it.
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

// assetField is a value of an asset and its JSON key.
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

// victimAssetFields is what the platform sends of an asset of any kind.
type victimAssetFields struct {
	meta                                   VictimAssetMeta
	typ                                    VictimAssetType
	name                                   string // in lists, in place of the kind's own fields
	address, addressType, account, network string
	phone, webSite                         string
}

// or returns v, or the name that stands for it in lists.
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

// victimAssetDef is what the platform knows a kind of victim assets by.
type victimAssetDef struct {
	typ    VictimAssetType
	branch string // path segment
	entity string // JSON key of one asset
	value  string // what its required value is
	new    func() VictimAsset
}

// keys returns the JSON keys of one asset and of a list.
func (d *victimAssetDef) keys() []string { return []string{d.entity, "victimAsset"} }

func errVictimAssetType(t VictimAssetType) error {
	return &ValidationError{Field: "victim asset type", Rule: "must be one of the five types, not " + quoteForeign(string(t)), Fix: "use one of the VictimAsset constants"}
}

// victimAssetDefs is the table of the kinds. It is not written to.
var victimAssetDefs = [...]victimAssetDef{
	{typ: VictimAssetEmailAddress, branch: "emailAddresses", entity: "victimEmailAddress", value: "address", new: func() VictimAsset { return new(VictimEmailAddress) }},
	{typ: VictimAssetNetworkAccount, branch: "networkAccounts", entity: "victimNetworkAccount", value: "account", new: func() VictimAsset { return new(VictimNetworkAccount) }},
	{typ: VictimAssetPhone, branch: "phoneNumbers", entity: "victimPhone", value: "number", new: func() VictimAsset { return new(VictimPhone) }},
	{typ: VictimAssetSocialNetwork, branch: "socialNetworks", entity: "victimSocialNetwork", value: "account", new: func() VictimAsset { return new(VictimSocialNetwork) }},
	{typ: VictimAssetWebSite, branch: "webSites", entity: "victimWebSite", value: "URL", new: func() VictimAsset { return new(VictimWebSite) }},
}

// victimAssetDefOf returns the definition of a kind, or nil for one that this package does not
// know. The documentation shows the names of two kinds only, so that case, spaces and a "Number"
// at the end do not count.
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

// readVictimAsset returns a reader of assets of a kind; nil means the kind that the element names.
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
