package threatconnecttest

import (
	"encoding/json"
	"slices"
	"strconv"
)

var groupDates = []string{"firstSeen", "lastSeen", "externalDateAdded", "externalDateExpires", "externalLastModified",
	"eventDate", "publishDate", "aiLastRetrievalDate"}

// group creates, updates or deletes a group. Its xid identifies it in the whole instance.
func (r *batchRun) group(item *batchItem, f fields) *batchError {
	xid, _ := f.text("xid")
	item.source = xid
	if bad := checkDates(f, groupDates...); bad != nil {
		return bad
	}
	wrong := func(message string) *batchError { return &batchError{code: codeGroup, message: message} }
	if xid == "" {
		return wrong("A Group requires an xid")
	}
	have := r.groupByXID[xid]
	if r.config.action == "Delete" {
		if have != nil && have.owner == r.config.owner {
			r.dropGroup(have)
		}
		return nil
	}
	typeName, _ := f.text("type")
	t := r.groupType(typeName)
	if t == nil {
		return wrong("'" + typeName + "' is not a Group type")
	}
	name, values, msg := t.read(r.fileType(f), needForBatch)
	if msg != "" {
		return wrong(msg)
	}
	if f.has("insights") && !f.has("aiProvider") {
		return wrong("The aiProvider for this " + t.name + " is required")
	}
	switch {
	case have == nil:
		have = r.newGroup(r.config.owner, t, name, xid, r.now)
	case have.owner.ReadOnly:
		return &batchError{code: codePermission, message: "The requested Group was not updated - access was denied"}
	case have.typ != t:
		return wrong("This " + have.typ.name + " is not a " + t.name)
	}
	have.name, have.modified = name, r.now
	have.set(values)
	have.dates.read(f)
	if bad := r.attach(have, f, codeGroupLoss); bad != nil {
		return bad
	}
	return r.connectGroup(item, have, f)
}

func (r *batchRun) connectGroup(item *batchItem, g *group, f fields) *batchError {
	xids, bad := decode[[]loose](f, "associatedGroupXid")
	if bad != nil {
		return bad
	}
	for _, xid := range xids {
		r.connect(item, g, func() (holder, *batchError) { return r.groupByReference(string(xid)) })
	}
	indicators, bad := decode[[]struct {
		Summary       loose `json:"summary"`
		IndicatorType loose `json:"indicatorType"`
	}](f, "associatedIndicators")
	if bad != nil {
		return bad
	}
	for _, i := range indicators {
		r.connect(item, g, func() (holder, *batchError) {
			return r.indicatorByReference(string(i.IndicatorType), string(i.Summary))
		})
	}
	return nil
}

var indicatorDates = []string{"firstSeen", "lastSeen", "externalDateAdded", "externalDateExpires", "externalLastModified",
	"dateAdded", "lastModified"}

// indicator creates, updates or deletes an indicator. Its type and value identify it.
func (r *batchRun) indicator(item *batchItem, f fields) *batchError {
	typeName, _ := f.text("type")
	t := r.indicatorType(typeName)
	if t == nil {
		item.source, _ = f.text("summary")
		return &batchError{code: codeIndicator, message: "'" + typeName + "' is not an Indicator type"}
	}
	value, said, valid := t.readItem(f)
	item.source = said
	if bad := checkDates(f, indicatorDates...); bad != nil {
		return bad
	}
	for _, name := range []string{"rating", "confidence"} {
		if s, ok := f.text(name); f.has(name) {
			if _, err := strconv.ParseFloat(s, 64); !ok || err != nil {
				return &batchError{code: codeSyntax, cause: "java.lang.NumberFormatException: For input string: \"" + s + "\""}
			}
		}
	}
	if !valid {
		return &batchError{code: codeIndicator, message: t.Name + " " + said + " is not valid"}
	}
	ch, msg := t.readChange(f)
	if msg != "" {
		return &batchError{code: codeIndicator, message: msg}
	}
	if r.config.action == "Delete" {
		r.remove(t, value)
		return nil
	}
	targets, bad := r.targets(t, value)
	if bad != nil {
		return bad
	}
	for _, i := range targets {
		i.modified = r.now
		ch.apply(i, r.now)
		if hasDates(f) {
			i.makeRest().dates.read(f)
		}
		bad := r.describe(item, i, f)
		if i.has(flagRemoved) { // a stand-in, whose tags do not count
			i.more.untagAll()
		}
		if bad != nil {
			return bad
		}
	}
	return nil
}

// describe attaches the metadata, occurrences and groups of an item to an indicator.
func (r *batchRun) describe(item *batchItem, i *indicator, f fields) *batchError {
	if bad := r.attach(i, f, codeIndicatorLoss); bad != nil {
		return bad
	}
	if bad := r.occurrences(i, f); bad != nil {
		return bad
	}
	return r.connectIndicator(item, i, f)
}

// readItem parses the value of an item: its typed fields, value1 to value3, or its summary. said is
// the value as written in the item.
func (t *indicatorType) readItem(f fields) (value, said string, valid bool) {
	if value, present, valid := t.readValue(f); present {
		parts := make([]string, len(t.Fields))
		for n, name := range t.Fields {
			parts[n], _ = f.text(name)
		}
		return value, t.join(parts), valid
	}
	raw, _ := f.raw("summary")
	if t.Name == "File" && len(raw) > 0 && raw[0] == '{' { // the form that the JavaScript client sends
		if hashes, ok := readFields(raw); ok {
			return t.readItem(hashes)
		}
	}
	if said, ok := f.text("summary"); ok {
		value, valid = t.read(said)
		return value, said, valid
	}
	var parts []string
	for n := range t.Fields {
		s, _ := f.text("value" + strconv.Itoa(n+1))
		parts = append(parts, s)
	}
	value, valid = t.readParts(parts)
	return value, t.join(parts), valid
}

func (r *batchRun) remove(t *indicatorType, value string) {
	o := r.config.owner
	if r.set.presenceOnly {
		delete(o.present, presence(t, value))
	}
	if t.Name != "File" {
		if i := o.find(t, t.key(value)); i != nil {
			o.drop(i, r.now)
		}
		return
	}
	for _, i := range o.filesOf(t, value) {
		o.drop(i, r.now)
	}
}

// occurrences adds new file occurrences. The member is a list or a single object.
func (r *batchRun) occurrences(i *indicator, f fields) *batchError {
	raw, ok := f.raw("fileOccurrence")
	if !ok || i.typ.Name != "File" {
		return nil
	}
	if raw[0] == '{' {
		raw = slices.Concat([]byte("["), raw, []byte("]"))
	}
	var all []fields
	if err := json.Unmarshal(raw, &all); err != nil {
		return &batchError{code: codeSyntax, cause: err.Error()}
	}
	for _, one := range all {
		if bad := checkDates(one, "date"); bad != nil {
			return bad
		}
		var o Occurrence
		if !o.read(one) {
			return &batchError{code: codeIndicatorLoss, message: "A File Occurrence requires a fileName, a path or a date"}
		}
		d := i.details()
		if !slices.ContainsFunc(d.occurrences, func(have *occurrence) bool { return have.Occurrence == o }) {
			d.occurrences = append(d.occurrences, &occurrence{r.nextID(), o})
		}
	}
	return nil
}

// connectIndicator associates an indicator with groups. They are objects or bare xids, or IDs in
// V1.
func (r *batchRun) connectIndicator(item *batchItem, i *indicator, f fields) *batchError {
	if r.config.version == "V1" {
		ids, bad := decode[[]loose](f, "associatedGroup")
		if bad != nil {
			return bad
		}
		for _, id := range ids {
			r.connect(item, i, func() (holder, *batchError) {
				n, _ := strconv.ParseInt(string(id), 10, 64)
				if g := r.groupByID[n]; g != nil && g.owner == r.config.owner {
					return g, nil
				}
				return nil, &batchError{code: codeAssociation, message: "The Group " + string(id) + " to associate with was not found"}
			})
		}
		return nil
	}
	groups, bad := decode[[]json.RawMessage](f, "associatedGroups")
	if bad != nil {
		return bad
	}
	for _, raw := range groups {
		xid, ok := scalarText(raw)
		if !ok {
			var ref struct {
				GroupXID loose `json:"groupXid"`
			}
			if err := json.Unmarshal(raw, &ref); err != nil {
				return &batchError{code: codeSyntax, cause: err.Error()}
			}
			xid = string(ref.GroupXID)
		}
		r.connect(item, i, func() (holder, *batchError) { return r.groupByReference(xid) })
	}
	return nil
}
