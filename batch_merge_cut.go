package threatconnect

import "unicode/utf8"

// cutMark is what stands at the end of a value that was cut.
const cutMark = "..."

// cutValue returns at most so many characters of a text, the mark of the cut included, and whether it
// was cut. A limit that has no room for the mark cuts without one.
func cutValue(s string, limit int) (string, bool) {
	if len(s) <= limit || utf8.RuneCountInString(s) <= limit {
		return s, false
	}
	mark := cutMark
	if limit <= len(mark) {
		mark = ""
	}
	end := 0
	for range limit - len(mark) {
		_, size := utf8.DecodeRuneInString(s[end:])
		end += size
	}
	return s[:end] + mark, true
}

// cutValues cuts the values of an item's attributes to the limits of their types, and returns how
// many it has cut.
func cutValues(item BatchItem, limits map[string]int) (cut int64) {
	apply := func(attribute string, value *string) {
		limit, ok := limits[attribute]
		if !ok || limit == 0 {
			return
		}
		if s, shorter := cutValue(*value, limit); shorter {
			*value = s
			cut++
		}
	}
	var attributes []Attribute
	switch item := item.(type) {
	case Indicator:
		m := item.Meta()
		attributes = m.Attributes
		apply("Description", &m.Description)
		apply("Source", &m.Source)
	case Group:
		attributes = item.Meta().Attributes
	}
	for i := range attributes {
		apply(attributes[i].Type, &attributes[i].Value)
	}
	return cut
}
