package threatconnect

import (
	"context"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/canon"
	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// indicatorDef has the names and rules of an indicator type.
type indicatorDef struct {
	typ    IndicatorType
	branch string   // path segment; empty if only batch files have the type
	entity string   // JSON key of one indicator and of a list
	keys   []string // JSON keys of the identifying values
	new    func() Indicator
	// canon returns the values in canonical form; nil means that every value is canonical.
	canon func(v [3]string) ([3]string, error)
	// split returns the values in a summary; nil means that the summary is the only value.
	split func(summary string) ([3]string, error)
}

// indicatorDefs is the read-only table of the types that every instance has.
var indicatorDefs = [...]indicatorDef{
	{typ: TypeAddress, branch: "addresses", entity: "address", keys: []string{"ip"}, new: func() Indicator { return new(Address) }, canon: canonFirst(canon.Address)},
	{typ: TypeEmailAddress, branch: "emailAddresses", entity: "emailAddress", keys: []string{"address"}, new: func() Indicator { return new(EmailAddress) }, canon: canonFirst(canon.EmailAddress)},
	{typ: TypeFile, branch: "files", entity: "file", keys: []string{"md5", "sha1", "sha256"}, new: func() Indicator { return new(File) }, canon: canon.Hashes, split: splitHashes},
	{typ: TypeHost, branch: "hosts", entity: "host", keys: []string{"hostName"}, new: func() Indicator { return new(Host) }, canon: canonFirst(canon.Host)},
	{typ: TypeURL, branch: "urls", entity: "url", keys: []string{"text"}, new: func() Indicator { return new(URL) }, canon: canonFirst(canon.URL)},
	{typ: TypeASN, branch: "asns", entity: "asn", keys: []string{"AS Number"}, new: func() Indicator { return new(ASN) }, canon: canonFirst(canon.ASN)},
	{typ: TypeCIDR, branch: "cidrBlocks", entity: "cidrBlock", keys: []string{"Block"}, new: func() Indicator { return new(CIDR) }, canon: canonFirst(canon.CIDR)},
	{typ: TypeMutex, branch: "mutexes", entity: "mutex", keys: []string{"Mutex"}, new: func() Indicator { return new(Mutex) }, canon: canonFirst(canon.Mutex)},
	{typ: TypeRegistryKey, branch: "registryKeys", entity: "registryKey", keys: []string{"Key Name", "Value Name", "Value Type"}, new: func() Indicator { return new(RegistryKey) }, canon: canonRegistry, split: splitRegistry},
	{typ: TypeUserAgent, branch: "userAgents", entity: "userAgent", keys: []string{"User Agent String"}, new: func() Indicator { return new(UserAgent) }, canon: canonFirst(canon.UserAgent)},
	{typ: TypeEmailSubject, entity: "emailSubject", keys: []string{"Subject"}, new: func() Indicator { return new(EmailSubject) }, canon: canonFirst(canon.EmailSubject)},
	{typ: TypeHashtag, entity: "hashtag", keys: []string{"Hashtag"}, new: func() Indicator { return new(Hashtag) }, canon: canonFirst(canon.Hashtag)},
}

// indicatorDefOf returns the definition of a type, or nil for an unknown type.
func indicatorDefOf(t IndicatorType) *indicatorDef {
	for i := range indicatorDefs {
		if indicatorDefs[i].typ == t {
			return &indicatorDefs[i]
		}
	}
	return nil
}

// customDef returns the definition of a custom type of the instance.
func customDef(info *IndicatorTypeInfo) *indicatorDef {
	def := &indicatorDef{typ: info.Name, branch: info.Branch, entity: info.Entity, keys: info.Labels()}
	def.new = func() Indicator { return &CustomIndicator{TypeName: info.Name} }
	n := len(def.keys)
	def.canon = func(v [3]string) ([3]string, error) {
		for i, s := range v {
			switch {
			case i < n && canon.IsBlank(s):
				return v, &ValidationError{Field: string(info.Name) + " " + def.keys[i], Rule: "is empty"}
			case i >= n && s != "":
				return v, &ValidationError{Field: string(info.Name), Rule: "has more values than the type has labels"}
			case s != "" && checkVerbatim("", s) != nil:
				return v, &ValidationError{Field: string(info.Name) + " " + def.keys[i], Rule: "holds a control character or invalid UTF-8"}
			}
		}
		return v, nil
	}
	def.split = func(summary string) ([3]string, error) {
		var v [3]string
		copy(v[:], strings.SplitN(summary, canon.ValueSeparator, max(n, 1)))
		return v, nil
	}
	return def
}

func joinValues(v [3]string) string {
	n := 3
	for n > 1 && v[n-1] == "" {
		n--
	}
	return strings.Join(v[:n], canon.ValueSeparator)
}

func canonFirst(f func(string) (string, error)) func([3]string) ([3]string, error) {
	return func(v [3]string) ([3]string, error) {
		s, err := f(v[0])
		return [3]string{s}, err
	}
}

func splitHashes(summary string) (v [3]string, err error) {
	v[0], v[1], v[2], err = canon.SplitFileSummary(summary)
	return v, validation(err)
}

func canonRegistry(v [3]string) (_ [3]string, err error) {
	v[0], v[1], v[2], err = canon.RegistryKey(v[0], v[1], v[2])
	return v, err
}

func splitRegistry(summary string) (v [3]string, err error) {
	v[0], v[1], v[2], err = canon.SplitRegistrySummary(summary)
	return v, validation(err)
}

// canonical returns the canonical form of identifying values.
func (d *indicatorDef) canonical(values [3]string) ([3]string, error) {
	if d.canon == nil {
		return values, nil
	}
	v, err := d.canon(values)
	return v, validation(err)
}

// summary returns the summary of canonical values.
func (d *indicatorDef) summary(v [3]string) (string, error) {
	switch d.typ {
	case TypeFile:
		return canon.JoinFileSummary(v[0], v[1], v[2]), nil
	case TypeRegistryKey:
		return validated(canon.JoinRegistrySummary(v[0], v[1], v[2]))
	}
	return joinValues(v), nil
}

// pathOf returns the path segment of the indicator with these canonical values. For a file, it is the strongest
// hash.
func (d *indicatorDef) pathOf(v [3]string) (string, error) {
	if d.typ != TypeFile {
		return d.summary(v)
	}
	for i := 2; i > 0; i-- {
		if v[i] != "" {
			return v[i], nil
		}
	}
	return v[0], nil
}

// parse returns the canonical values of the indicator that s names.
func (d *indicatorDef) parse(s string) ([3]string, error) {
	v := [3]string{s}
	if d.split != nil {
		var err error
		if v, err = d.split(s); err != nil {
			return v, err
		}
	}
	return d.canonical(v)
}

// pathValue returns the path segment of the indicator that s names.
func (d *indicatorDef) pathValue(s string) (string, error) {
	v, err := d.parse(s)
	if err != nil {
		return "", err
	}
	return d.pathOf(v)
}

// summaryOf returns the canonical summary of the indicator that s names.
func (d *indicatorDef) summaryOf(s string) (string, error) {
	v, err := d.parse(s)
	if err != nil {
		return "", err
	}
	return d.summary(v)
}

// ownBranch reports whether the branch comes from the instance instead of the table.
func (d *indicatorDef) ownBranch() bool {
	known := indicatorDefOf(d.typ)
	return known == nil || known.branch == ""
}

// at returns the route of the indicator with a path segment.
func (d *indicatorDef) at(path string) route {
	r := at("v2", "indicators")
	if d.ownBranch() {
		return r.under(value(d.branch), value(path))
	}
	return r.under(d.branch, value(path))
}

// collection returns the route of the list of the type.
func (d *indicatorDef) collection() route {
	if d.ownBranch() {
		return at("v2", "indicators", value(d.branch))
	}
	return at("v2", "indicators", d.branch)
}

// targetOfIndicator returns the target of an indicator.
func targetOfIndicator(ctx context.Context, c *Client, ind Indicator) (target, error) {
	if isNil(ind) {
		return target{}, errNilIndicator
	}
	def, err := c.definition(ctx, ind.Type())
	if err != nil {
		return target{}, err
	}
	path, err := def.pathTo(ind)
	if err != nil {
		return target{}, err
	}
	return target{kind: kindIndicator, typ: string(def.typ), route: def.at(path), owner: ind.Meta().Owner.Name}, nil
}

var errNilIndicator = &ValidationError{Field: "indicator", Rule: "is nil"}

// refOf returns the reference to an indicator.
func refOf(ind Indicator) IndicatorRef {
	if isNil(ind) {
		return IndicatorRef{}
	}
	m := ind.Meta()
	return IndicatorRef{Type: ind.Type(), Value: ind.Summary(), Owner: m.Owner.Name, asRead: m.ID != 0}
}

// pathOfRef returns the path segment of the indicator that r names.
func (d *indicatorDef) pathOfRef(r IndicatorRef) (string, error) {
	if !r.asRead {
		return d.pathValue(r.Value)
	}
	return d.pathOf(d.valuesOf(r.Value))
}

// pathTo returns the path segment of an indicator. For an indicator that was read, it is the value that the
// platform sent, in whatever form.
func (d *indicatorDef) pathTo(ind Indicator) (string, error) {
	if ind.Meta().ID != 0 {
		return d.pathOfRef(refOf(ind))
	}
	v, err := d.canonical(ind.values())
	if err != nil {
		return "", err
	}
	return d.pathOf(v)
}

// readValue reads the value of key and reports whether it is one of the identifying values.
func (d *indicatorDef) readValue(ind Indicator, key []byte, r *wire.Reader) bool {
	for i, k := range d.keys {
		if string(key) == k {
			v := ind.values()
			v[i] = r.Text()
			ind.setValues(v)
			return true
		}
	}
	return false
}
