package whatwg

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/threatconnect-go/threatconnect/ioc"
)

func seeds() []string {
	return []string{
		"", " ", ".", "..", "-", "www.example.com", "WWW.Example.COM.", "m\u00fcnchen.example", "xn--mnchen-3ya.example", "localhost",
		"a_b.example", "r3---sn-abc.example", "xn--a.example", "xn--.example", "a..example", "\u65e5\u672c\u8a9e\u3002example", "\u2615.example",
		"\u201cwww.example.com\u201d", "https://example.com\u201d", "https://example.com/x\u201d", "example.com\u2122", "example.com\u00b9", "a\u00acb.example", "l\u00b7l.example",
		"\uff45xample.example", "\uff11\uff19\uff12.0.2.1", "exa\u00admple.example", "a\u200db.example", "\u05d01.example", "0300.0.2.1", "0x7f000001", "3221225985",
		"192.0.2.1", "192.0.2.1:80", "[2001:db8::1]", "2001:db8::1", "a%2eexample", "a b.example", "a\tb.example", "stra\u00dfe.example", "STRA\u1e9eE.example", "\u03c2.example",
		"http://example.com", "HTTP://User:Pw@Example.COM:080/A b?c=%2F#D", "https://[2001:DB8::1]:443/[.]x", "http://[::ffff:192.0.2.1]/", "http://[fe80::1%25eth0]/",
		"http://192.0.2.1:/", "ftp://\u00e4.example/\u00e4", "http://example.com\\x", "http://a@b@example.com/", "http://", `http://evil.example\@example.com/`, `http://evil.example\.@example.com/x`, `https://evil.example\a:b@example.com:8080`, "http:///x", "sftp://example.com?x",
		"hxxp://evil[.]example/", "http://example.com:0/", "http://example.com:65536", "http://example.com./a/../b", "http:example.com", "http:\\\\example.com",
		"http://example.com/%2e%2e/x", "http://ex\nample.com/", "http://exam!ple.com/", "http://a-.example/", "http://\xff.example/", "http://0\\::", "http:// 0.A", "http://0.a /", "openssh_6.4p1", "http://a.example/x y", `http://a.example/x\y`, `http://a.example/x"`, "http://a.example/<x>`", "http://a.example/{x}|^[y]%zz", "http://a.example/x\uff09", "http://x.7z/", "\uff45_x.example", "http://\uff45_.A/", "http://a.example/\xff", "mailto:a@b.example",
	}
}

func FuzzHost(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if _, d := Host(s); d != nil {
			t.Errorf("%q: ours %+q, the standard %+q", d.Input, d.Ours, d.Standard)
		}
	})
}

func FuzzURL(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if _, d := URL(s); d != nil {
			t.Errorf("%q: ours %+q, the standard %+q", d.Input, d.Ours, d.Standard)
		}
	})
}

func FuzzStrict(f *testing.F) {
	for _, s := range append(seeds(), "http://a.example/a/../b/./%2E%2e/'?'#'", "https://a.example:443?x", "http://a.example#x", "http://a.example/../..", "http://a.example/{x}", "http://a.example/\u00e4?\u00e4#\u00e4", "sftp://a_b.c.example:22/x//y/.", "ftp://_.0.\u0137", "xn--mchenxn.example", "xn--1ch.example", "http://xn--a_-wia.example/") {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, typ := range []ioc.Type{ioc.TypeHost, ioc.TypeURL} {
			if d := Strict(typ, s); d != nil {
				t.Errorf("%q as %s: strict %+q, the standard %+q", d.Input, typ, d.Ours, d.Standard)
			}
		}
	})
}

func FuzzAssumeScheme(f *testing.F) {
	for _, s := range append(seeds(), "evil.example/x", "evil.example:8080/x?y#z", "192.0.2.1/gate.php", "[2001:db8::1]/x", "evil[.]example/a[.]b", "evil.example/@x", "http:/evil.example/x", "evil.example./x") {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d := AssumeScheme(s); d != nil {
			t.Errorf("%q: ours %+q, the standard %+q", d.Input, d.Ours, d.Standard)
		}
	})
}

func FuzzDefang(f *testing.F) {
	for _, s := range append(seeds(), "http://a.example/[.]", "http://a.example/[[at]]?[:]#[/]", "http://[2001:db8::1]:80/a.b") {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d := Defang(s); d != nil {
			t.Errorf("%q: ours %+q, the standard %+q", d.Input, d.Ours, d.Standard)
		}
	})
}

// A strict URL may differ from the standard's only by the changes that the standard makes to every URL.
func TestNormalized(t *testing.T) {
	assert.Equal(t, "http://a.example/c/d?%27#'", normalized("http://a.example:80/a/../b/%2e%2E/./c/d?'#'"))
	assert.Equal(t, "http://a.example/b/", normalized("http://a.example/a/../b/."))
}
