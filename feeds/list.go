package feeds

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"

	"github.com/threatconnect-go/threatconnect"
)

// listLine reads a line of a list or of a hosts file; see FormatList.
func listLine(line []byte, add addFunc) {
	line = withoutComment(line)
	if len(line) == 0 {
		return
	}
	address, names, hosts := hostsLine(line)
	if !hosts {
		ind, err := threatconnect.ParseIndicator(string(line))
		add(ind, err)
		return
	}
	for name := range bytes.FieldsSeq(names) {
		add(hostsName(address, string(name)))
	}
}

// hostsLine splits a line of a hosts file, which is an address and names after it.
func hostsLine(line []byte) (address netip.Addr, names []byte, ok bool) {
	i := bytes.IndexAny(line, " \t")
	if i < 0 {
		return netip.Addr{}, nil, false
	}
	address, err := netip.ParseAddr(string(line[:i]))
	return address, line[i:], err == nil
}

// hostsName returns the host of a line of a hosts file.
func hostsName(address netip.Addr, name string) (threatconnect.BatchItem, error) {
	if isLocalName(name) {
		return nil, &LineError{Rule: "names the local machine or network, which is part of every hosts file", Skipped: true}
	}
	switch address.String() { // not all of 127.0.0.0/8, because 127.0.1.1 is the machine's own name on Debian
	case "0.0.0.0", "127.0.0.1", "::", "::1":
	default:
		return nil, errors.New("has text after the address; want one indicator per line, or a line of a hosts file that begins with 0.0.0.0 or 127.0.0.1")
	}
	ind, err := threatconnect.ParseIndicator(name)
	if err == nil && ind.Type() != threatconnect.TypeHost {
		return nil, errors.New("blocks something other than a host, which a hosts file cannot do; want one indicator per line")
	}
	return ind, err
}

// isLocalName reports whether hosts files define a name for the machine itself.
func isLocalName(name string) bool {
	switch strings.ToLower(strings.TrimSuffix(name, ".")) {
	case "localhost", "localhost.localdomain", "localhost4", "localhost4.localdomain4", "localhost6", "localhost6.localdomain6",
		"local", "broadcasthost", "ip6-localhost", "ip6-loopback", "ip6-localnet", "ip6-mcastprefix", "ip6-allnodes",
		"ip6-allrouters", "ip6-allhosts", "0.0.0.0":
		return true
	}
	return false
}

// isComment reports whether a line without surrounding white space is a comment.
func isComment(line []byte) bool {
	return len(line) > 0 && (line[0] == '#' || line[0] == ';' || bytes.HasPrefix(line, []byte("//")))
}

// withoutComment returns a line without its comment and surrounding white space.
func withoutComment(line []byte) []byte {
	line = bytes.TrimSpace(line)
	if isComment(line) {
		return nil
	}
	for i := 1; i < len(line); i++ {
		if (line[i-1] == ' ' || line[i-1] == '\t') && isComment(line[i:]) {
			return bytes.TrimSpace(line[:i])
		}
	}
	return line
}
