package threatconnect

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// AdversaryAssetType is the type of an adversary asset, as lists spell it.
type AdversaryAssetType string

// The types of adversary assets.
const (
	AdversaryAssetHandle      AdversaryAssetType = "Handle"
	AdversaryAssetPhoneNumber AdversaryAssetType = "PhoneNumber"
	AdversaryAssetURL         AdversaryAssetType = "URL"
)

// AdversaryAsset is a handle, a phone number or a URL of an adversary.
type AdversaryAsset struct {
	ID      int64              `json:"id,omitzero"` // read only
	Type    AdversaryAssetType `json:"type"`        // required; an unknown type is as the platform sent it
	Value   string             `json:"name"`        // required: the handle, the number or the URL
	WebLink string             `json:"webLink,omitzero"`

	// Extra has the members that this package has no field for.
	Extra map[string]json.RawMessage `json:"extra,omitzero"`
}

// AdversaryAssetUpdate has the fields of an asset that [AdversaryAssetsService.Update] changes. Nil fields do not
// change.
type AdversaryAssetUpdate struct {
	Value *string // the handle, number or URL; cannot be cleared
}

// adversaryAssetDef has the names that the API uses for a type of adversary assets.
type adversaryAssetDef struct {
	typ    AdversaryAssetType
	branch string // path segment
	entity string // JSON key of one asset
	field  string // JSON key of its value
}

// keys returns the JSON keys of one asset and of a list.
func (d *adversaryAssetDef) keys() []string { return []string{d.entity, "bucketAsset"} }

// canonical returns the canonical value of an asset.
func (d *adversaryAssetDef) canonical(v string) (string, error) {
	return trimmedName("adversary asset "+d.field, v, 0)
}

// adversaryAssetDefs is the read-only table of the types.
var adversaryAssetDefs = [...]adversaryAssetDef{
	{typ: AdversaryAssetHandle, branch: "handles", entity: "adversaryHandle", field: "handle"},
	{typ: AdversaryAssetPhoneNumber, branch: "phoneNumbers", entity: "adversaryPhoneNumber", field: "phoneNumber"},
	{typ: AdversaryAssetURL, branch: "urls", entity: "adversaryUrl", field: "url"},
}

// adversaryAssetDefOf returns the definition of a type, or nil for an unknown type. It ignores case, spaces and a
// missing "Number", because the documentation does not show how lists spell the type of a phone number.
func adversaryAssetDefOf(t AdversaryAssetType) *adversaryAssetDef {
	name := strings.ReplaceAll(string(t), " ", "")
	for i := range adversaryAssetDefs {
		d := &adversaryAssetDefs[i]
		if strings.EqualFold(name, string(d.typ)) || strings.EqualFold(name+"Number", string(d.typ)) {
			return d
		}
	}
	return nil
}

// AdversaryAssetsService manages the assets of adversaries: their handles, phone numbers and URLs. Its methods take
// an [*Adversary], or a [GroupRef] of the type [GroupAdversary], and return a [*ValidationError] for other resources
// before anything is sent.
//
// The service is safe for concurrent use.
type AdversaryAssetsService struct{ service }

// target returns the target of an adversary.
func (s AdversaryAssetsService) target(ctx context.Context, adversary Resource) (target, error) {
	t, err := s.c.targetOf(ctx, adversary)
	if err == nil && (t.kind != kindGroup || t.typ != string(GroupAdversary)) {
		err = &ValidationError{Field: "resource", Rule: "must be an adversary", Fix: "only adversaries have these assets; victims have client.VictimAssets"}
	}
	return t, err
}

// at returns the target of an adversary and the definition of a type.
func (s AdversaryAssetsService) at(ctx context.Context, adversary Resource, t AdversaryAssetType) (target, *adversaryAssetDef, error) {
	def := adversaryAssetDefOf(t)
	if def == nil {
		return target{}, nil, &ValidationError{Field: "adversary asset type", Rule: "must be one of the three types, not " + quoteForeign(string(t)), Fix: "use one of the AdversaryAsset constants"}
	}
	on, err := s.target(ctx, adversary)
	return on, def, err
}

// asset returns the target of one asset and the definition of its type.
func (s AdversaryAssetsService) asset(ctx context.Context, adversary Resource, t AdversaryAssetType, assetID int64) (target, *adversaryAssetDef, error) {
	on, def, err := s.at(ctx, adversary, t)
	switch {
	case err != nil:
		return target{}, nil, err
	case assetID <= 0:
		return target{}, nil, &ValidationError{Field: "adversary asset id", Rule: "must be a positive number", Fix: "create the asset first, or list the assets to learn its id"}
	}
	on.route = on.route.under("adversaryAssets", def.branch, id(assetID))
	return on, def, nil
}

// On returns the assets of an adversary, of all types. It costs one request per 500 assets.
//
//	API: GET /v2/groups/adversaries/{id}/adversaryAssets
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s AdversaryAssetsService) On(ctx context.Context, adversary Resource) ([]AdversaryAsset, error) {
	on, err := s.target(ctx, adversary)
	if err != nil {
		return nil, err
	}
	return listBelow(ctx, s.c, on, "adversaryAssets", []string{"bucketAsset"}, readAdversaryAsset(nil))
}

// OfType returns the assets of an adversary of one type; see On.
//
//	API: GET /v2/groups/adversaries/{id}/adversaryAssets/handles
//	API: GET /v2/groups/adversaries/{id}/adversaryAssets/phoneNumbers
//	API: GET /v2/groups/adversaries/{id}/adversaryAssets/urls
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s AdversaryAssetsService) OfType(ctx context.Context, adversary Resource, t AdversaryAssetType) ([]AdversaryAsset, error) {
	on, def, err := s.at(ctx, adversary, t)
	if err != nil {
		return nil, err
	}
	return listBelow(ctx, s.c, on, "adversaryAssets/"+def.branch, def.keys(), readAdversaryAsset(def))
}

// Get returns one asset of an adversary. If the adversary does not have it, the error matches
// [ErrNotFound]. It costs one request.
//
//	API: GET /v2/groups/adversaries/{id}/adversaryAssets/handles/{assetId}
//	API: GET /v2/groups/adversaries/{id}/adversaryAssets/phoneNumbers/{assetId}
//	API: GET /v2/groups/adversaries/{id}/adversaryAssets/urls/{assetId}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s AdversaryAssetsService) Get(ctx context.Context, adversary Resource, t AdversaryAssetType, assetID int64) (AdversaryAsset, error) {
	on, def, err := s.asset(ctx, adversary, t, assetID)
	if err != nil {
		return AdversaryAsset{}, err
	}
	return one(ctx, s.c, on.call(http.MethodGet, nil), def.keys(), readAdversaryAsset(def))
}

// Add creates an asset of an adversary and returns it with its ID. It costs one request and is not
// retried after an unknown outcome, because a retry could create a second one.
//
//	API: POST /v2/groups/adversaries/{id}/adversaryAssets/handles
//	API: POST /v2/groups/adversaries/{id}/adversaryAssets/phoneNumbers
//	API: POST /v2/groups/adversaries/{id}/adversaryAssets/urls
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s AdversaryAssetsService) Add(ctx context.Context, adversary Resource, asset AdversaryAsset) (AdversaryAsset, error) {
	on, def, err := s.at(ctx, adversary, asset.Type)
	if err != nil {
		return AdversaryAsset{}, err
	}
	v, err := def.canonical(asset.Value)
	if err != nil {
		return AdversaryAsset{}, err
	}
	var w wire.Writer
	w.BeginObject()
	w.Key(def.field)
	w.Text(v)
	w.EndObject()
	on.route = on.route.under("adversaryAssets", def.branch)
	return one(ctx, s.c, on.call(http.MethodPost, w.Buf), def.keys(), readAdversaryAsset(def))
}

// Update changes the value of an asset of an adversary and returns the asset. It returns a [*ValidationError] if no
// field of update is set. It costs one request.
//
//	API: PUT /v2/groups/adversaries/{id}/adversaryAssets/handles/{assetId}
//	API: PUT /v2/groups/adversaries/{id}/adversaryAssets/phoneNumbers/{assetId}
//	API: PUT /v2/groups/adversaries/{id}/adversaryAssets/urls/{assetId}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s AdversaryAssetsService) Update(ctx context.Context, adversary Resource, t AdversaryAssetType, assetID int64, update AdversaryAssetUpdate) (AdversaryAsset, error) {
	on, def, err := s.asset(ctx, adversary, t, assetID)
	if err != nil {
		return AdversaryAsset{}, err
	}
	v, err := canonicalUpdate(update.Value, def.canonical)
	if err != nil {
		return AdversaryAsset{}, err
	}
	body, err := updateBody("AdversaryAssetUpdate", string(def.typ), []updateField{{name: "Value", key: def.field, value: v, filled: true}})
	if err != nil {
		return AdversaryAsset{}, err
	}
	return one(ctx, s.c, on.call(http.MethodPut, body), def.keys(), readAdversaryAsset(def))
}

// Remove deletes one asset of an adversary. If the adversary does not have it, the error matches [ErrNotFound].
// Remove costs one request.
//
//	API: DELETE /v2/groups/adversaries/{id}/adversaryAssets/handles/{assetId}
//	API: DELETE /v2/groups/adversaries/{id}/adversaryAssets/phoneNumbers/{assetId}
//	API: DELETE /v2/groups/adversaries/{id}/adversaryAssets/urls/{assetId}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s AdversaryAssetsService) Remove(ctx context.Context, adversary Resource, t AdversaryAssetType, assetID int64) error {
	on, _, err := s.asset(ctx, adversary, t, assetID)
	if err != nil {
		return err
	}
	return s.c.remove(ctx, on.route, on.owner)
}

// readAdversaryAsset returns the function that reads assets of a type; nil means the type that the element names.
func readAdversaryAsset(def *adversaryAssetDef) func(*wire.Reader) AdversaryAsset {
	return func(r *wire.Reader) AdversaryAsset {
		var a AdversaryAsset
		for r.Object(); r.NextKey(); {
			switch string(r.Key()) {
			case "id":
				a.ID = r.ID()
			case "type":
				a.Type = AdversaryAssetType(r.Text())
			case "name", "handle", "phoneNumber", "url":
				if v := r.Text(); v != "" {
					a.Value = v
				}
			case "webLink":
				a.WebLink = r.Text()
			default:
				keepExtra(&a.Extra, r)
			}
		}
		def := def
		if def == nil {
			def = adversaryAssetDefOf(a.Type)
		}
		if def != nil {
			a.Type = def.typ
		}
		return a
	}
}
