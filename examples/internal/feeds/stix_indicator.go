package feeds

import (
	"errors"
	"strings"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/ioc"
)

// indicator makes the indicator that a comparison stands for.
func (c *comparison) indicator() (threatconnect.Indicator, error) {
	t := c.indicatorType()
	switch {
	case c.subset && t != threatconnect.TypeAddress:
		return nil, unsupported("ISSUBSET of something other than an address")
	case t == "":
		return nil, c.refuse()
	case t == threatconnect.TypeFile:
		return c.file()
	case t == threatconnect.TypeAddress && strings.Contains(c.value, "/"):
		t = threatconnect.TypeCIDR // STIX writes a block as the value of an address
	case c.subset:
		return nil, errors.New("has a pattern with ISSUBSET of a value that is no block of addresses")
	}
	return typed(t, c.value)
}

// indicatorType returns the type that a path stands for, or "".
func (c *comparison) indicatorType() threatconnect.IndicatorType {
	switch c.path {
	case "domain-name:value":
		return threatconnect.TypeHost
	case "ipv4-addr:value", "ipv6-addr:value":
		return threatconnect.TypeAddress
	case "url:value":
		return threatconnect.TypeURL
	case "email-addr:value", "email-message:from_ref.value", "email-message:sender_ref.value":
		return threatconnect.TypeEmailAddress
	case "email-message:subject":
		return threatconnect.TypeEmailSubject
	case "autonomous-system:number":
		return threatconnect.TypeASN
	case "mutex:name":
		return threatconnect.TypeMutex
	}
	if strings.HasPrefix(c.path, "file:hashes.") {
		return threatconnect.TypeFile
	}
	return ""
}

// refuse says that there is no indicator for a path. Only paths of well-known objects are named:
// somebody's own may say more than a log should.
func (c *comparison) refuse() error {
	object, property, _ := strings.Cut(c.path, ":")
	switch object {
	case "file", "directory", "process", "network-traffic", "windows-registry-key", "user-account", "software",
		"artifact", "x509-certificate", "email-message", "mac-addr", "configuration-profile", "app":
		if len(property) <= 40 && isPlainPath(property) {
			return errors.New("has a pattern on " + object + ":" + property + ", which is not supported: no indicator type stands for it")
		}
		return errors.New("has a pattern on " + object + ", which is not supported: no indicator type stands for it")
	}
	return errors.New("has a pattern on an object that is not supported: no indicator type stands for it")
}

func isPlainPath(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool {
		return r != '_' && r != '.' && r != '-' && (r < 'a' || r > 'z')
	}) < 0
}

// file makes a file out of one of the hashes that the platform keeps.
func (c *comparison) file() (threatconnect.Indicator, error) {
	hash, err := ioc.Canonical(ioc.TypeFile, c.value)
	name := strings.ToUpper(strings.ReplaceAll(strings.TrimPrefix(c.path, "file:hashes."), "-", ""))
	want := map[string]int{"MD5": 32, "SHA1": 40, "SHA256": 64}[name]
	switch {
	case want == 0:
		return nil, errors.New("has a pattern on a hash other than MD5, SHA-1 and SHA-256, which ThreatConnect does not keep")
	case err != nil:
		return nil, err
	case len(hash) != want:
		return nil, errors.New("has a pattern on a hash of another length than its name says")
	}
	return threatconnect.NewFile(hash), nil
}
