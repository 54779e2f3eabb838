package threatconnect

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/canon"
)

// IndicatorType is the name of an indicator type in lists and batch files.
type IndicatorType string

// The indicator types that every instance has. Batch files always accept email subjects and hashtags. Other calls
// read their path from the instance, which may not have the types.
const (
	TypeAddress      IndicatorType = "Address"
	TypeEmailAddress IndicatorType = "EmailAddress"
	TypeFile         IndicatorType = "File"
	TypeHost         IndicatorType = "Host"
	TypeURL          IndicatorType = "URL"
	TypeASN          IndicatorType = "ASN"
	TypeCIDR         IndicatorType = "CIDR"
	TypeMutex        IndicatorType = "Mutex"
	TypeRegistryKey  IndicatorType = "Registry Key"
	TypeUserAgent    IndicatorType = "User Agent"
	TypeEmailSubject IndicatorType = "Email Subject"
	TypeHashtag      IndicatorType = "Hashtag"
)

// Address is an IPv4 or IPv6 address.
type Address struct {
	IP string `json:"ip"` // IPv4 as four decimal numbers, or IPv6
	IndicatorMeta
}

// NewAddress returns a new address: IPv4 as four decimal numbers, or IPv6 in any form.
func NewAddress(ip string) *Address { return &Address{IP: ip} }

// EmailAddress is an email address.
type EmailAddress struct {
	Address string `json:"address"` // for example user@example.com
	IndicatorMeta
}

// NewEmailAddress returns a new email address. The domain can have any form that [CanonicalHost] accepts.
func NewEmailAddress(address string) *EmailAddress { return &EmailAddress{Address: address} }

// File is a file, identified by one to three hashes.
type File struct {
	MD5    string `json:"md5,omitzero"`    // 32 hexadecimal digits
	SHA1   string `json:"sha1,omitzero"`   // 40 hexadecimal digits
	SHA256 string `json:"sha256,omitzero"` // 64 hexadecimal digits
	Size   *int64 `json:"size,omitzero"`   // bytes; nil if unknown
	// Occurrences are the names and paths with which the file was found. Only batch files contain them; otherwise,
	// FileOccurrencesService reads and writes them.
	Occurrences []FileOccurrence `json:"fileOccurrence,omitzero"`
	IndicatorMeta
}

// NewFile returns a new file with an MD5, SHA-1 or SHA-256 hash. The length of the hash determines its kind.
// Surrounding white space is removed. Sending a file with a hash of another length returns a [*ValidationError].
func NewFile(hash string) *File {
	hash = strings.TrimSpace(hash)
	switch len(hash) {
	case canon.SHA1Length:
		return &File{SHA1: hash}
	case canon.SHA256Length:
		return &File{SHA256: hash}
	}
	return &File{MD5: hash}
}

// Host is a host name.
type Host struct {
	HostName    string `json:"hostName"`             // see CanonicalHost
	DNSActive   *bool  `json:"dnsActive,omitzero"`   // whether the platform resolves it; nil if unknown
	WhoisActive *bool  `json:"whoisActive,omitzero"` // whether the platform looks up its registration; nil if unknown
	IndicatorMeta
}

// NewHost returns a new host. The name can have any form that [CanonicalHost] accepts.
func NewHost(name string) *Host { return &Host{HostName: name} }

// URL is a URL.
type URL struct {
	Text string `json:"text"` // see CanonicalURL
	IndicatorMeta
}

// NewURL returns a new URL. The text can have any form that [CanonicalURL] accepts.
func NewURL(text string) *URL { return &URL{Text: text} }

// ASN is an autonomous system number.
type ASN struct {
	Number string `json:"AS Number"` // for example ASN64496
	IndicatorMeta
}

// NewASN returns a new autonomous system number. Accepted forms are 64496, AS64496 and ASN64496.
func NewASN(number string) *ASN { return &ASN{Number: number} }

// CIDR is a block of addresses.
type CIDR struct {
	Block string `json:"Block"` // for example 192.0.2.0/24
	IndicatorMeta
}

// NewCIDR returns a new block of addresses, for example 192.0.2.0/24 or 2001:db8::/32.
func NewCIDR(block string) *CIDR { return &CIDR{Block: block} }

// Mutex is the name of a mutex, which is case-sensitive.
type Mutex struct {
	Name string `json:"Mutex"`
	IndicatorMeta
}

// NewMutex returns a new mutex.
func NewMutex(name string) *Mutex { return &Mutex{Name: name} }

// RegistryKey is a value in the Windows registry.
type RegistryKey struct {
	KeyName   string `json:"Key Name"`   // begins with a hive; abbreviated hives are sent with their full name
	ValueName string `json:"Value Name"` // empty for the key's default value
	ValueType string `json:"Value Type"` // for example REG_SZ
	IndicatorMeta
}

// NewRegistryKey returns a new registry value.
func NewRegistryKey(keyName, valueName, valueType string) *RegistryKey {
	return &RegistryKey{KeyName: keyName, ValueName: valueName, ValueType: valueType}
}

// UserAgent is a User-Agent header.
type UserAgent struct {
	Text string `json:"User Agent String"`
	IndicatorMeta
}

// NewUserAgent returns a new user agent.
func NewUserAgent(text string) *UserAgent { return &UserAgent{Text: text} }

// EmailSubject is the subject of an email.
type EmailSubject struct {
	Subject string `json:"Subject"`
	IndicatorMeta
}

// NewEmailSubject returns a new email subject.
func NewEmailSubject(subject string) *EmailSubject { return &EmailSubject{Subject: subject} }

// Hashtag is a hashtag of a social network.
type Hashtag struct {
	Hashtag string `json:"Hashtag"`
	IndicatorMeta
}

// NewHashtag returns a new hashtag.
func NewHashtag(hashtag string) *Hashtag { return &Hashtag{Hashtag: hashtag} }

// CustomIndicator is an indicator of a type that this package does not know: a custom type of the instance, or a
// type of a newer version of the platform.
type CustomIndicator struct {
	TypeName IndicatorType `json:"type"`
	// Values has the one to three values of the indicator, in the order of the type's labels.
	Values [3]string `json:"values"`
	// Raw is the JSON that the indicator was read from; nil if it was not read.
	Raw json.RawMessage `json:"-"`
	IndicatorMeta
}

// NewCustomIndicator returns a new indicator of a custom type. The type has one value per label, up to three; see
// [IndicatorTypeInfo]. With more than three values, the returned indicator has no value, and sending it returns a
// [*ValidationError].
func NewCustomIndicator(name IndicatorType, value1 string, more ...string) *CustomIndicator {
	c := &CustomIndicator{TypeName: name}
	if len(more) < len(c.Values) {
		c.Values[0] = value1
		copy(c.Values[1:], more)
	}
	return c
}

// Type returns [TypeAddress].
func (*Address) Type() IndicatorType { return TypeAddress }

// Type returns [TypeEmailAddress].
func (*EmailAddress) Type() IndicatorType { return TypeEmailAddress }

// Type returns [TypeFile].
func (*File) Type() IndicatorType { return TypeFile }

// Type returns [TypeHost].
func (*Host) Type() IndicatorType { return TypeHost }

// Type returns [TypeURL].
func (*URL) Type() IndicatorType { return TypeURL }

// Type returns [TypeASN].
func (*ASN) Type() IndicatorType { return TypeASN }

// Type returns [TypeCIDR].
func (*CIDR) Type() IndicatorType { return TypeCIDR }

// Type returns [TypeMutex].
func (*Mutex) Type() IndicatorType { return TypeMutex }

// Type returns [TypeRegistryKey].
func (*RegistryKey) Type() IndicatorType { return TypeRegistryKey }

// Type returns [TypeUserAgent].
func (*UserAgent) Type() IndicatorType { return TypeUserAgent }

// Type returns [TypeEmailSubject].
func (*EmailSubject) Type() IndicatorType { return TypeEmailSubject }

// Type returns [TypeHashtag].
func (*Hashtag) Type() IndicatorType { return TypeHashtag }

// Type returns the name of the custom type.
func (c *CustomIndicator) Type() IndicatorType { return c.TypeName }

// Summary returns the address.
func (a *Address) Summary() string { return a.IP }

// Summary returns the email address.
func (e *EmailAddress) Summary() string { return e.Address }

// Summary returns the hashes that are set, joined with " : ".
func (f *File) Summary() string { return canon.JoinFileSummary(f.MD5, f.SHA1, f.SHA256) }

// Summary returns the host name.
func (h *Host) Summary() string { return h.HostName }

// Summary returns the URL.
func (u *URL) Summary() string { return u.Text }

// Summary returns the number.
func (a *ASN) Summary() string { return a.Number }

// Summary returns the block.
func (c *CIDR) Summary() string { return c.Block }

// Summary returns the name of the mutex.
func (m *Mutex) Summary() string { return m.Name }

// Summary returns the key name, value name and value type, joined with " : ".
func (k *RegistryKey) Summary() string { return joinValues(k.values()) }

// Summary returns the user agent.
func (u *UserAgent) Summary() string { return u.Text }

// Summary returns the subject.
func (s *EmailSubject) Summary() string { return s.Subject }

// Summary returns the hashtag.
func (h *Hashtag) Summary() string { return h.Hashtag }

// Summary returns the values that are set, joined with " : ".
func (c *CustomIndicator) Summary() string { return joinValues(c.Values) }

func (a *Address) values() [3]string      { return [3]string{a.IP} }
func (e *EmailAddress) values() [3]string { return [3]string{e.Address} }
func (f *File) values() [3]string         { return [3]string{f.MD5, f.SHA1, f.SHA256} }
func (h *Host) values() [3]string         { return [3]string{h.HostName} }
func (u *URL) values() [3]string          { return [3]string{u.Text} }
func (a *ASN) values() [3]string          { return [3]string{a.Number} }
func (c *CIDR) values() [3]string         { return [3]string{c.Block} }
func (m *Mutex) values() [3]string        { return [3]string{m.Name} }
func (k *RegistryKey) values() [3]string  { return [3]string{k.KeyName, k.ValueName, k.ValueType} }
func (u *UserAgent) values() [3]string    { return [3]string{u.Text} }
func (s *EmailSubject) values() [3]string { return [3]string{s.Subject} }
func (h *Hashtag) values() [3]string      { return [3]string{h.Hashtag} }

func (c *CustomIndicator) values() [3]string { return c.Values }

func (a *Address) setValues(v [3]string)      { a.IP = v[0] }
func (e *EmailAddress) setValues(v [3]string) { e.Address = v[0] }
func (f *File) setValues(v [3]string)         { f.MD5, f.SHA1, f.SHA256 = v[0], v[1], v[2] }
func (h *Host) setValues(v [3]string)         { h.HostName = v[0] }
func (u *URL) setValues(v [3]string)          { u.Text = v[0] }
func (a *ASN) setValues(v [3]string)          { a.Number = v[0] }
func (c *CIDR) setValues(v [3]string)         { c.Block = v[0] }
func (m *Mutex) setValues(v [3]string)        { m.Name = v[0] }
func (k *RegistryKey) setValues(v [3]string)  { k.KeyName, k.ValueName, k.ValueType = v[0], v[1], v[2] }
func (u *UserAgent) setValues(v [3]string)    { u.Text = v[0] }
func (s *EmailSubject) setValues(v [3]string) { s.Subject = v[0] }
func (h *Hashtag) setValues(v [3]string)      { h.Hashtag = v[0] }

func (c *CustomIndicator) setValues(v [3]string) { c.Values = v }

// Ref returns the reference to the indicator.
func (a *Address) Ref() IndicatorRef { return refOf(a) }

// Ref returns the reference to the indicator.
func (e *EmailAddress) Ref() IndicatorRef { return refOf(e) }

// Ref returns the reference to the indicator.
func (f *File) Ref() IndicatorRef { return refOf(f) }

// Ref returns the reference to the indicator.
func (h *Host) Ref() IndicatorRef { return refOf(h) }

// Ref returns the reference to the indicator.
func (u *URL) Ref() IndicatorRef { return refOf(u) }

// Ref returns the reference to the indicator.
func (a *ASN) Ref() IndicatorRef { return refOf(a) }

// Ref returns the reference to the indicator.
func (c *CIDR) Ref() IndicatorRef { return refOf(c) }

// Ref returns the reference to the indicator.
func (m *Mutex) Ref() IndicatorRef { return refOf(m) }

// Ref returns the reference to the indicator.
func (k *RegistryKey) Ref() IndicatorRef { return refOf(k) }

// Ref returns the reference to the indicator.
func (u *UserAgent) Ref() IndicatorRef { return refOf(u) }

// Ref returns the reference to the indicator.
func (s *EmailSubject) Ref() IndicatorRef { return refOf(s) }

// Ref returns the reference to the indicator.
func (h *Hashtag) Ref() IndicatorRef { return refOf(h) }

// Ref returns the reference to the indicator.
func (c *CustomIndicator) Ref() IndicatorRef { return refOf(c) }

// The target of an indicator of any type comes from its definition and values.
func (a *Address) target(ctx context.Context, c *Client) (target, error) {
	return targetOfIndicator(ctx, c, a)
}
func (e *EmailAddress) target(ctx context.Context, c *Client) (target, error) {
	return targetOfIndicator(ctx, c, e)
}
func (f *File) target(ctx context.Context, c *Client) (target, error) {
	return targetOfIndicator(ctx, c, f)
}
func (h *Host) target(ctx context.Context, c *Client) (target, error) {
	return targetOfIndicator(ctx, c, h)
}
func (u *URL) target(ctx context.Context, c *Client) (target, error) {
	return targetOfIndicator(ctx, c, u)
}
func (a *ASN) target(ctx context.Context, c *Client) (target, error) {
	return targetOfIndicator(ctx, c, a)
}
func (b *CIDR) target(ctx context.Context, c *Client) (target, error) {
	return targetOfIndicator(ctx, c, b)
}
func (m *Mutex) target(ctx context.Context, c *Client) (target, error) {
	return targetOfIndicator(ctx, c, m)
}
func (k *RegistryKey) target(ctx context.Context, c *Client) (target, error) {
	return targetOfIndicator(ctx, c, k)
}
func (u *UserAgent) target(ctx context.Context, c *Client) (target, error) {
	return targetOfIndicator(ctx, c, u)
}
func (s *EmailSubject) target(ctx context.Context, c *Client) (target, error) {
	return targetOfIndicator(ctx, c, s)
}
func (h *Hashtag) target(ctx context.Context, c *Client) (target, error) {
	return targetOfIndicator(ctx, c, h)
}
func (i *CustomIndicator) target(ctx context.Context, c *Client) (target, error) {
	return targetOfIndicator(ctx, c, i)
}
