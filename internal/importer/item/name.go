package item

import (
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/canon"
	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// Name contains the names that the platform may use for an item in an error.
type Name struct {
	Type   string
	Ref    string   // summary of an indicator, xid of a group, first end of an association
	XID    string   // xid of an indicator
	Title  string   // name of a group
	Hashes []string // of a file with several hashes; the second end of an association
	Values []string // of a custom type with several values; Ref joins them
}

// NameOf reads the names of an encoded item.
func NameOf(json []byte) Name {
	var n Name
	values := false // the values of a custom type may follow
	r := wire.NewReader(json)
	for r.Object(); r.NextKey(); {
		key := string(r.Key())
		switch {
		case key == "type" || key == "type_1":
			n.Type = r.Text()
			values = key == "type" && n.Title == ""
			continue
		case key == "summary" || key == "ref_1":
			n.Ref = r.Text()
		case key == "xid":
			n.XID = r.Text()
		case key == "name" && n.Type == "":
			n.Title = r.Text()
		case key == "ref_2":
			n.Hashes = append(n.Hashes, r.Text())
		case values && r.Kind() == wire.String && !common(key):
			n.Values = append(n.Values, r.Text())
			continue
		default:
			r.Skip()
		}
		values = false // values directly follow the type
	}
	switch {
	case n.Title != "":
		n.Ref, n.XID = n.XID, ""
	case len(n.Values) > 0:
		n.Ref = strings.Join(n.Values, canon.ValueSeparator)
	case n.Type == "File" && strings.Contains(n.Ref, canon.ValueSeparator):
		n.Hashes = strings.Split(n.Ref, canon.ValueSeparator)
	}
	return n
}

// common reports whether a key with a text belongs to all indicators, and is not a value of a custom
// indicator.
func common(key string) bool {
	switch key {
	case "description", "source", "firstSeen", "lastSeen", "externalDateAdded", "externalDateExpires", "externalLastModified":
		return true
	}
	return false
}
