package threatconnect

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCanonicalURL(t *testing.T) {
	t.Parallel()
	const endsWithPunctuation, foreign = "ends with punctuation beyond ASCII", "holds a quote or an angle bracket"
	runCanonicalCases(t, CanonicalURL, []canonicalCase{
		{name: "a canonical URL stays", in: "https://www.example.com/a?b=c#d", want: "https://www.example.com/a?b=c#d"},
		{name: "a URL without a path gets none", in: "http://example.com", want: "http://example.com"},
		{name: "scheme and host become lower case, the rest keeps its case", in: "HTTP://Example.COM/Path?Query#Fragment", want: "http://example.com/Path?Query#Fragment"},
		{name: "FTP passes", in: "ftp://example.com/x", want: "ftp://example.com/x"},
		{name: "SFTP passes", in: "SFTP://example.com/x", want: "sftp://example.com/x"},
		{name: "white space around it goes", in: " http://example.com/ \n", want: "http://example.com/"},
		{name: "brackets, braces, bars and carets stay", in: "http://example.com/{a}|^?b[]=c#[d]", want: "http://example.com/{a}|^?b[]=c#[d]"},
		{name: "all that RFC 3986 allows stays", in: "http://example.com/-._~!$&'()*+,;=:@%20?/?-._~!$&'()*+,;=:@%20#/?-._~!$&'()*+,;=:@%20", want: "http://example.com/-._~!$&'()*+,;=:@%20?/?-._~!$&'()*+,;=:@%20#/?-._~!$&'()*+,;=:@%20"},
		{name: "a number sign in the fragment stays", in: "http://example.com/#a#b", want: "http://example.com/#a#b"},
		{name: "percent signs stay as they are", in: "http://example.com/%2f%2F%zz%", want: "http://example.com/%2f%2F%zz%"},
		{name: "non-ASCII in the path stays", in: "http://example.com/é/☕", want: "http://example.com/é/☕"},
		{name: "dots in the path are not resolved", in: "http://example.com/a/../b//c/./", want: "http://example.com/a/../b//c/./"},
		{name: "marks in the path stay", in: "http://example.com/a[.]b?c[at]d#{.}", want: "http://example.com/a[.]b?c[at]d#{.}"},
		{name: "a query right after the host stays", in: "http://EXAMPLE.com?A", want: "http://example.com?A"},
		{name: "a fragment right after the host stays", in: "http://EXAMPLE.com#A", want: "http://example.com#A"},
		{name: "an @ in the path is no user information", in: "http://example.com/@x", want: "http://example.com/@x"},
		{name: "user information goes", in: "http://user:secret@example.com/", want: "http://example.com/"},
		{name: "user information ends at the last @", in: "http://www.example.org@x@example.com/", want: "http://example.com/"},
		{name: "an internationalized host is encoded", in: "http://münchen.example/ü", want: "http://xn--mnchen-3ya.example/ü"},
		{name: "a final dot of the host goes", in: "http://example.com./", want: "http://example.com/"},
		{name: "a port stays", in: "http://example.com:8080/", want: "http://example.com:8080/"},
		{name: "a default port stays", in: "https://example.com:443/", want: "https://example.com:443/"},
		{name: "an empty port goes with its colon", in: "http://example.com:/", want: "http://example.com/"},
		{name: "leading zeros of a port go", in: "http://example.com:00080/", want: "http://example.com:80/"},
		{name: "an IPv4 host stays", in: "http://192.0.2.1:8080/bin.sh", want: "http://192.0.2.1:8080/bin.sh"},
		{name: "an IPv6 host gets its short form", in: "http://[2001:DB8:0:0::1]:8080/", want: "http://[2001:db8::1]:8080/"},
		{name: "an IPv4 address inside an IPv6 host is written in hexadecimal", in: "http://[::ffff:192.0.2.1]/", want: "http://[::ffff:c000:201]/"},
		{name: "the zero address is no mark", in: "http://[::]/", want: "http://[::]/"},

		{name: "typographic quotes inside the path stay", in: "http://example.com/“a”?b=‘c", want: "http://example.com/“a”?b=‘c"},
		{name: "an encoded quote at the end stays", in: "http://example.com/a%E2%80%9D", want: "http://example.com/a%E2%80%9D"},

		{name: "a typographic quote behind the host is refused", in: "http://example.com”", rule: "holds punctuation"},
		{name: "typographic quotes around the host are refused", in: "http://“example.com”/x", rule: "holds punctuation"},
		{name: "a typographic quote behind the path is refused", in: "http://example.com/x”", rule: endsWithPunctuation},
		{name: "a low quote behind the query is refused", in: "http://example.com?x„", rule: endsWithPunctuation},
		{name: "an angle quote behind the fragment is refused", in: "http://example.com#x»", rule: endsWithPunctuation},
		{name: "an ornamental quote behind the path is refused", in: "http://example.com/x❞", rule: endsWithPunctuation},
		{name: "a wide bracket behind the path is refused", in: "http://example.com/x）", rule: endsWithPunctuation},
		{name: "a corner bracket behind the path is refused", in: "http://example.com/「x」", rule: endsWithPunctuation},
		{name: "an ellipsis behind the path is refused", in: "http://example.com/x…", rule: endsWithPunctuation},
		{name: "an ideographic full stop behind the path is refused", in: "http://example.com/x。", rule: endsWithPunctuation},
		{name: "an emoji behind the path stays", in: "http://example.com/☕", want: "http://example.com/☕"},

		{name: "a comment behind the path is refused", in: "http://example.com/favicon.ico (IP: 192.0.2.90)", rule: "holds white space"},
		{name: "a space in the path is refused", in: "http://example.com/a b", rule: "holds white space"},
		{name: "a space in the query is refused", in: "http://example.com?a b", rule: "holds white space"},
		{name: "a space in the fragment is refused", in: "http://example.com#a b", rule: "holds white space"},
		{name: "a no-break space in the path is refused", in: "http://example.com/a\u00a0b", rule: "holds white space"},
		{name: "an opening angle bracket is refused", in: "http://example.com/a<br", rule: foreign},
		{name: "a closing angle bracket is refused", in: "http://example.com?a>", rule: foreign},
		{name: "a quote is refused", in: `http://example.com/a"`, rule: foreign},
		{name: "a back quote is refused", in: "http://example.com#a`", rule: foreign},
		{name: "a backslash in the path is refused", in: `http://example.com/a\@b`, rule: "holds a backslash"},
		{name: "a backslash in the query is refused", in: `http://example.com?a\b`, rule: "holds a backslash"},
		{name: "escaped dots in the path are refused", in: `http://example.com/a\.b`, rule: "holds a backslash"},
		{name: "a typographic quote in front is refused", in: "“http://example.com/x", rule: "has no scheme"},
		{name: "nothing is refused", in: "", rule: "is blank"},
		{name: "a missing scheme is refused", in: "example.com/path", rule: "has no scheme"},
		{name: "a relative reference is refused", in: "//example.com/path", rule: "has no scheme"},
		{name: "a scheme without slashes is refused", in: "javascript:alert(1)", rule: "has no scheme"},
		{name: "a scheme with one slash is refused", in: "http:/example.com", rule: "has no scheme"},
		{name: "another scheme is refused", in: "file://example.com/x", rule: "has a scheme other than"},
		{name: "a defanged scheme is refused", in: "hxxp://example.com/", rule: "is defanged"},
		{name: "a defanged separator is refused", in: "http[://]example.com/", rule: "is defanged"},
		{name: "a defanged host is refused", in: "http://example[.]com/", rule: "is defanged"},
		{name: "a defanged colon is refused", in: "http://example.com[:]80/", rule: "is defanged"},
		{name: "no host is refused", in: "http:///path", rule: "is blank"},
		{name: "user information without a host is refused", in: "http://user@/path", rule: "is blank"},
		{name: "one label is refused", in: "http://localhost/", rule: "has one label only"},
		{name: "a host whose last label is no top-level domain is refused", in: "http://cytrox.stix2/x", rule: "has a last label that is not two or more letters"},
		{name: "a space before the host is refused", in: "http:// example.com/", rule: "holds white space"},
		{name: "a space after the host is refused", in: "http://example.com /", rule: "holds white space"},
		{name: "a space before the port is refused", in: "http://example.com :80/", rule: "holds white space"},
		{name: "a space in the host is refused", in: "http://exa mple.com/", rule: "holds white space"},
		{name: "a backslash after the host is refused", in: `http://example.com\path`, rule: "holds a path"},
		{name: "a backslash before the @ is refused", in: `http://evil.example\@www.example.com/login`, rule: "holds a path behind a backslash"},
		{name: "a backslash in user information is refused", in: `http://evil.example\x:y@www.example.com/`, rule: "holds a path behind a backslash"},
		{name: "a backslash after a number and before the @ is refused", in: `http://3221225985\@www.example.com/`, rule: "holds a path behind a backslash"},
		{name: "a backslash and a dot before the @ are refused", in: `http://evil.example\.@www.example.com/`, rule: "holds a path behind a backslash"},
		{name: "a defanged host before a backslash and an @ is refused", in: `http://evil[.]example\@www.example.com/`, rule: "holds a path behind a backslash"},
		{name: "escaped dots are refused", in: `http://www\.example\.com/`, rule: "is defanged"},
		{name: "a percent sign in the host is refused", in: "http://exa%6dple.com/", rule: "is percent-encoded"},
		{name: "an octal IPv4 host is refused", in: "http://0300.0.2.1/", rule: "ends in a number"},
		{name: "an integer host is refused", in: "http://3221225985/", rule: "ends in a number"},
		{name: "a hexadecimal host is refused", in: "http://0xc0000201/", rule: "ends in a number"},
		{name: "an IPv6 host without brackets is refused", in: "http://2001:db8::1/", rule: "has an IPv6 host without brackets"},
		{name: "IPv4 in brackets is refused", in: "http://[192.0.2.1]/", rule: "is not an IPv6 address in brackets"},
		{name: "an open bracket is refused", in: "http://[2001:db8::1/", rule: "is not an IPv6 address in brackets"},
		{name: "text after the brackets is refused", in: "http://[2001:db8::1]x/", rule: "is not an IPv6 address in brackets"},
		{name: "a zone is refused", in: "http://[fe80::1%25eth0]/", rule: "has a zone"},
		{name: "port 0 is refused", in: "http://example.com:0/", rule: "has a port outside"},
		{name: "port 65536 is refused", in: "http://example.com:65536/", rule: "has a port outside"},
		{name: "a signed port is refused", in: "http://example.com:+80/", rule: "has a port outside"},
		{name: "a port with an underscore is refused", in: "http://example.com:8_0/", rule: "has a port outside"},
		{name: "a port that is no number is refused", in: "http://example.com:http/", rule: "has a port outside"},
		{name: "an invisible character in the path is refused", in: "http://example.com/x\u200b", rule: "holds an invisible character"},
		{name: "a joiner in a word of the path is refused", in: "http://example.com/نامه\u200cای", rule: "holds an invisible character"},
		{name: "a variation selector in the query is refused", in: "http://example.com/?❤\ufe0f", rule: "holds an invisible character"},
		{name: "a joiner in the host is encoded", in: "http://نامه\u200cای.example/", want: "http://xn--mgba3gch31f060k.example/"},
		{name: "a line break is refused", in: "http://example.com/a\r\nb", rule: "holds a control character"},
		{name: "bytes that are not UTF-8 are refused", in: "http://example.com/\xff", rule: "is not valid UTF-8"},
	})
}

func TestCanonicalURLDoesNotAllocateForCanonicalURLs(t *testing.T) {
	for _, url := range []string{
		"http://www.example.com/path/to/file.bin?x=%20#Frag",
		"https://www.long-name-of-a-host.example.com:8443/a[b]/é",
		"http://192.0.2.1:8080/bin.sh",
	} {
		_, err := CanonicalURL(url)
		assert.NoError(t, err)
		assert.Zero(t, testing.AllocsPerRun(100, func() { _, _ = CanonicalURL(url) }), url)
	}
}
