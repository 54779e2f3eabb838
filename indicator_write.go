package threatconnect

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// indicatorAt returns where an indicator is, and the definition that it is read by.
func (c *Client) indicatorAt(ctx context.Context, r Resource) (target, *indicatorDef, error) {
	t, err := c.targetOfKind(ctx, r, kindIndicator)
	if err != nil {
		return target{}, nil, err
	}
	def, err := c.definition(ctx, IndicatorType(t.typ))
	return t, def, err
}

// deletedSegment ends the path of the list of a type's deleted indicators.
const deletedSegment = "/deleted"

func getIndicator[T Indicator](ctx context.Context, c *Client, def *indicatorDef, r route, owner string, opts *IndicatorGetOptions) (T, error) {
	var zero T
	if strings.HasSuffix(r.path, deletedSegment) {
		return zero, &ValidationError{
			Field: string(def.typ),
			Rule:  `is "deleted", which in a path stands for the list of what was deleted`,
			Fix:   "look it up with client.Indicators.List and a BySummary filter",
		}
	}
	o := copyOf(opts)
	q, err := optionQuery(o, owner)
	if err != nil {
		return zero, err
	}
	return one(ctx, c.with(o.CallOptions), &call{method: http.MethodGet, route: r, query: q}, def.singleKeys(), func(r *wire.Reader) T { return readIndicator(r, def).(T) })
}

// singleKeys are the JSON keys under which one indicator can come.
func (d *indicatorDef) singleKeys() []string { return []string{d.entity, "indicator"} }

func createIndicator[T Indicator](ctx context.Context, c *Client, def *indicatorDef, ind T) (T, error) {
	var zero T
	body, err := indicatorBody(def, ind)
	if err != nil {
		return zero, err
	}
	owner, err := c.createOwner(ind.Meta().Owner)
	if err != nil {
		return zero, err
	}
	return one(ctx, c, &call{
		method: http.MethodPost,
		route:  def.collection(),
		query:  ownerQuery(owner),
		body:   jsonBody(body),
	}, def.singleKeys(), func(r *wire.Reader) T { return readIndicator(r, def).(T) })
}

func updateIndicator[T Indicator](ctx context.Context, c *Client, def *indicatorDef, r route, owner string, u IndicatorUpdate) (T, error) {
	body, err := u.body(def.typ)
	if err != nil {
		var zero T
		return zero, err
	}
	return one(ctx, c, &call{method: http.MethodPut, route: r, query: ownerQuery(owner), body: jsonBody(body)}, def.singleKeys(),
		func(r *wire.Reader) T { return readIndicator(r, def).(T) })
}

// body returns the body of an update of an indicator of type t.
func (u IndicatorUpdate) body(t IndicatorType) ([]byte, error) {
	if err := firstError(checkRating(u.Rating), checkConfidence(u.Confidence)); err != nil {
		return nil, err
	}
	if u.Size != nil && *u.Size < 0 {
		return nil, &ValidationError{Field: "IndicatorUpdate.Size", Rule: "is negative"}
	}
	private := []string{string(TypeAddress), string(TypeEmailAddress), string(TypeFile), string(TypeHost), string(TypeURL)}
	host, file := []string{string(TypeHost)}, []string{string(TypeFile)}
	return updateBody("IndicatorUpdate", string(t), []updateField{
		{name: "Rating", key: "rating", value: u.Rating},
		{name: "Confidence", key: "confidence", value: u.Confidence},
		{name: "Active", key: "active", value: u.Active},
		{name: "ActiveLocked", key: "activeLocked", value: u.ActiveLocked},
		{name: "Private", key: "privateFlag", value: u.Private, types: private},
		{name: "DNSActive", key: "dnsActive", value: (*boolText)(u.DNSActive), types: host},
		{name: "WhoisActive", key: "whoisActive", value: (*boolText)(u.WhoisActive), types: host},
		{name: "Size", key: "size", value: u.Size, types: file},
	})
}

// indicatorBody writes the body of a create.
func indicatorBody(def *indicatorDef, ind Indicator) ([]byte, error) {
	if isNil(ind) {
		return nil, errNilIndicator
	}
	if t := ind.Type(); t != def.typ && t != "" {
		return nil, &ValidationError{Field: "indicator", Rule: "is of another type than the service is for", Fix: "take the service of its type, or client.Indicators"}
	}
	meta := ind.Meta()
	v, err := def.canonical(ind.values())
	err = firstError(meta.check(), err, meta.checkSingle())
	if f, ok := ind.(*File); ok && err == nil && len(f.Occurrences) > 0 {
		err = &ValidationError{Field: "file occurrences", Rule: "cannot be sent when a single file is created", Fix: "add them afterwards, or import the file with client.Batch"}
	}
	if err != nil {
		return nil, err
	}
	var w wire.Writer
	w.BeginObject()
	for i, key := range def.keys {
		if v[i] != "" {
			w.Key(key)
			w.Text(v[i])
		}
	}
	meta.write(&w)
	if s, ok := ind.(specific); ok {
		s.writeOwn(&w, modeCreate)
	}
	w.EndObject()
	return written(&w, "indicator")
}

// indicatorQuery checks list options and turns them into a query.
func (c *Client) indicatorQuery(o IndicatorListOptions, t IndicatorType) (url.Values, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	fields := []string{"active", "summary", "dateAdded", "rating", "confidence", "threatAssessScore", "threatAssessRating", "threatAssessConfidence", "falsePositive"}
	name := "indicators"
	switch t {
	case TypeAddress:
		name, fields = "addresses", append(fields, "city", "countryCode", "countryName", "organization", "state", "timezone", "asn")
	case TypeHost:
		name, fields = "hosts", append(fields, "whoisActive", "dnsActive")
	}
	if err := o.Filters.check(name, fields...); err != nil {
		return nil, err
	}
	q, err := optionQuery(o, c.Owner())
	if err == nil && !o.ModifiedSince.IsZero() {
		q.Set("modifiedSince", o.ModifiedSince.UTC().Format(filterTime))
	}
	return q, err
}
