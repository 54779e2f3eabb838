package threatconnect

import (
	"context"
	"errors"
	"fmt"
	"iter"
)

// MergeOptions says how [MergeItems] merges. Nil and the zero value merge with the defaults and cut
// nothing.
type MergeOptions struct {
	// MaxBytes is about how many bytes of items are kept in memory: 1 MiB to 1 GiB; 0 means 8 MiB.
	// With the buffers of files, and garbage as it is collected by default, that makes a heap of up
	// to three times as much, whatever the number of items; 25 MiB for 8. Temporary files take
	// about twice the room of the items. Only an item that is large by itself needs more memory.
	MaxBytes int
	// Dir is the directory for temporary files, which hold the items; empty means the system's. They
	// can be read by the user of the process only, and have no name where the system allows that.
	Dir string
	// MaxLengths says how many characters the values of an attribute type may have. A longer value,
	// and an indicator's description and source with it, is cut and ends in three dots. Types that
	// are missing, and those of length 0, are not cut. TypesService.AttributeLengths reads the
	// instance's.
	MaxLengths map[string]int
	// Version is the format of the batch file that the items go into; empty means BatchV2. An item
	// that breaks one of its rules is not merged.
	Version BatchVersion
	// OnMerged is told the counts, once, before the first item is passed on. Nil means nobody is.
	OnMerged func(MergeStats)
	// OnItem is told where an item comes from, just before it is passed on: the first call is about
	// the item that Import and BatchItemError count as 0, and so on. Nil means nobody is.
	OnItem func(MergeOrigin)
}

// MergeOrigin says of which items one was made.
type MergeOrigin struct {
	First int64 // how many items came before the first of them
	Count int64 // how many they are
}

// MergeStats counts what [MergeItems] has done.
type MergeStats struct {
	Read  int64 // items that came in
	Items int64 // items that go out
	// Invalid is how many break a rule of batch files. They go out as they came in, for the writer to
	// refuse.
	Invalid int64
	// Torn is how many files belong to clusters in which two hashes of one kind differ.
	Torn int64
	// Full is how often a merged item had become so large that the next one like it was left apart.
	Full int64
	Cut  int64 // values of attributes that were cut
}

// MergeItems merges what is there more than once and returns what [BatchService.Import] takes. It
// reads all items before it passes on the first, and passes them on in the order in which each came
// first. Memory is bounded by MaxBytes, whatever the number of items; the rest is in temporary files
// that are gone when the sequence ends. It sends nothing, costs no request, and works again each
// time that it is ranged over.
//
// The same are indicators of one type and canonical value; files that have a hash in common, also
// by way of other files; groups of one type and xid; and associations of one type between the same
// two ends, in whichever direction. Of these becomes one, with
//
//   - the highest rating and confidence,
//   - all tags, security labels, groups, associated indicators, file occurrences and hashes, and
//     all attributes that differ in type or value, each once. Attributes that do not are one: displayed
//     or pinned if one of them is, with the labels of all and the first source that is set,
//   - the first description of an indicator; others become attributes of the type Description,
//   - the earliest date of being seen first and of being added outside, and the latest date of
//     being seen last, changed and expiring,
//   - the private flag if one has it,
//   - and of every other field the last value that is set.
//
// An item that is alone is treated like that too: what it lists twice, it then has once.
//
// Where files that are connected so have two different hashes of one kind, the cluster is torn, and
// chains are not believed. Its files are then merged by their strongest hash alone; and where files
// that have that one differ in another, only those whose hashes are all the same.
//
// A merged item grows to a 16th of MaxBytes; what comes after that begins another one. An item that
// breaks a rule of batch files, or is of another package's type, is passed on as it is, for the writer
// to judge. Of several contents of one group ([GroupContent]) the last is uploaded; how to open them is
// kept in memory, their content is not.
//
// An error of items is passed on after what came before it, and ends the sequence. The others are a
// [*ValidationError] of opts, what is wrong with the temporary files, and the cause of the end of
// ctx; they are the only element, or the last.
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
		m := newMerge(ctx, o)
		defer m.close()
		source, err := m.read(items)
		if err == nil {
			err = m.merge()
		}
		if err != nil {
			yield(nil, errors.Join(source, fmt.Errorf("threatconnect: merge batch items: %w", err)))
			return
		}
		if o.OnMerged != nil {
			o.OnMerged(m.stats)
		}
		switch more, err := m.pass(yield); {
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
	mergeShelves      = 4  // that are filled or read at the same time
	mergedPart        = 16 // which part of the memory a merged item may have
)

func (o MergeOptions) withDefaults() (MergeOptions, error) {
	if o.MaxBytes == 0 {
		o.MaxBytes = defaultMergeBytes
	}
	if o.Version == "" {
		o.Version = BatchV2
	}
	if o.MaxBytes < minMergeBytes || o.MaxBytes > maxMergeBytes {
		return o, &ValidationError{Field: "merge bytes", Rule: "must be from 1,048,576 to 1,073,741,824, or 0 for the default", Fix: "set MaxBytes"}
	}
	for _, n := range o.MaxLengths {
		if n < 0 {
			return o, &ValidationError{Field: "merge attribute length", Rule: "is negative", Fix: "leave out the types whose values are not to be cut"}
		}
	}
	return o, oneOf("merge batch version", o.Version, []BatchVersion{BatchV1, BatchV2})
}
