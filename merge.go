package threatconnect

import (
	"context"
	"errors"
	"fmt"
	"iter"
)

// MergeOptions configures [MergeItems]. Nil and the zero value select the defaults, which cut no values.
type MergeOptions struct {
	// MaxBytes is the approximate memory for items, from 1 MiB to 1 GiB; 0 means 8 MiB. With garbage and file
	// buffers, the heap grows to three to four times that, plus one bit per item and the largest item.
	// Temporary files contain each item once, and about 70 bytes per item for sorting.
	MaxBytes int
	// Dir is the directory of temporary files, which contain the items; empty means that of the system. Only
	// the user of the process can read the files. If the system allows it, they have no name.
	Dir string
	// MaxLengths limits the number of characters of attribute values by attribute type; 0 or no entry means
	// no limit. A longer value is cut and ends with three dots. Descriptions of indicators are cut like
	// attributes of the type Description. TypesService.AttributeLengths returns the limits of an instance.
	MaxLengths map[string]int
	Rating     *float64 // threat rating of indicators without one in the feed, 0 to 5; nil sets none
	Confidence *int     // confidence of indicators without one in the feed, 0 to 100; nil sets none
	// OnMerged, if not nil, is called once with the counts before the first item is yielded.
	OnMerged func(MergeStats)
	// OnItem, if not nil, is called with the origin of each item before the item is yielded. The n-th call,
	// from 0, concerns the item with Seq n in BatchItemError.
	OnItem func(MergeOrigin)
}

// MergeOrigin identifies the items of the feed that a merged item consists of.
type MergeOrigin struct {
	First int64 // position of the first one in the feed, from 0
	Count int64 // number of them
}

// MergeStats contains the counts of [MergeItems].
type MergeStats struct {
	Read    int64 // items in the feed
	Items   int64 // items that are yielded
	Invalid int64 // items that break a rule of batch files; they are yielded, and the import reports them
	Torn    int64 // files in clusters in which two hashes of one kind differ
	Full    int64 // duplicates that were not merged because the merged item had reached its largest size
	Cut     int64 // attribute values and descriptions that were cut
}

// MergeItems deduplicates a feed: it merges items that describe the same indicator, group or association, and returns a
// sequence for [BatchService.Import]. It sends no request. It reads all items before it yields the first, and keeps the
// order of first occurrence. Memory is limited by MaxBytes for any number of items. Temporary files contain the rest.
// They are removed when the loop ends, and a goroutine runs until then. The sequence can be ranged over again if items
// can.
//
// Merged items are encoded and have no exported type. They can be passed to imports, [BatchService.Reconcile] and
// [Fingerprinter]. To change or drop items, do so before the merge.
//
// These items are merged:
//
//   - indicators with the same type and canonical value,
//   - files that share a hash, directly or through other files,
//   - groups with the same type and xid,
//   - associations with the same type and ends, in either direction.
//
// A merged item has
//
//   - the highest rating and confidence,
//   - all tags, security labels, groups, associated indicators, file occurrences and hashes, each once,
//   - all attributes that differ in type or value. Equal ones become one attribute, which is displayed or pinned if one
//     of them is, and has all their security labels and the first source,
//   - the first description of an indicator; other descriptions become attributes of the type Description,
//   - the earliest FirstSeen and ExternalDateAdded, and the latest LastSeen, ExternalLastModified and
//     ExternalDateExpires,
//   - the private flag if one of the items has it,
//   - the last value of every other field that is set.
//
// Duplicates in the lists of a single item are removed as well.
//
// Files that are connected by hashes form a cluster. If two hashes of one kind differ, the cluster is torn, and only
// files with the same strongest hash are merged. If two of those differ in another hash, only files with equal hashes
// are merged.
//
// A merged item grows up to 1/16 of MaxBytes; the next duplicate starts another item. An item that breaks a rule of
// batch files keeps its position, and the import reports it as invalid. If a group has several contents
// ([GroupContent]), the last one is uploaded. Memory holds the functions that open contents, but not their bytes.
//
// If items yields an error, the sequence yields the items before it, then the error, and stops. It also stops with an
// error if opts are invalid (a [*ValidationError]), if a temporary file fails, or if ctx ends (the cause of ctx).
func MergeItems(ctx context.Context, items iter.Seq2[BatchItem, error], opts *MergeOptions) iter.Seq2[BatchItem, error] {
	return func(yield func(BatchItem, error) bool) {
		o, err := copyOf(opts).withDefaults()
		if err == nil {
			err = checkContext(ctx)
		}
		if err == nil && items == nil {
			err = &ValidationError{Field: "batch items", Rule: "are nil"}
		}
		if err != nil {
			yield(nil, err)
			return
		}
		m := newMerging(ctx, o)
		defer m.merge.Close()
		source, err := m.read(items)
		if err == nil {
			err = m.merge.Plan()
		}
		if err != nil {
			yield(nil, errors.Join(source, fmt.Errorf("threatconnect: merge batch items: %w", err)))
			return
		}
		if o.OnMerged != nil {
			o.OnMerged(m.counts())
		}
		switch more, err := m.yieldAll(yield); {
		case err != nil:
			yield(nil, errors.Join(source, fmt.Errorf("threatconnect: merge batch items: %w", err)))
		case more && source != nil:
			yield(nil, source)
		}
	}
}

const (
	defaultMergeBytes = 8 << 20
	minMergeBytes     = 1 << 20
	maxMergeBytes     = 1 << 30
)

func (o MergeOptions) withDefaults() (MergeOptions, error) {
	if o.MaxBytes == 0 {
		o.MaxBytes = defaultMergeBytes
	}
	if o.MaxBytes < minMergeBytes || o.MaxBytes > maxMergeBytes {
		return o, &ValidationError{Field: "merge bytes", Rule: "must be from 1,048,576 to 1,073,741,824, or 0 for the default", Fix: "set MaxBytes"}
	}
	for _, n := range o.MaxLengths {
		if n < 0 {
			return o, &ValidationError{Field: "merge attribute length", Rule: "is negative", Fix: "remove the types whose values must not be cut"}
		}
	}
	return o, (&IndicatorMeta{Rating: o.Rating, Confidence: o.Confidence}).check()
}
