package threatconnecttest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// attached is what was attached to something before an update. What stays keeps its id.
type attached struct {
	attributes  []*attribute
	assets      []*asset
	occurrences []*occurrence
}

// attach gives a thing the attributes, tags and labels of a record in place of those that it has.
// had are the attributes that it had before.
func (s *seeder) attach(h holder, had []*attribute, attributes []AttributeRecord, tags, labels []string) error {
	h.hangers().untagAll()
	if m := h.hangers(); m != nil {
		m.labels = nil
	}
	job := s.job(h.belongs())
	put := func(field, name string, v any) error {
		b, err := json.Marshal(v)
		if err != nil {
			return refuse(field, err.Error())
		}
		if bad := job.attach(h, fields{{[]byte(name), b}}, codeIndicatorLoss); bad != nil {
			return refuse(field, bad.message)
		}
		return nil
	}
	for n, r := range attributes {
		a := batchAttribute{Type: loose(r.Type), Value: loose(r.Value), Source: loose(r.Source)}
		if r.Displayed {
			a.Displayed = "true"
		}
		if r.Pinned {
			a.Pinned = "true"
		}
		for _, l := range r.Labels {
			a.SecurityLabel = append(a.SecurityLabel, batchLabel{Name: loose(l)})
		}
		if err := put(fmt.Sprintf("Attributes[%d]", n), "attribute", []batchAttribute{a}); err != nil {
			return err
		}
		all := h.metadata().attributes
		all[len(all)-1].keep(r, had, s.now.Unix())
	}
	for n, name := range tags {
		if err := put(fmt.Sprintf("Tags[%d]", n), "tag", []batchTag{{loose(name)}}); err != nil {
			return err
		}
	}
	for n, name := range labels {
		if err := put(fmt.Sprintf("Labels[%d]", n), "securityLabel", []batchLabel{{Name: loose(name)}}); err != nil {
			return err
		}
	}
	return nil
}

// keep gives an attribute the dates of its record, and the id and dates that it had before.
func (a *attribute) keep(r AttributeRecord, had []*attribute, now int64) {
	i := slices.IndexFunc(had, func(old *attribute) bool { return old.id == r.ID })
	if i < 0 {
		a.added = stored(r.DateAdded, now)
		a.modified = stored(r.LastModified, a.added)
		return
	}
	old := had[i]
	counts := a.value != old.value || a.source != old.source || a.displayed != old.displayed || a.pinned != old.pinned
	a.id, a.added = old.id, stored(r.DateAdded, old.added)
	a.modified = moved(old.modified, r.LastModified, counts, now)
}

// attachAssets gives assets to their owner, as requests would. had are those that it had before.
func (s *seeder) attachAssets(o assetOwner, kinds []assetKind, had []*asset, records []AssetRecord) error {
	for n, r := range records {
		at := fmt.Sprintf("Assets[%d]", n)
		i := slices.IndexFunc(kinds, func(k assetKind) bool { return k.name == r.Type })
		if i < 0 {
			return refuse(at+".Type", fmt.Sprintf("%q is no type of asset here", r.Type))
		}
		k := &kinds[i]
		if len(r.Values) > len(k.fields) {
			return refuse(at+".Values", "may be "+strings.Join(k.fields, ", "))
		}
		body := map[string]any{}
		for i, v := range r.Values {
			body[k.fields[i]] = v
		}
		a := &asset{kind: k, values: make([]string, len(k.fields))}
		c, _ := s.request(body)
		if bad := c.readAsset(a); bad != nil {
			return refuse(at+".Values", bad.message)
		}
		if i := slices.IndexFunc(had, func(old *asset) bool { return old.id == r.ID && old.kind == k }); i >= 0 {
			a.id = r.ID
		} else {
			a.id = s.nextID()
		}
		*o.assetList() = append(*o.assetList(), a)
	}
	return nil
}

// linkGroups associates a thing with the groups of these xids, and with no others.
func (s *seeder) linkGroups(h holder, xids []string) error {
	var want []holder
	for n, xid := range xids {
		at := fmt.Sprintf("Groups[%d]", n)
		g := s.groupByXID[xid]
		switch {
		case isGroup(h, xid):
			return refuse(at, "a group cannot be associated with itself: leave its own xid out")
		case g == nil || g.owner != h.belongs():
			return refuse(at, fmt.Sprintf("the owner has no group with the xid %q: seed it first", xid))
		}
		want = append(want, g)
	}
	relink(h, want, func(h holder) bool { _, ok := h.(*group); return ok })
	return nil
}

// isGroup reports whether something is the group of an xid.
func isGroup(h holder, xid string) bool {
	g, ok := h.(*group)
	return ok && g.xid == xid
}

// linkIndicators associates a group with these indicators, and with no others.
func (s *seeder) linkIndicators(g *group, texts []string) error {
	var want []holder
	for n, text := range texts {
		at := fmt.Sprintf("Indicators[%d]", n)
		typeName, summary, ok := strings.Cut(text, ": ")
		if !ok {
			return refuse(at, `must be a type and a summary, as in "Host: www.example.com"`)
		}
		i, err := (&IndicatorRecord{Owner: g.owner.Name, Type: typeName, Summary: summary}).indicator(s)
		if err != nil {
			return refuse(at, fmt.Sprintf("the owner has no indicator %q: seed it first", text))
		}
		want = append(want, i)
	}
	relink(g, want, func(h holder) bool { _, ok := h.(*indicator); return ok })
	return nil
}

// relink associates a thing with those that are wanted and with no other of their kind.
func relink(h holder, want []holder, kind func(holder) bool) {
	wanted := map[holder]bool{}
	for _, other := range want {
		wanted[other] = true
	}
	for l := range links(h) {
		if other := l.to(h); kind(other) && !wanted[other] {
			l.remove()
		}
	}
	for _, other := range want {
		associate(h, other, "")
	}
}
