package threatconnecttest

import (
	"slices"
	"strconv"
)

// association links two items that precede it in the file or are in the owner.
func (r *batchRun) association(item *batchItem, f fields) *batchError {
	if r.config.action == "Delete" {
		return nil
	}
	a, bad := r.end(f, "1", item)
	if bad != nil {
		return bad
	}
	b, bad := r.end(f, "2", item)
	if bad != nil {
		return bad
	}
	if a == b {
		return &batchError{code: codeAssociation, message: msgWithItself}
	}
	label := ""
	ia, isA := a.(*indicator)
	ib, isB := b.(*indicator)
	if isA && isB {
		label, _ = f.text("associationType")
		known := slices.ContainsFunc(associationTypes(), func(t associationType) bool {
			return t.name == label && t.joins(ia.typ, ib.typ)
		})
		if !known {
			return &batchError{code: codeAssociation, message: "'" + label + "' is not an association type between " + ia.typ.Name + " and " + ib.typ.Name}
		}
	}
	associate(a, b, label)
	return nil
}

// end finds an end of an association by ID, which takes precedence, or by reference.
func (r *batchRun) end(f fields, which string, item *batchItem) (holder, *batchError) {
	typeName, _ := f.text("type_" + which)
	ref, hasRef := f.text("ref_" + which)
	if item.source == "" {
		item.source = ref
	}
	if id, ok := f.text("id_" + which); ok {
		n, err := strconv.ParseInt(id, 10, 64)
		if err != nil {
			return nil, &batchError{code: codeSyntax, cause: "java.lang.NumberFormatException: For input string: \"" + id + "\""}
		}
		return r.endByID(n, typeName)
	}
	switch {
	case !hasRef:
		return nil, &batchError{code: codeAssociation, message: "An association requires ref_" + which + " or id_" + which}
	case typeName != "" && r.groupType(typeName) == nil:
		i, bad := r.indicatorByReference(typeName, ref)
		if bad != nil {
			return nil, &batchError{code: codeNotFound, message: bad.message}
		}
		return i, nil
	}
	g, bad := r.groupByReference(ref)
	if bad != nil {
		if r.groupByXID[ref] == nil {
			bad.code = codeNotFound
		}
		return nil, bad
	}
	return g, nil
}

func (r *batchRun) endByID(id int64, typeName string) (holder, *batchError) {
	o := r.config.owner
	if typeName == "" || r.groupType(typeName) != nil {
		if g := r.groupByID[id]; g != nil {
			if g.owner != o {
				return nil, &batchError{code: codeAssociation, message: msgOwners}
			}
			return g, nil
		}
	} else if n, ok := slices.BinarySearchFunc(o.indicators, id, func(i *indicator, id int64) int { return int(i.id - id) }); ok {
		if i := o.indicators[n]; i.typ == r.indicatorType(typeName) && !i.has(flagRemoved) {
			return i, nil
		}
	}
	return nil, &batchError{code: codeNotFound, message: "The object " + strconv.FormatInt(id, 10) + " to associate with was not found"}
}
