package canon

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
)

func TestHost(t *testing.T) {
	t.Parallel()
	label63 := strings.Repeat("a", 63)
	const sign = "holds punctuation or a symbol that no name has"
	const topLevel = "has a last label that is not two or more letters"
	host253 := strings.Repeat(label63+".", 3) + strings.Repeat("b", 61)
	runCanonicalCases(t, Host, []canonicalCase{
		{name: "a plain name stays", in: "www.example.com", want: "www.example.com"},
		{name: "capitals become lower case", in: "WWW.Example.COM", want: "www.example.com"},
		{name: "white space around it is removed", in: "\t www.example.com \n", want: "www.example.com"},
		{name: "one final dot is removed", in: "www.example.com.", want: "www.example.com"},
		{name: "underscores stay", in: "_dmarc.a_b.example", want: "_dmarc.a_b.example"},
		{name: "hyphens in the third and fourth place stay", in: "r3---sn-abc.example", want: "r3---sn-abc.example"},
		{name: "a label may begin with a digit", in: "4.3.2.1.in-addr.arpa", want: "4.3.2.1.in-addr.arpa"},
		{name: "umlauts are encoded", in: "Österreich.icom.museum", want: "xn--sterreich-z7a.icom.museum"},
		{name: "a dotted capital I keeps its dot", in: "aİb.example", want: "xn--aib-9dc.example"},
		{name: "sharp s is not turned into ss", in: "straße.example", want: "xn--strae-oqa.example"},
		{name: "an ideographic dot is a dot", in: "日本語。example", want: "xn--wgv71a119e.example"},
		{name: "a final ideographic dot is removed", in: "日本語.example。", want: "xn--wgv71a119e.example"},
		{name: "a wide dot is a dot", in: "www．example．com", want: "www.example.com"},
		{name: "wide letters become plain", in: "ｅｘａｍｐｌｅ.example", want: "example.example"},
		{name: "an emoji is encoded", in: "☕.example", want: "xn--53h.example"},
		{name: "an emoji of a later block is encoded", in: "🤖.example", want: "xn--yp9h.example"},
		{name: "an emoji with a skin tone is encoded", in: "👍🏽.example", want: "xn--on8h5e.example"},
		{name: "an emoji that is a mathematical symbol is encoded", in: "a↔️b.example", want: "xn--ab-4zu.example"},
		{name: "an emoji that is an arrow is encoded", in: "⤴.example", want: "xn--zri.example"},
		{name: "a middle dot between two l is encoded", in: "l·L.example", want: "xn--ll-0ea.example"},
		{name: "a middle dot between kana is encoded", in: "コーヒー・ア.example", want: "xn--cck7a2f6gdb.example"},
		{name: "a middle dot between a letter and a Han character is encoded", in: "a・例.example", want: "xn--a-iju668i.example"},
		{name: "a middle dot between Hiragana is encoded", in: "い・え.example", want: "xn--n8ji05c.example"},
		{name: "a middle dot between a Han character and a letter is encoded", in: "例・a.example", want: "xn--a-hju568i.example"},
		{name: "a half-width middle dot between kana is encoded", in: "ｱ･ｳ.example", want: "xn--ccki8w.example"},
		{name: "a Hebrew mark after a letter is encoded", in: "צה״ל.example", want: "xn--8dbq2a9c.example"},
		{name: "a Hebrew apostrophe after a letter is encoded", in: "צ׳ה.example", want: "xn--8db9azb.example"},
		{name: "a Tibetan mark after a letter is encoded", in: "བོད་.example", want: "xn--nbd3loa6m.example"},
		{name: "a wide hyphen and a wide underscore become plain", in: "ａ－ｂ＿ｃ.example", want: "a-b_c.example"},
		{name: "an encoded name that contains a quote stays", in: "xn--nidlogin-2p3d.apollo.r-e.kr", want: "xn--nidlogin-2p3d.apollo.r-e.kr"},
		{name: "an emoji with a variation selector is encoded", in: "☕\ufe0f.example", want: "xn--53h.example"},
		{name: "a joiner in a Persian word is encoded", in: "نامه\u200cای.example", want: "xn--mgba3gch31f060k.example"},
		{name: "an encoded name stays", in: "xn--mnchen-3ya.example", want: "xn--mnchen-3ya.example"},
		{name: "an encoded name in capitals becomes lower case", in: "XN--MNCHEN-3YA.EXAMPLE", want: "xn--mnchen-3ya.example"},
		{name: "hyphens in the third and fourth place next to an encoded label stay", in: "r3---sn.münchen.example", want: "r3---sn.xn--mnchen-3ya.example"},
		{name: "an underscore next to an encoded label stays", in: "_a.münchen.example", want: "_a.xn--mnchen-3ya.example"},
		{name: "many marks that join their letters pass", in: strings.Repeat(strings.Repeat("e\u0323\u0302", 50)+".", 2) + "example", want: "xn--qlgaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.xn--qlgaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example"},
		{name: "a name that looks like another passes", in: "раypal.example", want: "xn--ypal-43d9g.example"},
		{name: "a name of 253 octets passes", in: host253, want: host253},
		{name: "a name of 253 octets and a final dot passes", in: host253 + ".", want: host253},

		{name: "a last label of two letters passes", in: "example.ch", want: "example.ch"},
		{name: "a last label of many letters passes", in: "example.travelersinsurance", want: "example.travelersinsurance"},
		{name: "an encoded last label with digits passes", in: "example.xn--p1ai", want: "example.xn--p1ai"},
		{name: "a last label beyond ASCII is encoded", in: "пример.РФ", want: "xn--e1afmkfd.xn--p1ai"},

		{name: "a last label with a digit is refused", in: "cytrox.stix2", rule: topLevel},
		{name: "a last label with a digit in front is refused", in: "www.7z", rule: topLevel},
		{name: "a last label with a hyphen is refused", in: "cmd.exe-based", rule: topLevel},
		{name: "a last label with an underscore is refused", in: "www.example_x", rule: topLevel},
		{name: "a last label with an underscore is refused when it is encoded", in: "0._Ď", rule: topLevel},
		{name: "a last label with an underscore is refused when it comes encoded", in: "0.xn--_-hia", rule: topLevel},
		{name: "a last label of one letter is refused", in: "B.V.", rule: topLevel},
		{name: "a last label that is encoded in nothing but its hyphens is refused", in: "www.ab--c", rule: topLevel},
		{name: "a last label that begins almost as an encoded one is refused", in: "www.xm--p1ai", rule: topLevel},
		{name: "a last label that begins with another letter than an encoded one is refused", in: "www.yn--p1ai", rule: topLevel},
		{name: "a last label with another character for the first hyphen is refused", in: "www.xna-p1ai", rule: topLevel},
		{name: "a last label with another character for the second hyphen is refused", in: "www.xn-ap1ai", rule: topLevel},
		{name: "a last label of 64 letters is refused", in: "www." + label63 + "a", rule: "has a label longer than 63 octets"},
		{name: "a version is refused", in: "OpenSSH_6.4p1", rule: topLevel},
		{name: "a wide last label with a digit is refused", in: "www.ｅ1", rule: topLevel},
		{name: "an empty value is refused", in: "", rule: "is blank"},
		{name: "white space alone is refused", in: " \t", rule: "is blank"},
		{name: "254 octets are refused", in: host253 + "b", rule: "is longer than 253 octets"},
		{name: "a label of 64 octets is refused", in: label63 + "a.example", rule: "has a label longer than 63 octets"},
		{name: "a label that is too long once encoded is refused", in: strings.Repeat("ä", 63) + ".example", rule: "is not a valid internationalized name"},
		{name: "a label of more characters than can become 63 octets is refused", in: strings.Repeat("ä", 253) + ".example", rule: "has a label longer than 63 octets"},
		{name: "one label is refused", in: "localhost", rule: "has one label only"},
		{name: "a dot alone is refused", in: ".", rule: "has an empty label"},
		{name: "a dot at the start is refused", in: ".example.com", rule: "has an empty label"},
		{name: "two dots are refused", in: "a..example", rule: "has an empty label"},
		{name: "two final dots are refused", in: "a.example..", rule: "has an empty label"},
		{name: "a hyphen at the start of a label is refused", in: "-a.example", rule: "has a label with a hyphen at its end"},
		{name: "a hyphen at the end of a label is refused", in: "a-.example", rule: "has a label with a hyphen at its end"},
		{name: "a hyphen at the very end is refused", in: "a.example-", rule: "has a label with a hyphen at its end"},
		{name: "a wrongly encoded label is refused", in: "xn--a.example", rule: "is not a valid internationalized name"},
		{name: "a wrongly encoded last label is refused", in: "www.xn--a", rule: "is not a valid internationalized name"},
		{name: "a label that encodes nothing is refused", in: "xn--.example", rule: "is not a valid internationalized name"},
		{name: "a joiner where no script wants it is refused", in: "日\u200d本.example", rule: "is not a valid internationalized name"},
		{name: "a joiner between ASCII letters is refused", in: "a\u200db.example", rule: "holds an invisible character"},
		{name: "a soft hyphen is refused", in: "exa\u00admple.example", rule: "holds an invisible character"},
		{name: "a mapping that breaks the bidi rule only once encoded is refused", in: "aℵb.example", rule: "is not a valid internationalized name"},
		{name: "an IPv4 address is refused", in: "192.0.2.1", rule: "is an IP address"},
		{name: "an IPv4 address with a final dot is refused", in: "192.0.2.1.", rule: "is an IP address"},
		{name: "an IPv4 address in wide digits is refused", in: "１９２.０.２.１", rule: "is an IP address"},
		{name: "an IPv6 address is refused", in: "2001:db8::1", rule: "is an IP address"},
		{name: "an IPv6 address in brackets is refused", in: "[2001:db8::1]", rule: "is an IP address"},
		{name: "an octal address is refused", in: "0300.0000.0002.0001", rule: "ends in a number"},
		{name: "a hexadecimal address is refused", in: "0xc0000201", rule: "ends in a number"},
		{name: "a hexadecimal last label is refused", in: "192.0.2.0x1", rule: "ends in a number"},
		{name: "a hexadecimal last label without digits is refused", in: "www.example.0x", rule: "ends in a number"},
		{name: "an integer address is refused", in: "3221225985", rule: "ends in a number"},
		{name: "an address with too few numbers is refused", in: "192.0.513", rule: "ends in a number"},
		{name: "a name that ends in a number is refused", in: "www.example.1", rule: "ends in a number"},
		{name: "a port is refused", in: "www.example.com:8080", rule: "holds a port"},
		{name: "user information is refused", in: "user@example.com", rule: "holds an @"},
		{name: "a URL is refused", in: "http://example.com", rule: "is a URL"},
		{name: "a path is refused", in: "example.com/path", rule: "holds a path"},
		{name: "a query is refused", in: "example.com?x", rule: "holds a path"},
		{name: "a fragment is refused", in: "example.com#x", rule: "holds a path"},
		{name: "a backslash is refused", in: `example.com\path`, rule: "holds a path"},
		{name: "a wildcard is refused", in: "*.example.com", rule: "holds a wildcard"},
		{name: "a percent sign is refused", in: "exa%6dple.com", rule: "is percent-encoded"},
		{name: "a space inside is refused", in: "exa mple.com", rule: "holds white space"},
		{name: "a no-break space inside is refused", in: "exa\u00a0mple.com", rule: "holds white space"},
		{name: "a NUL is refused", in: "a\x00b.example", rule: "holds a control character"},
		{name: "bytes that are not UTF-8 are refused", in: "\xff.example", rule: "is not valid UTF-8"},
		{name: "a defanged name is refused", in: "www[.]example.com", rule: "is defanged"},
		{name: "a quoted name is refused", in: `"www.example.com"`, rule: "is defanged"},
		{name: "an apostrophe is refused", in: "it's.example", rule: "holds a character that no host name has"},
		{name: "typographic quotes around it are refused", in: "“www.example.com”", rule: "is defanged"},
		{name: "a typographic quote after it is refused", in: "www.example.com’", rule: sign},
		{name: "angle quotes around it are refused", in: "«www.example.com»", rule: "is defanged"},
		{name: "quotes of dingbats in front of it are refused", in: "❝www.example.com", rule: sign},
		{name: "quotes around an address are refused", in: "“192.0.2.1”", rule: "is defanged"},
		{name: "quotes around an encoded name are refused", in: "“xn--mnchen-3ya.example”", rule: "is defanged"},
		{name: "a bullet is refused", in: "•www.example.com", rule: sign},
		{name: "a middle dot as a bullet is refused", in: "·www.example.com", rule: sign},
		{name: "a middle dot between other letters is refused", in: "www·l.example", rule: sign},
		{name: "a middle dot after an l is refused", in: "l·b.example", rule: sign},
		{name: "a kana middle dot as a bullet is refused", in: "・例え.example", rule: sign},
		{name: "a kana middle dot without kana is refused", in: "a・b.example", rule: sign},
		{name: "a kana middle dot before a digit is refused", in: "ア・1.example", rule: sign},
		{name: "a kana middle dot after a digit is refused", in: "1・ア.example", rule: sign},
		{name: "a Hebrew mark after a digit is refused", in: "א1״ב.example", rule: sign},
		{name: "a Tibetan mark after another letter is refused", in: "a་b.example", rule: sign},
		{name: "a dash is refused", in: "www–example.com", rule: sign},
		{name: "a hyphen that does not break is refused", in: "www\u2011example.com", rule: sign},
		{name: "a not sign is refused", in: "support¬forum.example", rule: sign},
		{name: "a fraction slash is refused", in: "example.com⁄login.example", rule: sign},
		{name: "an accent as a quote is refused", in: "˵www.example.com", rule: sign},
		{name: "a trademark sign is refused", in: "example.com™", rule: sign},
		{name: "a trademark sign inside is refused", in: "exa™mple.com", rule: sign},
		{name: "a symbol for words is refused", in: "№1.example", rule: sign},
		{name: "a letter in a circle is refused", in: "ⓔxample.com", rule: sign},
		{name: "the number of a footnote is refused", in: "example.com¹", rule: sign},
		{name: "a number in a circle is refused", in: "①.example", rule: sign},
		{name: "a symbol in the last label is refused", in: "www.example®", rule: sign},
		{name: "a symbol in the last label before a final dot is refused", in: "www.example✓。", rule: sign},
		{name: "a capital sharp s is refused, because readers map it to different names", in: "STRAẞE.example", rule: "holds a capital sharp s"},
		{name: "a character that maps to a slash is refused", in: "a℀b.example", rule: "holds a path"},
		{name: "a wide colon is refused", in: "a：80.example", rule: "holds a port"},
	})
}

func TestHostASCIICharacters(t *testing.T) {
	t.Parallel()
	for c := range rune(utf8.RuneSelf) {
		name := "a" + string(c) + "b.example"
		got, err := Host(name)
		if c == '-' || c == '_' || c == '.' || unicode.IsLetter(c) || unicode.IsDigit(c) {
			assert.NoError(t, err, "%q", name)
			assert.Equal(t, strings.ToLower(name), got)
			continue
		}
		assert.Error(t, err, "%q", name)
	}
}

// Non-ASCII punctuation belongs to the text around a name: quotes, dashes, bullets.
func TestHostRejectsNonASCIIPunctuation(t *testing.T) {
	t.Parallel()
	const dots, emoji = "。．｡", "↔◻◼◽◾⤴⤵🏻🏼🏽🏾🏿"
	for r := range beyondASCII(unicode.P, unicode.Sm, unicode.Sk, unicode.Quotation_Mark) {
		if strings.ContainsRune(emoji, r) {
			continue
		}
		sign := string(r)
		for _, name := range []string{sign + "www.example.com", "www.example.com" + sign, sign + "www.example.com" + sign, "www.a" + sign + "b.example"} {
			switch {
			case strings.ContainsRune(dots, r) && name[0] == 'w': // a dot between labels or at the end
			case r == '－' && name == "www.a－b.example", r == '＿': // mapped to a hyphen and an underscore
			default:
				_, err := Host(name)
				assert.Error(t, err, "%+q as a host", name)
				_, err = URL("http://" + name + "/x")
				assert.Error(t, err, "%+q as the host of a URL", name)
				_, err = EmailAddress("user@" + name)
				assert.Error(t, err, "%+q as the domain of an email address", name)
				_, _, err = Parse(name)
				assert.Error(t, err, "%+q as anything", name)
			}
		}
	}
}

// Mappings combine up to four characters into one, so a valid label can have up to 4 * 63 characters.
func TestHostAcceptsLongLabelsBeforeMapping(t *testing.T) {
	t.Parallel()
	_, err := Host(strings.Repeat("\u1100\u1161\u11a8\ufe0f", 50) + ".example")
	assert.NoError(t, err)
}

func TestHostDoesNotAllocateForPlainNames(t *testing.T) {
	_, err := Host("r3---sn-abc.a_b.example.com")
	assert.NoError(t, err)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		_, _ = Host("r3---sn-abc.a_b.example.com")
	}))
}
