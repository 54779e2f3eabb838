package canon

import "testing"

func BenchmarkCanonical(b *testing.B) {
	for _, bc := range []struct {
		name      string
		canonical func(string) (string, error)
		in        string
	}{
		{"plain host", Host, "static.cdn-3.files.example.com"},
		{"host in capitals", Host, "Static.CDN-3.Files.Example.com"},
		{"internationalized host", Host, "www.münchen.example"},
		{"IPv4", Address, "203.0.113.217"},
		{"short IPv6", Address, "2001:db8::1"},
		{"canonical IPv6", Address, "2001:db8:0:0:0:0:0:1"},
		{"URL", URL, "http://static.example.com/path/to/file.bin?id=1234567890"},
		{"URL of an address", URL, "http://203.0.113.217:8080/bin/bot.mips"},
		{"email address", EmailAddress, "joe.user@example.com"},
		{"lower-case SHA-256", Hash, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{"ASN", ASN, "ASN64496"},
		{"IPv4 block", CIDR, "203.0.113.0/24"},
	} {
		b.Run(bc.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := bc.canonical(bc.in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	for name, in := range map[string]string{
		"host":          "static.cdn-3.files.example.com",
		"IPv4":          "203.0.113.217",
		"URL":           "http://static.example.com/path/to/file.bin?id=1234567890",
		"defanged host": "static.files[.]example[.]com",
		"SHA-256":       "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := Parse(in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
