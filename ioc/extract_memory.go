package ioc

import (
	"strings"

	"golang.org/x/net/publicsuffix"
)

// mostNames is how many files, and how many domains, of a text are remembered.
const mostNames = 1000

// noteFile remembers the name of a file, so that it is not a host in the rest of the text.
func (x *extractor) noteFile(name []byte) {
	if x.files == nil {
		x.files = map[string]bool{}
	}
	if len(x.files) < mostNames {
		x.files[strings.ToLower(string(name))] = true
	}
}

// noteDomain remembers the domain of a host that is one without doubt, so that the domain is a host in the rest
// of the text.
func (x *extractor) noteDomain(host string) {
	dot := strings.LastIndexByte(host, '.')
	if last := host[dot+1:]; dot < 0 || len(x.domains) == mostNames || isDigit(last[0]) || kindOf([]byte(last)) == plainSuffix {
		return
	}
	suffix, _ := publicsuffix.PublicSuffix(host)
	if suffix == host {
		return
	}
	if x.domains == nil {
		x.domains = map[string]bool{}
	}
	x.domains[ownLabel(host, suffix)+"."+suffix] = true
}
