package threatconnect

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/filehash"
	"github.com/threatconnect-go/threatconnect/internal/importer/item"
	"github.com/threatconnect-go/threatconnect/internal/jsonmerge"
	"github.com/threatconnect-go/threatconnect/internal/merge"
	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// merging is one run of MergeItems.
type merging struct {
	ctx      context.Context
	opts     MergeOptions
	stats    MergeStats // without those of merge
	encoder  encoder
	merge    *merge.Merge
	contents map[contentOwner]*Content // the last one of each group
}

// contentOwner is a group with a content.
type contentOwner struct{ typ, xid string }

func newMerging(ctx context.Context, o MergeOptions) *merging {
	opts := merge.Options{Dir: o.Dir, MaxBytes: o.MaxBytes, JoinFiles: joinFiles}
	if o.Rating != nil || o.Confidence != nil {
		var w wire.Writer
		w.BeginObject()
		(&IndicatorMeta{Rating: o.Rating, Confidence: o.Confidence}).write(&w)
		w.EndObject()
		opts.Defaults = w.Buf
	}
	return &merging{
		ctx:      ctx,
		opts:     o,
		encoder:  encoder{action: BatchCreate, limits: o.MaxLengths},
		merge:    merge.New(ctx, opts),
		contents: map[contentOwner]*Content{},
	}
}

// joinFiles returns the summary of a file with the hashes in two summaries.
func joinFiles(a, b string) (string, error) {
	def, v, err := mergedValues(string(TypeFile), a)
	if err != nil {
		return "", err
	}
	_, more, err := mergedValues(string(TypeFile), b)
	if err != nil {
		return "", err
	}
	for i := range v {
		v[i] = cmp.Or(v[i], more[i])
	}
	return def.summary(v)
}

// counts returns the counts of the merge.
func (m *merging) counts() MergeStats {
	s, merged := m.stats, m.merge.Stats
	s.Items, s.Torn, s.Full = s.Invalid+merged.Items, merged.Torn, merged.Full
	return s
}

// read reads all items. source is the error of the sequence.
func (m *merging) read(items iter.Seq2[BatchItem, error]) (source, err error) {
	for in, err := range items {
		if err != nil {
			source = err
			break
		}
		if m.ctx.Err() != nil {
			return nil, context.Cause(m.ctx)
		}
		if err := m.add(plainType(in)); err != nil {
			return nil, err
		}
	}
	return source, m.merge.Finish()
}

func (m *merging) add(in BatchItem) error {
	m.stats.Read++
	e := &m.encoder
	enc, err := e.encode(in)
	if refused, ok := errors.AsType[*ValidationError](err); ok {
		m.stats.Invalid++
		return m.merge.AddRefused(e.out.Section, e.typ, e.name, item.Problem{Field: refused.Field, Rule: refused.Rule, Fix: refused.Fix})
	}
	if err != nil {
		return err
	}
	if _, merged := in.(*mergedItem); merged && enc.Section == item.Indicators {
		if e.canonical, err = e.valuesIn(); err != nil {
			return err
		}
	}
	if enc.Content != nil {
		content := enc.Content.Open.(Content)
		m.contents[contentOwner{e.typ, enc.Name}] = &content
	}
	m.stats.Cut += e.cut
	key, hashes := e.mergeKey()
	return m.merge.Add(e.typ, enc, key, hashes, e.repeatsItself(in))
}

// yieldAll yields the merged items. It returns false if yield did.
func (m *merging) yieldAll(yield func(BatchItem, error) bool) (bool, error) {
	for batch, err := range m.merge.Batches() {
		if err != nil {
			return true, err
		}
		items := make([]mergedItem, len(batch.Texts))
		for i, text := range batch.Texts {
			if m.ctx.Err() != nil {
				return true, context.Cause(m.ctx)
			}
			items[i].text = text
			if items[i].content, err = m.contentOf(text); err != nil {
				return true, err
			}
			if m.opts.OnItem != nil {
				m.opts.OnItem(MergeOrigin(batch.Origins[i]))
			}
			if !yield(&items[i], nil) {
				return false, nil
			}
		}
	}
	return true, nil
}

// contentOf returns the content of an item, or nil if it has none.
func (m *merging) contentOf(text string) (*Content, error) {
	if len(m.contents) == 0 || merge.IsRefused(text) || merge.SectionOf(text) != item.Groups {
		return nil, nil
	}
	var e item.Encoded
	typ, _, err := merge.ReadItem(text, &e)
	return m.contents[contentOwner{typ, e.Name}], err
}

// mergeKey returns the key of the last item of encode, or the hashes of a file.
func (e *encoder) mergeKey() (key merge.Key, hashes *filehash.Hashes) {
	switch {
	case e.out.Section == item.Groups:
		return merge.KeyOf(merge.KeyGroup, e.typ, e.out.Name), nil
	case e.out.Section == item.Associations:
		return merge.KeyOf(merge.KeyAssociation, e.out.Key), nil
	case e.out.Type == string(TypeFile):
		h := filehash.Of(e.canonical)
		return key, &h
	}
	return merge.KeyOf(merge.KeyIndicator, e.out.Type, e.canonical[0], e.canonical[1], e.canonical[2]), nil
}

// plainType returns a custom indicator of a known type as an indicator of that type, so that both are merged.
// Other items are returned unchanged.
func plainType(item BatchItem) BatchItem {
	c, ok := item.(*CustomIndicator)
	if !ok || c == nil {
		return item
	}
	def := indicatorDefOf(c.TypeName)
	if def == nil {
		return item
	}
	if _, err := def.canonical(c.Values); err != nil {
		return item
	}
	ind := def.new()
	ind.setValues(c.Values)
	*ind.Meta() = c.IndicatorMeta
	return ind
}

// repeatsItself reports whether a list of the last item of encode may contain duplicates.
func (e *encoder) repeatsItself(in BatchItem) bool {
	var tags []Tag
	var attributes []Attribute
	var labels []SecurityLabel
	if c, ok := in.(*GroupContent); ok {
		in = c.Group
	}
	switch in := in.(type) {
	case Indicator:
		m := in.Meta()
		tags, attributes, labels = m.Tags, m.Attributes, m.SecurityLabels
		if f, ok := in.(*File); ok && len(f.Occurrences) > 1 {
			return true
		}
	case Group:
		m := in.Meta()
		tags, attributes, labels = m.Tags, m.Attributes, m.SecurityLabels
	}
	return repeats(e.out.Refs, func(a, b *string) bool { return *a == *b }) ||
		repeats(e.out.Listed, func(a, b *item.Listed) bool { return *a == *b }) ||
		repeats(tags, func(a, b *Tag) bool { return strings.TrimSpace(a.Name) == strings.TrimSpace(b.Name) }) ||
		repeats(labels, func(a, b *SecurityLabel) bool { return a.Name == b.Name }) ||
		repeats(attributes, func(a, b *Attribute) bool { return a.Type == b.Type && (a.Value == b.Value || e.cut > 0) })
}

// repeats reports whether a list contains duplicates. It does not examine long lists and returns true.
func repeats[T any](list []T, same func(a, b *T) bool) bool {
	if len(list) > jsonmerge.Few {
		return true
	}
	for i := range list {
		for j := range i {
			if same(&list[j], &list[i]) {
				return true
			}
		}
	}
	return false
}
