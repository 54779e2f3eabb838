// Package whatwg compares the canonical forms of hosts and URLs with the URL standard of the WHATWG, as read by an
// independent implementation. Both use the tables of IDNA from x/net/idna.
//
// The two may disagree: an indicator is a value that the platform accepts, and a URL of the standard is one that a
// browser opens. Each class describes one way to disagree, and is a row of docs/canonical.md. A disagreement without a
// class is a bug.
package whatwg

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/nlnwa/whatwg-url/url"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/ioc"
)

// Verdict is the result of one of the two for an input.
type Verdict struct {
	Value string // the canonical form; empty when the input is refused
	Rule  string // the reason why it is refused
}

// Taken reports whether the input is accepted.
func (v Verdict) Taken() bool { return v.Rule == "" }

// Disagreement is an input with two different results.
type Disagreement struct {
	Input          string
	Ours, Standard Verdict
}

// class is an intended way to disagree.
type class struct {
	name     string
	explains func(d *Disagreement) bool
}

// explain returns the name of the class of a disagreement, or "".
func (d *Disagreement) explain(classes []class) string {
	for _, c := range classes {
		if c.explains(d) {
			return c.name
		}
	}
	return ""
}

// refusedWith returns the class of inputs that this package refuses with a rule and the standard accepts.
func refusedWith(name string, rules ...string) class {
	return class{name, func(d *Disagreement) bool {
		if !d.Standard.Taken() || d.Ours.Taken() {
			return false
		}
		for _, rule := range rules {
			if strings.HasPrefix(d.Ours.Rule, rule) {
				return true
			}
		}
		return false
	}}
}

// anyHost are the classes of hosts alone and in URLs.
var anyHost = []class{
	refusedWith("one label", "has one label only"),
	refusedWith("IPv4 in other spellings", "ends in a number"),
	refusedWith("percent-encoded host", "is percent-encoded"),
	refusedWith("defanged", "is defanged"),
	refusedWith("white space and control characters", "holds a control character", "holds white space"),
	refusedWith("invisible characters", "holds an invisible character"),
	refusedWith("invalid UTF-8", "is not valid UTF-8"),
	refusedWith("characters that no host name has", "holds a character that no host name has", "holds a wildcard"),
	refusedWith("punctuation beyond ASCII", "holds punctuation or a symbol that no name has", "ends with punctuation beyond ASCII"),
	refusedWith("lengths of DNS", "has a label longer than", "is longer than 253", "has an empty label"),
	refusedWith("no top-level domain", "has a last label that is not two or more letters"),
	refusedWith("hyphens at the ends of labels", "has a label with a hyphen"),
	refusedWith("unstable or invalid IDNA", "is not a valid internationalized name", "holds a capital sharp s"),
	{"STD3 rules", isSTD3},
}

var (
	disallowed   = regexp.MustCompile(`disallowed rune U\+(005F|2260|226E|226F)$`)
	invalidLabel = regexp.MustCompile(`invalid label "[^"]*[_\x{2260}\x{226E}\x{226F}][^"]*"$`)
)

// isSTD3 reports whether the implementation refuses a name with characters beyond ASCII only by the STD3 rules, which
// the standard turns off. They forbid the underscore and the signs that decompose into =, < or > and a slash.
func isSTD3(d *Disagreement) bool {
	return d.Ours.Taken() && !d.Standard.Taken() && (disallowed.MatchString(d.Standard.Rule) || invalidLabel.MatchString(d.Standard.Rule))
}

// hostClasses are the ways in which host names differ.
var hostClasses = append([]class{
	refusedWith("addresses", "is an IP address"),
	refusedWith("more than a host", "holds an @", "holds a path", "holds a port", "is a URL"),
	{"final dot", func(d *Disagreement) bool {
		return d.Ours.Taken() && d.Standard.Taken() && d.Ours.Value+"." == d.Standard.Value
	}},
}, anyHost...)

// urlClasses are the ways in which URLs differ.
var urlClasses = append([]class{
	refusedWith("other schemes", "has a scheme other than", "has no scheme"),
	refusedWith("slashes before the host", "is blank"),
	refusedWith("port 0 and its spellings", "has a port outside 1 to 65535"),
	refusedWith("quotes and angle brackets", "holds a quote or an angle bracket"),
	{"backslashes", func(d *Disagreement) bool {
		return !d.Ours.Taken() && d.Standard.Taken() &&
			(strings.Contains(authority(d.Input), `\`) || strings.HasPrefix(d.Ours.Rule, "holds a backslash"))
	}},
	{"final dot", func(d *Disagreement) bool {
		return d.Ours.Taken() && d.Standard.Taken() && withoutFinalDot(d.Standard.Value) == d.Ours.Value
	}},
}, anyHost...)

// authority returns the part between the scheme and the path of a URL.
func authority(input string) string {
	_, rest, _ := strings.Cut(input, ":")
	rest = strings.TrimLeft(rest, "/")
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	return rest
}

var finalDot = regexp.MustCompile(`^([a-z]+://[^/?#:]+)\.([:/?#])`)

func withoutFinalDot(href string) string { return finalDot.ReplaceAllString(href, "$1$2") }

// ours returns the result of this package for an input.
func ours(canonical func(string) (string, error), input string) Verdict {
	v, err := canonical(input)
	if invalid, ok := errors.AsType[*threatconnect.ValidationError](err); ok {
		return Verdict{Rule: invalid.Rule}
	}
	return Verdict{Value: v}
}

// newParser returns a parser of the standard with sftp as an additional special scheme. The standard treats hosts of
// URLs with other schemes as opaque text.
func newParser() url.Parser {
	return url.NewParser(url.WithSpecialSchemes(map[string]string{
		"http": "80", "https": "443", "ftp": "21", "sftp": "22", "ws": "80", "wss": "443", "file": "",
	}))
}

// parse reads a URL by the standard, without user information.
func parse(raw string) (*url.Url, error) {
	u, err := newParser().Parse(raw)
	if err != nil {
		return nil, err
	}
	u.SetUsername("")
	u.SetPassword("")
	return u, nil
}

// Host compares the results for a host name. It returns the class of a disagreement, "" for none, and a
// disagreement without a class.
func Host(input string) (class string, unexplained *Disagreement) {
	d := &Disagreement{Input: input, Ours: ours(threatconnect.CanonicalHost, input)}
	name := strings.TrimSpace(input)
	switch u, err := parse("http://" + name + "/"); {
	case err != nil:
		d.Standard.Rule = err.Error()
	case u.Hostname() == "":
		d.Standard.Rule = "has no host"
	default:
		d.Standard.Value = u.Hostname()
	}
	return judge(d, hostClasses, d.Ours.Value == d.Standard.Value)
}

// URL compares the results for a URL: by the standard, the canonical form of this package must be the same URL as
// the input. It has the results of [Host].
func URL(input string) (class string, unexplained *Disagreement) {
	d := &Disagreement{Input: input, Ours: ours(threatconnect.CanonicalURL, input)}
	same := false
	if u, err := parse(strings.TrimSpace(input)); err != nil {
		d.Standard.Rule = err.Error()
	} else {
		d.Standard.Value = u.Href(false)
	}
	if d.Ours.Taken() {
		if u, err := parse(d.Ours.Value); err != nil {
			d.Ours.Value += " (which the standard does not take: " + err.Error() + ")"
		} else {
			d.Ours.Value = u.Href(false)
			same = d.Ours.Value == d.Standard.Value
		}
	}
	return judge(d, urlClasses, same)
}

// Strict checks that the standard accepts a host or URL that the strict rules accept, without changing it. It returns
// nil for values that the strict rules refuse.
func Strict(t ioc.Type, input string) *Disagreement {
	strict := &ioc.Parser{Strict: true}
	v, err := strict.Canonical(t, input)
	if err != nil {
		return nil
	}
	d := &Disagreement{Input: input, Ours: Verdict{Value: v}}
	if t == ioc.TypeHost {
		v = "http://" + v + "/"
	}
	u, err := parse(v)
	if err != nil {
		if d.Standard.Rule = err.Error(); isSTD3(d) {
			return nil
		}
		return d
	}
	d.Standard.Value = u.Href(false)
	if normalized(v) == d.Standard.Value {
		return nil
	}
	return d
}

// normalized returns a canonical URL after the changes that the standard makes to every URL: it drops default ports,
// resolves dots in paths, and escapes apostrophes in queries.
func normalized(v string) string {
	scheme, rest, _ := strings.Cut(v, "://")
	rest, fragment, hasFragment := strings.Cut(rest, "#")
	rest, query, hasQuery := strings.Cut(rest, "?")
	host, path, _ := strings.Cut(rest, "/")
	port := map[string]string{"http": ":80", "https": ":443", "ftp": ":21", "sftp": ":22"}[scheme]
	out := scheme + "://" + strings.TrimSuffix(host, port) + resolved(path)
	if hasQuery {
		out += "?" + strings.ReplaceAll(query, "'", "%27")
	}
	if hasFragment {
		out += "#" + fragment
	}
	return out
}

// resolved returns a path, given without its first slash, with its dot segments resolved.
func resolved(path string) string {
	var out []string
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		last := i == len(segments)-1
		switch dots := strings.ReplaceAll(strings.ToLower(segment), "%2e", "."); {
		case dots == "..":
			out = out[:max(len(out)-1, 0)]
		case dots != ".":
			out = append(out, segment)
			last = false
		}
		if last {
			out = append(out, "")
		}
	}
	return "/" + strings.Join(out, "/")
}

// AssumeScheme checks that the standard reads http:// and the value as the URL that ioc returns, and does
// not read the value alone as a URL with one of the four schemes. It returns nil for values that ioc does not
// accept as URLs without a scheme.
func AssumeScheme(input string) *Disagreement {
	v, err := (&ioc.Parser{AssumeScheme: "http"}).Parse(input)
	if err != nil || !v.AssumedScheme {
		return nil
	}
	plain := ioc.Refang(input)
	if u, err := parse(plain); err == nil && canonicalScheme(u.Scheme()) {
		return &Disagreement{Input: input, Ours: Verdict{Value: v.Value}, Standard: Verdict{Value: u.Href(false)}}
	}
	if got := ours(threatconnect.CanonicalURL, "http://"+plain); got.Value != v.Value {
		return &Disagreement{Input: input, Ours: Verdict{Value: v.Value}, Standard: got}
	}
	_, d := URL("http://" + plain)
	return d
}

// Defang checks that the standard does not read a defanged host or URL as a link, and that Refang restores
// it. It returns nil for other values.
func Defang(input string) *Disagreement {
	for _, canonical := range []func(string) (string, error){threatconnect.CanonicalHost, threatconnect.CanonicalURL} {
		v, err := canonical(input)
		if err != nil {
			continue
		}
		defanged := ioc.Defang(v)
		if back := ioc.Refang(defanged); back != v {
			return &Disagreement{Input: input, Ours: Verdict{Value: back}, Standard: Verdict{Value: v}}
		}
		for _, link := range []string{defanged, "http://" + defanged} {
			if u, err := parse(link); err == nil && canonicalScheme(u.Scheme()) && strings.Contains(v, u.Hostname()) {
				return &Disagreement{Input: input, Ours: Verdict{Value: link}, Standard: Verdict{Value: u.Href(false)}}
			}
		}
	}
	return nil
}

func canonicalScheme(s string) bool {
	return slices.Contains([]string{"http", "https", "ftp", "sftp"}, s)
}

func judge(d *Disagreement, classes []class, same bool) (string, *Disagreement) {
	if same || !d.Ours.Taken() && !d.Standard.Taken() {
		return "", nil
	}
	if name := d.explain(classes); name != "" {
		return name, nil
	}
	return "", d
}
