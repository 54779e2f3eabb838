package main

import (
	"fmt"
	"go/types"
	"regexp"
	"slices"
	"strings"
)

// listing returns the exported API of a package, a sorted line for each constant, variable, function,
// type, field and method. A method or field that is promoted from an embedded exported type has no
// line, because the line of the embedding implies it.
func listing(pkg *types.Package) []string {
	l := lister{qualifier: func(p *types.Package) string {
		if p == pkg {
			return ""
		}
		return p.Path()
	}}
	for _, name := range pkg.Scope().Names() {
		o := pkg.Scope().Lookup(name)
		if !o.Exported() {
			continue
		}
		switch o := o.(type) {
		case *types.Const:
			l.add("const %s %s = %s", name, l.typ(o.Type()), o.Val().ExactString())
		case *types.TypeName:
			l.named(o)
		default:
			l.add("%s", types.ObjectString(o, l.qualifier))
		}
	}
	slices.Sort(l.lines)
	return slices.Compact(l.lines)
}

// exportedNames counts the exported names of a package, without fields and methods.
func exportedNames(pkg *types.Package) int {
	n := 0
	for _, name := range pkg.Scope().Names() {
		if pkg.Scope().Lookup(name).Exported() {
			n++
		}
	}
	return n
}

// blankResult matches the names that the compiler's export data gives to results called "_".
var blankResult = regexp.MustCompile(`#rv\d+ `)

type lister struct {
	qualifier types.Qualifier
	lines     []string
}

func (l *lister) add(format string, args ...any) {
	l.lines = append(l.lines, blankResult.ReplaceAllString(fmt.Sprintf(format, args...), ""))
}

func (l *lister) typ(t types.Type) string { return types.TypeString(t, l.qualifier) }

func (l *lister) named(o *types.TypeName) {
	if o.IsAlias() {
		l.add("%s", types.ObjectString(o, l.qualifier))
		return
	}
	switch u := o.Type().Underlying().(type) {
	case *types.Struct:
		l.add("type %s struct", l.declared(o))
		l.fields(l.declared(o), u)
	case *types.Interface:
		if !u.IsMethodSet() { // a constraint
			l.add("type %s %s", l.declared(o), l.typ(u))
			return
		}
		l.add("type %s interface", l.declared(o))
		for m := range u.Methods() {
			if m.Exported() {
				l.add("type %s, method %s%s", l.declared(o), m.Name(), l.signature(m))
			} else {
				l.add("type %s, unexported methods", l.declared(o))
			}
		}
		return
	default:
		l.add("type %s %s", l.declared(o), l.typ(u))
	}
	l.methods(o)
}

// declared returns the name of a type with its type parameters and their constraints.
func (l *lister) declared(o *types.TypeName) string {
	var params []string
	for p := range o.Type().(*types.Named).TypeParams().TypeParams() {
		params = append(params, p.Obj().Name()+" "+l.typ(p.Constraint()))
	}
	if len(params) == 0 {
		return o.Name()
	}
	return o.Name() + "[" + strings.Join(params, ", ") + "]"
}

// fields lists the fields of a struct, with those that are promoted from embedded unexported structs.
func (l *lister) fields(owner string, s *types.Struct) {
	for f := range s.Fields() {
		switch {
		case f.Embedded() && f.Exported():
			l.add("type %s, embedded %s", owner, l.typ(f.Type()))
		case f.Exported():
			l.add("type %s, field %s %s", owner, f.Name(), l.typ(f.Type()))
		default:
			l.add("type %s, unexported fields", owner)
			t := f.Type()
			if p, ok := t.(*types.Pointer); ok {
				t = p.Elem()
			}
			if inner, ok := t.Underlying().(*types.Struct); ok && f.Embedded() {
				l.fields(owner, inner)
			}
		}
	}
}

// methods lists the methods of a type, with those that are promoted from embedded unexported types.
func (l *lister) methods(o *types.TypeName) {
	value := types.NewMethodSet(o.Type())
	for m := range types.NewMethodSet(types.NewPointer(o.Type())).Methods() {
		if !m.Obj().Exported() {
			continue
		}
		if len(m.Index()) > 1 {
			if s := o.Type().Underlying().(*types.Struct); s.Field(m.Index()[0]).Exported() {
				continue
			}
		}
		receiver := o.Name()
		if value.Lookup(m.Obj().Pkg(), m.Obj().Name()) == nil {
			receiver = "*" + receiver
		}
		l.add("type %s, method (%s) %s%s", l.declared(o), receiver, m.Obj().Name(), l.signature(m.Obj()))
	}
}

// signature returns the parameters and results of a function, without the word "func".
func (l *lister) signature(o types.Object) string { return l.typ(o.Type())[len("func"):] }
