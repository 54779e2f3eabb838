// Package value makes indicators of what people and programs write.
package value

import (
	"errors"
	"slices"
	"strings"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/ioc"
)

// Reader makes an indicator of a value, or refuses it.
type Reader func(value string) (threatconnect.Indicator, error)

// Recognize tells the type by the value, which may be defanged.
func Recognize(value string) (threatconnect.Indicator, error) {
	return threatconnect.ParseIndicator(value)
}

// known is a type with the names that it has on command lines and in alerts.
type known struct {
	typ   threatconnect.IndicatorType
	names []string
	read  Reader
}

func types() []known {
	return []known{
		{threatconnect.TypeAddress, []string{"address", "ip", "ipv4", "ipv6"}, refanged(threatconnect.TypeAddress, threatconnect.NewAddress)},
		{threatconnect.TypeASN, []string{"asn"}, refanged(threatconnect.TypeASN, threatconnect.NewASN)},
		{threatconnect.TypeCIDR, []string{"cidr"}, refanged(threatconnect.TypeCIDR, threatconnect.NewCIDR)},
		{threatconnect.TypeEmailAddress, []string{"emailaddress", "email"}, refanged(threatconnect.TypeEmailAddress, threatconnect.NewEmailAddress)},
		{threatconnect.TypeFile, []string{"file", "hash", "md5", "sha1", "sha256"}, file},
		{threatconnect.TypeHost, []string{"host", "hostname", "domain"}, refanged(threatconnect.TypeHost, threatconnect.NewHost)},
		{threatconnect.TypeMutex, []string{"mutex"}, plain(threatconnect.TypeMutex, threatconnect.NewMutex)},
		{threatconnect.TypeRegistryKey, []string{"registrykey"}, registryKey},
		{threatconnect.TypeURL, []string{"url"}, refanged(threatconnect.TypeURL, threatconnect.NewURL)},
		{threatconnect.TypeUserAgent, []string{"useragent"}, plain(threatconnect.TypeUserAgent, threatconnect.NewUserAgent)},
	}
}

// As returns the type of that name and what reads its values. Case, blanks, hyphens and underscores
// do not matter. The types that single requests cannot read are not among them.
func As(name string) (threatconnect.IndicatorType, Reader, bool) {
	name = PlainName(name)
	for _, k := range types() {
		if slices.Contains(k.names, name) {
			return k.typ, k.read, true
		}
	}
	return "", nil, false
}

// Names returns the name of every type that As knows.
func Names() []string {
	var names []string
	for _, k := range types() {
		names = append(names, k.names[0])
	}
	return names
}

// PlainName is a name without what people write differently.
func PlainName(s string) string {
	return strings.NewReplacer(" ", "", "-", "", "_", "").Replace(strings.ToLower(s))
}

// plain reads values of a type as they are.
func plain[T threatconnect.Indicator](t threatconnect.IndicatorType, make func(string) T) Reader {
	return func(s string) (threatconnect.Indicator, error) {
		s, err := ioc.Canonical(ioc.Type(t), s)
		if err != nil {
			return nil, refusal(err)
		}
		return make(s), nil
	}
}

// refanged reads values of a type that may be defanged.
func refanged[T threatconnect.Indicator](t threatconnect.IndicatorType, make func(string) T) Reader {
	read := plain(t, make)
	return func(s string) (threatconnect.Indicator, error) { return read(ioc.Refang(s)) }
}

func file(s string) (threatconnect.Indicator, error) {
	md5, sha1, sha256, err := ioc.SplitFileSummary(ioc.Refang(s))
	if err != nil {
		return nil, refusal(err)
	}
	return &threatconnect.File{MD5: md5, SHA1: sha1, SHA256: sha256}, nil
}

func registryKey(s string) (threatconnect.Indicator, error) {
	key, name, typ, err := ioc.SplitRegistrySummary(s)
	if err != nil {
		return nil, refusal(err)
	}
	return threatconnect.NewRegistryKey(key, name, typ), nil
}

// refusal returns the refusal of a value as the client's own error.
func refusal(err error) error {
	if refused, ok := errors.AsType[*ioc.Error](err); ok {
		return (*threatconnect.ValidationError)(refused)
	}
	return err
}
