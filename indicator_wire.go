package threatconnect

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// readIndicator reads one indicator of a known type.
func readIndicator(r *wire.Reader, def *indicatorDef) Indicator {
	return new(interner).indicator(r, def)
}

// readAnyIndicator reads one element of a list of indicators of all types.
func readAnyIndicator(r *wire.Reader) Indicator { return new(interner).anyIndicator(r) }

// interner shares the strings that repeat from one element of a list to the next.
type interner struct{ owner, typ string }

// ownerName reads the name of an owner.
func (l *interner) ownerName(r *wire.Reader) string {
	l.owner = r.TextIntern(l.owner)
	return l.owner
}

// typeName reads the name of a type.
func (l *interner) typeName(r *wire.Reader) string {
	l.typ = r.TextIntern(l.typ)
	return l.typ
}

func (l *interner) indicator(r *wire.Reader, def *indicatorDef) Indicator {
	ind := def.new()
	meta := ind.Meta()
	own, _ := ind.(specific)
	custom, _ := ind.(*CustomIndicator)
	if custom != nil {
		custom.Raw = rawOf(r)
	}
	summary := ""
	before := r.Keep()
	for r.Object(); r.NextKey(); {
		key := r.Key()
		switch {
		case def.readValue(ind, key, r):
		case own != nil && own.own(key, r):
		case string(key) == "ownerName":
			meta.Owner.Name = l.ownerName(r)
		case string(key) == "type":
			if t := l.typeName(r); custom != nil && custom.TypeName == "" {
				custom.TypeName = IndicatorType(t)
			}
		case string(key) == "summary":
			summary = r.Text()
		case meta.read(key, r):
		default:
			keepExtra(&meta.Extra, r)
		}
	}
	keepMisfits(&meta.Extra, r.Kept(before))
	if summary != "" && ind.Summary() == "" {
		setSummary(ind, def, summary)
	}
	return ind
}

// anyIndicator reads an indicator of any type. The type can come after other fields, so fields that only one
// type has stay in Extra until the type is known.
func (l *interner) anyIndicator(r *wire.Reader) Indicator {
	start := *r
	start.Charge(r)
	var m IndicatorMeta
	var typ IndicatorType
	summary := ""
	before := r.Keep()
	for r.Object(); r.NextKey(); {
		switch key := r.Key(); string(key) {
		case "type":
			typ = IndicatorType(l.typeName(r))
		case "summary":
			summary = r.Text()
		case "ownerName":
			m.Owner.Name = l.ownerName(r)
		default:
			if !m.read(key, r) {
				keepExtra(&m.Extra, r)
			}
		}
	}
	keepMisfits(&m.Extra, r.Kept(before))
	def := indicatorDefOf(typ)
	if def == nil {
		return &CustomIndicator{TypeName: typ, Values: [3]string{summary}, Raw: rawOf(&start), IndicatorMeta: m}
	}
	ind := def.new()
	*ind.Meta() = m
	setSummary(ind, def, summary)
	moveOwn(ind, def, r)
	return ind
}

// moveOwn moves the fields that only the type has from Extra to the indicator.
func moveOwn(ind Indicator, def *indicatorDef, r *wire.Reader) {
	meta := ind.Meta()
	if len(meta.Extra) == 0 {
		return
	}
	own, _ := ind.(specific)
	e := new(wire.Reader)
	e.Charge(r)
	for name, raw := range meta.Extra {
		e.Reset(raw)
		if key := []byte(name); def.readValue(ind, key, e) || own != nil && own.own(key, e) {
			if e.Err() == nil {
				delete(meta.Extra, name)
			}
		}
	}
	if len(meta.Extra) == 0 {
		meta.Extra = nil
	}
}

// setSummary sets the values that a summary contains.
func setSummary(ind Indicator, def *indicatorDef, summary string) {
	ind.setValues(def.valuesOf(summary))
}

// valuesOf returns the values that a summary of the platform contains. If the summary cannot be split, it is
// the first value.
func (d *indicatorDef) valuesOf(summary string) [3]string {
	if d.split != nil {
		if v, err := d.split(summary); err == nil {
			return v
		}
	}
	return [3]string{summary}
}

// rawOf returns a copy of the value that r is at, without advancing r.
func rawOf(r *wire.Reader) json.RawMessage {
	peek := *r
	peek.Charge(r)
	return peek.RawCopy()
}

// inner returns a reader of the value that r is at, without advancing r. It uses the memory limit of r.
func inner(r *wire.Reader) *wire.Reader {
	peek := *r
	e := wire.NewReader(peek.Raw())
	e.Charge(r)
	return e
}

// indicatorAt returns the target of an indicator and the definition of its type.
func (c *Client) indicatorAt(ctx context.Context, r Resource) (target, *indicatorDef, error) {
	t, err := c.targetOfKind(ctx, r, kindIndicator)
	if err != nil {
		return target{}, nil, err
	}
	def, err := c.definition(ctx, IndicatorType(t.typ))
	return t, def, err
}

// deletedSegment is the last segment of the list of a type's deleted indicators.
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

// singleKeys returns the possible JSON keys of one indicator.
func (d *indicatorDef) singleKeys() []string { return []string{d.entity, "indicator"} }

func createIndicator[T Indicator](ctx context.Context, c *Client, def *indicatorDef, ind T) (T, error) {
	body, err := indicatorBody(def, ind)
	if err != nil {
		var zero T
		return zero, err
	}
	return create(ctx, c, def.collection(), ind.Meta().Owner, body, def.singleKeys(),
		func(r *wire.Reader) T { return readIndicator(r, def).(T) })
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

// body returns the body of a request to update an indicator of type t.
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

// indicatorBody returns the body of a request to create an indicator.
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

// indicatorQuery checks list options and returns their query.
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

// own reads the value of key and reports whether it is a field that only this type has.
func (f *File) own(key []byte, r *wire.Reader) bool {
	switch string(key) {
	case "size":
		f.Size = r.Int64Ptr()
	case "fileOccurrence":
		f.Occurrences = readList(r, readFileOccurrence)
	default:
		return false
	}
	return true
}

func (h *Host) own(key []byte, r *wire.Reader) bool {
	switch string(key) {
	case "dnsActive":
		h.DNSActive = r.BoolPtr()
	case "whoisActive":
		h.WhoisActive = r.BoolPtr()
	default:
		return false
	}
	return true
}

// writeOwn writes the fields that only this type has. Batch files have two known names for the size and contain
// both.
func (f *File) writeOwn(w *wire.Writer, m mode) {
	if f.Size != nil {
		w.Key("size")
		w.Int64(*f.Size)
		if m == modeBatch {
			w.Key("intValue1")
			w.Int64(*f.Size)
		}
	}
	if m == modeBatch && len(f.Occurrences) > 0 {
		w.Key("fileOccurrence")
		w.BeginArray()
		for i := range f.Occurrences {
			f.Occurrences[i].write(w)
		}
		w.EndArray()
	}
}

func (h *Host) writeOwn(w *wire.Writer, m mode) {
	flag := func(v *bool, single, batch string) {
		switch {
		case v == nil:
		case m == modeBatch:
			w.Key(batch)
			w.Bool(*v)
		default:
			w.Key(single)
			w.BoolText(*v)
		}
	}
	flag(h.DNSActive, "dnsActive", "flag1")
	flag(h.WhoisActive, "whoisActive", "flag2")
}
