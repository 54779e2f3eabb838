package threatconnect

import (
	"cmp"

	"github.com/threatconnect-go/threatconnect/internal/canon"
	"github.com/threatconnect-go/threatconnect/internal/importer/item"
)

// group writes a group.
func (e *encoder) group(g Group) error {
	meta := g.Meta()
	e.typ, e.name = string(g.Type()), cmp.Or(meta.XID, meta.Name)
	name, err := canonicalGroupName(meta.Name)
	switch _, unknown := g.(*UnknownGroup); {
	case err != nil:
		return err
	case unknown:
		return &ValidationError{Field: "group type", Rule: "is not a type of this package, so that it cannot be written"}
	case canon.IsBlank(meta.XID):
		return &ValidationError{Field: "group xid", Rule: "is missing", Fix: "compute one with XID from the values that identify the group in the feed, so that the next run finds the group"}
	}
	if err := checkText("group xid", meta.XID); err != nil {
		return err
	}
	w := &e.Writer
	e.out.Name = meta.XID
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
	if err := e.lists(meta.Attributes, meta.Tags, meta.SecurityLabels); err != nil {
		return err
	}
	e.EndObject()
	return e.groupLinks(meta)
}

var errDeletedContent = &ValidationError{Field: "group content", Rule: "cannot be deleted", Fix: "add the group itself"}

// groupContent writes a group and records its content.
func (e *encoder) groupContent(in *GroupContent) error {
	if err := in.check(); err != nil {
		return err
	}
	if err := e.group(in.Group); err != nil {
		return err
	}
	if e.action == BatchDelete {
		return errDeletedContent
	}
	d, ok := in.Group.(*Document)
	e.upload(in.Group.Type(), ok && d.Malware != nil && *d.Malware, in.Content)
	return nil
}

// upload records the content of the group.
func (e *encoder) upload(t GroupType, malware bool, c Content) {
	e.content = item.Content{Type: string(t), XID: e.out.Name, Malware: malware, Size: c.Size, Open: c}
	e.out.Content = &e.content
}

// groupLinks records the groups and indicators that a group is associated with.
func (e *encoder) groupLinks(meta *GroupMeta) error {
	for _, xid := range meta.GroupXIDs {
		if err := e.refer(xid); err != nil {
			return err
		}
		if xid == meta.XID {
			return &ValidationError{Field: "associated group", Rule: "is the group itself"}
		}
	}
	for i := range meta.Associated {
		ref := &meta.Associated[i]
		summary, err := summaryOf(ref.Type, ref.Value)
		if err != nil {
			return err
		}
		if err := firstError(checkEnd("associated indicator", summary), checkEnd("group xid", meta.XID)); err != nil {
			return err
		}
		listed := item.Listed{End: item.End{Type: string(ref.Type), Name: summary}}
		if e.excludes(ref.Type, summary, true) {
			listed.Excluded = e.excluded[len(e.excluded)-1].Reason
		}
		e.out.Listed = append(e.out.Listed, listed)
	}
	return nil
}

// refer records a reference to a group.
func (e *encoder) refer(xid string) error {
	if canon.IsBlank(xid) {
		return &ValidationError{Field: "associated group", Rule: "has an empty xid"}
	}
	e.out.Refs = append(e.out.Refs, xid)
	return firstError(checkText("associated group", xid), checkEnd("associated group", xid), checkEnd("name of the item", e.out.Name))
}

// listedIndicator is an indicator from a list of the platform. It is written with exactly the listed value
// instead of the canonical form, so that exactly this indicator is deleted or changed.
type listedIndicator struct {
	typ     IndicatorType
	summary string
	change  *IndicatorMeta // the change; nil to delete
}

func (*listedIndicator) batchItem() {}

// listed writes a listedIndicator.
func (e *encoder) listed(in *listedIndicator) error {
	e.typ, e.name = string(in.typ), in.summary
	e.out.Type, e.out.Name = e.typ, e.name
	e.BeginObject()
	e.Key("type")
	e.Text(string(in.typ))
	e.Key("summary")
	e.Text(in.summary)
	var err error
	if in.change != nil {
		in.change.write(&e.Writer)
		err = e.lists(nil, in.change.Tags, nil)
	}
	e.EndObject()
	return err
}
