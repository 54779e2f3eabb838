package threatconnecttest

import (
	"net/http"
	"strings"
)

// assetKind is a kind of assets of victims or adversaries.
type assetKind struct {
	name   string // in lists
	branch string
	entity string
	fields []string // the first is required
}

var victimAssetKinds = []*assetKind{
	{name: "EmailAddress", branch: "emailAddresses", entity: "victimEmailAddress", fields: []string{"address", "addressType"}},
	{name: "NetworkAccount", branch: "networkAccounts", entity: "victimNetworkAccount", fields: []string{"account", "network"}},
	{name: "Phone", branch: "phoneNumbers", entity: "victimPhone", fields: []string{"phoneType"}},
	{name: "SocialNetwork", branch: "socialNetworks", entity: "victimSocialNetwork", fields: []string{"account", "network"}},
	{name: "WebSite", branch: "webSites", entity: "victimWebSite", fields: []string{"webSite"}},
}

var adversaryAssetKinds = []*assetKind{
	{name: "Handle", branch: "handles", entity: "adversaryHandle", fields: []string{"handle"}},
	{name: "PhoneNumber", branch: "phoneNumbers", entity: "adversaryPhoneNumber", fields: []string{"phoneNumber"}},
	{name: "URL", branch: "urls", entity: "adversaryUrl", fields: []string{"url"}},
}

// asset is an asset of a victim or an adversary.
type asset struct {
	id     int64
	kind   *assetKind
	values []string // in the order of the kind's fields
}

// assetOwner is a victim or an adversary.
type assetOwner interface {
	holder
	assetList() *[]*asset
	webLink() string
}

func (g *group) assetList() *[]*asset { return &g.assets }

func assetRoutes() []route {
	victims, adversaries := "/v2/victims/{id}/victimAssets", "/v2/groups/adversaries/{id}/adversaryAssets"
	adversary := groupOfType("Adversary")
	all := []route{
		{method: "GET", pattern: victims, handle: with((*call).victim, func(c *call, v *victim) *answer { return c.pageOfAssets("victimAsset", v, nil) })},
		{method: "GET", pattern: adversaries, handle: with(adversary, func(c *call, g *group) *answer { return c.pageOfAssets("bucketAsset", g, nil) })},
	}
	all = append(all, assetKindRoutes(victims+"/{victimAssetType}", (*call).victim, (*call).victimAssetKind)...)
	for _, k := range adversaryAssetKinds {
		all = append(all, assetKindRoutes(adversaries+"/"+k.branch, adversary, func(*call) *assetKind { return k })...)
	}
	return all
}

// victimAssetKind returns the asset kind in the path.
func (c *call) victimAssetKind() *assetKind {
	branch := c.params.get("victimAssetType")
	return first(victimAssetKinds, func(k *assetKind) bool { return k.branch == branch })
}

// assetKindRoutes returns the routes of the assets of one kind.
func assetKindRoutes[T interface {
	comparable
	assetOwner
}](pattern string, find func(*call) T, kind func(*call) *assetKind) []route {
	onKind := func(do func(*call, assetOwner, *assetKind) *answer) func(*call) *answer {
		return with(find, func(c *call, o T) *answer {
			k := kind(c)
			if k == nil {
				return missing()
			}
			return do(c, o, k)
		})
	}
	on := func(do func(*call, assetOwner, *asset) *answer) func(*call) *answer {
		return onKind(func(c *call, o assetOwner, k *assetKind) *answer {
			a := assetByID(*o.assetList(), k, c.id("assetId"))
			if a == nil {
				return missing()
			}
			return do(c, o, a)
		})
	}
	one := pattern + "/{assetId}"
	return []route{
		{method: "GET", pattern: pattern, handle: onKind(func(c *call, o assetOwner, k *assetKind) *answer { return c.pageOfAssets(k.entity, o, k) })},
		{method: "POST", pattern: pattern, handle: onKind((*call).createAsset)},
		{method: "GET", pattern: one, handle: on((*call).getAsset)},
		{method: "PUT", pattern: one, handle: on((*call).updateAsset)},
		{method: "DELETE", pattern: one, handle: on((*call).deleteAsset)},
	}
}

func assetByID(all []*asset, k *assetKind, id int64) *asset {
	return first(all, func(a *asset) bool { return a.id == id && a.kind == k })
}

// pageOfAssets responds with the assets of kind k, or of all kinds if k is nil. For one kind of an
// adversary's assets, it also includes the first value under its field name.
func (c *call) pageOfAssets(key string, o assetOwner, k *assetKind) *answer {
	all := where(*o.assetList(), func(a *asset) bool { return k == nil || a.kind == k })
	return pageOf(c, key, all, func(a *asset, w *jsonWriter) {
		a.writeShort(w, o)
		if _, adversary := o.(*group); adversary && k != nil {
			w.str(k.fields[0], a.values[0])
		}
	})
}

// writeShort writes an asset as in lists: with the first value as its name and without the others.
func (a *asset) writeShort(w *jsonWriter, o assetOwner) {
	w.id("id", a.id)
	w.str("name", a.values[0])
	w.str("type", a.kind.name)
	w.str("webLink", o.webLink())
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

func (c *call) createAsset(o assetOwner, k *assetKind) *answer {
	a := &asset{kind: k, values: make([]string, len(k.fields))}
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
	forgetAsset(o, a)
	o.changed(c.seconds())
	return success(http.StatusOK)
}

// readAsset parses the body of a create or update. Both require the first field.
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
