package threatconnect

import "github.com/threatconnect-go/threatconnect/internal/canon"

// group writes a group: its name, type and xid, and what it carries.
func (e *encoder) group(g Group) error {
	meta := g.Meta()
	name, err := canonicalGroupName(meta.Name)
	switch _, unknown := g.(*UnknownGroup); {
	case err != nil:
		return err
	case e.version == BatchV1:
		return &ValidationError{Field: "group", Rule: "cannot be in a V1 file", Fix: "use BatchV2"}
	case unknown:
		return &ValidationError{Field: "group type", Rule: "is not a type of this package, so that it cannot be written"}
	case canon.IsBlank(meta.XID):
		return &ValidationError{Field: "group xid", Rule: "is missing", Fix: "make one with XID of what identifies the group in the feed, so that the next run finds the group again"}
	}
	if err := checkText("group xid", meta.XID); err != nil {
		return err
	}
	w := &e.Writer
	e.xid = meta.XID
	e.after, _ = e.known.job(meta.XID) // what is added again comes after what it changes
	e.BeginObject()
	e.Name("name")
	e.Text(name)
	e.Name("type")
	e.Text(string(g.Type()))
	e.Name("xid")
	e.Text(meta.XID)
	if e.action == BatchDelete {
		e.EndObject()
		return nil
	}
	if own, ok := g.(specificGroup); ok {
		if err := own.checkOwn(modeBatch); err != nil {
			return err
		}
		own.writeOwn(w, modeBatch)
	}
	when(w, "firstSeen", meta.FirstSeen)
	when(w, "lastSeen", meta.LastSeen)
	when(w, "externalDateAdded", meta.ExternalDateAdded)
	when(w, "externalDateExpires", meta.ExternalDateExpires)
	when(w, "externalLastModified", meta.ExternalLastModified)
	if err := e.hangers(meta.Attributes, meta.Tags, meta.SecurityLabels); err != nil {
		return err
	}
	if err := e.groupLinks(meta); err != nil {
		return err
	}
	e.EndObject()
	return nil
}

// groupContent writes a group, and keeps what is to be uploaded for it.
func (e *encoder) groupContent(item *GroupContent) error {
	if err := item.check(); err != nil {
		return err
	}
	if e.action == BatchDelete {
		return &ValidationError{Field: "group content", Rule: "has no place in a deletion", Fix: "add the group as it is"}
	}
	if err := e.group(item.Group); err != nil {
		return err
	}
	e.content, e.fileType = item.Content, item.Group.Type()
	d, ok := item.Group.(*Document)
	e.malware = ok && d.Malware != nil && *d.Malware
	return nil
}

// groupLinks writes what a group is associated with: groups that came before it, while indicators
// and other groups become links.
func (e *encoder) groupLinks(meta *GroupMeta) error {
	empty := true
	for _, xid := range meta.GroupXIDs {
		inline, err := e.refer(xid)
		switch {
		case err != nil:
			return err
		case xid == meta.XID:
			return &ValidationError{Field: "associated group", Rule: "is the group itself"}
		case !inline:
			e.links = append(e.links, link{to: xid, ref: meta.XID, xid: xid})
			continue
		case empty:
			e.Name("associatedGroupXid")
			e.BeginArray()
			empty = false
		}
		e.Text(xid)
	}
	if !empty {
		e.EndArray()
	}
	return e.listed(meta)
}

// listed writes the indicators that a group lists, or makes links of them.
func (e *encoder) listed(meta *GroupMeta) error {
	empty := true
	for i := range meta.Associated {
		ref := &meta.Associated[i]
		summary, err := summaryOf(ref.Type, ref.Value)
		switch {
		case err != nil:
			return err
		case e.excludes(ref.Type, summary, true):
			continue
		case !e.carry:
			e.links = append(e.links, link{ind: ref.Type, ref: summary, xid: meta.XID})
			continue
		case empty:
			e.Name("associatedIndicators")
			e.BeginArray()
			e.after = allBefore // where the indicators are is not known
			empty = false
		}
		e.BeginObject()
		e.Name("summary")
		e.Text(summary)
		e.Name("indicatorType")
		e.Text(string(ref.Type))
		e.EndObject()
	}
	if !empty {
		e.EndArray()
	}
	return nil
}

// refer reports whether a reference to a group can be written: the group came before.
func (e *encoder) refer(xid string) (bool, error) {
	if canon.IsBlank(xid) {
		return false, &ValidationError{Field: "associated group", Rule: "has an empty xid"}
	}
	if err := checkText("associated group", xid); err != nil {
		return false, err
	}
	job, ok := e.known.job(xid)
	e.after = max(e.after, job)
	return ok, nil
}
