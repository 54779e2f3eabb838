package threatconnect

import (
	"context"
	"iter"
	"net/http"
)

// RelatedVictimAssetOptions is [ListOptions] for the assets of victims. Nil and the zero value select assets of
// all kinds.
type RelatedVictimAssetOptions struct {
	ListOptions
	Type VictimAssetType `url:"-"` // selects the assets of one kind
}

// Tasks returns an iterator over the tasks that are associated with a task or a victim and requests a page only
// when the loop reaches it. If a request fails, the iterator yields the error and stops. The platform documents
// no such list for groups and indicators, which are refused: list tasks and read what each is associated with.
//
//	API: GET /v2/tasks/{id}/tasks
//	API: GET /v2/victims/{id}/tasks
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/associations/associations.html
func (s AssociationsService) Tasks(ctx context.Context, resource Resource, opts *ListOptions) iter.Seq2[*Task, error] {
	return s.taskRelations(ctx, resource).tasks(ctx, opts)
}

// Task returns one task that is associated with a task or a victim. If it is not associated, the error matches
// [ErrNotFound]. It costs one request.
//
//	API: GET /v2/tasks/{id}/tasks/{associatedTaskId}
//	API: GET /v2/victims/{id}/tasks/{associatedTaskId}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/associations/associations.html
func (s AssociationsService) Task(ctx context.Context, resource, task Resource) (*Task, error) {
	return s.taskRelations(ctx, resource).task(ctx, task)
}

// taskRelations is relations for resources with a documented list of tasks.
func (s AssociationsService) taskRelations(ctx context.Context, resource Resource) relations {
	r := s.relations(ctx, resource)
	find, with := r.find, r.with
	r.find = func() (target, error) {
		t, err := find()
		if err == nil {
			err = t.mustHaveTasks()
		}
		return t, err
	}
	r.with = func(task Resource) (t, other target, err error) {
		if t, other, err = with(task); err == nil {
			err = t.mustHaveTasks()
		}
		return t, other, err
	}
	return r
}

// mustHaveTasks refuses resources for which the platform documents no list of tasks.
func (t target) mustHaveTasks() error {
	if t.kind == kindTask || t.kind == kindVictim {
		return nil
	}
	return &ValidationError{
		Field: "resource",
		Rule:  "is " + t.kind.named() + ", and the platform does not document how to list the tasks of one",
		Fix:   "list tasks with client.Tasks and ask each for what it is associated with",
	}
}

// Victims returns an iterator over the victims that are associated with a resource and requests a page
// only when the loop reaches it. If a request fails, the iterator yields the error and stops. For a
// victim, these are the victims that share a group with it.
//
//	API: GET /v2/groups/{type}/{id}/victims
//	API: GET /v2/indicators/{type}/{indicator}/victims
//	API: GET /v2/tasks/{id}/victims
//	API: GET /v2/victims/{id}/victims
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/associations/associations.html
func (s AssociationsService) Victims(ctx context.Context, resource Resource, opts *ListOptions) iter.Seq2[*Victim, error] {
	return s.relations(ctx, resource).victims(ctx, opts)
}

// Victim returns one victim that is associated with a resource. If it is not associated, the error matches
// [ErrNotFound]. It costs one request.
//
//	API: GET /v2/groups/{type}/{id}/victims/{victimId}
//	API: GET /v2/indicators/{type}/{indicator}/victims/{associatedVictimId}
//	API: GET /v2/tasks/{id}/victims/{victimId}
//	API: GET /v2/victims/{id}/victims/{associatedVictimId}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/associations/associations.html
func (s AssociationsService) Victim(ctx context.Context, resource, victim Resource) (*Victim, error) {
	return s.relations(ctx, resource).victim(ctx, victim)
}

// VictimAssets returns an iterator over the assets of the victims that are associated with a resource, or over
// those of a victim, and requests a page
// only when the loop reaches it. If a request fails, the iterator yields the error and stops. The list
// has the id and the main value of each asset.
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
// error matches [ErrNotFound]. It costs one request.
//
//	API: GET /v2/{resource}/victimAssets/{victimAssetType}/{assetId}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/associations/associations.html
func (s AssociationsService) VictimAsset(ctx context.Context, resource Resource, typ VictimAssetType, assetID int64) (VictimAsset, error) {
	t, def, err := s.victimAsset(ctx, resource, typ, assetID)
	if err != nil {
		return nil, err
	}
	return one(ctx, s.c, &call{method: http.MethodGet, route: t.route, query: ownerQuery(t.owner)}, []string{def.entity, "victimAsset"}, readVictimAsset(def))
}

// UnlinkVictimAsset undoes the association of a resource with an asset of a victim. Such associations are made
// with those of the victim. To delete the asset itself, use client.VictimAssets.Remove. It costs one request.
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
	return s.c.write(ctx, http.MethodDelete, t.route, t.owner)
}

// victimAsset returns where an asset is below a resource.
func (s AssociationsService) victimAsset(ctx context.Context, resource Resource, typ VictimAssetType, assetID int64) (target, *victimAssetDef, error) {
	t, err := s.c.targetOf(ctx, resource)
	if err != nil {
		return target{}, nil, err
	}
	def := victimAssetDefOf(typ)
	switch {
	case def == nil:
		return target{}, nil, errVictimAssetType(typ)
	case assetID <= 0:
		return target{}, nil, errVictimAssetID
	}
	t.route = t.route.under("victimAssets", def.branch, id(assetID))
	return t, def, nil
}

func errVictimAssetType(t VictimAssetType) error {
	return &ValidationError{Field: "victim asset type", Rule: "must be one of the five types, not " + quoteForeign(string(t)), Fix: "use one of the VictimAsset constants"}
}
