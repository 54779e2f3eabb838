package threatconnecttest

import (
	"fmt"
	"reflect"
	"slices"
	"time"
	"unicode/utf8"
)

var timeType = reflect.TypeFor[time.Time]()

// checkKept compares a given record with the record that the server returns: every set field must
// be the same, except for the fields in except. It ensures that seeding never drops or changes data
// silently.
func checkKept(given, shown any, except ...string) error {
	if field := lostField("", reflect.Indirect(reflect.ValueOf(given)), reflect.ValueOf(shown), except); field != "" {
		return refuse(field, "the platform would not keep this value: leave it out, or change it")
	}
	return nil
}

// lost returns the path of the first value that is set in given and differs in shown. A zero value
// is not set, except in lists and behind pointers.
func lost(path string, given, shown reflect.Value, always bool) string {
	if given.IsZero() && !always {
		return ""
	}
	same := true
	switch given.Kind() {
	case reflect.Pointer:
		if shown.IsNil() {
			return path
		}
		return lost(path, given.Elem(), shown.Elem(), true)
	case reflect.Struct:
		if given.Type() == timeType {
			same = given.Interface().(time.Time).Truncate(time.Second).Equal(shown.Interface().(time.Time))
			break
		}
		return lostField(path, given, shown, []string{"ID"}) // the server chooses the IDs of attachments
	case reflect.Slice:
		if given.Len() != shown.Len() {
			return path
		}
		if texts, ok := reflect.TypeAssert[[]string](given); ok { // the server chooses the order
			same = slices.Equal(slices.Sorted(slices.Values(texts)), slices.Sorted(slices.Values(shown.Interface().([]string))))
			break
		}
		for i := range given.Len() {
			if bad := lost(fmt.Sprintf("%s[%d]", path, i), given.Index(i), shown.Index(i), true); bad != "" {
				return bad
			}
		}
	case reflect.Map:
		for _, key := range given.MapKeys() {
			if v := shown.MapIndex(key); !v.IsValid() || !v.Equal(given.MapIndex(key)) {
				return fmt.Sprintf("%s[%q]", path, key)
			}
		}
	default:
		same = given.Equal(shown)
	}
	if !same {
		return path
	}
	return ""
}

func lostField(path string, given, shown reflect.Value, except []string) string {
	t := given.Type()
	for i := range t.NumField() {
		name := t.Field(i).Name
		if !t.Field(i).IsExported() || slices.Contains(except, name) {
			continue
		}
		if path != "" {
			name = path + "." + name
		}
		if bad := lost(name, given.Field(i), shown.Field(i), false); bad != "" {
			return bad
		}
	}
	return ""
}

// checkJSON finds the first value in a record that has no JSON form: a text that is not UTF-8, or a
// time whose year does not have four digits.
func checkJSON(path string, v reflect.Value) error {
	switch v.Kind() {
	case reflect.String:
		if !utf8.ValidString(v.String()) {
			return refuse(path, "is not valid UTF-8")
		}
	case reflect.Pointer:
		if !v.IsNil() {
			return checkJSON(path, v.Elem())
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return nil
		}
		for i := range v.Len() {
			if err := checkJSON(fmt.Sprintf("%s[%d]", path, i), v.Index(i)); err != nil {
				return err
			}
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			at := fmt.Sprintf("%s[%q]", path, key)
			if err := checkJSON(at, key); err != nil {
				return err
			}
			if err := checkJSON(at, v.MapIndex(key)); err != nil {
				return err
			}
		}
	case reflect.Struct:
		if v.Type() == timeType {
			if !hasYear(v.Interface().(time.Time)) {
				return refuse(path, "is in a year that is not from 0 to 9999")
			}
			return nil
		}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				name := f.Name
				if path != "" {
					name = path + "." + name
				}
				if err := checkJSON(name, v.Field(i)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
