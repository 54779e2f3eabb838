package threatconnect

import "net/url"

// Include selects what indicators and groups are read with, beyond their own fields. The zero value
// reads the additional fields (counts, status, ThreatAssess scores, xid) and nothing else, because
// without them they would be missing without a sign that they are.
type Include struct {
	Tags       bool // read the tags
	Attributes bool // read the attributes
	Labels     bool // read the security labels
	// OmitAdditional leaves out the additional fields: the platform answers with its short form.
	OmitAdditional bool
}

// EncodeValues writes the selection into a query.
func (i Include) EncodeValues(_ string, q *url.Values) error {
	if !i.OmitAdditional {
		q.Set("includeAdditional", "true")
	}
	i.attached(*q)
	if i.Labels {
		q.Set("includes", "labels")
	}
	return nil
}

// attached adds to a query the parts that tasks and victims know as well.
func (i Include) attached(q url.Values) {
	if i.Tags {
		q.Set("includeTags", "true")
	}
	if i.Attributes {
		q.Set("includeAttributes", "true")
	}
}

// attachedOnly is attached for a noun that knows nothing else. It refuses security labels, which
// would be missing without a sign that they are.
func (i Include) attachedOnly(noun string, q url.Values) error {
	if i.Labels {
		return &ValidationError{Field: noun, Rule: "cannot be read with security labels", Fix: "read them with client.SecurityLabels.On"}
	}
	i.attached(q)
	return nil
}
