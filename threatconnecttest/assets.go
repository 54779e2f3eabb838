package threatconnecttest

import (
	"errors"
	"net/http"
	"strings"
)

// assetKind is a kind of the assets of victims or of adversaries.
type assetKind struct {
	name   string // in lists
	branch string
	entity string
	fields []string // the first one must be there
}

var victimAssetKinds = []assetKind{
	{"EmailAddress", "emailAddresses", "victimEmailAddress", []string{"address", "addressType"}},
	{"NetworkAccount", "networkAccounts", "victimNetworkAccount", []string{"account", "network"}},
	{"Phone", "phoneNumbers", "victimPhone", []string{"phoneType"}},
	{"SocialNetwork", "socialNetworks", "victimSocialNetwork", []string{"account", "network"}},
	{"WebSite", "webSites", "victimWebSite", []string{"webSite"}},
}

var adversaryAssetKinds = []assetKind{
	{"Handle", "handles", "adversaryHandle", []string{"handle"}},
	{"PhoneNumber", "phoneNumbers", "adversaryPhoneNumber", []string{"phoneNumber"}},
	{"URL", "urls", "adversaryUrl", []string{"url"}},
}

// asset is one asset of a victim or an adversary.
type asset struct {
	id     int64
	kind   *assetKind
	values []string // as the kind's fields
}

// AssetRecord is an asset of a victim or an adversary as tests see and seed it.
type AssetRecord struct {
	ID     int64    // set by the server
	Type   string   // as in lists: "EmailAddress", "Handle"
	Values []string // the address, account, number, URL or handle; then the address type or network
}

func assetRecords(assets []*asset) []AssetRecord {
	var all []AssetRecord
	for _, a := range assets {
		all = append(all, AssetRecord{ID: a.id, Type: a.kind.name, Values: a.values})
	}
	return all
}

// assetOwner is what has assets.
type assetOwner interface {
	holder
	assetList() *[]*asset
	webLink() string
}

func (g *group) assetList() *[]*asset { return &g.assets }

// seedAssets gives what a record of a test holds to its owner.
func (w *world) seedAssets(o assetOwner, kinds []assetKind, records []AssetRecord) error {
	for _, r := range records {
		a := &asset{id: w.nextID()}
		for i := range kinds {
			if kinds[i].name == r.Type {
				a.kind = &kinds[i]
			}
		}
		if a.kind == nil || len(r.Values) == 0 || len(r.Values) > len(a.kind.fields) || r.Values[0] == "" {
			return errors.New("threatconnecttest: an asset needs a type that there is, and its values")
		}
		a.values = append(a.values, r.Values...)
		for len(a.values) < len(a.kind.fields) {
			a.values = append(a.values, "")
		}
		*o.assetList() = append(*o.assetList(), a)
	}
	return nil
}

func assetRoutes() []route {
	victims := "/v2/victims/{id}/victimAssets"
	all := []route{{method: "GET", pattern: victims, handle: listAssets("victimAsset", (*call).victimWithAssets, nil)}}
	kindOf := func(p params) *assetKind {
		for i := range victimAssetKinds {
			if victimAssetKinds[i].branch == p.get("victimAssetType") {
				return &victimAssetKinds[i]
			}
		}
		return nil
	}
	all = append(all, assetKindRoutes(victims+"/{victimAssetType}", (*call).victimWithAssets, kindOf)...)

	adversaries := "/v2/groups/adversaries/{id}/adversaryAssets"
	all = append(all, route{method: "GET", pattern: adversaries, handle: listAssets("bucketAsset", (*call).adversary, nil)})
	for i := range adversaryAssetKinds {
		k := &adversaryAssetKinds[i]
		all = append(all, assetKindRoutes(adversaries+"/"+k.branch, (*call).adversary, func(params) *assetKind { return k })...)
	}
	return all
}

// assetKindRoutes are the routes of the assets of one kind. kindOf returns nil for a path that names
// no kind.
func assetKindRoutes(pattern string, find func(*call) (assetOwner, *answer), kindOf func(params) *assetKind) []route {
	on := func(handle func(*call, assetOwner, *asset) *answer) func(*call) *answer {
		return func(c *call) *answer {
			o, bad := find(c)
			if bad != nil {
				return bad
			}
			if c.req.Method != "GET" && o.belongs().ReadOnly {
				return denied()
			}
			a := &asset{kind: kindOf(c.params)}
			if a.kind == nil {
				return missing()
			}
			if c.req.Method != "POST" {
				if a = assetByID(*o.assetList(), a.kind, c.id("assetId")); a == nil {
					return missing()
				}
			}
			return handle(c, o, a)
		}
	}
	one := pattern + "/{assetId}"
	return []route{
		{method: "GET", pattern: pattern, handle: listAssets("", find, kindOf)},
		{method: "POST", pattern: pattern, handle: on((*call).createAsset)},
		{method: "GET", pattern: one, handle: on((*call).getAsset)},
		{method: "PUT", pattern: one, handle: on((*call).updateAsset)},
		{method: "DELETE", pattern: one, handle: on((*call).deleteAsset)},
	}
}

func assetByID(all []*asset, k *assetKind, id int64) *asset {
	for _, a := range all {
		if a.id == id && a.kind == k {
			return a
		}
	}
	return nil
}

func (c *call) victimWithAssets() (assetOwner, *answer) {
	v, bad := c.victim()
	if bad != nil {
		return nil, bad
	}
	return v, nil
}

// adversary is the adversary that the path names, in the owner of the call.
func (c *call) adversary() (assetOwner, *answer) {
	o, bad := c.owner()
	if bad != nil {
		return nil, bad
	}
	g := c.groupByID[c.id("id")]
	if g == nil || g.owner != o || g.typ.name != "Adversary" {
		return nil, missing()
	}
	return g, nil
}

// listAssets answers the assets of one kind under its entity, or all of them under key. Lists show
// the first value as the name and leave out the rest.
func listAssets(key string, find func(*call) (assetOwner, *answer), kindOf func(params) *assetKind) func(*call) *answer {
	return func(c *call) *answer {
		o, bad := find(c)
		if bad != nil {
			return bad
		}
		key, kind := key, (*assetKind)(nil)
		if kindOf != nil {
			if kind = kindOf(c.params); kind == nil {
				return missing()
			}
			key = kind.entity
		}
		var all []*asset
		for _, a := range *o.assetList() {
			if kind == nil || a.kind == kind {
				all = append(all, a)
			}
		}
		return pageOf(c, key, all, func(w *jsonWriter, a *asset) {
			w.id("id", a.id)
			w.str("name", a.values[0])
			w.str("type", a.kind.name)
			w.str("webLink", o.webLink())
		})
	}
}

func (c *call) oneAsset(status int, o assetOwner, a *asset) *answer {
	return c.one(status, a.kind.entity, func(w *jsonWriter) {
		w.id("id", a.id)
		w.str("type", a.kind.name)
		w.str("webLink", o.webLink())
		for i, name := range a.kind.fields {
			w.some(name, a.values[i])
		}
	})
}

func (c *call) getAsset(o assetOwner, a *asset) *answer { return c.oneAsset(http.StatusOK, o, a) }

func (c *call) createAsset(o assetOwner, a *asset) *answer {
	a.values = make([]string, len(a.kind.fields))
	if bad := c.readAsset(a); bad != nil {
		return bad
	}
	a.id = c.nextID()
	*o.assetList() = append(*o.assetList(), a)
	o.changed(c.seconds())
	return c.oneAsset(http.StatusCreated, o, a)
}

func (c *call) updateAsset(o assetOwner, a *asset) *answer {
	if bad := c.readAsset(a); bad != nil {
		return bad
	}
	o.changed(c.seconds())
	return c.oneAsset(http.StatusOK, o, a)
}

func (c *call) deleteAsset(o assetOwner, a *asset) *answer {
	*o.assetList() = remove(*o.assetList(), a)
	o.changed(c.seconds())
	return success(http.StatusOK)
}

// readAsset reads the body of a create or update, each of which needs the first field.
func (c *call) readAsset(a *asset) *answer {
	f, ok := readFields(c.body)
	if !ok {
		return fail(http.StatusBadRequest, msgMalformed)
	}
	required := a.kind.fields[0]
	if s, _ := f.text(required); strings.TrimSpace(s) == "" {
		return fail(http.StatusBadRequest, "The "+required+" for this asset is invalid, please enter the "+required)
	}
	for i, name := range a.kind.fields {
		if s, ok := f.text(name); ok {
			a.values[i] = s
		}
	}
	return nil
}
