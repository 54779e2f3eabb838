package whatwg

import "testing"

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
