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

// CSV is a column map. It maps the columns of a CSV feed to fields of indicators. Each row becomes one indicator, and
// a group if the row is the first to name it.
//
// [ParseColumns] parses a map from text. [URLhaus], [Feodo] and [ThreatFox] return the built-in maps, which the caller
// may modify.
//
// Columns are found by their names in the header, so a feed may add or reorder columns. The header is the first line
// that is not a comment, or a comment that names the columns. A later header replaces it. A header in which a column
// of the map is missing or duplicated returns an error that matches [ErrFormat]. A line that begins with # is a
// comment. A value cannot contain a line break, so a missing quote affects one line only.
type CSV struct {
	Columns []Column
	// Comma separates the columns; 0 means a comma.
	Comma rune
	// None lists the values that mean "no value", for example "None" or "N/A".
	None []string
	// Layouts lists the names of all columns of feeds without a header, one list for each possible number of
	// columns in a row.
	Layouts [][]string
}

// Column is one column of a [CSV]. To fill several fields from one column, list it several times.
type Column struct {
	// Name is the name of the column in the header, or its position, counted from "1". Names are compared by
	// letters and digits only, ignoring case.
	Name string
	// Field is the field that the column becomes.
	Field Field
	// Type is the indicator type of a FieldValue, empty if the type is recognized; the attribute type of a
	// FieldAttribute; the group type of a FieldGroup; or the separator of FieldTags, empty for a comma.
	Type string
	// Text, if not empty, is the text of a description, a port or an attribute, or the description of a group.
	// It contains %s where the value goes.
	Text string
	// Values replaces values of the column. Rows whose FieldType is replaced by "" are not imported.
	Values map[string]string
	// Optional allows the header to lack the column. A value may be blank in any column except the FieldValue.
	Optional bool
}

// Field is a field that a column of a CSV feed can become.
type Field string

// Fields of indicators. Dates have the forms 2026-01-02, 2026-01-02 03:04:05 and 2026-01-02T03:04:05Z. A date without
// a time zone is in UTC.
const (
	// FieldValue is the value of the indicator, which can be defanged. If several columns have this field, the
	// first that is not blank is used; hashes in several columns of the type File form one file. The port of an
	// address, as in 192.0.2.1:443, becomes a part of the description.
	FieldValue       Field = "value"
	FieldType        Field = "type"        // indicator type, for example Host
	FieldPort        Field = "port"        // 1 to 65535; becomes a part of the description
	FieldRating      Field = "rating"      // 0 to 5
	FieldConfidence  Field = "confidence"  // 0 to 100
	FieldTags        Field = "tags"        // list of tags
	FieldDescription Field = "description" // displayed Description attribute; several columns are joined
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

// ParseColumns parses a column map:
//
//	dateadded=added,url=value:URL,tags=tags,family=group:Malware
//
// Elements are separated by commas. Each is the name of a column, an equals sign and a field, and for some fields a
// colon and the Type of the [Column]. A question mark after the name makes the column optional. Elements that contain a
// comma are quoted as in CSV. Invalid text returns a [*threatconnect.ValidationError].
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

// check returns an error for a map that cannot be used.
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

// layout maps the columns of a map to positions in a row.
type layout struct {
	width  int      // number of columns of the row
	places []int    // index of each column of the map, or -1
	value  int      // index of the first FieldValue
	names  []string // of all columns; nil if the first FieldValue is named by position
}

// has reports whether all cells are names of columns, as in a header with another order.
func (l *layout) has(cells []string) bool {
	return !slices.ContainsFunc(cells, func(cell string) bool {
		return !slices.ContainsFunc(l.names, func(name string) bool { return strings.EqualFold(strings.TrimSpace(name), strings.TrimSpace(cell)) })
	})
}

// layoutOf returns the layout of a header. isHeader reports whether it has the name of any column of the map. The error
// names the column that is missing or duplicated.
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
