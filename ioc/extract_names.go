package ioc

import (
	"bytes"
	"strings"
)

// suffixKind classifies last labels by their other meanings.
type suffixKind int

const (
	plainSuffix   suffixKind = iota // hardly any other meaning
	countrySuffix                   // two letters
	brandSuffix                     // a word
	wordSuffix                      // a word that often follows a dot in text and source code
	fileSuffix                      // a file name extension
)

// kindOf returns the kind of a last label.
func kindOf(label []byte) suffixKind {
	var buf [longestWord]byte
	switch string(lower(label, &buf)) {
	case "bar", "box", "cab", "cat", "dot", "foo", "hm", "inc", "java", "md", "mm", "mov", "ms", "one",
		"pl", "pm", "ps", "pub", "py", "rs", "sc", "sh", "so", "target", "tf", "tm", "zip":
		return fileSuffix
	case "am", "app", "as", "at", "be", "by", "call", "cc", "data", "date", "do", "events", "final",
		"group", "host", "id", "in", "is", "it", "link", "map", "me", "my", "name", "new",
		"next", "no", "now", "open", "property", "read", "run", "save", "search",
		"select", "store", "stream", "style", "tab", "to", "total", "us", "watch", "zone":
		return wordSuffix
	case "accountant", "aero", "amsterdam", "arpa", "asia", "berlin", "bet", "biz", "buzz", "casino",
		"cfd", "click", "cloud", "club", "com", "coop", "cricket", "cyou", "edu", "eu",
		"faith", "gdn", "gmbh", "gov", "guru", "icu", "jobs", "kim", "llc", "lol", "london", "ltd",
		"mil", "mobi", "moe", "monster", "moscow", "museum", "net", "ninja", "nyc", "onl", "online",
		"org", "pics", "poker", "porn", "pw", "ren", "rocks", "sbs", "sex", "shop", "site", "su",
		"tech", "tel", "tokyo", "top", "vip", "wang", "webcam", "website", "wtf", "xxx", "xyz",
		"yachts":
		return plainSuffix
	}
	if len(label) == 2 {
		return countrySuffix
	}
	if bytes.HasPrefix(label, []byte("xn--")) || bytes.ContainsFunc(label, func(r rune) bool { return r > 'z' }) {
		return plainSuffix
	}
	return brandSuffix
}

// isAlternativeRoot reports whether a last label is used outside the DNS of ICANN.
func isAlternativeRoot(label string) bool {
	switch label {
	case "onion", "i2p", "bit", "bazar", "lib", "emc", "coin", "eth", "crypto":
		return true
	}
	return false
}

// isReversed reports whether a name starts with a top-level domain, as package names do, or with
// letters that denote packages.
func isReversed(first, last, word []byte) bool {
	switch string(first) {
	case "android", "androidx", "com", "edu", "gov", "java", "javax", "kotlin", "net", "org", "scala",
		"sun":
		return true
	}
	kind := kindOf(last)
	return isCountryOfPackages(first) && bytes.Count(word, []byte(".")) > 1 && kind >= brandSuffix && bytes.IndexByte(word, '-') < 0 ||
		len(word) > 3 && len(first) == 1 && word[3] == '.'
}

// isCountryOfPackages reports whether package names start with a top-level domain.
func isCountryOfPackages(label []byte) bool {
	switch string(label) {
	case "at", "br", "ch", "cn", "cz", "de", "dk", "es", "eu", "fi", "fr", "io", "it", "jp", "nl", "pl",
		"pt", "ru", "se", "tr", "uk":
		return true
	}
	return false
}

// isDetection reports whether a name starts like the names that scanners give to malware.
func isDetection(first []byte) bool {
	var buf [longestWord]byte
	switch string(lower(first, &buf)) {
	case "adware", "androidos", "application", "artemis", "backdoor", "behaveslike", "behavior", "bkdr",
		"botnet", "downloader", "dropper", "elf", "exploit", "gen", "generic", "hacktool", "heur",
		"html", "infostealer", "js", "linux", "macos", "macro", "mal", "malware", "msil", "not-a-virus",
		"o97m", "osx", "packed", "packer", "program", "pua", "pup", "pws", "ransom", "ransomware",
		"riskware", "rootkit", "script", "spyware", "suspicious", "troj", "trojan", "trojandownloader",
		"trojanspy", "trojware", "unix", "vba", "vbs", "virus", "w2km", "w32", "w64", "w97m", "win32",
		"win64", "worm", "x97m":
		return true
	}
	return false
}

// isSubdomain reports whether a first label is common in hosts.
func isSubdomain(label []byte) bool {
	var buf [longestWord]byte
	switch string(lower(bytes.TrimRight(label, "0123456789"), &buf)) {
	case "api", "cdn", "cpanel", "dl", "down", "download", "edge", "ftp", "gw", "images", "imap", "img",
		"login", "mail", "mx", "ns", "panel", "pop", "portal", "pull", "secure", "smtp", "sso",
		"static", "status", "up", "update", "updates", "vpn", "webmail", "ww", "www":
		return true
	}
	return false
}

// isIdentifier reports whether a first label is more likely a word of source code than of a host.
func isIdentifier(label []byte) bool {
	var buf [longestWord]byte
	switch string(lower(label, &buf)) {
	case "agent", "app", "approx", "args", "array", "base64", "btn", "card", "cfg", "child", "class",
		"client", "cloud", "co", "col", "config", "console", "console_", "const", "container", "corp",
		"ctx", "ctypes", "data", "datetime", "dept", "destination", "dns", "document", "domain", "dr",
		"e", "ed", "eds", "el", "elem", "elf", "email", "entity", "err", "error", "est", "etc", "event",
		"events", "exports", "fig", "file", "files", "fmt", "form", "from", "function", "group", "hash",
		"host", "http", "i", "import", "inc", "input", "io", "item", "items", "job", "jr", "json",
		"key", "let", "list", "location", "log", "logger", "logging", "ltd", "macho", "math", "module",
		"mr", "mrs", "n", "navigator", "net", "network", "no", "node", "nos", "obj", "object",
		"observer", "options", "orchestrator", "organization", "os", "output", "package", "page",
		"params", "parent", "pe", "player", "pp", "process", "prof", "psutil", "random", "re",
		"registry", "related", "req", "request", "requests", "res", "response", "return", "row", "rule",
		"s", "self", "server", "service", "session", "shutil", "socket", "source", "st", "std",
		"string", "struct", "subprocess", "sys", "system", "task", "tel", "this", "threading", "threat",
		"time", "tls", "url", "urllib", "user", "users", "value", "var", "vol", "vs", "vulnerability",
		"window", "winreg", "x", "x509", "y":
		return true
	}
	return false
}

// isService reports whether a name belongs to a well-known service, although its last label usually
// has another meaning.
func isService(name string) bool {
	switch name {
	case "0x0.st", "about.me", "bit.ly", "crates.io", "docs.rs", "fb.me", "g.co", "get.rs", "goo.gl",
		"ifconfig.me", "ip.me", "is.gd", "ix.io", "keep.sh", "oshi.at", "paste.rs", "rust.rs", "t.co",
		"t.me", "telegra.ph", "temp.sh", "transfer.sh", "v.gd", "wa.me", "x.com":
		return true
	}
	return strings.HasSuffix(name, ".transfer.sh") || strings.HasSuffix(name, ".docs.rs")
}
