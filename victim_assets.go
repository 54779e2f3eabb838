package threatconnect

import (
	"context"
	"iter"
	"net/http"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// VictimAssetsService manages the assets of victims: their email addresses, accounts, phone numbers and websites.
// Its methods take a [*Victim] or a [VictimRef] and return a [*ValidationError] for other resources before anything
// is sent.
//
// The service is safe for concurrent use.
type VictimAssetsService struct{ service }

// target returns the target of a victim.
func (s VictimAssetsService) target(ctx context.Context, victim Resource) (target, error) {
	t, err := s.c.targetOf(ctx, victim)
	if err == nil && t.kind != kindVictim {
		err = &ValidationError{Field: "resource", Rule: "must be a victim, not " + t.kind.named()}
	}
	return t, err
}

// at returns the target of a victim and the definition of a type.
func (s VictimAssetsService) at(ctx context.Context, victim Resource, t VictimAssetType) (target, *victimAssetDef, error) {
	def := victimAssetDefOf(t)
	if def == nil {
		return target{}, nil, errVictimAssetType(t)
	}
	on, err := s.target(ctx, victim)
	return on, def, err
}

// asset returns the target of one asset and the definition of its type.
func (s VictimAssetsService) asset(ctx context.Context, victim Resource, t VictimAssetType, assetID int64) (target, *victimAssetDef, error) {
	on, def, err := s.at(ctx, victim, t)
	if err != nil {
		return target{}, nil, err
	}
	on, err = def.below(on, assetID)
	return on, def, err
}

// below returns the target of the asset with an ID, below a resource.
func (d *victimAssetDef) below(t target, assetID int64) (target, error) {
	if assetID <= 0 {
		return target{}, &ValidationError{Field: "victim asset id", Rule: "must be a positive number", Fix: "create the asset first, or list the assets to learn its id"}
	}
	t.route = t.route.under("victimAssets", d.branch, id(assetID))
	return t, nil
}

// On returns the assets of a victim, of all types. They have only their ID and main value; Get also reads the network
// or the address type. It costs one request per 500 assets.
//
//	API: GET /v2/victims/{id}/victimAssets
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/victims/victims.html
func (s VictimAssetsService) On(ctx context.Context, victim Resource) ([]VictimAsset, error) {
	on, err := s.target(ctx, victim)
	if err != nil {
		return nil, err
	}
	return listBelow(ctx, s.c, on, "victimAssets", []string{"victimAsset"}, readVictimAsset(nil))
}

// OfType returns the assets of a victim of one type; see On.
//
//	API: GET /v2/victims/{id}/victimAssets/{victimAssetType}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/victims/victims.html
func (s VictimAssetsService) OfType(ctx context.Context, victim Resource, t VictimAssetType) ([]VictimAsset, error) {
	on, def, err := s.at(ctx, victim, t)
	if err != nil {
		return nil, err
	}
	return listBelow(ctx, s.c, on, "victimAssets/"+def.branch, def.keys(), readVictimAsset(def))
}

// Get returns one asset of a victim. If the victim does not have it, the error matches [ErrNotFound]. It
// costs one request.
//
//	API: GET /v2/victims/{id}/victimAssets/{victimAssetType}/{assetId}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/victims/victims.html
func (s VictimAssetsService) Get(ctx context.Context, victim Resource, t VictimAssetType, assetID int64) (VictimAsset, error) {
	on, def, err := s.asset(ctx, victim, t, assetID)
	if err != nil {
		return nil, err
	}
	return one(ctx, s.c, on.call(http.MethodGet, nil), def.keys(), readVictimAsset(def))
}

// Add creates an asset of a victim and returns it with its ID. It costs one request and is not retried
// after an unknown outcome, because a retry could create a second one.
//
//	API: POST /v2/victims/{id}/victimAssets/{victimAssetType}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/victims/victims.html
func (s VictimAssetsService) Add(ctx context.Context, victim Resource, asset VictimAsset) (VictimAsset, error) {
	if isNil(asset) {
		return nil, &ValidationError{Field: "victim asset", Rule: "is nil"}
	}
	on, def, err := s.at(ctx, victim, asset.Type())
	if err != nil {
		return nil, err
	}
	if _, unknown := asset.(*UnknownVictimAsset); unknown {
		return nil, &ValidationError{Field: "victim asset", Rule: "is of no kind that this package can write"}
	}
	f := asset.fields()
	required, err := trimmedName("victim asset "+def.value, f[0].value, 0)
	if err != nil {
		return nil, err
	}
	var w wire.Writer
	w.BeginObject()
	w.Key(f[0].key)
	w.Text(required)
	text(&w, f[1].key, f[1].value)
	w.EndObject()
	body, err := written(&w, "victim asset")
	if err != nil {
		return nil, err
	}
	on.route = on.route.under("victimAssets", def.branch)
	return one(ctx, s.c, on.call(http.MethodPost, body), def.keys(), readVictimAsset(def))
}

// Update changes an asset of a victim and returns the asset. It sends only the fields that update sets. The platform
// requires the main value of an asset in every update, even if it does not change. Without it, or with a field of
// another type, Update returns a [*ValidationError]. It costs one request.
//
//	API: PUT /v2/victims/{id}/victimAssets/{victimAssetType}/{assetId}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/victims/victims.html
func (s VictimAssetsService) Update(ctx context.Context, victim Resource, t VictimAssetType, assetID int64, update VictimAssetUpdate) (VictimAsset, error) {
	on, def, err := s.asset(ctx, victim, t, assetID)
	if err != nil {
		return nil, err
	}
	fields := update.fields()
	for i := range fields {
		f := &fields[i]
		f.required = f.filled && f.has(string(def.typ))
		if v := f.value.(*string); v != nil && f.filled {
			if f.value, err = canonicalUpdate(v, func(s string) (string, error) { return trimmedName("VictimAssetUpdate."+f.name, s, 0) }); err != nil {
				return nil, err
			}
		}
	}
	body, err := updateBody("VictimAssetUpdate", string(def.typ), fields)
	if err != nil {
		return nil, err
	}
	return one(ctx, s.c, on.call(http.MethodPut, body), def.keys(), readVictimAsset(def))
}

// Remove deletes one asset of a victim. If the victim does not have it, the error matches [ErrNotFound]. Remove costs
// one request.
//
//	API: DELETE /v2/victims/{id}/victimAssets/{victimAssetType}/{assetId}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/victims/victims.html
func (s VictimAssetsService) Remove(ctx context.Context, victim Resource, t VictimAssetType, assetID int64) error {
	on, _, err := s.asset(ctx, victim, t, assetID)
	if err != nil {
		return err
	}
	return s.c.remove(ctx, on.route, on.owner)
}

// RelatedVictimAssetOptions selects the victim assets of a list. Nil and the zero value select assets of all types.
type RelatedVictimAssetOptions struct {
	ListOptions
	Type VictimAssetType `url:"-"` // if set, selects the assets of one type
}

// VictimAssets returns an iterator over the assets of a victim, or of the victims that are associated with another
// resource. The assets have only their ID and main value. The iterator requests a page only when the loop reaches
// it. If a request fails, it yields the error and stops.
//
//	API: GET /v2/{resource}/victimAssets
//	API: GET /v2/{resource}/victimAssets/{victimAssetType}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/associations/associations.html
func (s AssociationsService) VictimAssets(ctx context.Context, resource Resource, opts *RelatedVictimAssetOptions) iter.Seq2[VictimAsset, error] {
	o := copyOf(opts)
	return relatedTo(func() (target, error) { return s.c.targetOf(ctx, resource) },
		func(t target) iter.Seq2[VictimAsset, error] {
			r, keys := t.route.under("victimAssets"), []string{"victimAsset"}
			if o.Type == "" {
				return related(ctx, s.c, t, o.ListOptions, r, keys, readVictimAsset(nil))
			}
			def := victimAssetDefOf(o.Type)
			if def == nil {
				return failing[VictimAsset](errVictimAssetType(o.Type))
			}
			return related(ctx, s.c, t, o.ListOptions, r.under(def.branch), append(keys, def.entity), readVictimAsset(def))
		})
}

// VictimAsset returns one asset of a victim that is associated with a resource. If it is not associated, the
// error matches [ErrNotFound]. VictimAsset costs one request.
//
//	API: GET /v2/{resource}/victimAssets/{victimAssetType}/{assetId}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/associations/associations.html
func (s AssociationsService) VictimAsset(ctx context.Context, resource Resource, typ VictimAssetType, assetID int64) (VictimAsset, error) {
	t, def, err := s.victimAsset(ctx, resource, typ, assetID)
	if err != nil {
		return nil, err
	}
	return one(ctx, s.c, t.call(http.MethodGet, nil), def.keys(), readVictimAsset(def))
}

// UnlinkVictimAsset removes the association of a resource with an asset of a victim. The platform creates such
// associations when the victim is linked. To delete the asset itself, use [VictimAssetsService.Remove].
// UnlinkVictimAsset costs one request.
//
//	API: DELETE /v2/groups/{type}/{id}/victimAssets/{victimAssetType}/{assetId}
//	API: DELETE /v2/indicators/{type}/{indicator}/victimAssets/{victimAssetType}/{assetId}
//	API: DELETE /v2/tasks/{id}/victimAssets/{victimAssetType}/{assetId}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/associations/associations.html
func (s AssociationsService) UnlinkVictimAsset(ctx context.Context, resource Resource, typ VictimAssetType, assetID int64) error {
	t, _, err := s.victimAsset(ctx, resource, typ, assetID)
	if err == nil && t.kind == kindVictim {
		err = &ValidationError{Field: "resource", Rule: "is a victim, whose assets are its own", Fix: "to delete one, use client.VictimAssets.Remove"}
	}
	if err != nil {
		return err
	}
	return s.c.remove(ctx, t.route, t.owner)
}

// victimAsset returns the target of an asset below a resource.
func (s AssociationsService) victimAsset(ctx context.Context, resource Resource, typ VictimAssetType, assetID int64) (target, *victimAssetDef, error) {
	t, err := s.c.targetOf(ctx, resource)
	if err != nil {
		return target{}, nil, err
	}
	def := victimAssetDefOf(typ)
	if def == nil {
		return target{}, nil, errVictimAssetType(typ)
	}
	t, err = def.below(t, assetID)
	return t, def, err
}
