package feeds

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/ioc"
)

// csvReader reads the rows of one feed.
type csvReader struct {
	*CSV
	format string
	xid    func(parts ...string) string
	parser ioc.Parser
	comma  string

	positional bool                // whether the map has no names
	layout     layout              // of the last row
	header     bool                // whether the feed has a header
	groups     map[groupKey]string // xids of those that are written
	cells      []string
	buffer     []threatconnect.BatchItem
}

// groupKey identifies a group.
type groupKey struct {
	typ  threatconnect.GroupType
	name string
}

// writtenGroups is the number of written groups to remember. A forgotten group is written again, with the same xid.
const writtenGroups = 1000

func (c *CSV) reader(format string, xid func(...string) string) *csvReader {
	positional := !slices.ContainsFunc(c.Columns, func(col Column) bool { _, ok := col.position(); return !ok })
	r := &csvReader{CSV: c, positional: positional, format: format, xid: xid, parser: ioc.Parser{SplitPort: true}, comma: ",", groups: map[groupKey]string{}}
	if c.Comma != 0 {
		r.comma = string(c.Comma)
	}
	return r
}

// line adds the items of a line. Comments, headers and blank lines have none.
func (r *csvReader) line(line []byte, add addFunc) {
	text := bytes.TrimSpace(line)
	if len(text) == 0 {
		return
	}
	items, err := r.items(line, text)
	if err != nil {
		add(nil, err)
	}
	for _, item := range items {
		add(item, nil)
	}
}

func (r *csvReader) items(line, text []byte) (items []threatconnect.BatchItem, err error) {
	if text[0] == '#' {
		return nil, r.comment(text)
	}
	if !utf8.Valid(line) {
		return nil, errors.New("is not valid UTF-8; convert the feed")
	}
	if r.cells, err = splitCSV(string(line), r.comma, r.cells[:0]); err != nil {
		return nil, err
	}
	if row, err := r.locate(r.cells); err != nil || !row {
		return nil, err
	}
	return r.row(r.cells)
}

// comment uses a comment as the header if it names the columns.
func (r *csvReader) comment(text []byte) error {
	cells, err := splitCSV(string(bytes.TrimLeft(text, "# ")), r.comma, nil)
	if err != nil {
		return nil
	}
	_, err = r.takeHeader(cells)
	return err
}

// takeHeader reports whether cells are a header, and if so, uses it.
func (r *csvReader) takeHeader(cells []string) (bool, error) {
	l, isHeader, err := r.layoutOf(cells)
	if isHeader && err != nil {
		return false, fmt.Errorf("%w: the header %w", ErrFormat, err)
	}
	if isHeader {
		r.layout, r.header = l, true
	}
	return isHeader, nil
}

// locate finds the layout of a row. If the row is a header, it uses it and returns false.
func (r *csvReader) locate(cells []string) (row bool, err error) {
	same := len(cells) == r.layout.width
	if same && !r.layout.has(cells[r.layout.value:][:1]) && !r.layout.has(cells) {
		return true, nil
	}
	if header, err := r.takeHeader(cells); err != nil || header {
		return false, err
	}
	if same {
		return true, nil
	}
	if r.header {
		return false, fmt.Errorf("has %d columns, but the header names %d", len(cells), r.layout.width)
	}
	l, _, err := r.layoutOf(cells)
	switch {
	case err == nil: // all columns are named by position
		r.layout = l
		return true, nil
	case r.positional:
		return false, err
	case len(r.Layouts) == 0:
		return false, fmt.Errorf("%w: there is no header, because the first row %w", ErrFormat, err)
	}
	var widths []string
	for _, names := range r.Layouts {
		if len(names) == len(cells) {
			r.layout, _, _ = r.layoutOf(names)
			return true, nil
		}
		widths = append(widths, strconv.Itoa(len(names)))
	}
	return false, fmt.Errorf("has %d columns, want %s", len(cells), strings.Join(widths, " or "))
}

// cell returns the value of a column of the map, or "". skip reports that the type is not imported.
func (r *csvReader) cell(cells []string, column int) (value string, skip bool) {
	place := r.layout.places[column]
	if place < 0 {
		return "", false
	}
	value = strings.TrimSpace(cells[place])
	replaced, ok := r.Columns[column].Values[value]
	if ok {
		return replaced, replaced == "" && r.Columns[column].Field == FieldType
	}
	if slices.Contains(r.None, value) {
		return "", false
	}
	return value, false
}

// row returns the groups of a row that are not written yet, and then its indicator.
func (r *csvReader) row(cells []string) ([]threatconnect.BatchItem, error) {
	ind, port, err := r.indicator(cells)
	if err != nil {
		return nil, err
	}
	r.buffer = r.buffer[:0]
	m := ind.Meta()
	var description []string
	for i := range r.Columns {
		col := &r.Columns[i]
		value, _ := r.cell(cells, i)
		if value == "" {
			continue
		}
		if col.Field == FieldGroup {
			err = r.group(m, col, value)
		} else {
			err = col.set(m, value)
		}
		if err != nil {
			return nil, err
		}
		if col.Field == FieldDescription || col.Field == FieldPort {
			description = append(description, col.text(value))
		}
	}
	if port != 0 {
		description = append(description, fmt.Sprintf("Port: %d.", port))
	}
	if len(description) > 0 {
		m.Attributes = append(m.Attributes, displayed("Description", strings.Join(description, " ")))
	}
	for _, item := range r.buffer { // the groups, which are not written if the row is refused
		if len(r.groups) >= writtenGroups {
			clear(r.groups)
		}
		g := item.(threatconnect.Group)
		r.groups[groupKey{g.Type(), g.Meta().Name}] = g.Meta().XID
	}
	r.buffer = append(r.buffer, ind)
	return r.buffer, nil
}

// indicator returns the indicator of a row, and the port of an address or a host.
func (r *csvReader) indicator(cells []string) (threatconnect.Indicator, uint16, error) {
	var value, typ string
	for i := range r.Columns {
		col := &r.Columns[i]
		if col.Field != FieldValue && col.Field != FieldType {
			continue
		}
		cell, skip := r.cell(cells, i)
		switch {
		case skip:
			return nil, 0, &LineError{Rule: "has a type that is not imported", Skipped: true}
		case cell == "":
		case col.Field == FieldType:
			typ = cell
		case value == "":
			value = cell
			if typ == "" {
				typ = col.Type
			}
		case typ == string(threatconnect.TypeFile) && col.Type == typ:
			value += " : " + cell
		}
	}
	if value == "" {
		return nil, 0, errors.New("has no value")
	}
	if typ != "" {
		ind, err := indicatorOf(threatconnect.IndicatorType(typ), value)
		if err == nil {
			return ind, 0, nil
		}
		if found, parseErr := r.parser.Parse(value); parseErr != nil || string(found.Type) != typ {
			return nil, 0, err
		}
	}
	found, err := r.parser.Parse(value)
	if err != nil {
		return nil, 0, err
	}
	ind, err := indicatorOf(threatconnect.IndicatorType(found.Type), found.Value)
	return ind, found.Port, err
}

// group associates the indicator with the group of this name, and writes the group if it is new.
func (r *csvReader) group(m *threatconnect.IndicatorMeta, col *Column, value string) error {
	name, err := ioc.CanonicalGroupName(value)
	if err != nil {
		return err
	}
	typ := threatconnect.GroupType(col.Type)
	xid, written := r.groups[groupKey{typ, name}]
	if !written {
		xid = r.xid(r.format, strings.ToLower(col.Type), name)
		g := newGroup(typ, name)
		g.Meta().XID = xid
		if col.Text != "" {
			g.Meta().Attributes = []threatconnect.Attribute{displayed("Description", col.text(value))}
		}
		r.buffer = append(r.buffer, g)
	}
	m.GroupXIDs = append(m.GroupXIDs, xid)
	return nil
}

// text returns the value in the text of the column.
func (c *Column) text(value string) string {
	switch {
	case c.Text != "":
		return strings.ReplaceAll(c.Text, "%s", value)
	case c.Field == FieldPort:
		return "Port: " + value + "."
	}
	return value
}

// set sets the field that the column becomes. Descriptions and ports are only checked.
func (c *Column) set(m *threatconnect.IndicatorMeta, value string) (err error) {
	want := "a date, as in 2026-01-02 or 2026-01-02 03:04:05"
	switch c.Field {
	case FieldPort:
		want = "a number from 1 to 65535"
		if port, parseErr := strconv.ParseUint(value, 10, 16); parseErr != nil || port == 0 {
			err = strconv.ErrRange
		}
	case FieldRating:
		var rating float64
		rating, err = strconv.ParseFloat(value, 64)
		if !(rating >= 0 && rating <= 5) {
			err = strconv.ErrRange
		}
		m.Rating, want = &rating, "a number from 0 to 5"
	case FieldConfidence:
		var confidence int
		confidence, err = strconv.Atoi(value)
		if confidence < 0 || confidence > 100 {
			err = strconv.ErrRange
		}
		m.Confidence, want = &confidence, "a whole number from 0 to 100"
	case FieldTags:
		tags, err := c.tags(value)
		m.Tags = append(m.Tags, tags...)
		return err
	case FieldSource:
		m.Attributes = append(m.Attributes, displayed("Source", c.text(value)))
	case FieldAttribute:
		m.Attributes = append(m.Attributes, threatconnect.Attribute{Type: c.Type, Value: c.text(value)})
	case FieldFirstSeen:
		m.FirstSeen, err = dateOf(value)
	case FieldLastSeen:
		m.LastSeen, err = dateOf(value)
	case FieldAdded:
		m.ExternalDateAdded, err = dateOf(value)
	case FieldExpires:
		m.ExternalDateExpires, err = dateOf(value)
	case FieldModified:
		m.ExternalLastModified, err = dateOf(value)
	}
	if err != nil {
		return fmt.Errorf("column %q must be %s", c.Name, want)
	}
	return nil
}

func (c *Column) tags(list string) ([]threatconnect.Tag, error) {
	separator := c.Type
	if separator == "" {
		separator = ","
	}
	names := strings.Split(list, separator)
	return tagsOf(slices.DeleteFunc(names, func(name string) bool { return strings.TrimSpace(name) == "" }))
}

// dateOf reads a date with or without a time, in UTC unless it names a time zone.
func dateOf(s string) (t time.Time, err error) {
	for _, layout := range [...]string{time.DateTime, time.DateOnly, time.RFC3339, "2006-01-02T15:04:05"} {
		if t, err = time.Parse(layout, strings.TrimSuffix(s, " UTC")); err == nil {
			return inUTC(t)
		}
	}
	return t, err
}

// inUTC returns a time in UTC, or an error if its year has more than four digits.
func inUTC(t time.Time) (time.Time, error) {
	t = t.UTC()
	if t.Year() < 0 || t.Year() > 9999 {
		return time.Time{}, strconv.ErrRange
	}
	return t, nil
}
