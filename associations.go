package threatconnect

import (
	"context"
	"errors"
	"iter"
	"net/http"
)

// AssociationsService links resources and reads linked resources. It is safe for concurrent use.
//
// Both ends of an association are in the same owner: the owner that one of them names, or else the client's owner.
// Groups can be linked with groups, indicators, victims and tasks; indicators also with victims and tasks; victims
// also with tasks. Other pairs return a [*ValidationError] before anything is sent. An association of two
// indicators has a type or a file action; see [AssociationsService.LinkIndicators] and
// [AssociationsService.LinkFileAction].
type AssociationsService struct{ service }

// Link links two resources, in either order. Both must exist, and a victim must have an asset. Link is idempotent
// and is retried after an unknown outcome. It costs one request.
//
// For two indicators, Link returns a [*ValidationError] that lists the association types and file actions that
// are possible between their types.
//
//	API: POST /v2/groups/{type}/{id}/groups/{associatedGroupType}/{associatedGroupId}
//	API: POST /v2/groups/{type}/{id}/indicators/{associatedIndicatorType}/{associatedIndicator}
//	API: POST /v2/groups/{type}/{id}/victims/{victimId}
//	API: POST /v2/indicators/{type}/{indicator}/groups/{associatedGroupType}/{associatedGroupId}
//	API: POST /v2/indicators/{type}/{indicator}/victims/{associatedVictimId}
//	API: POST /v2/tasks/{id}/groups/{associatedGroupType}/{associatedGroupId}
//	API: POST /v2/tasks/{id}/indicators/{associatedIndicatorType}/{associatedIndicator}
//	API: POST /v2/tasks/{id}/victims/{victimId}
//	API: POST /v2/victims/{id}/groups/{associatedGroupType}/{associatedGroupId}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/associations/associations.html
func (s AssociationsService) Link(ctx context.Context, a, b Resource) error {
	ta, tb, err := s.c.bothTargets(ctx, a, b)
	if err != nil {
		return err
	}
	if ta.kind == kindIndicator && tb.kind == kindIndicator {
		return &ValidationError{
			Field: "association",
			Rule:  "needs a type or a file action between two indicators",
			Fix:   waysBetween(IndicatorType(ta.typ), IndicatorType(tb.typ)),
		}
	}
	parent, child, err := documented(ta, tb)
	if err != nil {
		return err
	}
	err = s.link(ctx, parent, parent.route.join(child.route))
	if api, ok := errors.AsType[*APIError](err); ok && child.kind == kindVictim && api.StatusCode == http.StatusBadRequest && api.Hint == "" {
		api.Hint = "a victim needs at least one asset before it can be linked"
	}
	return err
}

// Unlink removes an association. Between two indicators, it removes all associations, whatever their types and
// actions; [AssociationsService.UnlinkFileAction] removes a single one. If there is no association, the error
// matches [ErrNotFound]. Unlink costs one request.
//
//	API: DELETE /v2/groups/{type}/{id}/groups/{associatedGroupType}/{associatedGroupId}
//	API: DELETE /v2/groups/{type}/{id}/indicators/{associatedIndicatorType}/{associatedIndicator}
//	API: DELETE /v2/groups/{type}/{id}/victims/{victimId}
//	API: DELETE /v2/indicators/{type}/{indicator}/groups/{associatedGroupType}/{associatedGroupId}
//	API: DELETE /v2/indicators/{type}/{indicator}/indicators/{associatedIndicatorType}/{associatedIndicator}
//	API: DELETE /v2/indicators/{type}/{indicator}/victims/{associatedVictimId}
//	API: DELETE /v2/tasks/{id}/groups/{associatedGroupType}/{associatedGroupId}
//	API: DELETE /v2/tasks/{id}/indicators/{associatedIndicatorType}/{associatedIndicator}
//	API: DELETE /v2/tasks/{id}/victims/{victimId}
//	API: DELETE /v2/victims/{id}/groups/{associatedGroupType}/{associatedGroupId}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/associations/associations.html
func (s AssociationsService) Unlink(ctx context.Context, a, b Resource) error {
	parent, child, err := s.c.bothTargets(ctx, a, b)
	if err != nil {
		return err
	}
	if parent.kind != kindIndicator || child.kind != kindIndicator {
		if parent, child, err = documented(parent, child); err != nil {
			return err
		}
	}
	return s.c.remove(ctx, parent.route.join(child.route), parent.owner)
}

// LinkIndicators links two indicators by an association type, in either order, for example a URL and its host by
// [AssociationURLHost]. If the association type is not for indicators of these types, LinkIndicators returns a
// [*ValidationError]; custom association types are not checked. It is idempotent and is retried after an unknown
// outcome. It costs one request.
//
//	API: POST /v2/indicators/{type}/{indicator}/associations/{associationType}/indicators/{targetType}/{targetId}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/associations/associations.html
func (s AssociationsService) LinkIndicators(ctx context.Context, a, b Resource, as AssociationType) error {
	ta, tb, err := s.bothIndicators(ctx, a, b)
	if err != nil {
		return err
	}
	if err := checkAssociation(as, IndicatorType(ta.typ), IndicatorType(tb.typ)); err != nil {
		return err
	}
	return s.link(ctx, ta, ta.route.under("associations", value(as)).join(tb.route))
}

// LinkFileAction links a file to an indicator by a file action, for example to a file that it drops
// ([FileActionDrop]). If the action is not for indicators of that type, LinkFileAction returns a [*ValidationError];
// custom actions are not checked. It is idempotent and is retried after an unknown outcome. It costs one request.
//
//	API: POST /v2/indicators/files/{indicator}/actions/{fileAction}/indicators/{associatedIndicatorType}/{associatedIndicator}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/associations/associations.html
func (s AssociationsService) LinkFileAction(ctx context.Context, file, indicator Resource, action FileAction) error {
	t, r, err := s.fileAction(ctx, file, indicator, action)
	if err != nil {
		return err
	}
	return s.link(ctx, t, r)
}

// UnlinkFileAction removes one file action between a file and an indicator. Their other associations remain;
// [AssociationsService.Unlink] removes all of them. If there is no such association, the error matches
// [ErrNotFound]. It costs one request. The platform does not document the operation, but its own library uses it.
//
//	API: DELETE /v2/indicators/files/{indicator}/actions/{fileAction}/indicators/{associatedIndicatorType}/{associatedIndicator}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/associations/associations.html
func (s AssociationsService) UnlinkFileAction(ctx context.Context, file, indicator Resource, action FileAction) error {
	t, r, err := s.fileAction(ctx, file, indicator, action)
	if err != nil {
		return err
	}
	return s.c.remove(ctx, r, t.owner)
}

// fileAction returns the target of a file and the route of one of its actions.
func (s AssociationsService) fileAction(ctx context.Context, file, indicator Resource, action FileAction) (target, route, error) {
	tf, ti, err := s.bothIndicators(ctx, file, indicator)
	if err == nil {
		err = tf.mustBe(TypeFile)
	}
	if err == nil {
		err = checkAction(action, IndicatorType(ti.typ))
	}
	if err != nil {
		return target{}, route{}, err
	}
	return tf, tf.route.under("actions", value(action)).join(ti.route), nil
}

// bothIndicators is bothTargets for two indicators.
func (s AssociationsService) bothIndicators(ctx context.Context, a, b Resource) (ta, tb target, err error) {
	if ta, tb, err = s.c.bothTargets(ctx, a, b); err != nil {
		return ta, tb, err
	}
	for _, t := range []target{ta, tb} {
		if t.kind != kindIndicator {
			return ta, tb, &ValidationError{Field: "association", Rule: "must be between two indicators, and one end is " + t.kind.named(), Fix: "use Link"}
		}
	}
	return ta, tb, nil
}

// mustBe returns an error unless t is an indicator of a type.
func (t target) mustBe(want IndicatorType) error {
	if t.kind == kindIndicator && t.typ == string(want) {
		return nil
	}
	have := t.kind.named()
	if t.kind == kindIndicator {
		have += " of the type " + t.typ
	}
	return &ValidationError{Field: "indicator", Rule: "must be an indicator of the type " + string(want) + ", not " + have}
}

func (s AssociationsService) link(ctx context.Context, parent target, r route) error {
	_, err := s.c.exchange(ctx, &call{method: http.MethodPost, route: r, query: ownerQuery(parent.owner), idempotentPOST: true}, nil, nil)
	return err
}

// relations returns the relations of a resource.
func (s AssociationsService) relations(ctx context.Context, resource Resource) relations {
	return relations{
		c:    s.c,
		find: func() (target, error) { return s.c.targetOf(ctx, resource) },
		with: func(other Resource) (target, target, error) { return s.c.bothTargets(ctx, resource, other) },
	}
}

// Groups returns an iterator over the groups that are associated with a resource. It requests a page only when the
// loop reaches it. If a request fails, the iterator yields the error and stops.
//
//	API: GET /v2/{resource}/groups
//	API: GET /v2/{resource}/groups/{associatedGroupType}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/associations/associations.html
func (s AssociationsService) Groups(ctx context.Context, resource Resource, opts *RelatedGroupOptions) iter.Seq2[Group, error] {
	return s.relations(ctx, resource).groups(ctx, opts)
}

// Group returns one group that is associated with a resource. If it is not associated, the error matches
// [ErrNotFound]. Group costs one request.
//
//	API: GET /v2/{resource}/groups/{associatedGroupType}/{associatedGroupId}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/associations/associations.html
func (s AssociationsService) Group(ctx context.Context, resource, group Resource) (Group, error) {
	return s.relations(ctx, resource).group(ctx, group)
}

// Indicators returns an iterator over the indicators that are associated with a resource. For a victim, these are
// the indicators that share a group with it. The iterator does not read the additional fields. It requests a page
// only when the loop reaches it. If a request fails, the iterator yields the error and stops.
//
//	API: GET /v2/{resource}/indicators
//	API: GET /v2/{resource}/indicators/{associatedIndicatorType}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/associations/associations.html
func (s AssociationsService) Indicators(ctx context.Context, resource Resource, opts *RelatedIndicatorOptions) iter.Seq2[Indicator, error] {
	return s.relations(ctx, resource).indicators(ctx, opts)
}

// IndicatorsBy returns an iterator over the indicators that are associated with an indicator by one association
// type. It requests a page only when the loop reaches it. If a request fails, the iterator yields the error and
// stops.
//
//	API: GET /v2/indicators/{type}/{indicator}/associations/{associationType}/indicators/
//	API: GET /v2/indicators/{type}/{indicator}/associations/{associationType}/indicators/{targetType}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/associations/associations.html
func (s AssociationsService) IndicatorsBy(ctx context.Context, indicator Resource, as AssociationType, opts *RelatedIndicatorOptions) iter.Seq2[Indicator, error] {
	o := copyOf(opts)
	return relatedTo(func() (target, error) { return s.c.targetOfKind(ctx, indicator, kindIndicator) },
		func(t target) iter.Seq2[Indicator, error] {
			r := t.route.under("associations", value(as))
			t, err := aboutAssociation(t, as)
			if err != nil {
				return failing[Indicator](err)
			}
			return relatedIndicators(ctx, s.c, t, r, o)
		})
}

// IndicatorsByAction returns an iterator over the indicators that are associated with a file by one file action. It
// requests a page only when the loop reaches it. If a request fails, the iterator yields the error and stops. The
// platform does not document the request for indicators of one type.
//
//	API: GET /v2/indicators/files/{indicator}/actions/{fileAction}/indicators
//	API: GET /v2/indicators/files/{indicator}/actions/{fileAction}/indicators/{associatedIndicatorType}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/associations/associations.html
func (s AssociationsService) IndicatorsByAction(ctx context.Context, file Resource, action FileAction, opts *RelatedIndicatorOptions) iter.Seq2[Indicator, error] {
	o := copyOf(opts)
	return relatedTo(func() (target, error) { return s.c.targetOf(ctx, file) },
		func(t target) iter.Seq2[Indicator, error] {
			r := t.route.under("actions", value(action))
			t, err := aboutAction(t, action)
			if err != nil {
				return failing[Indicator](err)
			}
			return relatedIndicators(ctx, s.c, t, r, o)
		})
}

// Tasks returns an iterator over the tasks that are associated with a task or a victim. It requests a page only when
// the loop reaches it. If a request fails, the iterator yields the error and stops.
//
// The platform documents no list of the tasks of a group or an indicator, for which the iterator yields a
// [*ValidationError]. List the tasks instead and read the associations of each.
//
//	API: GET /v2/tasks/{id}/tasks
//	API: GET /v2/victims/{id}/tasks
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/associations/associations.html
func (s AssociationsService) Tasks(ctx context.Context, resource Resource, opts *ListOptions) iter.Seq2[*Task, error] {
	return s.taskRelations(ctx, resource).tasks(ctx, opts)
}

// Task returns one task that is associated with a task or a victim. If it is not associated, the error matches
// [ErrNotFound]. Task costs one request.
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

// mustHaveTasks returns an error for resources without a documented list of tasks.
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

// Victims returns an iterator over the victims that are associated with a resource. For a victim, these are the
// victims that share a group with it. It requests a page only when the loop reaches it. If a request fails, the
// iterator yields the error and stops.
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
// [ErrNotFound]. Victim costs one request.
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
