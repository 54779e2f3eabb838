package threatconnect

import "net/url"

// Include says what indicators and groups are read with. Values are combined with |.
//
// The zero value reads with [IncludeAdditional], because what it adds (counts, status, xid) is
// otherwise missing without a sign that it is. To read without anything, say [IncludeNone].
type Include uint8

const (
	// IncludeAdditional reads the fields that the platform leaves out of its short form. It is part
	// of every value but IncludeNone.
	IncludeAdditional Include = 1 << iota
	// IncludeTags reads the tags.
	IncludeTags
	// IncludeAttributes reads the attributes.
	IncludeAttributes
	// IncludeLabels reads the security labels.
	IncludeLabels
	// IncludeNone leaves out the additional fields: alone it reads the short form, with IncludeTags
	// the short form and the tags.
	IncludeNone

	// IncludeAll reads everything.
	IncludeAll = IncludeAdditional | IncludeTags | IncludeAttributes | IncludeLabels
)

// EncodeValues writes what is included into a query.
func (i Include) EncodeValues(_ string, q *url.Values) error {
	if i&IncludeNone == 0 {
		q.Set("includeAdditional", "true")
	}
	if i&IncludeTags != 0 {
		q.Set("includeTags", "true")
	}
	if i&IncludeAttributes != 0 {
		q.Set("includeAttributes", "true")
	}
	if i&IncludeLabels != 0 {
		q.Set("includes", "labels")
	}
	return nil
}
