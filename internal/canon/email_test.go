package canon

import "testing"

func TestEmailAddress(t *testing.T) {
	t.Parallel()
	runCanonicalCases(t, EmailAddress, []canonicalCase{
		{name: "a plain address stays", in: "user@example.com", want: "user@example.com"},
		{name: "only the domain becomes lower case", in: "Joe.User@Example.COM", want: "Joe.User@example.com"},
		{name: "white space around it is removed", in: " user@example.com\n", want: "user@example.com"},
		{name: "white space after the @ is refused", in: "user@ example.com", rule: "holds white space"},
		{name: "plus signs, slashes and dots stay", in: "a+b/c..d.'e=f@example.com", want: "a+b/c..d.'e=f@example.com"},
		{name: "an internationalized domain is encoded", in: "user@münchen.example", want: "user@xn--mnchen-3ya.example"},
		{name: "a non-ASCII name stays", in: "jörg@example.com", want: "jörg@example.com"},
		{name: "a quoted name stays", in: `"a @ \"b\""@Example.com`, want: `"a @ \"b\""@example.com`},

		{name: "an empty quoted name stays", in: `""@example.com`, want: `""@example.com`},
		{name: "a name that only ends with a quote is refused", in: `a"@example.com`, rule: "has more than one address"},
		{name: "a name that only begins with a quote is refused", in: `"a@example.com`, rule: "has more than one address"},
		{name: "a quote alone is refused", in: `"@example.com`, rule: "has more than one address"},
		{name: "a quote inside quotes is refused", in: `"a"b"@example.com`, rule: "has more than one address"},
		{name: "a space is refused", in: "a b@example.com", rule: "has more than one address"},
		{name: "an opening angle bracket is refused", in: "<a@example.com", rule: "has more than one address"},
		{name: "a closing angle bracket is refused", in: "a>@example.com", rule: "has more than one address"},
		{name: "an opening parenthesis is refused", in: "(a@example.com", rule: "has more than one address"},
		{name: "a closing parenthesis is refused", in: "a)@example.com", rule: "has more than one address"},
		{name: "a comma is refused", in: "a,b@example.com", rule: "has more than one address"},
		{name: "a backslash is refused", in: `a\b@example.com`, rule: "has a character that cannot stand before the @"},

		{name: "an emoji and a middle dot in the name stay", in: "☕l·l@example.com", want: "☕l·l@example.com"},
		{name: "typographic quotes in a quoted name stay", in: `"“a”"@example.com`, want: `"“a”"@example.com`},

		{name: "a typographic quote in front is refused", in: "“user@example.com", rule: "holds punctuation"},
		{name: "a typographic apostrophe in the name is refused", in: "o’user@example.com", rule: "holds punctuation"},
		{name: "a typographic quote after the domain is refused", in: "user@example.com”", rule: "holds punctuation"},
		{name: "a blank value is refused", in: " ", rule: "is blank"},
		{name: "a missing @ is refused", in: "example.com", rule: "has no @"},
		{name: "an empty part before the @ is refused", in: "@example.com", rule: "has nothing before the @"},
		{name: "an empty part after the @ is refused", in: "user@", rule: "is blank"},
		{name: "two @ are refused", in: "a@b@example.com", rule: "has two @"},
		{name: "a quote that is left open is refused", in: `"a@b@example.com`, rule: "has more than one address"},
		{name: "an escape at the end of quotes is refused", in: `"a\"@example.com`, rule: "has more than one address"},
		{name: "a display name is refused", in: "Joe User <user@example.com>", rule: "has more than one address"},
		{name: "a list is refused", in: "a@example.com, b@example.com", rule: "has two @"},
		{name: "a list with semicolons is refused", in: "a;b@example.com", rule: "has more than one address"},
		{name: "an opening bracket is refused", in: "a[b@example.com", rule: "has a character that cannot stand before the @"},
		{name: "a closing bracket is refused", in: "a]b@example.com", rule: "has a character that cannot stand before the @"},
		{name: "mailto is refused", in: "mailto:user@example.com", rule: "has a character that cannot stand before the @"},
		{name: "a URL without its scheme is refused", in: "evil.example.com/login?email=user@victim.example", rule: "may be a URL without its scheme"},
		{name: "a URL without its scheme and path is refused", in: "Evil.example.com?user@victim.example", rule: "may be a URL without its scheme"},
		{name: "a URL of an address without its scheme is refused", in: "192.0.2.1#user@victim.example", rule: "may be a URL without its scheme"},
		{name: "a path after something other than a host stays", in: "a/b.c?d#e@example.com", want: "a/b.c?d#e@example.com"},
		{name: "a quoted name that begins as a host does stays", in: `"evil.example.com/login"@example.com`, want: `"evil.example.com/login"@example.com`},
		{name: "an address literal is refused", in: "user@[192.0.2.1]", rule: "is an IP address"},
		{name: "a domain of one label is refused", in: "root@localhost", rule: "has one label only"},
		{name: "a domain whose last label is no top-level domain is refused", in: "cfree@1577_2873.v2", rule: "has a last label that is not two or more letters"},
		{name: "a defanged domain is refused", in: "user@example[.]com", rule: "is defanged"},
		{name: "a defanged @ is refused", in: "user[at]example.com", rule: "is defanged"},
		{name: "a soft hyphen in the name is refused", in: "us\u00ader@example.com", rule: "holds an invisible character"},
		{name: "a joiner in a word of the name is refused", in: "نامه\u200cای@example.com", rule: "holds an invisible character"},
		{name: "a joiner in a quoted name is refused", in: "\"نامه\u200cای\"@example.com", rule: "holds an invisible character"},
		{name: "a line break is refused", in: "us\ner@example.com", rule: "holds a control character"},
	})
}
