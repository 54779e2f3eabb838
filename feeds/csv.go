package feeds

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/threatconnect-go/threatconnect"
)

// CSV is a column map: it tells which column of a CSV feed becomes which field of an indicator. Each row becomes
// one indicator, and a group when a row first names it.
//
// [ParseColumns] makes a map of text. [URLhaus], [Feodo] and [ThreatFox] return the maps of these feeds, which can
// be changed.
//
// Columns are found by their names in the header, so a feed may add columns and change their order. The header is
// the first line that is not a comment, or a comment that names the columns. A later header replaces it. A header
// that lacks a column of the map, or has it twice, returns an error that matches [ErrFormat]. A line that begins
// with # is a comment. A value cannot contain a line break, so a missing quote costs one line.
type CSV struct {
	Columns []Column
	// Comma separates the columns; 0 means a comma.
	Comma rune
	// None lists values that mean that there is no value, as in "None" or "N/A".
	None []string
	// Layouts lists the names of all columns for feeds without a header, for each number of columns that a row
	// can have.
	Layouts [][]string
}

// Column is one column of a [CSV]. A column may occur several times, for several fields.
type Column struct {
	// Name is the name of the column in the header. Only letters and digits are compared, without regard to
	// case. Instead, it can be the position of the column, from "1".
	Name string
	// Field is the field that the column becomes.
	Field Field
	// Type is the indicator type of a FieldValue, empty if the type is recognized; the attribute type of a
	// FieldAttribute; the group type of a FieldGroup; or the separator of FieldTags, empty for a comma.
	Type string
	// Text, if not empty, is the text of a description, a port or an attribute, or the description of a group,
	// with %s in place of the value.
	Text string
	// Values replaces values of the column. A value of FieldType that is replaced by "" is a kind of row that is
	// not imported.
	Values map[string]string
	// Optional allows the header to lack the column. A value may be blank in any column except the FieldValue.
	Optional bool
}

// Field is a field that a column of a CSV feed can become.
type Field string

// The fields of indicators. Dates are read as in 2026-01-02, 2026-01-02 03:04:05 and 2026-01-02T03:04:05Z; a date
// without a time zone is in UTC.
const (
	// FieldValue is the value of the indicator. Of several columns, the first that is not blank is used; hashes
	// in several columns of the type File make one file. Values can be defanged. The port of an address, as in
	// 192.0.2.1:443, becomes a part of the description.
	FieldValue       Field = "value"
	FieldType        Field = "type"        // indicator type, as in Host
	FieldPort        Field = "port"        // 1 to 65535; becomes a part of the description
	FieldRating      Field = "rating"      // 0 to 5
	FieldConfidence  Field = "confidence"  // 0 to 100
	FieldTags        Field = "tags"        // list of tags
	FieldDescription Field = "description" // displayed Description attribute; several columns make one
	FieldSource      Field = "source"      // displayed Source attribute
	FieldAttribute   Field = "attribute"   // attribute of the column's Type
	FieldGroup       Field = "group"       // name of a group of the column's Type to associate the indicator with
	FieldFirstSeen   Field = "firstSeen"
	FieldLastSeen    Field = "lastSeen"
	FieldAdded       Field = "added"    // external date added
	FieldExpires     Field = "expires"  // external date expires
	FieldModified    Field = "modified" // external last modified
)

func fields() []Field {
	return []Field{FieldValue, FieldType, FieldPort, FieldRating, FieldConfidence, FieldTags, FieldDescription, FieldSource, FieldAttribute,
		FieldGroup, FieldFirstSeen, FieldLastSeen, FieldAdded, FieldExpires, FieldModified}
}

// ParseColumns returns the column map that a text describes:
//
//	dateadded=added,url=value:URL,tags=tags,family=group:Malware
//
// Each element is the name of a column, an equals sign, a field, and, for some fields, a colon and the Type of the
// [Column]. A question mark after the name makes the column optional. Elements with a comma are quoted as in CSV.
// Invalid text returns a [*threatconnect.ValidationError].
func ParseColumns(text string) (*CSV, error) {
	elements, err := splitCSV(text, ",", nil)
	if err != nil {
		return nil, invalid("column map", err.Error(), "")
	}
	c := &CSV{}
	for _, element := range elements {
		i := strings.LastIndexByte(element, '=')
		if i < 0 {
			return nil, invalid("column map", "has an element without an equals sign", "write it as in url=value:URL,tags=tags")
		}
		name, optional := strings.CutSuffix(strings.TrimSpace(element[:i]), "?")
		field, typ, _ := strings.Cut(element[i+1:], ":")
		col := Column{Name: name, Field: Field(strings.TrimSpace(field)), Type: typ, Optional: optional}
		if col.Field != FieldTags { // a separator of tags can be a space
			col.Type = strings.TrimSpace(typ)
		}
		c.Columns = append(c.Columns, col)
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	return c, nil
}

// check refuses a map that no feed can be read with.
func (c *CSV) check() error {
	values := 0
	for _, col := range c.Columns {
		name := fmt.Sprintf("column %q", col.Name)
		switch {
		case columnKey(col.Name) == "":
			return invalid("column name", "has no letter or digit", "write it as in the header of the feed, or as a position from 1")
		case !slices.Contains(fields(), col.Field):
			return invalid(name, "has an unknown field", fmt.Sprintf("use one of %v", fields()))
		case col.Field == FieldAttribute && strings.TrimSpace(col.Type) == "":
			return invalid(name, "becomes an attribute without a type", "add the attribute type, as in attribute:Description")
		case col.Field == FieldGroup && newGroup(threatconnect.GroupType(col.Type), "") == nil:
			return invalid(name, "becomes a group without a type, or of a type that needs more than a name", "use a type as in group:Malware")
		case col.Field == FieldValue && col.Type != "" && newIndicator(threatconnect.IndicatorType(col.Type), "") == nil:
			return invalid(name, "has a type that is not a standard indicator type", "use a type such as Host or EmailAddress, or none to recognize it")
		case col.Field == FieldValue:
			values++
		}
		if place, positional := col.position(); positional && place < 0 {
			return invalid(name, "is a position less than 1", "count the columns from 1")
		}
	}
	if values == 0 {
		return invalid("column map", "has no column with the value of the indicator", "add one, as in url=value:URL")
	}
	if c.Comma == '"' || c.Comma == '#' || c.Comma == ' ' || c.Comma == '\n' || c.Comma == '\r' || !utf8.ValidRune(c.Comma) {
		return invalid("comma", "cannot separate columns", "use another character, as in ; or a tab")
	}
	for _, names := range c.Layouts {
		if _, _, err := c.layoutOf(names); err != nil {
			return invalid("layout", err.Error(), "name all columns of the feed in their order")
		}
	}
	return nil
}

func (c *CSV) hasGroups() bool {
	return slices.ContainsFunc(c.Columns, func(col Column) bool { return col.Field == FieldGroup })
}

// layout is where the columns of a map are in a row.
type layout struct {
	width  int      // number of columns of the row
	places []int    // index of each column of the map, or -1
	value  int      // index of the first FieldValue
	names  []string // of all columns; nil if the first FieldValue is named by position
}

// has reports whether all cells are names of columns, as those of a header in another order are.
func (l *layout) has(cells []string) bool {
	return !slices.ContainsFunc(cells, func(cell string) bool {
		return !slices.ContainsFunc(l.names, func(name string) bool { return strings.EqualFold(strings.TrimSpace(name), strings.TrimSpace(cell)) })
	})
}

// layoutOf returns the layout of a header. IsHeader reports whether it has names of columns of the map at all. The
// error says which column the header lacks or has twice.
func (c *CSV) layoutOf(header []string) (l layout, isHeader bool, err error) {
	keys := make([]string, len(header))
	for i, name := range header {
		keys[i] = columnKey(name)
	}
	l = layout{width: len(header), value: -1}
	others := 0
	for i := range c.Columns {
		col := &c.Columns[i]
		place, positional := col.position()
		if !positional {
			key := columnKey(col.Name)
			place = slices.Index(keys, key)
			if err == nil && slices.Contains(keys[place+1:], key) {
				err = fmt.Errorf("has the column %q twice", col.Name)
			}
		}
		if place >= len(header) {
			place = -1
		}
		l.places = append(l.places, place)
		switch {
		case place < 0 && !col.Optional && err == nil:
			err = fmt.Errorf("lacks the column %q", col.Name)
		case place >= 0 && col.Field != FieldValue && !positional:
			others++
		case place >= 0 && col.Field == FieldValue && l.value < 0:
			if l.value = place; !positional {
				l.names, isHeader = slices.Clone(header), true
			}
		}
	}
	if l.value < 0 && err == nil {
		err = errors.New("has no column with the value of the indicator")
	}
	return l, isHeader && (others > 1 || err == nil), err
}

// position returns the index of a column that is named by its position.
func (c *Column) position() (int, bool) {
	n, err := strconv.Atoi(c.Name)
	return n - 1, err == nil
}

// columnKey returns the letters and digits of the name of a column, in lower case.
func columnKey(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
}
