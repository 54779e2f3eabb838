package main

import (
	"reflect"
	"slices"
	"strings"

	"github.com/threatconnect-go/threatconnect"
)

// method is a method of a service of the client.
type method struct {
	name   string // for example Indicators.Hosts.Get
	fields []int  // from the client to the service
	index  int    // of the method of the service
	custom bool   // the service is Indicators.Custom("Wallet")
}

// methods returns all methods of all services of the client.
func methods() []method {
	var all []method
	var walk func(t reflect.Type, name string, fields []int)
	walk = func(t reflect.Type, name string, fields []int) {
		for i := range t.NumField() {
			f := t.Field(i)
			if f.IsExported() && !f.Anonymous && f.Type.Kind() == reflect.Struct {
				walk(f.Type, name+f.Name+".", append(slices.Clip(fields), i))
			}
		}
		if len(fields) == 0 {
			return // the methods of the client itself are called in workflows
		}
		for i := range t.NumMethod() {
			all = append(all, method{name: name + t.Method(i).Name, fields: fields, index: i})
		}
	}
	walk(reflect.TypeFor[threatconnect.Client](), "", nil)
	custom := reflect.TypeFor[threatconnect.TypedIndicators[*threatconnect.CustomIndicator]]()
	for i := range custom.NumMethod() {
		all = append(all, method{name: "Indicators.Custom." + custom.Method(i).Name, index: i, custom: true})
	}
	return all
}

// in returns the method of a client's service.
func (m method) in(c *threatconnect.Client) reflect.Value {
	if m.custom {
		return reflect.ValueOf(c.Indicators.Custom("Wallet")).Method(m.index)
	}
	return reflect.ValueOf(c).Elem().FieldByIndex(m.fields).Method(m.index)
}

// service returns the path of the service, with a dot at its end.
func (m method) service() string { return m.name[:strings.LastIndex(m.name, ".")+1] }

// is reports whether one of names is the method or its service. Names of services end with a dot.
func (m method) is(names ...string) bool {
	for _, name := range names {
		if m.name == name || strings.HasSuffix(name, ".") && strings.HasPrefix(m.name, name) {
			return true
		}
	}
	return false
}

// asked returns the ID of the requested record, or 0.
func (m method) asked(in []reflect.Value) int64 {
	switch m.name[strings.LastIndex(m.name, ".")+1:] {
	case "Get", "GetByID", "Update", "Group", "Task", "Victim", "VictimAsset", "Status", "Wait", "Upload":
	default:
		return 0
	}
	for _, v := range slices.Backward(in) {
		if v.Kind() == reflect.String {
			return 0 // requested by name
		}
		if id := idOf(v.Interface()); id != 0 {
			return id
		}
	}
	return 0
}

// idOf returns the ID of a record or of a reference to one, or 0.
func idOf(v any) int64 {
	switch v := v.(type) {
	case int64:
		return v
	case threatconnect.Group:
		return v.Meta().ID
	case threatconnect.VictimAsset:
		return v.Meta().ID
	}
	field := reflect.Indirect(reflect.ValueOf(v))
	if field.Kind() == reflect.Struct {
		if field = field.FieldByName("ID"); field.IsValid() && field.Kind() == reflect.Int64 {
			return field.Int()
		}
	}
	return 0
}
