package threatconnecttest

import (
	"slices"
	"strings"
)

// indicatorType returns the type that an item names. Case is ignored unless the instance is strict.
func (r *batchRun) indicatorType(name string) *indicatorType {
	if t := r.typeByName(name); t != nil || r.set.odd(OddityExactTypeNames) {
		return t
	}
	return first(r.types, func(t *indicatorType) bool { return strings.EqualFold(t.Name, name) })
}

// groupType returns the type that an item names, like [batchRun.indicatorType].
func (r *batchRun) groupType(name string) *groupType {
	exact := r.set.odd(OddityExactTypeNames)
	return first(groupTypes, func(t *groupType) bool { return t.name == name || !exact && strings.EqualFold(t.name, name) })
}

// fileType converts the type of a signature's file to the documented case.
func (r *batchRun) fileType(f fields) fields {
	said, ok := f.text("fileType")
	if !ok || r.set.odd(OddityExactTypeNames) {
		return f
	}
	for _, name := range signatureTypes {
		if name != said && strings.EqualFold(name, said) {
			return append(slices.Clip(f), member{[]byte("fileType"), quoteJSON(name)})
		}
	}
	return f
}
