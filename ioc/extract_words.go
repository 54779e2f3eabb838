package ioc

import (
	"bytes"
	"slices"
)

// meaning is the meaning of a word for the values near it.
type meaning int

const (
	noMeaning meaning = iota
	ofVersion         // numbers are a version
	ofProduct         // a program, which is followed by its version
	ofSection         // numbers are a section number
	ofAddress         // numbers are an address
	ofHost            // a name is a host
	ofFile            // a name is a file
	ofPlace           // none, and the words before it also have none
	ofHash            // a hash is a file hash
	ofOther           // hexadecimal digits are not a file hash
)

// shortestCompound is the minimum length of a word that is split into parts.
const shortestCompound = 8

// longestWord is the maximum length of a word with a meaning.
const longestWord = 40

// lower writes a word with its ASCII letters in lower case to buf. It returns nothing for a longer
// word.
func lower(word []byte, buf *[longestWord]byte) []byte {
	if len(word) > len(buf) {
		return nil
	}
	for i, c := range word {
		if isCapital(c) {
			c |= 0x20
		}
		buf[i] = c
	}
	return buf[:len(word)]
}

// meaningOf returns the meaning of a word in any letter case.
func meaningOf(word []byte) meaning {
	var buf [longestWord]byte
	switch string(lower(word, &buf)) {
	case "affected", "affects", "assembly", "ausgabe", "before", "build", "builds", "firmware", "fixed",
		"fixes", "hotfix", "patch", "patched", "prior", "release", "released", "releases", "requires",
		"rev", "revision", "rv", "sdk", "since", "update", "updated", "updates", "upgrade", "upgraded",
		"upgrades", "upgrading", "v", "ver", "vermagic", "version", "versionen", "versiones",
		"versions", "versión", "versão", "versões", "Версии", "Версия", "версией", "версии", "версию",
		"версия", "сборка", "сборках", "сборке", "сборки":
		return ofVersion
	case "acrobat", "activemq", "android", "anydesk", "apache", "bind", "chrome", "chromium",
		"compiler", "confluence", "curl", "debian", "drupal", "edge", "firefox", "fortios", "gitlab",
		"httpd", "ios", "java", "jenkins", "jira", "kernel", "linker", "linux", "log4j", "macos",
		"msvc", "mysql", "nginx", "office", "openssh", "openssl", "openvpn", "opera", "outlook", "php",
		"postgresql", "python", "reader", "safari", "teamviewer", "tomcat", "ubuntu", "vmware",
		"weblogic", "wget", "windows", "wordpress":
		return ofProduct
	case "abschnitt", "appendix", "case", "ch", "chapter", "clause", "control", "event", "invoice",
		"kap", "kapitel", "nr", "oid", "paragraph", "requirement", "rfc", "sec", "section", "sections",
		"step", "ticket", "п", "пункт", "раздел":
		return ofSection
	case "addr", "address", "addresses", "adresse", "adressen", "beacon", "beaconing", "beacons", "c&c",
		"c2", "c2s", "cidr", "client", "clients", "cnc", "connect", "connected", "connecting",
		"connection", "connections", "connects", "daddr", "destination", "direcciones", "dns", "dst",
		"endpoint", "gateway", "host_ip", "inet", "ip", "ips", "ipv4", "ipv6", "lhost", "listener",
		"network", "networks", "node", "nodes", "peer", "ping", "proxy", "range", "rdp", "remote",
		"resolver", "resolvers", "rhost", "router", "saddr", "scanned", "scanning", "scans", "server",
		"servers", "serveur", "serveurs", "servidor", "servidores", "source", "src", "ssh", "subnet",
		"traffic", "dirección", "endereço", "endereços", "адрес", "адреса", "сервер", "сервера":
		return ofAddress
	case "domain", "domain-name", "domain_name", "domaine", "domaines", "domainname", "domains",
		"dominio", "dominios", "fqdn", "host", "host-name", "host_name", "hostname", "hostnames",
		"hosts", "qname", "queried", "queries", "query", "redirected", "redirects", "registered",
		"registrar", "resolution", "resolve", "resolved", "resolves", "resolving", "rrname",
		"server_name", "servername", "sinkhole", "sinkholed", "site", "sites", "sitio", "sni",
		"subdomain", "subdomains", "url", "urls", "visit", "visited", "visiting", "visits", "webseite",
		"website", "websites", "whois", "domäne", "domänen", "domínio", "domínios", "домен", "домена",
		"домены", "сайт", "сайта":
		return ofHost
	case "archive", "archives", "archivo", "archivos", "arquivo", "arquivos", "as", "attachment",
		"attachments", "bash", "binary", "chmod", "copied", "copies", "created", "creates", "datei",
		"document", "downloaded", "dropped", "drops", "edit", "executable", "execute", "executed",
		"executes", "extract", "extracted", "fichier", "fichiers", "file", "filename", "files",
		"library", "opened", "opens", "perl", "python3", "ran", "renamed", "run", "runs", "saved",
		"saves", "script", "scripts", "skript", "unzip", "writes", "written", "скрипт", "файл", "файла":
		return ofFile
	case "from", "at", "via", "on", "aus", "von", "bei":
		return ofPlace
	case "md5", "sha1", "sha-1", "sha", "sha256", "sha-256", "md5sum", "sha1sum", "sha256sum":
		return ofHash
	case "aes", "apikey", "auth", "authentihash", "b3sum", "bearer", "blake2", "blake2b", "blake2s",
		"blake3", "blob", "block", "boundary", "buffer", "build_id", "buildid", "cdhash", "cert",
		"certificado", "certificat", "certificate", "certificates", "certs", "chave", "checkout",
		"ciphertext", "clave", "clef", "commit", "commits", "container", "cookie", "correlation",
		"csrf", "dhash", "dnskey", "ds", "dump", "empreinte", "encoded", "encrypted", "etag", "etags",
		"favicon", "fingerabdruck", "fingerprint", "fingerprints", "fp", "git", "gpg", "guid", "hassh",
		"head", "hex", "hmac", "huella", "hwid", "icon", "id", "ids", "image", "impfuzzy", "imphash",
		"infohash", "iv", "ja3", "ja3s", "ja4", "ja4s", "jarm", "jeton", "key", "keys", "layer", "lm",
		"machine", "md4", "modulus", "mutant", "mutex", "nonce", "nonces", "nt", "ntlm", "openpgp",
		"parent", "password", "pehash", "pgp", "pipe", "plaintext", "raw", "rc4", "requestid", "rich",
		"richhash", "ripemd160", "rrsig", "salt", "secret", "seed", "serial", "serie", "seriennummer",
		"session", "sha-224", "sha-384", "sha-512", "sha224", "sha3", "sha3-256", "sha3-384",
		"sha3-512", "sha384", "sha512", "shellcode", "sig", "signature", "ssdeep", "sshfp", "symhash",
		"telfhash", "thumbprint", "thumbprints", "tlsa", "tlsh", "tok", "token", "torrent", "trace",
		"traceid", "traceparent", "transaction", "traza", "tree", "tx", "txid", "uid", "uuid", "vhash",
		"wallet", "xor", "xsrf", "zertifikat", "zertifikats", "clé", "schlüssel", "série", "ключ",
		"отпечаток", "сертификат", "сертификата":
		return ofOther
	}
	if bytes.ContainsFunc(word, isSpaceless) {
		return meaningWithin(word)
	}
	return noMeaning
}

// meaningOfTerm returns the meaning of a word or of its last part, for example of file_version,
// X-Origin-IP and remoteAddr.
func meaningOfTerm(term []byte) meaning {
	if m := meaningOf(term); m != noMeaning {
		return m
	}
	if i := bytes.LastIndexByte(term, '.'); i >= 0 {
		if m := meaningOf(term[i+1:]); m != noMeaning {
			return m
		}
	}
	term = bytes.TrimLeft(term, "&_")
	last := term
	for i, c := range slices.Backward(term) {
		if c == '-' || c == '_' || c == '.' {
			last = term[i+1:]
			break
		} else if i > 0 && isCapital(c) && !isCapital(term[i-1]) && isLetter(term[i-1]) {
			last = term[i:]
			break
		}
	}
	m := meaningOf(last)
	if m == noMeaning && len(last) == len(term) && len(term) < shortestCompound {
		return noMeaning
	}
	var buf [longestWord]byte
	switch name := lower(term, &buf); {
	case (m == ofHash || m == noMeaning) && isOtherHash(name):
		return ofOther
	case m == noMeaning && bytes.HasPrefix(name, []byte("dns.")):
		return ofHost
	case bytes.HasSuffix(name, []byte("version")):
		return ofVersion
	case m == noMeaning && (bytes.HasPrefix(name, []byte("process.")) || bytes.HasPrefix(name, []byte("file."))): // field names
		return ofFile
	}
	return m
}

// isOtherHash reports whether a field name denotes a hash that is not a file hash.
func isOtherHash(name []byte) bool {
	for _, part := range [...]string{"key", "cert", "ja3", "jarm", "imphash", "imp_hash", "pehash", "password", "passwd", "session", "csrf", "nonce", "salt", "fingerprint", "thumbprint", "x509", "hassh", "hmac", "cdhash"} {
		if bytes.Contains(name, []byte(part)) {
			return true
		}
	}
	return false
}

func isCapital(c byte) bool { return 'A' <= c && c <= 'Z' }

// meaningWithin returns the meaning of a phrase in a script without spaces, which is the meaning of
// its last word.
func meaningWithin(phrase []byte) meaning {
	last, m := -1, noMeaning
	for _, known := range [...]struct {
		word string
		meaning
	}{
		{"版本", ofVersion}, {"版", ofVersion}, {"鍵", ofOther}, {"キー", ofOther}, {"トレース", ofOther}, {"密钥", ofOther}, {"证书", ofOther}, {"証明書", ofOther}, {"指纹", ofOther}, {"序列号", ofOther}, {"令牌", ofOther}, {"会话", ofOther}, {"提交", ofOther}, {"バージョン", ofVersion}, {"버전", ofVersion}, {"地址", ofAddress}, {"服务器", ofAddress}, {"アドレス", ofAddress}, {"サーバー", ofAddress}, {"서버", ofAddress},
		{"域名", ofHost}, {"网站", ofHost}, {"ドメイン", ofHost}, {"도메인", ofHost}, {"文件", ofFile}, {"脚本", ofFile}, {"ファイル", ofFile},
	} {
		if i := bytes.LastIndex(phrase, []byte(known.word)); i > last {
			last, m = i, known.meaning
		}
	}
	return m
}
