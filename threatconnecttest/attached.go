package threatconnecttest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// attach gives an item the attributes, tags and labels of a record, and checks that the item is
// then returned as the record. The item is new or replaces another. had contains the previous
// attributes; those that stay keep their IDs. If attach fails, it removes the tags it has created.
func (s *seeder) attach(h holder, had []*attribute, attributes []AttributeRecord, tags, labels []string, check func() error) (err error) {
	o := h.belongs()
	defer func(before int) {
		if err != nil {
			h.metadataOrNil().untagAll()
			o.forgetTags(before)
		}
	}(len(o.tags))
	job, had, stay := s.job(o), slices.Clone(had), make([]*attribute, len(attributes))
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
		in := batchAttribute{Type: loose(r.Type), Value: loose(r.Value), Source: loose(r.Source)}
		if r.Displayed {
			in.Displayed = "true"
		}
		if r.Pinned {
			in.Pinned = "true"
		}
		for _, l := range r.Labels {
			in.SecurityLabel = append(in.SecurityLabel, batchLabel{Name: loose(l)})
		}
		if err := put(fmt.Sprintf("Attributes[%d]", n), "attribute", []batchAttribute{in}); err != nil {
			return err
		}
		a := h.metadata().attributes[n]
		stay[n] = take(&had, func(old *attribute) bool { return old.id == r.ID })
		if old := stay[n]; old != nil {
			a.id, a.added = old.id, old.added
		}
		a.added = stored(r.DateAdded, a.added)
		a.modified = stored(r.LastModified, a.added)
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
	if err := check(); err != nil {
		return err
	}
	for n, old := range stay {
		if old != nil {
			a := h.metadata().attributes[n]
			counts := a.value != old.value || a.source != old.source || a.displayed != old.displayed || a.pinned != old.pinned
			a.modified = moved(old.modified, attributes[n].LastModified, counts, s.now.Unix())
		}
	}
	return nil
}

// makeAssets creates the assets of a record, as requests would. had contains the previous assets;
// those that stay keep their IDs.
func (s *seeder) makeAssets(kinds []*assetKind, had []*asset, records []AssetRecord) ([]*asset, error) {
	var all []*asset
	had = slices.Clone(had)
	for n, r := range records {
		at := fmt.Sprintf("Assets[%d]", n)
		k := first(kinds, func(k *assetKind) bool { return k.name == r.Type })
		if k == nil {
			return nil, refuse(at+".Type", fmt.Sprintf("%q is no type of asset here", r.Type))
		}
		if len(r.Values) > len(k.fields) {
			return nil, refuse(at+".Values", "may be "+strings.Join(k.fields, ", "))
		}
		body := map[string]any{}
		for i, v := range r.Values {
			body[k.fields[i]] = v
		}
		a := &asset{kind: k, values: make([]string, len(k.fields))}
		c, _ := s.request(body)
		if bad := c.readAsset(a); bad != nil {
			return nil, refuse(at+".Values", bad.message)
		}
		if old := take(&had, func(old *asset) bool { return old.id == r.ID && old.kind == k }); old != nil {
			a.id = old.id
		} else {
			a.id = s.nextID()
		}
		all = append(all, a)
	}
	return all, nil
}

// findAll finds the items that a list of a record names, for relink. They must be distinct, belong
// to the owner of h, and not be h itself.
func findAll[T interface {
	comparable
	holder
}, N any](h holder, field, kind string, names []N, find func(N) T) ([]T, error) {
	all, seen := make([]T, 0, len(names)), map[T]bool{}
	for n, name := range names {
		at := fmt.Sprintf("%s[%d]", field, n)
		var none T
		other := find(name)
		switch {
		case other == none || other.belongs() != h.belongs():
			return nil, refuse(at, fmt.Sprintf("the owner has no %s %#v: seed it first", kind, name))
		case other.number() == h.number():
			return nil, refuse(at, "a "+kind+" cannot be associated with itself: leave it out")
		case seen[other]:
			return nil, refuse(at, "names the same "+kind+" as another one: leave it out")
		}
		seen[other] = true
		all = append(all, other)
	}
	return all, nil
}

// groupsAt finds the groups with the given xids. xid is the present or future xid of h.
func (s *seeder) groupsAt(h holder, xids []string) ([]*group, error) {
	return findAll(h, "Groups", "group", xids, func(xid string) *group {
		if g, ok := h.(*group); ok && g.xid == xid {
			return g
		}
		return s.groupByXID[xid]
	})
}

// indicatorsAt finds the indicators with the given types and summaries.
func (s *seeder) indicatorsAt(g *group, texts []string) ([]*indicator, error) {
	for n, text := range texts {
		if !strings.Contains(text, ": ") {
			return nil, refuse(fmt.Sprintf("Indicators[%d]", n), `must be a type and a summary, as in "Host: www.example.com"`)
		}
	}
	return findAll(g, "Indicators", "indicator", texts, func(text string) *indicator {
		typeName, summary, _ := strings.Cut(text, ": ")
		i, _ := (&IndicatorRecord{Owner: g.owner.Name, Type: typeName, Summary: summary}).indicator(s)
		return i
	})
}

// relink associates an item with the given items, and with no others of their kind.
func relink[T interface {
	comparable
	holder
}](h holder, want []T) {
	wanted := map[T]bool{}
	for _, other := range want {
		wanted[other] = true
	}
	for l := range links(h) {
		if other, ok := l.to(h).(T); ok && !wanted[other] {
			l.remove()
		}
	}
	for _, other := range want {
		associate(h, other, "")
	}
}
