package threatconnecttest

import "slices"

// targets returns the indicators that an item changes: the existing or new indicator of its value,
// or for a file those that the job's modes select.
func (r *batchRun) targets(t *indicatorType, value string) ([]*indicator, *batchError) {
	o := r.config.owner
	if o.hasPresence(t, value) {
		return []*indicator{o.standIn(t, value)}, nil
	}
	if t.Name != "File" {
		if i := o.find(t, t.key(value)); i != nil {
			return []*indicator{i}, nil
		}
		return r.make(t, value)
	}
	matches := o.filesOf(t, value)
	if len(matches) == 0 {
		return r.make(t, value)
	}
	if len(matches) > 1 && (r.config.merge == "Distribute" || r.config.collision == "Split") {
		return matches, nil
	}
	primary := matches[0]
	for _, m := range matches[1:] {
		if m.modified > primary.modified {
			primary = m
		}
	}
	if r.clashes(t, matches, value) {
		switch r.config.collision {
		case "IgnoreIncoming":
			return nil, &batchError{code: codeFileHashMerge, message: "The File was ignored because its hashes are in conflict with an existing File"}
		case "Split":
			return matches, nil
		case "FavorExisting", "IgnoreExisting":
			return []*indicator{r.mergeFiles(primary, matches, "")}, nil
		}
	}
	return []*indicator{r.mergeFiles(primary, matches, value)}, nil
}

// make adds a new indicator to the job's owner.
func (r *batchRun) make(t *indicatorType, value string) ([]*indicator, *batchError) {
	o := r.config.owner
	if r.set.indicatorLimit > 0 && o.size() >= r.set.indicatorLimit {
		return nil, &batchError{code: codeLimit, message: msgTooManyInOwner, stop: true}
	}
	if r.set.presenceOnly {
		o.present[presence(t, value)] = struct{}{}
		return []*indicator{o.standIn(t, value)}, nil
	}
	i := &indicator{id: r.nextID(), owner: o, typ: t, value: value, added: r.now, modified: r.now}
	o.add(i)
	return []*indicator{i}, nil
}

// filesOf returns the files that share a hash with a summary.
func (o *owner) filesOf(t *indicatorType, value string) []*indicator {
	var all []*indicator
	for _, h := range t.split(value) {
		if i := o.find(t, h); h != "" && i != nil && !slices.Contains(all, i) {
			all = append(all, i)
		}
	}
	return all
}

// clashes reports whether a match and the summary have different hashes of the same kind.
func (r *batchRun) clashes(t *indicatorType, matches []*indicator, value string) bool {
	in := t.split(value)
	for _, m := range matches {
		for n, h := range t.split(m.value) {
			if h != "" && in[n] != "" && h != in[n] {
				return true
			}
		}
	}
	return false
}

// mergeFiles merges several files into primary, which receives the metadata of the others and all
// hashes. Hashes of value take precedence.
func (r *batchRun) mergeFiles(primary *indicator, matches []*indicator, value string) *indicator {
	t, o := primary.typ, primary.owner
	merged := primary.value
	for _, m := range matches {
		if m == primary {
			continue
		}
		merged = t.mergeHashes(merged, m.value)
		if m.more != nil {
			for _, a := range m.more.attributes {
				primary.metadata().addAttribute(a)
			}
			for _, tag := range m.more.tags {
				primary.metadata().tag(tag)
			}
			for _, l := range m.more.labels {
				primary.metadata().addLabel(l)
			}
			for l := range links(m) {
				associate(primary, l.to(m), l.label)
			}
		}
		o.drop(m, r.now)
		for n := range r.pending {
			if r.pending[n].from == m {
				r.pending[n].from = primary
			}
		}
	}
	if value != "" {
		merged = t.mergeHashes(value, merged)
	}
	o.rename(primary, merged)
	return primary
}
