package ioc

import (
	"strings"

	"golang.org/x/net/publicsuffix"
)

// mostNames is the maximum number of files, and of domains, that are remembered per text.
const mostNames = 1000

// noteFile remembers a file name, which is then not a host in the rest of the text.
func (x *extractor) noteFile(name []byte) {
	if x.files == nil {
		x.files = map[string]bool{}
	}
	if len(x.files) < mostNames {
		x.files[strings.ToLower(string(name))] = true
	}
}

// noteDomain remembers the domain of a certain host. The domain is then a host in the rest of the
// text.
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
